/** PodDisruptionBudgets: how many of their pods may be evicted right now. */
import type { Deployment, Informer, Pod, PodDisruptionBudget, ReplicaSet, StatefulSet } from "@travelops/kube";
import {
  controllerOf,
  DEPLOYMENTS,
  keyOf,
  POD_DISRUPTION_BUDGETS,
  PODS,
  REPLICA_SETS,
  runController,
  selects,
  setCondition,
  sourceOf,
  splitKey,
  STATEFUL_SETS,
} from "@travelops/kube";
import type { ControllerContext } from "../context.ts";
import { scaled } from "../shared/int-or-percent.ts";
import { countWhere, isActive, isFinished, isReady, isTerminating } from "../shared/pods.ts";
import { writeStatus } from "../shared/write.ts";

/** How long an eviction that was granted is believed in before its pod is seen to go. */
const EVICTION_MS = 120_000;

/** Pods that the owners of `pods` want, and so the base of percentages. Pure. */
export interface Scales {
  /** Replicas of a pod's controller; undefined where it has none that is known. */
  of(pod: Pod): { uid: string; replicas: number } | undefined;
}

type Status = NonNullable<PodDisruptionBudget["status"]>;

function disruptionStatus(
  budget: PodDisruptionBudget,
  pods: readonly Pod[],
  scales: Scales,
  now: number,
): { status: Status; recheckMs: number | undefined } {
  const { minAvailable, maxUnavailable } = budget.spec;
  const living = pods.filter((pod) => !isFinished(pod));
  const owners = new Map<string, number>();
  let unowned = 0;
  for (const pod of living) {
    const scale = scales.of(pod);
    if (scale === undefined) unowned++;
    else owners.set(scale.uid, scale.replicas);
  }
  const byScale = maxUnavailable !== undefined || typeof minAvailable === "string";
  const expectedPods = byScale
    ? unowned + [...owners.values()].reduce((sum, replicas) => sum + replicas, 0)
    : living.length;
  const desiredHealthy =
    maxUnavailable === undefined
      ? scaled(minAvailable ?? 1, expectedPods, "up")
      : Math.max(0, expectedPods - scaled(maxUnavailable, expectedPods, "up"));
  const disruptedPods: Record<string, string> = {};
  let recheckMs: number | undefined;
  for (const [name, at] of Object.entries(budget.status?.disruptedPods ?? {})) {
    const pod = living.find((one) => one.metadata.name === name);
    const left = Date.parse(at) + EVICTION_MS - now;
    if (pod === undefined || isTerminating(pod) || left <= 0) continue;
    disruptedPods[name] = at;
    recheckMs = Math.min(recheckMs ?? left, left);
  }
  const currentHealthy = countWhere(
    living,
    (pod) => isActive(pod) && isReady(pod) && disruptedPods[pod.metadata.name ?? ""] === undefined,
  );
  const disruptionsAllowed = expectedPods === 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  const conditions = setCondition(
    budget.status?.conditions,
    {
      type: "DisruptionAllowed",
      status: disruptionsAllowed > 0 ? "True" : "False",
      reason: disruptionsAllowed > 0 ? "SufficientPods" : "InsufficientPods",
      message: "",
      observedGeneration: budget.metadata.generation,
    },
    now,
  );
  const status: Status = {
    observedGeneration: budget.metadata.generation,
    disruptedPods: Object.keys(disruptedPods).length === 0 ? undefined : disruptedPods,
    disruptionsAllowed,
    currentHealthy,
    desiredHealthy,
    expectedPods,
    conditions,
  };
  return { status, recheckMs };
}

function scalesFrom(
  sets: Informer<ReplicaSet>,
  deployments: Informer<Deployment>,
  stateful: Informer<StatefulSet>,
): Scales {
  return {
    of(pod) {
      const owner = controllerOf(pod);
      const namespace = pod.metadata.namespace ?? "";
      if (owner?.kind === "StatefulSet")
        return { uid: owner.uid, replicas: stateful.get(namespace, owner.name)?.spec.replicas ?? 1 };
      if (owner?.kind !== "ReplicaSet") return undefined;
      const set = sets.get(namespace, owner.name);
      const above = set === undefined ? undefined : controllerOf(set);
      if (above?.kind !== "Deployment") return { uid: owner.uid, replicas: set?.spec.replicas ?? 1 };
      return { uid: above.uid, replicas: deployments.get(namespace, above.name)?.spec.replicas ?? 1 };
    },
  };
}

/** Runs until the signal aborts. */
export async function disruptionController(context: ControllerContext): Promise<void> {
  const { client, informers, signal, clock, log } = context;
  const budgets = informers.of(POD_DISRUPTION_BUDGETS);
  const pods = informers.of(PODS);
  const sets = informers.of(REPLICA_SETS);
  const deployments = informers.of(DEPLOYMENTS);
  const stateful = informers.of(STATEFUL_SETS);
  const scales = scalesFrom(sets, deployments, stateful);
  const inNamespace = (namespace: string): string[] => budgets.list(namespace).map(keyOf);
  const resized = ({
    object,
    old,
  }: {
    object: Deployment | ReplicaSet | StatefulSet;
    old?: Deployment | ReplicaSet | StatefulSet;
  }): string[] => (old?.spec.replicas === object.spec.replicas ? [] : inNamespace(object.metadata.namespace ?? ""));
  await runController({
    name: "disruption",
    signal,
    clock,
    log,
    sources: [
      sourceOf(budgets, ({ object }) => [keyOf(object)]),
      sourceOf(pods, ({ object, old }) =>
        budgets
          .list(object.metadata.namespace ?? "")
          .filter(
            ({ spec }) =>
              selects(spec.selector, object.metadata.labels) || selects(spec.selector, old?.metadata.labels),
          )
          .map(keyOf),
      ),
      sourceOf(sets, resized),
      sourceOf(deployments, resized),
      sourceOf(stateful, resized),
    ],
    async reconcile(key) {
      const { namespace, name } = splitKey(key);
      const budget = budgets.get(namespace, name);
      if (budget === undefined) return;
      const selected = pods.list(namespace).filter((pod) => selects(budget.spec.selector, pod.metadata.labels));
      const { status, recheckMs } = disruptionStatus(budget, selected, scales, clock.now());
      await writeStatus(client, budgets, budget, status);
      return recheckMs === undefined ? undefined : { requeueAfterMs: recheckMs };
    },
  });
}
