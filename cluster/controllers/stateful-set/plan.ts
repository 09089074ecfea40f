/** The next steps of a StatefulSet: which pods to make and to delete, in their order. Pure. */
import type { Pod, StatefulSet } from "@travelops/kube";
import { isAvailable, isFinished, isTerminating } from "../shared/pods.ts";
import { scaled } from "../shared/int-or-percent.ts";

export type Step =
  | { readonly do: "create"; readonly ordinal: number; readonly revision: "current" | "update" }
  | { readonly do: "delete"; readonly pod: Pod; readonly why: "failed" | "scale" | "update" };

const firstOrdinal = (set: StatefulSet): number => set.spec.ordinals?.start ?? 0;
export const replicasOf = (set: StatefulSet): number => set.spec.replicas ?? 1;
const isParallel = (set: StatefulSet): boolean => set.spec.podManagementPolicy === "Parallel";

/** The number at the end of the pod's name, if it is one of this set's names. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const name = pod.metadata.name ?? "";
  const dash = name.lastIndexOf("-");
  if (name.slice(0, dash) !== set.metadata.name) return undefined;
  const text = name.slice(dash + 1);
  return /^(0|[1-9]\d*)$/.test(text) ? Number(text) : undefined;
}

export interface Situation {
  readonly set: StatefulSet;
  readonly pods: readonly Pod[];
  readonly isUpdated: (pod: Pod) => boolean;
  /** Deleted by us, though the watch does not know yet. */
  readonly isDeleting: (pod: Pod) => boolean;
  readonly now: number;
}

const partitionOf = (set: StatefulSet): number => set.spec.updateStrategy?.rollingUpdate?.partition ?? 0;
/** Whether pods of another revision are replaced without being asked for. */
export const isRolling = (set: StatefulSet): boolean => set.spec.updateStrategy?.type !== "OnDelete";

/** Below the partition pods stay at the current revision, also when they are made again. */
function revisionFor(set: StatefulSet, ordinal: number): "current" | "update" {
  if (!isRolling(set)) return "update";
  return ordinal - firstOrdinal(set) < partitionOf(set) ? "current" : "update";
}

export function nextSteps(situation: Situation): Step[] {
  const { set, pods } = situation;
  const first = firstOrdinal(set);
  const end = first + replicasOf(set);
  const byOrdinal = new Map(pods.map((pod) => [ordinalOf(set, pod), pod]));
  const steps: Step[] = [];
  const healthy = (pod: Pod): boolean =>
    !isFinished(pod) &&
    !isTerminating(pod) &&
    !situation.isDeleting(pod) &&
    isAvailable(pod, set.spec.minReadySeconds ?? 0, situation.now);
  for (let ordinal = first; ordinal < end; ordinal++) {
    const step = fill(situation, ordinal, byOrdinal.get(ordinal));
    if (step !== undefined) steps.push(step);
    const pod = byOrdinal.get(ordinal);
    // In order: nothing goes on before this one is well.
    if (!isParallel(set) && (pod === undefined || !healthy(pod))) return steps;
  }
  const condemned = pods
    .filter((pod) => !isWanted(set, ordinalOf(set, pod)))
    .toSorted((a, b) => (ordinalOf(set, b) ?? 0) - (ordinalOf(set, a) ?? 0));
  for (const pod of condemned) {
    const leaving = isTerminating(pod) || situation.isDeleting(pod);
    if (!leaving) steps.push({ do: "delete", pod, why: "scale" });
    if (!isParallel(set)) return steps;
  }
  if (condemned.length > 0 || steps.length > 0 || !isRolling(set)) return steps;
  return rollingSteps(situation, byOrdinal, healthy);
}

/** Whether the set is to have a pod of the number. */
export const isWanted = (set: StatefulSet, ordinal: number | undefined): boolean =>
  ordinal !== undefined && ordinal >= firstOrdinal(set) && ordinal < firstOrdinal(set) + replicasOf(set);

function fill({ set, isDeleting }: Situation, ordinal: number, pod: Pod | undefined): Step | undefined {
  if (pod === undefined) return { do: "create", ordinal, revision: revisionFor(set, ordinal) };
  if (isFinished(pod) && !isTerminating(pod) && !isDeleting(pod)) return { do: "delete", pod, why: "failed" };
  return undefined;
}

/** From the highest ordinal down, as many at once as may be unavailable. */
function rollingSteps(
  { set, isUpdated, isDeleting }: Situation,
  byOrdinal: ReadonlyMap<number | undefined, Pod>,
  healthy: (pod: Pod) => boolean,
): Step[] {
  const first = firstOrdinal(set);
  const replicas = replicasOf(set);
  const most = Math.max(1, scaled(set.spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, replicas, "up"));
  const unwell = [...byOrdinal.values()].filter((pod) => !healthy(pod)).length;
  let allowed = most - unwell;
  const steps: Step[] = [];
  for (let ordinal = first + replicas - 1; ordinal >= first + partitionOf(set); ordinal--) {
    const pod = byOrdinal.get(ordinal);
    if (pod === undefined) return steps;
    if (!isUpdated(pod) && !isTerminating(pod) && !isDeleting(pod)) {
      const broken = !healthy(pod);
      if (!broken && allowed <= 0) return steps;
      steps.push({ do: "delete", pod, why: "update" });
      if (!broken) allowed--;
      if (steps.length >= most) return steps;
    } else if (!healthy(pod) && most === 1) return steps;
  }
  return steps;
}
