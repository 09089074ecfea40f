/** Whether a Job's `successPolicy` is met before all indexes are done. Pure. */
import type { Job } from "@travelops/kube";
import { parseIndexes } from "./indexes.ts";

/** The index of the first rule that the succeeded indexes meet. */
export function metSuccessRule(job: Job, succeeded: ReadonlySet<number>): number | undefined {
  if (succeeded.size === 0) return undefined;
  const met = (job.spec.successPolicy?.rules ?? []).findIndex(({ succeededIndexes, succeededCount }) => {
    if (succeededIndexes === undefined) return succeededCount !== undefined && succeeded.size >= succeededCount;
    const wanted = [...parseIndexes(succeededIndexes)].filter((index) => index < (job.spec.completions ?? 0));
    if (wanted.length === 0) return false;
    const done = wanted.filter((index) => succeeded.has(index)).length;
    return done === wanted.length || (succeededCount !== undefined && done >= succeededCount);
  });
  return met < 0 ? undefined : met;
}
