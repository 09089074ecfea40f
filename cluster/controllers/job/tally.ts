/**
 * Counts a Job's pods so that each counts exactly once, whenever this process dies. A finished pod keeps the Job's
 * finalizer until the status lists it as uncounted; then the finalizer goes; then it moves into the counters. Pure.
 */
import type { Job, JobStatus, Pod } from "@travelops/kube";
import { countWhere } from "../shared/pods.ts";
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

/** `ending`: the Job is decided, so what still runs counts as failed. */
export function tally(job: Job, pods: readonly Pod[], ending: boolean): Tally {
  const status: Partial<JobStatus> = job.status ?? {};
  const tracked = new Map(pods.filter(isTracked).map((pod) => [pod.metadata.uid ?? "", pod]));
  const before = status.uncountedTerminatedPods ?? {};
  const indexes = new Set(parseIndexes(status.completedIndexes));
  const released = (uids: readonly string[] | undefined): number => countWhere(uids ?? [], (uid) => !tracked.has(uid));
  let succeeded = (status.succeeded ?? 0) + (isIndexed(job) ? 0 : released(before.succeeded));
  const failed = (status.failed ?? 0) + released(before.failed);
  const uncounted = {
    succeeded: (before.succeeded ?? []).filter((uid) => tracked.has(uid)),
    failed: (before.failed ?? []).filter((uid) => tracked.has(uid)),
  };
  for (const [uid, pod] of tracked) {
    if (uncounted.succeeded.includes(uid) || uncounted.failed.includes(uid)) continue;
    const success = isSucceeded(pod);
    if (!success && !isFailed(pod, job) && !(ending && pod.metadata.deletionTimestamp !== undefined)) continue;
    // The rest follows when these have been let go.
    if (uncounted.succeeded.length + uncounted.failed.length >= MAX_UNCOUNTED) break;
    uncounted[success ? "succeeded" : "failed"].push(uid);
  }
  if (isIndexed(job)) {
    for (const pod of pods) {
      const index = indexOf(pod);
      const counts = isSucceeded(pod) && index !== undefined && index < (job.spec.completions ?? 0);
      if (counts && (!isTracked(pod) || uncounted.succeeded.includes(pod.metadata.uid ?? ""))) indexes.add(index);
    }
    succeeded = indexes.size;
  }
  return {
    succeeded,
    failed,
    uncounted,
    allSucceeded: succeeded + (isIndexed(job) ? 0 : uncounted.succeeded.length),
    allFailed: failed + uncounted.failed.length,
    completedIndexes: indexes,
  };
}

export const formatCompleted = (job: Job, { completedIndexes }: Tally): string | undefined =>
  isIndexed(job) ? formatIndexes(completedIndexes) : undefined;
