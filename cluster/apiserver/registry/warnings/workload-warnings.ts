/** Warnings of objects that make pods. */
import { jsonEqual, type KubeObject } from "@travelops/kube";
import { dnsLabel } from "../../validation/checks.ts";
import { child, type Fields, items, number, text } from "../../validation/fields.ts";
import { claimWarnings, podWarnings } from "./pod-warnings.ts";

type Warn = (text: string) => void;

/** Where a kind has its template, and what else is looked at. */
export interface Templated {
  /** The way to the template. */
  readonly path: readonly string[];
  /** Pods are named after it. */
  readonly names?: boolean;
  /** An update is warned of what was there before, as upstream has it of replication controllers. */
  readonly warnsOfOld?: boolean;
  /** Warnings of its own, before those of the template, and after them. */
  readonly before?: (object: KubeObject, old: KubeObject | undefined, warn: Warn) => void;
  readonly also?: (object: KubeObject, old: KubeObject | undefined, warn: Warn) => void;
}

const at = (object: Fields, path: readonly string[]): Fields | undefined =>
  path.reduce<Fields | undefined>((value, key) => child(value, key), object);

/** Of names that become the names of hosts. */
export function nameWarnings(name: string, what: string, warn: Warn): void {
  const faults = dnsLabel(name);
  if (faults.length > 0)
    warn(
      `metadata.name: this is used in ${what}, which can result in surprising behavior; a DNS label is recommended: [${faults.join(" ")}]`,
    );
}

/** What a write of it answers with. Of an update only where it changes what the object is to be. */
export function workloadWarnings(
  object: KubeObject,
  old: KubeObject | undefined,
  { path, names = false, warnsOfOld = false, before, also }: Templated,
  warn: Warn,
): void {
  if (old === undefined && names) nameWarnings(object.metadata.name ?? "", "Pod names and hostnames", warn);
  before?.(object, old, warn);
  const template = at(warnsOfOld ? (old ?? object) : object, path);
  const [root = ""] = path;
  if (template !== undefined && (old === undefined || !jsonEqual(object[root], old[root])))
    podWarnings(template, `${path.join(".")}.`, warn);
  also?.(object, old, warn);
}

const HISTORY =
  "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended";

/** Of the claims that a stateful set makes. */
export function statefulWarnings(set: KubeObject, old: KubeObject | undefined, warn: Warn): void {
  const spec = child(set, "spec");
  items(spec, "volumeClaimTemplates").forEach((claim, i) =>
    claimWarnings(child(claim, "spec"), `spec.volumeClaimTemplates[${i}]${old === undefined ? "" : ".Spec"}`, warn),
  );
  if ((number(spec, "revisionHistoryLimit") ?? 0) < 0) warn(HISTORY);
}

const MANY_COMPLETIONS = 100_000;
const MANY_AT_ONCE = 10_000;

function jobSpecWarnings(spec: Fields | undefined, path: string, warn: Warn): void {
  const many =
    (number(spec, "completions") ?? 0) > MANY_COMPLETIONS && (number(spec, "parallelism") ?? 0) > MANY_AT_ONCE;
  if (many && text(spec, "completionMode") === "Indexed")
    warn(
      `${path}: In Indexed Jobs with a number of completions higher than 10^5 and a parallelism higher than 10^4, Kubernetes might not be able to track completedIndexes when a big number of indexes fail`,
    );
}

/** Of a job with more than can be kept track of. */
export const jobWarnings = (job: KubeObject, old: KubeObject | undefined, warn: Warn): void => {
  if (old === undefined || !jsonEqual(job["spec"], old["spec"])) jobSpecWarnings(child(job, "spec"), "spec", warn);
};

/** Of the jobs that a cron job makes. */
export function cronJobWarnings(cronJob: KubeObject, old: KubeObject | undefined, warn: Warn): void {
  const spec = child(cronJob, "spec");
  if (old === undefined || !jsonEqual(cronJob["spec"], old["spec"]))
    jobSpecWarnings(child(child(spec, "jobTemplate"), "spec"), "spec.jobTemplate.spec", warn);
}

/** Of a time zone that stands where it no longer should. */
export function zoneWarnings(cronJob: KubeObject, old: KubeObject | undefined, warn: Warn): void {
  if (old !== undefined && text(child(cronJob, "spec"), "schedule").includes("TZ"))
    warn(
      "cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details",
    );
}
