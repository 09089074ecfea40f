/** What a ReplicaSet says of its pods. Pure. */
import type { Condition, Pod, ReplicaSet, ReplicaSetStatus } from "@travelops/kube";
import { removeCondition, setCondition } from "@travelops/kube";
import { messageOf } from "../shared/pod-control.ts";
import { availableIn, countWhere, isAvailable, isFinished, isReady, isTerminating } from "../shared/pods.ts";

export interface ManageFailure {
  readonly reason: "FailedCreate" | "FailedDelete";
  readonly error: unknown;
}

/** `pods` are all it owns, also finished and terminating ones. */
export function replicaSetStatus(
  set: Pick<ReplicaSet, "metadata" | "status"> & { spec: Omit<ReplicaSet["spec"], "selector"> },
  pods: readonly Pod[],
  isActive: (pod: Pod) => boolean,
  failure: ManageFailure | undefined,
  now: number,
): ReplicaSetStatus {
  const active = pods.filter(isActive);
  const minReady = set.spec.minReadySeconds ?? 0;
  const templateLabels = Object.entries(set.spec.template?.metadata?.labels ?? {});
  const count = (test: (pod: Pod) => boolean): number => countWhere(active, test);
  const conditions = conditionsWith(set.status?.conditions, failure, now);
  return {
    replicas: active.length,
    fullyLabeledReplicas: optional(
      count((pod) => templateLabels.every(([key, value]) => pod.metadata.labels?.[key] === value)),
    ),
    readyReplicas: optional(count(isReady)),
    availableReplicas: optional(count((pod) => isAvailable(pod, minReady, now))),
    terminatingReplicas: countWhere(pods, (pod) => isTerminating(pod) && !isFinished(pod)),
    observedGeneration: set.metadata.generation,
    conditions: conditions.length === 0 ? undefined : conditions,
  };
}

/** Zero is written as absence, as upstream's `omitempty` does. */
const optional = (count: number): number | undefined => (count === 0 ? undefined : count);

function conditionsWith(
  known: readonly Condition[] | undefined,
  failure: ManageFailure | undefined,
  now: number,
): Condition[] {
  if (failure === undefined) return removeCondition(known, "ReplicaFailure");
  const message = messageOf(failure.error);
  return setCondition(known, { type: "ReplicaFailure", status: "True", reason: failure.reason, message }, now);
}

/** Milliseconds until the next pod that is ready becomes available. */
export function nextAvailableIn(
  set: { spec: { minReadySeconds?: number } },
  pods: readonly Pod[],
  now: number,
): number | undefined {
  const minReady = set.spec.minReadySeconds ?? 0;
  const waits = pods.map((pod) => availableIn(pod, minReady, now) ?? 0).filter((wait) => wait > 0);
  return waits.length === 0 ? undefined : Math.min(...waits);
}
