/** Whether a Job is decided, and how. Pure. */
import type { Condition, Job, Pod } from "@travelops/kube";
import { findCondition, isTrue } from "@travelops/kube";
import { restarts } from "../shared/pods.ts";
import { failureAction } from "./failure-policy.ts";
import { backoffAfter, countsPerIndex, earlierFailures } from "./index-failures.ts";
import { metSuccessRule } from "./success-policy.ts";
import { isFailed, type Tally } from "./tally.ts";

export interface Verdict {
  readonly success: boolean;
  readonly reason: string;
  readonly message: string;
}

const fromCondition = (condition: Condition, success: boolean): Verdict => ({
  success,
  reason: condition.reason ?? "",
  message: condition.message ?? "",
});

export const isFinishedJob = (job: Job): boolean =>
  isTrue(job.status?.conditions, "Complete") || isTrue(job.status?.conditions, "Failed");

/** Milliseconds until the deadline; undefined where none runs. */
export function deadlineIn(job: Job, now: number): number | undefined {
  const { activeDeadlineSeconds, suspend } = job.spec;
  const start = job.status?.startTime;
  if (activeDeadlineSeconds === undefined || start === undefined || suspend === true) return undefined;
  return Date.parse(start) + activeDeadlineSeconds * 1000 - now;
}

const COMPLETED: Verdict = {
  success: true,
  reason: "CompletionsReached",
  message: "Reached expected number of succeeded pods",
};

/** What was once decided stays. */
export function verdictOf(
  job: Job,
  pods: readonly Pod[],
  counts: Tally,
  active: number,
  now: number,
): Verdict | undefined {
  const conditions = job.status?.conditions;
  const failure = findCondition(conditions, "FailureTarget");
  if (failure?.status === "True") return fromCondition(failure, false);
  const success = findCondition(conditions, "SuccessCriteriaMet");
  if (success?.status === "True") return fromCondition(success, true);
  return failed(job, pods, counts, now) ?? succeeded(job, counts, active);
}

const failure = (reason: string, message: string): Verdict => ({ success: false, reason, message });

function failed(job: Job, pods: readonly Pod[], counts: Tally, now: number): Verdict | undefined {
  for (const pod of job.spec.podFailurePolicy === undefined ? [] : pods) {
    const found = isFailed(pod, job) ? failureAction(job, pod) : undefined;
    if (found?.action === "FailJob") return failure("PodFailurePolicy", found.message);
  }
  const limit = job.spec.backoffLimit ?? 6;
  if (counts.allFailed > limit || tooManyRestarts(job, pods, limit)) {
    return failure("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  }
  const left = deadlineIn(job, now);
  if (left !== undefined && left <= 0) {
    return failure("DeadlineExceeded", "Job was active longer than specified deadline");
  }
  const { maxFailedIndexes } = job.spec;
  if (maxFailedIndexes === undefined || counts.failedIndexes.size <= maxFailedIndexes) return undefined;
  return failure("MaxFailedIndexesExceeded", "Job has exceeded the specified maximal number of failed indexes");
}

function succeeded(job: Job, counts: Tally, active: number): Verdict | undefined {
  const rule = metSuccessRule(job, counts.completedIndexes);
  if (rule !== undefined) return { success: true, reason: "SuccessPolicy", message: `Matched rules at index ${rule}` };
  if (active > 0) return undefined;
  const { completions } = job.spec;
  if (completions === undefined) return counts.allSucceeded > 0 ? COMPLETED : undefined;
  if (counts.allSucceeded + counts.failedIndexes.size < completions) return undefined;
  return counts.failedIndexes.size > 0 ? failure("FailedIndexes", "Job has failed indexes") : COMPLETED;
}

/** Containers that restart in place count too. */
function tooManyRestarts(job: Job, pods: readonly Pod[], limit: number): boolean {
  if (job.spec.template.spec.restartPolicy !== "OnFailure") return false;
  const total = pods
    .filter((pod) => pod.status?.phase === "Running" || pod.status?.phase === "Pending")
    .reduce((sum, pod) => sum + restarts(pod), 0);
  return limit === 0 ? total > 0 : total >= limit;
}

/** When a pod ended: by its containers, else by what is known of it otherwise. */
function endOf({ metadata, spec, status }: Pod): number {
  const sidecars = (spec.initContainers ?? []).filter((one) => one.restartPolicy === "Always").map((one) => one.name);
  const counted = [
    ...(status?.containerStatuses ?? []),
    ...(status?.initContainerStatuses ?? []).filter(({ name }) => sidecars.includes(name)),
  ];
  const ends = counted.map(({ state }) => timeOf(state?.terminated?.finishedAt));
  if (ends.length > 0 && !ends.includes(0)) return Math.max(...ends);
  const ready = findCondition(status?.conditions, "Ready");
  if (ready?.status === "False" && timeOf(ready.lastTransitionTime) > 0) return timeOf(ready.lastTransitionTime);
  // That time is when its grace is over.
  const deleted = timeOf(metadata.deletionTimestamp) - (metadata.deletionGracePeriodSeconds ?? 0) * 1000;
  return deleted > 0 ? deleted : timeOf(metadata.creationTimestamp);
}

const timeOf = (text: string | null | undefined): number => Date.parse(text ?? "") || 0;

/** Milliseconds to wait before the next pod, after failures that no success has followed. */
export function backoffIn(job: Job, pods: readonly Pod[], now: number): number {
  if (countsPerIndex(job)) return 0;
  const lastSuccess = Math.max(0, ...pods.filter((pod) => pod.status?.phase === "Succeeded").map(endOf));
  const failures = pods
    .filter((pod) => pod.status?.phase === "Failed")
    .map(endOf)
    .filter((end) => end > lastSuccess);
  if (failures.length === 0) return 0;
  return Math.max(0, Math.max(...failures) + backoffAfter(failures.length) - now);
}

/** Milliseconds to wait before a pod may follow `last` at its index. */
export const indexBackoffIn = (last: Pod | undefined, now: number): number =>
  last === undefined ? 0 : Math.max(0, endOf(last) + backoffAfter(earlierFailures(last) + 1) - now);
