/** Whose leaving would make room for a pod of higher priority. Pure. */
import type { Pod } from "@travelops/kube";
import { type FilterState, rejection } from "./filter.ts";
import type { NodeInfo } from "./node-info.ts";

export interface Preemption {
  readonly node: string;
  readonly victims: readonly Pod[];
}

export const priorityOf = (pod: Pod): number => pod.spec.priority ?? 0;

/** Where nodes are tried without some of their pods, what depends on all pods is worked out again. */
export type StateWithout = (changed: NodeInfo) => FilterState;

/** The node where the least is lost; `nodes` are those where leaving could help. */
export function findPreemption(
  pod: Pod,
  nodes: readonly NodeInfo[],
  stateWithout: StateWithout,
): Preemption | undefined {
  if (pod.spec.preemptionPolicy === "Never") return undefined;
  const candidates = nodes.map((info) => candidate(pod, info, stateWithout)).filter((one) => one !== undefined);
  return candidates.toSorted(byLoss)[0];
}

function candidate(pod: Pod, info: NodeInfo, stateWithout: StateWithout): Preemption | undefined {
  const lower = [...info.pods].filter((other) => priorityOf(other) < priorityOf(pod));
  if (lower.length === 0) return undefined;
  const trial = info.clone();
  for (const other of lower) trial.remove(other);
  const fits = (): boolean => rejection(pod, trial, stateWithout(trial)) === undefined;
  if (!fits()) return undefined;
  const victims: Pod[] = [];
  // The most important are let stay first, as long as the pod still fits.
  for (const other of lower.toSorted((a, b) => priorityOf(b) - priorityOf(a) || startOf(a) - startOf(b))) {
    trial.add(other);
    if (fits()) continue;
    trial.remove(other);
    victims.push(other);
  }
  return victims.length === 0 ? undefined : { node: info.name, victims };
}

const startOf = (pod: Pod): number => Date.parse(pod.status?.startTime ?? pod.metadata.creationTimestamp ?? "") || 0;

function byLoss(a: Preemption, b: Preemption): number {
  const highest = (one: Preemption): number => Math.max(...one.victims.map(priorityOf));
  const sum = (one: Preemption): number => one.victims.reduce((total, pod) => total + priorityOf(pod) + 2 ** 31, 0);
  return highest(a) - highest(b) || sum(a) - sum(b) || a.victims.length - b.victims.length;
}
