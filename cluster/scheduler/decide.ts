/** Where a pod goes, or why nowhere. Pure: from what is known of the cluster to a decision. */
import type { PersistentVolumeClaim, Pod } from "@travelops/kube";
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
}

export type Decision =
  | { readonly kind: "node"; readonly name: string; readonly waiting?: readonly PersistentVolumeClaim[] }
  | { readonly kind: "none"; readonly message: string; readonly preemption?: Preemption };

export function decide(pod: Pod, around: Surroundings): Decision {
  const { nodes, namespaceLabels } = around;
  if (nodes.length === 0) return { kind: "none", message: "no nodes available to schedule pods" };
  const demand = volumeDemand(pod, around.volumes);
  if (!demand.ok)
    return {
      kind: "none",
      message: nothingFits(nodes.length, [demand.reason], `${nodes.length} Preemption is not helpful for scheduling`),
    };
  const state = filterState(pod, nodes, demand.affinities, namespaceLabels);
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
    : findPreemption(pod, hopeful, (changed) => {
        const others = nodes.map((info) => (info.name === changed.name ? changed : info));
        return filterState(pod, others, demand.affinities, namespaceLabels);
      });
  return {
    kind: "none",
    message: messageOf(pod, nodes.length, [...rejected.values()], hopeful.length),
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

function messageOf(pod: Pod, count: number, rejections: readonly Rejection[], hopeful: number): string {
  const reasons = new Map<string, number>();
  for (const { reasons: list } of rejections)
    for (const reason of list) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  const texts = [...reasons].map(([reason, times]) => `${times} ${reason}`).toSorted();
  if (pod.spec.preemptionPolicy === "Never")
    return `0/${count} nodes are available: ${texts.join(", ")}. preemption: not eligible due to preemptionPolicy=Never.`;
  const vain = [
    ...(hopeful > 0 ? [`${hopeful} No preemption victims found for incoming pod`] : []),
    ...(count > hopeful ? [`${count - hopeful} Preemption is not helpful for scheduling`] : []),
  ].toSorted();
  return nothingFits(count, texts, vain.join(", "));
}

const nothingFits = (count: number, reasons: readonly string[], preemption: string): string =>
  `0/${count} nodes are available: ${reasons.join(", ")}. preemption: 0/${count} nodes are available: ${preemption}.`;
