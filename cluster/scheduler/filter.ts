/** Which nodes can take a pod, and in upstream's words why the others cannot. Pure. */
import type { Pod } from "@travelops/kube";
import { namedNodes, nodeSelectorMatches, podWantsNode } from "./node-affinity.ts";
import { hostPorts, type NodeInfo, portsClash } from "./node-info.ts";
import {
  type AffinityFault,
  affinityFault,
  affinityState,
  type AffinityState,
  type NamespaceLabels,
} from "./pod-affinity.ts";
import { podRequests } from "./resources.ts";
import { forbiddingTaint, isClosed } from "./taints.ts";
import type { VolumeNeed } from "./volumes.ts";
import { spreadFault, type SpreadState, spreadStates } from "./topology-spread.ts";

export interface Rejection {
  readonly reasons: readonly string[];
  /** Whether other pods' leaving could help. */
  readonly resolvable: boolean;
}

/** What is the same for all nodes, worked out once a pod. */
export interface FilterState {
  readonly affinity: AffinityState | undefined;
  readonly spread: readonly SpreadState[];
  readonly volumes: readonly VolumeNeed[];
  /** The only nodes that the pod's affinity names; undefined where it names none. */
  readonly names: ReadonlySet<string> | undefined;
}

export function filterState(
  pod: Pod,
  nodes: readonly NodeInfo[],
  volumes: readonly VolumeNeed[],
  labelsOf: NamespaceLabels,
): FilterState {
  return {
    affinity: affinityState(pod, nodes, labelsOf),
    spread: spreadStates(pod, nodes, "DoNotSchedule"),
    volumes,
    names: namedNodes(pod),
  };
}

const hopeless = (reason: string): Rejection => ({ reasons: [reason], resolvable: false });
const crowded = (reason: string): Rejection => ({ reasons: [reason], resolvable: true });

const AFFINITY_REASONS: Readonly<Record<AffinityFault, Rejection>> = {
  affinity: hopeless("node(s) didn't match pod affinity rules"),
  "anti-affinity": crowded("node(s) didn't match pod anti-affinity rules"),
  existing: crowded("node(s) didn't satisfy existing pods anti-affinity rules"),
};

/** Undefined when the pod fits. In upstream's order of plug-ins: the first that objects is heard. */
export function rejection(pod: Pod, info: NodeInfo, state: FilterState): Rejection | undefined {
  if (state.names !== undefined && !state.names.has(info.name))
    return hopeless("node(s) didn't satisfy plugin(s) [NodeAffinity]");
  if (isClosed(pod, info.node)) return hopeless("node(s) were unschedulable");
  const taint = forbiddingTaint(pod, info.node);
  if (taint !== undefined) return hopeless("node(s) had untolerated taint(s)");
  if (!podWantsNode(pod, info.node)) return hopeless("node(s) didn't match Pod's node affinity/selector");
  if (portsTaken(pod, info)) return crowded("node(s) didn't have free ports for the requested pod ports");
  const lacking = insufficient(pod, info);
  if (lacking !== undefined) return lacking;
  const unmet = state.volumes.find(({ selector }) => !nodeSelectorMatches(selector, info.node));
  if (unmet !== undefined) return hopeless(unmet.otherwise);
  const spread = spreadFault(state.spread, info);
  if (spread === "label")
    return hopeless("node(s) didn't match pod topology spread constraints (missing required label)");
  if (spread === "skew") return crowded("node(s) didn't match pod topology spread constraints");
  const affinity = state.affinity === undefined ? undefined : affinityFault(state.affinity, info);
  return affinity === undefined ? undefined : AFFINITY_REASONS[affinity];
}

function portsTaken(pod: Pod, info: NodeInfo): boolean {
  const wanted = hostPorts(pod);
  if (wanted.length === 0) return false;
  for (const other of info.pods) {
    for (const taken of hostPorts(other)) if (wanted.some((port) => portsClash(port, taken))) return true;
  }
  return false;
}

function insufficient(pod: Pod, info: NodeInfo): Rejection | undefined {
  const reasons: string[] = [];
  let resolvable = true;
  if (info.podCount + 1 > info.allocatable("pods")) reasons.push("Too many pods");
  for (const [resource, wanted] of podRequests(pod)) {
    if (wanted === 0 || wanted <= info.allocatable(resource) - info.requested(resource)) continue;
    reasons.push(`Insufficient ${resource}`);
    // More than the whole node has: nobody's leaving helps.
    if (wanted > info.allocatable(resource)) resolvable = false;
  }
  return reasons.length === 0 ? undefined : { reasons, resolvable };
}
