/** Jobs and cron jobs. */
import { fieldInvalid, fieldNotSupported, fieldRequired, fieldTooLong, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import {
  checkText,
  dnsLabel,
  dnsSubdomain,
  type Errors,
  isEmptySelector,
  isSoundSelector,
  labelSelector,
  nonNegative,
  oneOf,
  requireText,
  selectorMatches,
  selectorShown,
  templateLabels,
} from "../checks.ts";
import { immutableValue } from "../comparison/forbidden-change.ts";
import { scheduleFault } from "./cron-schedule.ts";
import { child, type Fields, has, number, text } from "../fields.ts";
import { failurePolicy, replacementPolicy, successPolicy } from "./job-policies.ts";
import { checkPodTemplate } from "../pods/pod-spec.ts";

const COUNTS = [
  "parallelism",
  "completions",
  "activeDeadlineSeconds",
  "backoffLimit",
  "ttlSecondsAfterFinished",
  "backoffLimitPerIndex",
  "maxFailedIndexes",
];
const MAX_INDEXED = 100_000;
const MANY_COMPLETIONS = 100_000;
const MOST_OF_MANY = 10_000;
const MAX_MANAGER = 63;
const PATH = /^[A-Za-z0-9/\-._~%!$&'()*+,;=:]+$/;
const PATH_TEXT = "Invalid path (regex used for validation is '[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+')";

/** Who looks after the job: a domain and a path. */
function checkManager(spec: Fields, path: string, errors: Errors): void {
  if (!has(spec, "managedBy")) return;
  const at = `${path}.managedBy`;
  const manager = text(spec, "managedBy");
  const slash = manager.indexOf("/");
  const [domain, rest] = [manager.slice(0, Math.max(slash, 0)), manager.slice(slash + 1)];
  if (manager === "") errors.push(fieldRequired(at));
  else if (domain === "" || rest === "")
    errors.push(fieldInvalid(at, manager, 'must be a domain-prefixed path (such as "acme.io/foo")'));
  else {
    checkText(domain, at, dnsSubdomain, errors);
    if (!PATH.test(rest)) errors.push(fieldInvalid(at, rest, PATH_TEXT));
  }
  if (Buffer.byteLength(manager) > MAX_MANAGER) errors.push(fieldTooLong(at, MAX_MANAGER));
}

/** What holds of a job whose pods have each a number. */
function checkIndexed(spec: Fields, path: string, errors: Errors): void {
  const [completions, parallelism, failed] = ["completions", "parallelism", "maxFailedIndexes"].map((key) =>
    number(spec, key),
  );
  const most = (key: string, value: number | undefined, max: number, words: string): void => {
    if (value !== undefined && value > max) errors.push(fieldInvalid(`${path}.${key}`, value, words));
  };
  if (completions === undefined) errors.push(fieldRequired(`${path}.completions`, "when completion mode is Indexed"));
  most(
    "parallelism",
    parallelism,
    MAX_INDEXED,
    `must be less than or equal to ${MAX_INDEXED} when completion mode is Indexed`,
  );
  if (completions !== undefined)
    most("maxFailedIndexes", failed, completions, "must be less than or equal to completions");
  most("maxFailedIndexes", failed, MAX_INDEXED, `must be less than or equal to ${MAX_INDEXED}`);
  if ((completions ?? 0) <= MANY_COMPLETIONS || !has(spec, "backoffLimitPerIndex")) return;
  if (failed === undefined)
    errors.push(
      fieldRequired(`${path}.maxFailedIndexes`, `must be specified when completions is above ${MANY_COMPLETIONS}`),
    );
  const words = `must be less than or equal to ${MOST_OF_MANY} when completions are above ${MANY_COMPLETIONS} and used with backoff limit per index`;
  most("parallelism", parallelism, MOST_OF_MANY, words);
  most("maxFailedIndexes", failed, MOST_OF_MANY, words);
}

function completion(spec: Fields, path: string, errors: Errors): void {
  const mode = spec["completionMode"] ?? undefined;
  if (mode !== undefined) oneOf(mode, `${path}.completionMode`, ["NonIndexed", "Indexed"], errors);
  if (mode === "Indexed") checkIndexed(spec, path, errors);
  if (mode !== undefined && mode !== "NonIndexed") return;
  for (const key of ["backoffLimitPerIndex", "maxFailedIndexes"])
    if (has(spec, key)) errors.push(fieldInvalid(`${path}.${key}`, spec[key], "requires indexed completion mode"));
}

function restartPolicy(spec: Fields, path: string, errors: Errors): void {
  const at = `${path}.template.spec.restartPolicy`;
  const policy = text(child(child(spec, "template"), "spec"), "restartPolicy");
  if (policy === "Always" || policy === "") errors.push(fieldRequired(at, 'valid values: "OnFailure", "Never"'));
  else if (policy !== "OnFailure" && policy !== "Never")
    errors.push(fieldNotSupported(at, policy, ["OnFailure", "Never"]));
  else if (has(spec, "podFailurePolicy") && policy !== "Never")
    errors.push(fieldInvalid(at, policy, 'only "Never" is supported when podFailurePolicy is specified'));
}

function checkJobSpec(spec: Fields, path: string, errors: Errors): void {
  for (const key of COUNTS) nonNegative(number(spec, key), `${path}.${key}`, errors);
  if (has(spec, "maxFailedIndexes") && !has(spec, "backoffLimitPerIndex"))
    errors.push(fieldRequired(`${path}.backoffLimitPerIndex`, "when maxFailedIndexes is specified"));
  checkManager(spec, path, errors);
  completion(spec, path, errors);
  failurePolicy(spec, path, errors);
  successPolicy(spec, path, errors);
  replacementPolicy(spec, path, errors);
  checkPodTemplate(child(spec, "template"), `${path}.template`, errors);
  restartPolicy(spec, path, errors);
}

const LABELS = ["controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"];

/** What the server makes of the job's uid and name, unless the user does. */
function generatedSelector(job: KubeObject, spec: Fields, prefixed: boolean, errors: Errors): void {
  const selector = child(spec, "selector");
  if (spec["manualSelector"] === true || selector === undefined) return;
  const { uid = "", name = "" } = job.metadata;
  const labels = templateLabels(child(spec, "template")) ?? {};
  const wanted: Record<string, string> = {};
  for (const key of prefixed ? LABELS : LABELS.slice(0, 2)) {
    const value = key.endsWith("uid") ? uid : name;
    const at = `spec.template.metadata.labels[${key}]`;
    wanted[key] = value;
    if (labels[key] === undefined) errors.push(fieldRequired(at, `must be '${value}'`));
    else if (labels[key] !== value) errors.push(fieldInvalid(at, labels, `must be '${value}'`));
  }
  if (isSoundSelector(selector) && !selectorMatches(selector, wanted))
    errors.push(fieldInvalid("spec.selector", selectorShown(selector), "`selector` not auto-generated"));
}

/** A selector that finds the pods of the template. */
function checkWhole(spec: Fields, errors: Errors): void {
  checkJobSpec(spec, "spec", errors);
  const selector = child(spec, "selector");
  const labels = templateLabels(child(spec, "template"));
  if (selector === undefined) errors.push(fieldRequired("spec.selector"));
  else labelSelector(selector, "spec.selector", errors);
  const finds = selector !== undefined && (isEmptySelector(selector) || selectorMatches(selector, labels));
  if (isSoundSelector(selector) && !finds)
    errors.push(
      fieldInvalid("spec.template.metadata.labels", labels ?? null, "`selector` does not match template `labels`"),
    );
}

const without = (of: Fields | undefined, keys: readonly string[]): Fields =>
  Object.fromEntries(Object.entries(of ?? {}).filter(([key]) => !keys.includes(key)));

/** Of a suspended job that never started the scheduling of its template may still change. */
const SCHEDULING = ["nodeSelector", "affinity", "tolerations", "schedulingGates"];

function fixedTemplate(spec: Fields, movable: boolean): unknown {
  const template = child(spec, "template") ?? {};
  if (!movable) return template;
  const pod = child(template, "spec");
  return {
    metadata: without(child(template, "metadata"), ["labels", "annotations"]),
    affinity: without(child(pod, "affinity"), ["nodeAffinity"]),
    spec: without(pod, SCHEDULING),
  };
}

/** What never changes, and its internal type. */
const FIXED = [
  ["completionMode", "*s"],
  ["podFailurePolicy", "*PodFailurePolicy"],
  ["backoffLimitPerIndex", "*i"],
  ["managedBy", "*s"],
  ["successPolicy", "*SuccessPolicy"],
] as const;

function jobUpdate(spec: Fields, before: Fields, started: boolean, errors: Errors): void {
  checkWhole(spec, errors);
  const completions = number(spec, "completions");
  if (completions !== number(before, "completions")) {
    if (spec["completionMode"] !== "Indexed")
      errors.push(fieldInvalid("spec.completions", completions ?? null, "field is immutable"));
    else if (completions !== undefined && completions !== spec["parallelism"])
      errors.push(
        fieldInvalid("spec.completions", completions, "can only be modified in tandem with spec.parallelism"),
      );
  }
  if (!equalJson(spec["selector"] ?? null, before["selector"] ?? null))
    errors.push(fieldInvalid("spec.selector", selectorShown(child(spec, "selector")), "field is immutable"));
  const movable = before["suspend"] === true && !started;
  if (!equalJson(fixedTemplate(spec, movable), fixedTemplate(before, movable)))
    errors.push(immutableValue("spec.template", "PodTemplateSpec", spec["template"]));
  for (const [key, type] of FIXED) {
    if (!equalJson(spec[key] ?? null, before[key] ?? null)) errors.push(immutableValue(`spec.${key}`, type, spec[key]));
  }
}

/** Names of the last pod of a job must still be names of hosts. */
function podNames(job: KubeObject, spec: Fields, errors: Errors): void {
  const completions = number(spec, "completions") ?? 0;
  const name = job.metadata.name ?? "";
  const last = `${name}-${completions - 1}`;
  if (spec["completionMode"] === "Indexed" && completions > 0 && dnsLabel(last).length > 0)
    errors.push(fieldInvalid("metadata.name", name, `will not able to create pod with invalid DNS label: ${last}`));
}

/** Upstream holds an update against all rules once more. */
export function checkJob(job: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(job, "spec") ?? {};
  const before = child(old, "spec");
  const labels = templateLabels(child(before, "template"));
  const prefixed = before === undefined || LABELS.slice(2).every((key) => labels?.[key] !== undefined);
  generatedSelector(job, spec, prefixed, errors);
  checkWhole(spec, errors);
  podNames(job, spec, errors);
  if (before !== undefined) jobUpdate(spec, before, has(child(old, "status"), "startTime"), errors);
}

const ZONE_PART = /^[A-Za-z._0-9+-]{1,14}$/;

function timeZone(spec: Fields, errors: Errors): void {
  const zone = spec["timeZone"];
  if (typeof zone !== "string") return;
  const unknown = `unknown time zone ${zone}`;
  const add = (fault: string): void => void errors.push(fieldInvalid("spec.timeZone", zone, fault));
  if (zone === "") return add("timeZone must be nil or non-empty string");
  const faulty = zone
    .split("/")
    .some((part) => part === "." || part === ".." || part.startsWith("-") || !ZONE_PART.test(part));
  if (faulty) return add(unknown);
  if (zone.toLowerCase() === "local")
    add("timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
  if (zone !== "Local" && !isZone(zone)) add(unknown);
}

function isZone(zone: string): boolean {
  try {
    const known = new Intl.DateTimeFormat("en", { timeZone: zone }).resolvedOptions().timeZone;
    // Offsets (`+01:00`) are no names, and names are files: their letters count.
    return /^[A-Za-z]/.test(zone) && (known === zone || known.toLowerCase() !== zone.toLowerCase());
  } catch {
    return false;
  }
}

const zoned = (spec: Fields | undefined): boolean => text(spec, "schedule").includes("TZ");

function schedule(spec: Fields, old: Fields | undefined, errors: Errors): void {
  const value = text(spec, "schedule");
  const at = "spec.schedule";
  if (!requireText(value, at, errors)) return;
  const fault = scheduleFault(value.replace(/^(?:CRON_)?TZ=\S* +/, ""));
  if (fault !== undefined) errors.push(fieldInvalid(at, value, fault));
  if (!zoned(spec)) return;
  if (!zoned(old))
    errors.push(fieldInvalid(at, value, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"));
  else if (has(spec, "timeZone"))
    errors.push(fieldInvalid(at, value, "cannot use both timeZone field and TZ or CRON_TZ in schedule"));
}

/** Names of the jobs made from it must still fit. */
const MAX_NAME = 52;

export function checkCronJob(cronJob: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(cronJob, "spec") ?? {};
  const before = child(old, "spec");
  const name = cronJob.metadata.name ?? "";
  schedule(spec, before, errors);
  nonNegative(number(spec, "startingDeadlineSeconds"), "spec.startingDeadlineSeconds", errors);
  if (before === undefined || before["timeZone"] !== spec["timeZone"]) timeZone(spec, errors);
  const policy = text(spec, "concurrencyPolicy");
  if (requireText(policy, "spec.concurrencyPolicy", errors))
    oneOf(policy, "spec.concurrencyPolicy", ["Allow", "Forbid", "Replace"], errors);
  const job = child(child(spec, "jobTemplate"), "spec") ?? {};
  const path = "spec.jobTemplate.spec";
  checkJobSpec(job, path, errors);
  if (has(job, "selector"))
    errors.push(
      fieldInvalid(`${path}.selector`, selectorShown(child(job, "selector")), "`selector` will be auto-generated"),
    );
  if (job["manualSelector"] === true) errors.push(fieldNotSupported(`${path}.manualSelector`, true, ["nil", "false"]));
  for (const key of ["successfulJobsHistoryLimit", "failedJobsHistoryLimit"])
    nonNegative(number(spec, key), `spec.${key}`, errors);
  if (old === undefined && name.length > MAX_NAME)
    errors.push(fieldInvalid("metadata.name", name, `must be no more than ${MAX_NAME} characters`));
}
