/** What a disruption budget says of its pods. Pure. */
import type { NewCondition, Pod, PodDisruptionBudget } from "@travelops/kube";
import { setCondition } from "@travelops/kube";
import { scaled } from "../shared/int-or-percent.ts";
import { countWhere, isReady, isTerminating } from "../shared/pods.ts";

/** How long an eviction that was granted is believed in before its pod is seen to go. */
const EVICTION_MS = 120_000;

export type BudgetStatus = NonNullable<PodDisruptionBudget["status"]>;

/** Whether the budget counts from what the pods' controllers want, and not from the pods there are. */
export const countsByScale = ({ spec: { minAvailable, maxUnavailable } }: PodDisruptionBudget): boolean =>
  maxUnavailable !== undefined || typeof minAvailable === "string";

function desiredHealthyOf({ spec }: PodDisruptionBudget, expectedPods: number): number {
  const { minAvailable, maxUnavailable } = spec;
  if (maxUnavailable === undefined) return scaled(minAvailable ?? 1, expectedPods, "up");
  return Math.max(0, expectedPods - scaled(maxUnavailable, expectedPods, "up"));
}

function conditionsWith(
  budget: PodDisruptionBudget,
  condition: Pick<NewCondition, "status" | "reason" | "message">,
  now: number,
): BudgetStatus["conditions"] {
  const observedGeneration = budget.metadata.generation;
  return setCondition(budget.status?.conditions, { type: "DisruptionAllowed", ...condition, observedGeneration }, now);
}

/** The status, and when it is to be looked at again for an eviction that may have come to nothing. */
export function budgetStatus(
  budget: PodDisruptionBudget,
  pods: readonly Pod[],
  expectedPods: number,
  now: number,
): { status: BudgetStatus; recheckMs: number | undefined } {
  const desiredHealthy = desiredHealthyOf(budget, expectedPods);
  const disruptedPods: Record<string, string> = {};
  let recheckMs: number | undefined;
  for (const [name, at] of Object.entries(budget.status?.disruptedPods ?? {})) {
    const pod = pods.find((one) => one.metadata.name === name);
    const left = Date.parse(at) + EVICTION_MS - now;
    if (pod === undefined || isTerminating(pod) || left <= 0) continue;
    disruptedPods[name] = at;
    recheckMs = Math.min(recheckMs ?? left, left);
  }
  const currentHealthy = countWhere(
    pods,
    (pod) => !isTerminating(pod) && isReady(pod) && disruptedPods[pod.metadata.name ?? ""] === undefined,
  );
  const disruptionsAllowed = expectedPods === 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  const allowed =
    disruptionsAllowed > 0
      ? ({ status: "True", reason: "SufficientPods", message: "" } as const)
      : ({ status: "False", reason: "InsufficientPods", message: "" } as const);
  const status: BudgetStatus = {
    observedGeneration: budget.metadata.generation,
    disruptedPods: Object.keys(disruptedPods).length === 0 ? undefined : disruptedPods,
    disruptionsAllowed,
    currentHealthy,
    desiredHealthy,
    expectedPods,
    conditions: conditionsWith(budget, allowed, now),
  };
  return { status, recheckMs };
}

/** What is said when the pods cannot be counted: nobody may be evicted until they can. */
export const failedStatus = (budget: PodDisruptionBudget, why: string, now: number): BudgetStatus => ({
  currentHealthy: 0,
  desiredHealthy: 0,
  expectedPods: 0,
  ...budget.status,
  disruptionsAllowed: 0,
  conditions: conditionsWith(budget, { status: "False", reason: "SyncFailed", message: why }, now),
});
