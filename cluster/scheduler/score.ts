/** Which of the nodes that fit is best. Pure. */
import type { Pod } from "@travelops/kube";
import { controllerOf } from "@travelops/kube";
import { nodePreference } from "./node-affinity.ts";
import type { NodeInfo } from "./node-info.ts";
import { affinityPreference, type NamespaceLabels } from "./pod-affinity.ts";
import { weightOf } from "./resources.ts";
import { dislikes } from "./taints.ts";
import { spreadPreference, spreadStates } from "./topology-spread.ts";

type Score = (info: NodeInfo) => number;

const TOP = 100;

/** How free the node is left, over CPU and memory. */
function leastAllocated(pod: Pod, info: NodeInfo): number {
  const free = (resource: "cpu" | "memory"): number => {
    const allocatable = info.allocatable(resource);
    if (allocatable === 0) return 0;
    return Math.max(0, (allocatable - info.weight(resource) - weightOf(pod, resource)) / allocatable);
  };
  return (TOP * (free("cpu") + free("memory"))) / 2;
}

/** How evenly CPU and memory are used. */
function balanced(pod: Pod, info: NodeInfo): number {
  const used = (resource: "cpu" | "memory"): number => {
    const allocatable = info.allocatable(resource);
    return allocatable === 0 ? 0 : Math.min(1, (info.weight(resource) + weightOf(pod, resource)) / allocatable);
  };
  return TOP * (1 - Math.abs(used("cpu") - used("memory")) / 2);
}

/** Pods of the same controller stand apart, where nothing else is said. */
function siblings(pod: Pod, info: NodeInfo): number {
  const owner = controllerOf(pod)?.uid;
  if (owner === undefined) return 0;
  let count = 0;
  for (const other of info.pods) if (controllerOf(other)?.uid === owner) count++;
  return -count;
}

/** Spreads raw values over 0 … 100; all alike give no advantage. */
function normalized(nodes: readonly NodeInfo[], raw: Score): Score {
  const values = new Map(nodes.map((info) => [info, raw(info)]));
  const least = Math.min(...values.values());
  const range = Math.max(...values.values()) - least;
  return (info) => (range === 0 ? 0 : (TOP * ((values.get(info) ?? 0) - least)) / range);
}

/** The best node; among equals one by chance. `nodes` is not empty. */
export function bestNode(
  pod: Pod,
  nodes: readonly NodeInfo[],
  all: readonly NodeInfo[],
  labelsOf: NamespaceLabels,
  random: () => number,
): NodeInfo | undefined {
  if (nodes.length === 1) return nodes[0];
  const spread = spreadStates(pod, all, "ScheduleAnyway");
  const affinity = affinityPreference(pod, all, labelsOf);
  const scores: { weight: number; of: Score }[] = [
    { weight: 1, of: (info) => leastAllocated(pod, info) },
    { weight: 1, of: (info) => balanced(pod, info) },
    { weight: 3, of: normalized(nodes, (info) => -dislikes(pod, info.node)) },
    { weight: 2, of: normalized(nodes, (info) => nodePreference(pod, info.node)) },
    {
      weight: 2,
      of: normalized(nodes, (info) => (spread.length > 0 ? spreadPreference(spread, info) : siblings(pod, info))),
    },
    ...(affinity === undefined ? [] : [{ weight: 2, of: normalized(nodes, affinity) }]),
  ];
  const totals = nodes.map((info) => ({
    info,
    total: scores.reduce((sum, { weight, of }) => sum + weight * of(info), 0),
  }));
  const most = Math.max(...totals.map(({ total }) => total));
  const best = totals.filter(({ total }) => total > most - 1e-9);
  return best[Math.floor(random() * best.length)]?.info;
}
