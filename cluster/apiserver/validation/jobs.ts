/** Jobs and cron jobs. */
import {
  fieldDuplicate,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  type FieldError,
  type KubeObject,
} from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import {
  checkText,
  type Errors,
  nonNegative,
  oneOf,
  qualifiedName,
  requireText,
  selectorMatches,
  templateLabels,
} from "./checks.ts";
import { immutableValue } from "./comparison/forbidden-change.ts";
import { scheduleFault } from "./cron-schedule.ts";
import { child, type Fields, has, items, list, number, text } from "./fields.ts";
import { checkPodTemplate } from "./pod-spec.ts";

const COUNTS = [
  "parallelism",
  "completions",
  "activeDeadlineSeconds",
  "backoffLimit",
  "ttlSecondsAfterFinished",
  "backoffLimitPerIndex",
  "maxFailedIndexes",
];
const MAX_EXIT_CODES = 255;

/** Upstream gives no value here. */
const invalidRule = (field: string, detail: string): FieldError => ({
  reason: "FieldValueInvalid",
  field,
  message: `Invalid value: ${detail}`,
});

function podConditions(rule: Fields, path: string, errors: Errors): void {
  items(rule, "onPodConditions").forEach((pattern, i) => {
    const at = `${path}.onPodConditions[${i}]`;
    checkText(text(pattern, "type"), `${at}.type`, qualifiedName, errors);
    const statuses = ["False", "True", "Unknown"];
    if (text(pattern, "status") === "")
      errors.push(fieldRequired(`${at}.status`, `valid values: ["False" "True" "Unknown"]`));
    else oneOf(text(pattern, "status"), `${at}.status`, statuses, errors);
  });
}

function exitCodes(rule: Fields, containers: ReadonlySet<string>, path: string, errors: Errors): void {
  const codes = child(rule, "onExitCodes");
  if (codes === undefined) return;
  const at = `${path}.onExitCodes`;
  const name = codes["containerName"];
  if (typeof name === "string" && !containers.has(name))
    errors.push(
      fieldInvalid(
        `${at}.containerName`,
        name,
        "must be one of the container or initContainer names in the pod template",
      ),
    );
  const operator = text(codes, "operator");
  oneOf(operator, `${at}.operator`, ["In", "NotIn"], errors);
  const values = list(codes, "values");
  if (values.length === 0) errors.push(fieldInvalid(`${at}.values`, [], "at least one value is required"));
  if (values.length > MAX_EXIT_CODES)
    errors.push({
      reason: "FieldValueTooMany",
      field: `${at}.values`,
      message: `Too many: ${values.length}: must have at most ${MAX_EXIT_CODES} items`,
    });
  const seen = new Set<unknown>();
  values.forEach((value, i) => {
    if (value === 0 && operator === "In")
      errors.push(fieldInvalid(`${at}.values[${i}]`, 0, "must not be 0 for the In operator"));
    if (seen.has(value)) errors.push(fieldDuplicate(`${at}.values[${i}]`, value));
    seen.add(value);
  });
}

function failurePolicy(spec: Fields, path: string, errors: Errors): void {
  const pod = child(child(spec, "template"), "spec");
  const containers = new Set(
    [...items(pod, "containers"), ...items(pod, "initContainers")].map((container) => text(container, "name")),
  );
  items(child(spec, "podFailurePolicy"), "rules").forEach((rule, i) => {
    const at = `${path}.podFailurePolicy.rules[${i}]`;
    if (text(rule, "action") === "")
      errors.push(fieldRequired(`${at}.action`, 'valid values: "Count", "FailIndex", "FailJob", "Ignore"'));
    else oneOf(text(rule, "action"), `${at}.action`, ["Count", "FailIndex", "FailJob", "Ignore"], errors);
    if (rule["action"] === "FailIndex" && !has(spec, "backoffLimitPerIndex"))
      errors.push(fieldInvalid(`${at}.action`, "FailIndex", "requires the backoffLimitPerIndex to be set"));
    exitCodes(rule, containers, at, errors);
    podConditions(rule, at, errors);
    const conditions = list(rule, "onPodConditions").length > 0;
    if (has(rule, "onExitCodes") && conditions)
      errors.push(invalidRule(at, "specifying both OnExitCodes and OnPodConditions is not supported"));
    if (!has(rule, "onExitCodes") && !conditions)
      errors.push(invalidRule(at, "specifying one of OnExitCodes and OnPodConditions is required"));
  });
}

/** Why indexes are not written as `0-2,5` below `completions`; their number where they are. */
function indexCount(written: string, completions: number): number | string {
  let [count, last] = [0, -1];
  for (const part of written === "" ? [] : written.split(",")) {
    const bounds = part.split("-");
    if (bounds.length > 2) return `invalid syntax for indexes interval: "${part}"`;
    const before = last;
    for (const bound of bounds) {
      if (!/^[0-9]+$/.test(bound)) return `cannot convert string to integer for index: "${bound}"`;
      if (Number(bound) >= completions) return `too large index: "${bound}"`;
      if (Number(bound) <= last) return `non-increasing order, previous: ${last}, current: ${Number(bound)}`;
      last = Number(bound);
    }
    count += last - Math.max(before + 1, Number(bounds[0])) + 1;
  }
  return count;
}

function successPolicy(spec: Fields, path: string, errors: Errors): void {
  const policy = child(spec, "successPolicy");
  if (policy === undefined) return;
  const at = `${path}.successPolicy`;
  if (spec["completionMode"] !== "Indexed") {
    errors.push(fieldInvalid(at, policy, "requires indexed completion mode"));
    return;
  }
  const rules = items(policy, "rules");
  if (rules.length === 0)
    errors.push(
      fieldRequired(`${at}.rules`, "at least one rules must be specified when the successPolicy is specified"),
    );
  const completions = number(spec, "completions") ?? 0;
  rules.forEach((rule, i) => {
    const field = `${at}.rules[${i}]`;
    const wanted = number(rule, "succeededCount");
    if (wanted === undefined && !has(rule, "succeededIndexes")) {
      errors.push(fieldRequired(field, "at least one of succeededCount or succeededIndexes must be specified"));
      return;
    }
    let most: readonly [count: number, what: string] = [completions, "the number of specified completions"];
    if (has(rule, "succeededIndexes")) {
      const count = indexCount(text(rule, "succeededIndexes"), completions);
      if (typeof count === "string")
        errors.push(
          fieldInvalid(
            `${field}.succeededIndexes`,
            rule["succeededIndexes"],
            `error parsing succeededIndexes: ${count}`,
          ),
        );
      else most = [count, "the number of indexes in the specified succeededIndexes field"];
    }
    nonNegative(wanted, `${field}.succeededCount`, errors);
    if (wanted !== undefined && wanted > most[0])
      errors.push(
        fieldInvalid(`${field}.succeededCount`, wanted, `must be less than or equal to ${most[0]} (${most[1]})`),
      );
  });
}

function completion(spec: Fields, path: string, errors: Errors): void {
  const indexed = spec["completionMode"] === "Indexed";
  if (has(spec, "completionMode"))
    oneOf(spec["completionMode"], `${path}.completionMode`, ["NonIndexed", "Indexed"], errors);
  if (indexed && !has(spec, "completions"))
    errors.push(fieldRequired(`${path}.completions`, "when completion mode is Indexed"));
  for (const key of ["backoffLimitPerIndex", "maxFailedIndexes"]) {
    if (spec["completionMode"] === "NonIndexed" && has(spec, key))
      errors.push(fieldInvalid(`${path}.${key}`, spec[key], "requires indexed completion mode"));
  }
  const failedIndexes = number(spec, "maxFailedIndexes");
  if (indexed && failedIndexes !== undefined) {
    if (!has(spec, "backoffLimitPerIndex"))
      errors.push(fieldRequired(`${path}.backoffLimitPerIndex`, "when maxFailedIndexes is specified"));
    else if (failedIndexes > (number(spec, "completions") ?? failedIndexes))
      errors.push(fieldInvalid(`${path}.maxFailedIndexes`, failedIndexes, "must be less than or equal to completions"));
  }
  if (has(spec, "podReplacementPolicy")) {
    if (has(spec, "podFailurePolicy"))
      oneOf(spec["podReplacementPolicy"], `${path}.podReplacementPolicy`, ["Failed"], errors);
    else oneOf(spec["podReplacementPolicy"], `${path}.podReplacementPolicy`, ["Failed", "TerminatingOrFailed"], errors);
  }
}

function restartPolicy(spec: Fields, path: string, errors: Errors): void {
  const at = `${path}.template.spec.restartPolicy`;
  const policy = text(child(child(spec, "template"), "spec"), "restartPolicy");
  const others = errors.findIndex((error) => error.field === at);
  if (others >= 0) errors.splice(others, 1);
  if (policy === "Always" || policy === "") errors.push(fieldRequired(at, 'valid values: "OnFailure", "Never"'));
  else if (policy !== "OnFailure" && policy !== "Never")
    errors.push(fieldNotSupported(at, policy, ["OnFailure", "Never"]));
  else if (has(spec, "podFailurePolicy") && policy !== "Never")
    errors.push(fieldInvalid(at, policy, 'only "Never" is supported when podFailurePolicy is specified'));
}

function checkJobSpec(spec: Fields, path: string, errors: Errors): void {
  for (const key of COUNTS) nonNegative(number(spec, key), `${path}.${key}`, errors);
  completion(spec, path, errors);
  failurePolicy(spec, path, errors);
  successPolicy(spec, path, errors);
  checkPodTemplate(child(spec, "template"), `${path}.template`, errors);
  restartPolicy(spec, path, errors);
}

const UID_LABEL = "batch.kubernetes.io/controller-uid";
const OLD_UID_LABEL = "controller-uid";

/** The selector that the server makes from the job's uid, unless the user makes one. */
function jobSelector(job: KubeObject, spec: Fields, errors: Errors): void {
  const selector = child(spec, "selector");
  const labels = templateLabels(child(spec, "template"));
  if (selector === undefined) {
    errors.push(fieldRequired("spec.selector"));
    return;
  }
  const uid = job.metadata.uid;
  if (spec["manualSelector"] !== true && uid !== undefined) {
    const made = (label: string): boolean => equalJson(selector, { matchLabels: { [label]: uid } });
    if (!made(UID_LABEL) && !made(OLD_UID_LABEL))
      errors.push(fieldInvalid("spec.selector", selector, "`selector` not auto-generated"));
  }
  if (!selectorMatches(selector, labels))
    errors.push(
      fieldInvalid("spec.template.metadata.labels", labels ?? null, "`selector` does not match template `labels`"),
    );
}

/** Of a suspended job that never started the scheduling of its template may still change. */
const SCHEDULING = ["nodeSelector", "affinity", "tolerations", "schedulingGates"];

function fixedTemplate(spec: Fields, movable: boolean): unknown {
  const template = child(spec, "template") ?? {};
  if (!movable) return template;
  const pod = Object.fromEntries(
    Object.entries(child(template, "spec") ?? {}).filter(([key]) => !SCHEDULING.includes(key)),
  );
  return { spec: pod };
}

/** What never changes, and its internal type. */
const FIXED = [
  ["selector", "*x"],
  ["completionMode", "*s"],
  ["podFailurePolicy", "*PodFailurePolicy"],
  ["backoffLimitPerIndex", "*i"],
  ["managedBy", "*s"],
  ["successPolicy", "*SuccessPolicy"],
] as const;

function jobUpdate(spec: Fields, before: Fields, started: boolean, errors: Errors): void {
  const elastic = spec["completionMode"] === "Indexed" && spec["completions"] === spec["parallelism"];
  if (!elastic && spec["completions"] !== before["completions"])
    errors.push(fieldInvalid("spec.completions", spec["completions"] ?? null, "field is immutable"));
  const movable = before["suspend"] === true && !started;
  if (!equalJson(fixedTemplate(spec, movable), fixedTemplate(before, movable)))
    errors.push(immutableValue("spec.template", "PodTemplateSpec", spec["template"]));
  for (const [key, type] of FIXED) {
    if (!equalJson(spec[key] ?? null, before[key] ?? null)) errors.push(immutableValue(`spec.${key}`, type, spec[key]));
  }
}

export function checkJob(job: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(job, "spec") ?? {};
  checkJobSpec(spec, "spec", errors);
  jobSelector(job, spec, errors);
  if (old !== undefined) jobUpdate(spec, child(old, "spec") ?? {}, has(child(old, "status"), "startTime"), errors);
}

function timeZone(spec: Fields, errors: Errors): void {
  const zone = spec["timeZone"];
  if (typeof zone !== "string") return;
  if (zone === "") errors.push(fieldInvalid("spec.timeZone", zone, "timeZone must be nil or non-empty string"));
  else if (zone.toLowerCase() === "local") {
    errors.push(
      fieldInvalid(
        "spec.timeZone",
        zone,
        "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
      ),
    );
  } else if (!isZone(zone)) errors.push(fieldInvalid("spec.timeZone", zone, `unknown time zone ${zone}`));
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone }).format(0);
    // Offsets (`+01:00`) are no names.
    return /^[A-Za-z]/.test(zone);
  } catch {
    return false;
  }
}

function schedule(spec: Fields, errors: Errors): void {
  const value = text(spec, "schedule");
  if (!requireText(value, "spec.schedule", errors)) return;
  if (/TZ=/.test(value))
    errors.push(
      fieldInvalid("spec.schedule", value, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead"),
    );
  else {
    const fault = scheduleFault(value);
    if (fault !== undefined) errors.push(fieldInvalid("spec.schedule", value, fault));
  }
}

/** Names of the jobs made from it must still fit. */
const MAX_NAME = 52;

export function checkCronJob(cronJob: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(cronJob, "spec") ?? {};
  const name = cronJob.metadata.name ?? "";
  if (old === undefined && name.length > MAX_NAME)
    errors.push(fieldInvalid("metadata.name", name, `must be no more than ${MAX_NAME} characters`));
  schedule(spec, errors);
  timeZone(spec, errors);
  oneOf(text(spec, "concurrencyPolicy"), "spec.concurrencyPolicy", ["Allow", "Forbid", "Replace"], errors);
  for (const key of ["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"])
    nonNegative(number(spec, key), `spec.${key}`, errors);
  const job = child(child(spec, "jobTemplate"), "spec") ?? {};
  const path = "spec.jobTemplate.spec";
  checkJobSpec(job, path, errors);
  if (has(job, "selector"))
    errors.push(fieldInvalid(`${path}.selector`, job["selector"], "`selector` will be auto-generated"));
  if (job["manualSelector"] === true) errors.push(fieldNotSupported(`${path}.manualSelector`, true, ["nil", "false"]));
}
