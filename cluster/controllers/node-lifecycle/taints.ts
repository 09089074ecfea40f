/** What a node's conditions mean for its taints, and its taints for its pods. Pure. */
import type { Node, Pod, Taint } from "@travelops/kube";
import { findCondition } from "@travelops/kube";
import { tolerates } from "../../scheduler/taints.ts";

const NOT_READY = "node.kubernetes.io/not-ready";
const UNREACHABLE = "node.kubernetes.io/unreachable";

const BY_CONDITION: Readonly<Record<string, string>> = {
  MemoryPressure: "node.kubernetes.io/memory-pressure",
  DiskPressure: "node.kubernetes.io/disk-pressure",
  PIDPressure: "node.kubernetes.io/pid-pressure",
  NetworkUnavailable: "node.kubernetes.io/network-unavailable",
};
const UNSCHEDULABLE = "node.kubernetes.io/unschedulable";

const MANAGED = new Set([NOT_READY, UNREACHABLE, UNSCHEDULABLE, ...Object.values(BY_CONDITION)]);

interface Wanted {
  readonly key: string;
  readonly effect: string;
}

function wantedTaints(node: Node): Wanted[] {
  const conditions = node.status?.conditions;
  const ready = findCondition(conditions, "Ready")?.status;
  const wanted: Wanted[] = [];
  // Of a node that has never reported nothing is said until its silence has lasted.
  const key = ready === undefined || ready === "True" ? undefined : ready === "Unknown" ? UNREACHABLE : NOT_READY;
  for (const { type, status } of conditions ?? []) {
    const taint = type === "Ready" ? key : status === "True" ? BY_CONDITION[type] : undefined;
    if (taint !== undefined) wanted.push({ key: taint, effect: "NoSchedule" });
  }
  if (node.spec?.unschedulable === true) wanted.push({ key: UNSCHEDULABLE, effect: "NoSchedule" });
  if (key !== undefined) wanted.push({ key, effect: "NoExecute" });
  return wanted;
}

/** The node's taints as they should be; undefined where they are. Others' taints stay. */
export function taintsAfter(node: Node, now: string): Taint[] | undefined {
  const current = node.spec?.taints ?? [];
  const wanted = wantedTaints(node);
  const isSame = (a: Wanted, b: Wanted): boolean => a.key === b.key && a.effect === b.effect;
  const kept = current.filter((taint) => !MANAGED.has(taint.key) || wanted.some((one) => isSame(one, taint)));
  const missing = wanted.filter((one) => !current.some((taint) => isSame(one, taint)));
  if (missing.length === 0 && kept.length === current.length) return undefined;
  return [...kept, ...missing.map((one) => ({ ...one, timeAdded: now }))];
}

/** Whether something on the node drives pods away that do not tolerate it. */
export const drivesAway = (node: Node): boolean =>
  (node.spec?.taints ?? []).some((taint) => taint.effect === "NoExecute");

/**
 * Milliseconds until a pod must leave its node; undefined when it may stay. A taint that does not say since when it is
 * there counts from `seen`.
 */
export function evictionIn(pod: Pod, node: Node, now: number, seen: number): number | undefined {
  const taints = (node.spec?.taints ?? []).filter((taint) => taint.effect === "NoExecute");
  let least: number | undefined;
  for (const taint of taints) {
    // The first that tolerates it decides, whatever others would grant.
    const toleration = pod.spec.tolerations?.find((one) => tolerates(one, taint));
    if (toleration === undefined) return 0;
    if (toleration.tolerationSeconds === undefined) continue;
    const since = taint.timeAdded === undefined ? seen : Date.parse(taint.timeAdded);
    const left = Math.max(0, since + toleration.tolerationSeconds * 1000 - now);
    least = Math.min(least ?? left, left);
  }
  return least;
}
