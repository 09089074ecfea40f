/**
 * Failures counted for each index (`backoffLimitPerIndex`). How often an index has failed is written on its pods: the
 * last failed one is kept until the next carries the count on. Pure.
 */
import type { Job, Pod } from "@travelops/kube";
import { failureAction } from "./failure-policy.ts";

export const FAILURES = "batch.kubernetes.io/job-index-failure-count";
export const IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count";

export const countsPerIndex = (job: Job): boolean =>
  job.spec.completionMode === "Indexed" && job.spec.backoffLimitPerIndex !== undefined;

function countOn(pod: Pod, annotation: string): number {
  const count = Number(pod.metadata.annotations?.[annotation] ?? "0");
  return Number.isInteger(count) && count > 0 ? count : 0;
}

/** Failures before this pod, of every sort. */
export const earlierFailures = (pod: Pod): number => countOn(pod, FAILURES) + countOn(pod, IGNORED_FAILURES);

/** Whether no other pod follows this one, which has failed. */
export function endsIndex(job: Job, pod: Pod): boolean {
  const { action } = failureAction(job, pod);
  if (action === "FailIndex") return true;
  return action !== "Ignore" && countOn(pod, FAILURES) + 1 > (job.spec.backoffLimitPerIndex ?? 0);
}

/** The annotations of the pod that follows `failed` at its index; of the first one where there was none. */
export function failureAnnotations(job: Job, failed: Pod | undefined): Record<string, string> {
  if (failed === undefined) return { [FAILURES]: "0" };
  const isIgnored = failureAction(job, failed).action === "Ignore";
  const ignored = countOn(failed, IGNORED_FAILURES) + (isIgnored ? 1 : 0);
  return {
    [FAILURES]: String(countOn(failed, FAILURES) + (isIgnored ? 0 : 1)),
    ...(ignored === 0 ? {} : { [IGNORED_FAILURES]: String(ignored) }),
  };
}

const FIRST_BACKOFF_MS = 10_000;
const LONGEST_BACKOFF_MS = 600_000;

/** How long to wait after the `count`th failure in a row. */
export const backoffAfter = (count: number): number =>
  Math.min(FIRST_BACKOFF_MS * 2 ** Math.min(count - 1, 20), LONGEST_BACKOFF_MS);
