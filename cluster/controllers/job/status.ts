/** A Job's status, in upstream's words. Pure. */
import type { Condition, Job, JobStatus, Pod } from "@travelops/kube";
import { findCondition, formatTime, setCondition } from "@travelops/kube";
import { countWhere, isFinished, isReady, isTerminating } from "../shared/pods.ts";
import { formatCompleted, formatFailed, isTracked, type Tally } from "./tally.ts";
import type { Verdict } from "./verdict.ts";

export interface StatusInput {
  readonly job: Job;
  readonly pods: readonly Pod[];
  readonly active: readonly Pod[];
  readonly counts: Tally;
  readonly verdict: Verdict | undefined;
  readonly now: number;
}

const optional = (count: number): number | undefined => (count === 0 ? undefined : count);

export function jobStatus(input: StatusInput): JobStatus {
  const { job, pods, active, counts, verdict, now } = input;
  const suspended = job.spec.suspend === true && verdict === undefined;
  const terminating = countWhere(pods, (pod) => isTerminating(pod) && !isFinished(pod));
  // A pod that was deleted a moment ago may not show it yet, but it holds the finalizer until it is counted.
  const settled = active.length === 0 && terminating === 0 && !pods.some(isTracked) && !hasUncounted(counts);
  const conditions = conditionsOf(input, settled);
  const complete = findCondition(conditions, "Complete");
  const { uncounted } = counts;
  return {
    conditions: conditions.length === 0 ? undefined : conditions,
    startTime: startTimeOf(job, suspended, now),
    completionTime: complete?.status === "True" ? (job.status?.completionTime ?? formatTime(now)) : undefined,
    active: optional(active.length),
    ready: countWhere(active, isReady),
    terminating,
    succeeded: optional(counts.succeeded),
    failed: optional(counts.failed),
    completedIndexes: formatCompleted(job, counts) || undefined,
    failedIndexes: formatFailed(job, counts),
    uncountedTerminatedPods: {
      succeeded: uncounted.succeeded.length === 0 ? undefined : [...uncounted.succeeded],
      failed: uncounted.failed.length === 0 ? undefined : [...uncounted.failed],
    },
  };
}

/** A Job that is taken up again has its time, and so its deadline, from then on. */
function startTimeOf(job: Job, suspended: boolean, now: number): string | undefined {
  if (suspended) return job.status?.startTime;
  const resumes = findCondition(job.status?.conditions, "Suspended")?.status === "True";
  return resumes ? formatTime(now) : (job.status?.startTime ?? formatTime(now));
}

const hasUncounted = ({ uncounted }: Tally): boolean => uncounted.succeeded.length + uncounted.failed.length > 0;

function conditionsOf({ job, verdict, now }: StatusInput, settled: boolean): Condition[] {
  let list: Condition[] = job.status?.conditions ?? [];
  const set = (type: string, status: "True" | "False", reason: string, message: string): void => {
    list = setCondition(list, { type, status, reason, message }, now).map((one) =>
      one.type === type && (one as { lastProbeTime?: string }).lastProbeTime === undefined
        ? { ...one, lastProbeTime: formatTime(now) }
        : one,
    );
  };
  if (verdict === undefined) {
    const known = findCondition(list, "Suspended");
    if (job.spec.suspend === true && known?.status !== "True")
      set("Suspended", "True", "JobSuspended", "Job suspended");
    if (job.spec.suspend !== true && known?.status === "True") set("Suspended", "False", "JobResumed", "Job resumed");
    return list;
  }
  const interim = verdict.success ? "SuccessCriteriaMet" : "FailureTarget";
  if (findCondition(list, interim)?.status !== "True") set(interim, "True", verdict.reason, verdict.message);
  // The last word is said only once every pod has ended and is counted.
  if (settled) set(verdict.success ? "Complete" : "Failed", "True", verdict.reason, verdict.message);
  return list;
}
