/** Topology spread constraints. Pure. */
import type { Pod, TopologySpreadConstraint } from "@travelops/kube";
import { selects } from "@travelops/kube";
import { podWantsNode } from "./node-affinity.ts";
import type { NodeInfo } from "./node-info.ts";
import { forbiddingTaint } from "./taints.ts";

export interface SpreadState {
  readonly constraint: TopologySpreadConstraint;
  /** Matching pods by the value of the topology key, over the nodes that count. */
  readonly counts: ReadonlyMap<string, number>;
  readonly least: number;
  /** The incoming pod counts itself. */
  readonly self: number;
}

function matches(constraint: TopologySpreadConstraint, pod: Pod, other: Pod): boolean {
  if (other.metadata.namespace !== pod.metadata.namespace || other.metadata.deletionTimestamp !== undefined)
    return false;
  if (!selects(constraint.labelSelector, other.metadata.labels)) return false;
  return (constraint.matchLabelKeys ?? []).every(
    (key) => pod.metadata.labels?.[key] === undefined || pod.metadata.labels[key] === other.metadata.labels?.[key],
  );
}

function counts(constraint: TopologySpreadConstraint, pod: Pod, info: NodeInfo): boolean {
  if ((constraint.nodeAffinityPolicy ?? "Honor") === "Honor" && !podWantsNode(pod, info.node)) return false;
  return (constraint.nodeTaintsPolicy ?? "Ignore") === "Ignore" || forbiddingTaint(pod, info.node) === undefined;
}

/** One state for each constraint of the given kind. */
export function spreadStates(
  pod: Pod,
  nodes: readonly NodeInfo[],
  whenUnsatisfiable: "DoNotSchedule" | "ScheduleAnyway",
): SpreadState[] {
  const constraints = (pod.spec.topologySpreadConstraints ?? []).filter(
    (one) => one.whenUnsatisfiable === whenUnsatisfiable,
  );
  return constraints.map((constraint) => {
    const found = new Map<string, number>();
    for (const info of nodes) {
      const value = info.labels[constraint.topologyKey];
      if (value === undefined || !counts(constraint, pod, info)) continue;
      let here = 0;
      for (const other of info.pods) if (matches(constraint, pod, other)) here++;
      found.set(value, (found.get(value) ?? 0) + here);
    }
    const enough = found.size >= (constraint.minDomains ?? 1);
    const least = enough && found.size > 0 ? Math.min(...found.values()) : 0;
    return { constraint, counts: found, least, self: matches(constraint, pod, pod) ? 1 : 0 };
  });
}

export type SpreadFault = "skew" | "label";

export function spreadFault(states: readonly SpreadState[], info: NodeInfo): SpreadFault | undefined {
  for (const { constraint, counts: found, least, self } of states) {
    const value = info.labels[constraint.topologyKey];
    if (value === undefined) return "label";
    if ((found.get(value) ?? 0) + self - least > constraint.maxSkew) return "skew";
  }
  return undefined;
}

/** The fewer matching pods in a node's topology, the better. */
export const spreadPreference = (states: readonly SpreadState[], info: NodeInfo): number =>
  -states.reduce(
    (sum, { constraint, counts: found }) => sum + (found.get(info.labels[constraint.topologyKey] ?? "") ?? 0),
    0,
  );
