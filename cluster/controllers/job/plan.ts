/** How many pods of a Job should run, and which. Pure. */
import type { Job, Pod } from "@travelops/kube";
import { countsPerIndex, failureAnnotations } from "./index-failures.ts";
import { COMPLETION_INDEX, indexOf, isIndexed, type Tally, TRACKING } from "./tally.ts";
import { indexBackoffIn } from "./verdict.ts";
import { podFromTemplate } from "../shared/template.ts";
import { controllerReference, JOBS } from "@travelops/kube";

export function wantedActive(job: Job, counts: Tally, active: number): number {
  const parallelism = job.spec.parallelism ?? 1;
  const { completions } = job.spec;
  if (completions !== undefined) {
    return Math.min(parallelism, Math.max(0, completions - counts.allSucceeded - counts.failedIndexes.size));
  }
  // A work queue: once one has succeeded, no new ones are started.
  return counts.allSucceeded > 0 ? Math.min(active, parallelism) : parallelism;
}

/** The lowest indexes that neither run nor are done; with the time until the next that still has to wait. */
export function nextIndexes(
  job: Job,
  active: readonly Pod[],
  counts: Tally,
  count: number,
  now: number,
): { indexes: number[]; wait?: number } {
  const taken = new Set(active.map(indexOf));
  const indexes: number[] = [];
  const waits: number[] = [];
  for (let index = 0; index < (job.spec.completions ?? 0) && indexes.length < count; index++) {
    if (taken.has(index) || counts.completedIndexes.has(index) || counts.failedIndexes.has(index)) continue;
    const wait = indexBackoffIn(counts.awaiting.get(index), now);
    if (wait > 0) waits.push(wait);
    else indexes.push(index);
  }
  return waits.length === 0 ? { indexes } : { indexes, wait: Math.min(...waits) };
}

/** Pods that stand for the same index as another, or one beyond the last. */
export function surplusIndexed(job: Job, active: readonly Pod[]): Pod[] {
  if (!isIndexed(job)) return [];
  const seen = new Set<number>();
  return active.filter((pod) => {
    const index = indexOf(pod);
    if (index === undefined || index >= (job.spec.completions ?? 0) || seen.has(index)) return true;
    seen.add(index);
    return false;
  });
}

/** `failed`: the pod that this one follows at its index. */
export function jobPod(job: Job, index: number | undefined, failed?: Pod): Pod {
  const pod = podFromTemplate(job.spec.template, job.metadata.namespace ?? "", controllerReference(job, JOBS));
  const name = job.metadata.name ?? "";
  const finalizers = [...(pod.metadata.finalizers ?? []).filter((one) => one !== TRACKING), TRACKING];
  if (index === undefined) return { ...pod, metadata: { ...pod.metadata, finalizers, generateName: `${name}-` } };
  const mark = { [COMPLETION_INDEX]: String(index) };
  const failures = countsPerIndex(job) ? failureAnnotations(job, failed) : {};
  const variable = {
    name: "JOB_COMPLETION_INDEX",
    valueFrom: { fieldRef: { fieldPath: `metadata.labels['${COMPLETION_INDEX}']` } },
  };
  const withIndex = (containers: Pod["spec"]["containers"] | undefined) =>
    containers?.map((container) =>
      container.env?.some((one) => one.name === variable.name) === true
        ? container
        : { ...container, env: [...(container.env ?? []), variable] },
    );
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      finalizers,
      generateName: `${name}-${index}-`,
      labels: { ...pod.metadata.labels, ...mark },
      annotations: { ...pod.metadata.annotations, ...mark, ...failures },
    },
    spec: {
      ...pod.spec,
      hostname: `${name}-${index}`.slice(0, 63),
      containers: withIndex(pod.spec.containers) ?? [],
      ...(pod.spec.initContainers === undefined ? {} : { initContainers: withIndex(pod.spec.initContainers) }),
    },
  };
}
