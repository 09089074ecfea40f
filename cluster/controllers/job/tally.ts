/**
 * Counts a Job's pods so that each counts exactly once, whenever this process dies. A finished pod keeps the Job's
 * finalizer until the status lists it as uncounted; then the finalizer goes; then it moves into the counters. Pure.
 */
import type { Job, JobStatus, Pod } from "@travelops/kube";
import { countWhere } from "../shared/pods.ts";
import { failureAction } from "./failure-policy.ts";
import { countsPerIndex, earlierFailures, endsIndex } from "./index-failures.ts";
import { formatIndexes, parseIndexes } from "./indexes.ts";

export const TRACKING = "batch.kubernetes.io/job-tracking";
export const COMPLETION_INDEX = "batch.kubernetes.io/job-completion-index";
const MAX_UNCOUNTED = 500;

export interface Tally {
  readonly succeeded: number;
  readonly failed: number;
  readonly uncounted: { readonly succeeded: readonly string[]; readonly failed: readonly string[] };
  /** Including the uncounted. */
  readonly allSucceeded: number;
  readonly allFailed: number;
  readonly completedIndexes: ReadonlySet<number>;
  readonly failedIndexes: ReadonlySet<number>;
  /** The failed pod of each index that another is to follow; not counted before that one is there. */
  readonly awaiting: ReadonlyMap<number, Pod>;
  /** Uids of failed pods that the failure policy ignores: let go without being counted. */
  readonly ignored: readonly string[];
}

export const isTracked = (pod: Pod): boolean => (pod.metadata.finalizers ?? []).includes(TRACKING);
export const isIndexed = (job: Job): boolean => job.spec.completionMode === "Indexed";

export function indexOf(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[COMPLETION_INDEX] ?? pod.metadata.labels?.[COMPLETION_INDEX];
  const index = text === undefined ? Number.NaN : Number(text);
  return Number.isInteger(index) && index >= 0 ? index : undefined;
}

/** Whether pods that end count as failed only when they have really ended. */
export const replacesOnlyFailed = (job: Job): boolean =>
  job.spec.podReplacementPolicy === "Failed" || job.spec.podFailurePolicy !== undefined;

/** A pod on its way out will report nothing any more, so it counts as failed right away. */
export function isFailed(pod: Pod, job: Job): boolean {
  if (pod.status?.phase === "Failed") return true;
  if (replacesOnlyFailed(job)) return false;
  return pod.metadata.deletionTimestamp !== undefined && pod.status?.phase !== "Succeeded";
}

export const isSucceeded = (pod: Pod): boolean => pod.status?.phase === "Succeeded";

/** The index of a pod, where it is one of the Job's. */
function ownIndex(job: Job, pod: Pod): number | undefined {
  const index = indexOf(pod);
  return index !== undefined && index < (job.spec.completions ?? 0) ? index : undefined;
}

/** An index whose pod was stopped because the Job had ended has not failed. */
function failedIndexesOf(job: Job, pods: readonly Pod[], ending: boolean): Set<number> {
  const found = new Set(parseIndexes(job.status?.failedIndexes));
  if (!countsPerIndex(job)) return found;
  for (const pod of pods) {
    const index = ownIndex(job, pod);
    const isStopped = ending && pod.metadata.deletionTimestamp !== undefined;
    if (index !== undefined && !isStopped && isFailed(pod, job) && endsIndex(job, pod)) found.add(index);
  }
  return found;
}

function awaitingOf(job: Job, pods: Iterable<Pod>, failedIndexes: ReadonlySet<number>): Map<number, Pod> {
  const last = new Map<number, Pod>();
  if (!countsPerIndex(job)) return last;
  for (const pod of pods) {
    const index = ownIndex(job, pod);
    if (index === undefined || failedIndexes.has(index)) continue;
    const known = last.get(index);
    if (known === undefined || earlierFailures(pod) >= earlierFailures(known)) last.set(index, pod);
  }
  for (const [index, pod] of last) if (!isFailed(pod, job)) last.delete(index);
  return last;
}

/** `ending`: the Job is decided, so what still runs counts as failed. */
export function tally(job: Job, pods: readonly Pod[], ending: boolean): Tally {
  const status: Partial<JobStatus> = job.status ?? {};
  const tracked = new Map(pods.filter(isTracked).map((pod) => [pod.metadata.uid ?? "", pod]));
  const before = status.uncountedTerminatedPods ?? {};
  const released = (uids: readonly string[] | undefined): number => countWhere(uids ?? [], (uid) => !tracked.has(uid));
  const counted = (status.succeeded ?? 0) + released(before.succeeded);
  const failed = (status.failed ?? 0) + released(before.failed);
  const failedIndexes = failedIndexesOf(job, pods, ending);
  const awaiting = awaitingOf(job, tracked.values(), failedIndexes);
  const uncounted = {
    succeeded: (before.succeeded ?? []).filter((uid) => tracked.has(uid)),
    failed: (before.failed ?? []).filter((uid) => tracked.has(uid)),
  };
  const ignored: string[] = [];
  let waiting = 0;
  for (const [uid, pod] of tracked) {
    if (uncounted.succeeded.includes(uid) || uncounted.failed.includes(uid)) continue;
    const success = isSucceeded(pod);
    const hasFailed = !success && isFailed(pod, job);
    if (!success && !hasFailed && !(ending && pod.metadata.deletionTimestamp !== undefined)) continue;
    const ignores = hasFailed && failureAction(job, pod).action === "Ignore";
    if (!ending && hasFailed && awaiting.get(indexOf(pod) ?? -1) === pod) {
      if (!ignores) waiting++;
      continue;
    }
    if (ignores) {
      ignored.push(uid);
      continue;
    }
    // The rest follows when these have been let go.
    if (uncounted.succeeded.length + uncounted.failed.length >= MAX_UNCOUNTED) break;
    uncounted[success ? "succeeded" : "failed"].push(uid);
  }
  const completedIndexes = completedOf(job, pods, uncounted.succeeded);
  const succeeded = isIndexed(job) ? completedIndexes.size : counted;
  return {
    succeeded,
    failed,
    uncounted,
    allSucceeded: succeeded + (isIndexed(job) ? 0 : uncounted.succeeded.length),
    allFailed: failed + uncounted.failed.length + waiting,
    completedIndexes,
    failedIndexes: failedIndexes.difference(completedIndexes),
    awaiting,
    ignored,
  };
}

function completedOf(job: Job, pods: readonly Pod[], uncounted: readonly string[]): Set<number> {
  const indexes = new Set(parseIndexes(job.status?.completedIndexes));
  if (!isIndexed(job)) return indexes;
  for (const pod of pods) {
    const index = ownIndex(job, pod);
    if (index === undefined || !isSucceeded(pod)) continue;
    if (!isTracked(pod) || uncounted.includes(pod.metadata.uid ?? "")) indexes.add(index);
  }
  return indexes;
}

export const formatCompleted = (job: Job, { completedIndexes }: Tally): string | undefined =>
  isIndexed(job) ? formatIndexes(completedIndexes) : undefined;

/** Undefined where indexes do not fail one by one. */
export const formatFailed = (job: Job, { failedIndexes }: Tally): string | undefined =>
  countsPerIndex(job) ? formatIndexes(failedIndexes) : undefined;
