/** Where a pod goes, or why nowhere. Pure: from what is known of the cluster to a decision. */
import type { PersistentVolumeClaim, Pod, PodDisruptionBudget } from "@travelops/kube";
import { filterState, type Rejection, rejection } from "./filter.ts";
import type { NodeInfo } from "./node-info.ts";
import type { NamespaceLabels } from "./pod-affinity.ts";
import { findPreemption, type Preemption, priorityOf } from "./preemption.ts";
import { bestNode } from "./score.ts";
import { volumeDemand, type VolumeLookup } from "./volumes.ts";

export interface Surroundings {
  readonly nodes: readonly NodeInfo[];
  readonly volumes: VolumeLookup;
  readonly namespaceLabels: NamespaceLabels;
  readonly random: () => number;
  /** Where others were already made to leave for this pod. */
  readonly nominated?: string;
  /** Asked for only where pods may have to leave. */
  readonly budgets?: () => readonly PodDisruptionBudget[];
}

export type Decision =
  | { readonly kind: "node"; readonly name: string; readonly waiting?: readonly PersistentVolumeClaim[] }
  | { readonly kind: "none"; readonly message: string; readonly preemption?: Preemption };

export function decide(pod: Pod, around: Surroundings): Decision {
  const { nodes, namespaceLabels } = around;
  if (nodes.length === 0) return { kind: "none", message: "no nodes available to schedule pods" };
  const demand = volumeDemand(pod, around.volumes);
  // Upstream's words for a pod that no node was even tried for; its tail is what its own look-up then says.
  if (!demand.ok) return { kind: "none", message: `${none(nodes.length)}: ${demand.reason}. not found` };
  const state = filterState(pod, nodes, demand.needs, namespaceLabels);
  const fitting: NodeInfo[] = [];
  const rejected = new Map<NodeInfo, Rejection>();
  for (const info of nodes) {
    const why = rejection(pod, info, state);
    if (why === undefined) fitting.push(info);
    else rejected.set(info, why);
  }
  const best = fitting.length === 0 ? undefined : bestNode(pod, fitting, nodes, namespaceLabels, around.random);
  if (best !== undefined) {
    const { waiting } = demand;
    return { kind: "node", name: best.name, ...(waiting.length === 0 ? {} : { waiting }) };
  }
  const hopeful = [...rejected].filter(([, why]) => why.resolvable).map(([info]) => info);
  const awaited = nodes.some((info) => info.name === around.nominated && hasLeaving(pod, info));
  const preemption = awaited
    ? undefined
    : findPreemption(
        pod,
        hopeful,
        (changed) => {
          const others = nodes.map((info) => (info.name === changed.name ? changed : info));
          return filterState(pod, others, demand.needs, namespaceLabels);
        },
        around.budgets?.(),
      );
  return {
    kind: "none",
    message: messageOf(
      nodes.length,
      [...rejected.values()],
      preemption === undefined ? (ineligible(pod, awaited) ?? vain(nodes.length, hopeful.length)) : undefined,
    ),
    preemption,
  };
}

/** Pods less important than `pod` are on their way out: that is waited for before more must go. */
function hasLeaving(pod: Pod, info: NodeInfo): boolean {
  for (const other of info.pods) {
    if (other.metadata.deletionTimestamp !== undefined && priorityOf(other) < priorityOf(pod)) return true;
  }
  return false;
}

const none = (count: number): string => `0/${count} nodes are available`;

/** Why nobody is made to leave for the pod at all. */
function ineligible(pod: Pod, awaited: boolean): string | undefined {
  if (pod.spec.preemptionPolicy === "Never") return "not eligible due to preemptionPolicy=Never.";
  return awaited ? "not eligible due to a terminating pod on the nominated node." : undefined;
}

function vain(count: number, hopeful: number): string {
  const reasons = [
    ...(hopeful > 0 ? [`${hopeful} No preemption victims found for incoming pod`] : []),
    ...(count > hopeful ? [`${count - hopeful} Preemption is not helpful for scheduling`] : []),
  ];
  return `${none(count)}: ${reasons.toSorted().join(", ")}.`;
}

/** Where nobody is made to leave, also says why, and, as upstream does, that no claim of a device could be taken away. */
function messageOf(count: number, rejections: readonly Rejection[], preemption: string | undefined): string {
  const reasons = new Map<string, number>();
  for (const { reasons: list } of rejections)
    for (const reason of list) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  const texts = [...reasons].map(([reason, times]) => `${times} ${reason}`).toSorted();
  const rejected = `${none(count)}: ${texts.join(", ")}.`;
  return preemption === undefined ? rejected : `${rejected} no new claims to deallocate, preemption: ${preemption}`;
}
