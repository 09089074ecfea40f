/** Whose leaving would make room for a pod of higher priority. Pure. */
import type { Pod, PodDisruptionBudget } from "@travelops/kube";
import { selects } from "@travelops/kube";
import { type FilterState, rejection } from "./filter.ts";
import type { NodeInfo } from "./node-info.ts";

export interface Preemption {
  readonly node: string;
  readonly victims: readonly Pod[];
  /** How many of them their budgets would rather keep. */
  readonly violations: number;
}

export const priorityOf = (pod: Pod): number => pod.spec.priority ?? 0;

/** Where nodes are tried without some of their pods, what depends on all pods is worked out again. */
export type StateWithout = (changed: NodeInfo) => FilterState;

/** The node where the least is lost; `nodes` are those where leaving could help. */
export function findPreemption(
  pod: Pod,
  nodes: readonly NodeInfo[],
  stateWithout: StateWithout,
  budgets: readonly PodDisruptionBudget[] = [],
): Preemption | undefined {
  if (pod.spec.preemptionPolicy === "Never") return undefined;
  const candidates = nodes
    .map((info) => candidate(pod, info, stateWithout, budgets))
    .filter((one) => one !== undefined);
  return candidates.toSorted(byLoss)[0];
}

function candidate(
  pod: Pod,
  info: NodeInfo,
  stateWithout: StateWithout,
  budgets: readonly PodDisruptionBudget[],
): Preemption | undefined {
  const lower = [...info.pods].filter((other) => priorityOf(other) < priorityOf(pod));
  if (lower.length === 0) return undefined;
  const trial = info.clone();
  for (const other of lower) trial.remove(other);
  const fits = (): boolean => rejection(pod, trial, stateWithout(trial)) === undefined;
  if (!fits()) return undefined;
  const victims: Pod[] = [];
  // Those of spent budgets are let stay first, then the most important, as long as the pod still fits.
  const ranked = lower.toSorted((a, b) => priorityOf(b) - priorityOf(a) || startOf(a) - startOf(b));
  const spent = beyondBudget(ranked, budgets);
  for (const other of [...ranked.filter((one) => spent.has(one)), ...ranked.filter((one) => !spent.has(one))]) {
    trial.add(other);
    if (fits()) continue;
    trial.remove(other);
    victims.push(other);
  }
  const violations = victims.filter((one) => spent.has(one)).length;
  return victims.length === 0 ? undefined : { node: info.name, victims, violations };
}

/** Pods whose budgets do not allow for their going, were all of them to go in this order. */
function beyondBudget(pods: readonly Pod[], budgets: readonly PodDisruptionBudget[]): ReadonlySet<Pod> {
  const allowed = new Map(budgets.map((budget) => [budget, budget.status?.disruptionsAllowed ?? 0]));
  const spent = new Set<Pod>();
  for (const pod of pods) {
    for (const [budget, left] of allowed) {
      if (!guards(budget, pod)) continue;
      allowed.set(budget, left - 1);
      if (left <= 0) spent.add(pod);
    }
  }
  return spent;
}

/** An empty selector guards nothing here, and who is being evicted already costs the budget nothing more. */
function guards(budget: PodDisruptionBudget, pod: Pod): boolean {
  const { matchLabels, matchExpressions } = budget.spec.selector ?? {};
  const isEmpty = Object.keys(matchLabels ?? {}).length === 0 && (matchExpressions ?? []).length === 0;
  return (
    budget.metadata.namespace === pod.metadata.namespace &&
    !isEmpty &&
    selects(budget.spec.selector, pod.metadata.labels) &&
    budget.status?.disruptedPods?.[pod.metadata.name ?? ""] === undefined
  );
}

const startOf = (pod: Pod): number => Date.parse(pod.status?.startTime ?? pod.metadata.creationTimestamp ?? "") || 0;

function byLoss(a: Preemption, b: Preemption): number {
  const highest = (one: Preemption): number => Math.max(...one.victims.map(priorityOf));
  const sum = (one: Preemption): number => one.victims.reduce((total, pod) => total + priorityOf(pod) + 2 ** 31, 0);
  // Of the most important victims the one that has run longest counts.
  const earliest = (one: Preemption): number =>
    Math.min(...one.victims.filter((pod) => priorityOf(pod) === highest(one)).map(startOf));
  return (
    a.violations - b.violations ||
    highest(a) - highest(b) ||
    sum(a) - sum(b) ||
    a.victims.length - b.victims.length ||
    earliest(b) - earliest(a)
  );
}
