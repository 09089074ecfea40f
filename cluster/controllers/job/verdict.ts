/** Whether a Job is decided, and how. Pure. */
import type { Condition, Job, Pod } from "@travelops/kube";
import { findCondition, isTrue } from "@travelops/kube";
import { restarts } from "../shared/pods.ts";
import type { Tally } from "./tally.ts";

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
  const limit = job.spec.backoffLimit ?? 6;
  if (counts.allFailed > limit || tooManyRestarts(job, pods, limit)) {
    return {
      success: false,
      reason: "BackoffLimitExceeded",
      message: "Job has reached the specified backoff limit",
    };
  }
  const left = deadlineIn(job, now);
  if (left !== undefined && left <= 0) {
    return {
      success: false,
      reason: "DeadlineExceeded",
      message: "Job was active longer than specified deadline",
    };
  }
  const { completions } = job.spec;
  const enough = completions === undefined ? counts.allSucceeded > 0 : counts.allSucceeded >= completions;
  return enough && active === 0 ? COMPLETED : undefined;
}

/** Containers that restart in place count too. */
function tooManyRestarts(job: Job, pods: readonly Pod[], limit: number): boolean {
  if (job.spec.template.spec.restartPolicy !== "OnFailure") return false;
  const total = pods
    .filter((pod) => pod.status?.phase === "Running" || pod.status?.phase === "Pending")
    .reduce((sum, pod) => sum + restarts(pod), 0);
  return limit === 0 ? total > 0 : total >= limit;
}

const FIRST_BACKOFF_MS = 10_000;
const LONGEST_BACKOFF_MS = 600_000;

function endOf(pod: Pod): number {
  const ends = (pod.status?.containerStatuses ?? []).map(
    (status) => Date.parse(status.state?.terminated?.finishedAt ?? "") || 0,
  );
  const last = Math.max(0, ...ends);
  return last > 0 ? last : Date.parse(pod.metadata.deletionTimestamp ?? pod.metadata.creationTimestamp ?? "") || 0;
}

/** Milliseconds to wait before the next pod, after failures that no success has followed. */
export function backoffIn(pods: readonly Pod[], now: number): number {
  const lastSuccess = Math.max(0, ...pods.filter((pod) => pod.status?.phase === "Succeeded").map(endOf));
  const failures = pods
    .filter((pod) => pod.status?.phase === "Failed")
    .map(endOf)
    .filter((end) => end > lastSuccess);
  if (failures.length === 0) return 0;
  const wait = Math.min(FIRST_BACKOFF_MS * 2 ** Math.min(failures.length - 1, 20), LONGEST_BACKOFF_MS);
  return Math.max(0, Math.max(...failures) + wait - now);
}
