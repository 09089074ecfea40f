/** Questions about pods that every workload asks. All pure. */
import type { Pod } from "@travelops/kube";
import { findCondition } from "@travelops/kube";

export const isFinished = (pod: Pod): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";

export const isTerminating = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;

/** Neither finished nor on its way out. */
export const isActive = (pod: Pod): boolean => !isFinished(pod) && !isTerminating(pod);

export const isReady = (pod: Pod): boolean => findCondition(pod.status?.conditions, "Ready")?.status === "True";

const time = (text: string | null | undefined): number => (text === undefined || text === null ? 0 : Date.parse(text));

/** Milliseconds until the pod counts as available: 0 when it does, undefined while it is not even ready. */
export function availableIn(pod: Pod, minReadySeconds: number, now: number): number | undefined {
  const ready = findCondition(pod.status?.conditions, "Ready");
  if (ready?.status !== "True") return undefined;
  if (minReadySeconds === 0) return 0;
  return Math.max(0, time(ready.lastTransitionTime) + minReadySeconds * 1000 - now);
}

export const isAvailable = (pod: Pod, minReadySeconds: number, now: number): boolean =>
  availableIn(pod, minReadySeconds, now) === 0;

export const restarts = (pod: Pod): number =>
  Math.max(0, ...(pod.status?.containerStatuses ?? []).map((status) => status.restartCount));

const PHASE_RANK: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };
const DELETION_COST = "controller.kubernetes.io/pod-deletion-cost";

function deletionCost(pod: Pod): number {
  const cost = Number(pod.metadata.annotations?.[DELETION_COST] ?? "0");
  return Number.isInteger(cost) ? cost : 0;
}

const readySince = (pod: Pod): number => time(findCondition(pod.status?.conditions, "Ready")?.lastTransitionTime);

/** Ages are compared by their order of magnitude, so that not always the newest of many goes. */
const magnitude = (since: number, now: number): number => Math.floor(Math.log2(Math.max(1, (now - since) / 1e3)));

/**
 * The order in which pods are given up, the cheapest first: those that do not run, cheap ones, those whose node
 * has more of them, the younger, the more often restarted.
 */
export function byDeletionRank(siblings: readonly Pod[], now: number): (a: Pod, b: Pod) => number {
  const onNode = new Map<string, number>();
  for (const pod of siblings) {
    const node = pod.spec.nodeName ?? "";
    if (node !== "" && isActive(pod)) onNode.set(node, (onNode.get(node) ?? 0) + 1);
  }
  const neighbours = (pod: Pod): number => onNode.get(pod.spec.nodeName ?? "") ?? 0;
  const keys: ((pod: Pod) => number)[] = [
    (pod) => ((pod.spec.nodeName ?? "") === "" ? 0 : 1),
    (pod) => PHASE_RANK[pod.status?.phase ?? "Pending"] ?? 0,
    (pod) => (isReady(pod) ? 1 : 0),
    deletionCost,
    (pod) => -neighbours(pod),
    (pod) => (isReady(pod) ? magnitude(readySince(pod), now) : 0),
    (pod) => -restarts(pod),
    (pod) => magnitude(time(pod.metadata.creationTimestamp), now),
  ];
  return (a, b) => {
    for (const key of keys) {
      const difference = key(a) - key(b);
      if (difference !== 0) return difference;
    }
    return (a.metadata.uid ?? "") < (b.metadata.uid ?? "") ? -1 : 1;
  };
}

/** Older first, then by name. */
export function byAge(a: { metadata: Pod["metadata"] }, b: { metadata: Pod["metadata"] }): number {
  const difference = time(a.metadata.creationTimestamp) - time(b.metadata.creationTimestamp);
  return difference !== 0 ? difference : (a.metadata.name ?? "") < (b.metadata.name ?? "") ? -1 : 1;
}

export const countWhere = <T>(list: readonly T[], test: (item: T) => boolean): number =>
  list.reduce((count, item) => (test(item) ? count + 1 : count), 0);
