/** PodDisruptionBudgets: how many of their pods may be evicted right now. */
import type { EventRecorder, Informer, LabelSelector, Pod, PodDisruptionBudget } from "@travelops/kube";
import {
  keyOf,
  POD_DISRUPTION_BUDGETS,
  PODS,
  type ReconcileResult,
  runController,
  selects,
  sourceOf,
  splitKey,
} from "@travelops/kube";
import type { ControllerContext } from "../context.ts";
import { messageOf } from "../shared/pod-control.ts";
import { writeStatus } from "../shared/write.ts";
import { SCALED, Scales, type ScaledObject } from "./scales.ts";
import { budgetStatus, countsByScale, failedStatus } from "./status.ts";

/** Runs until the signal aborts. */
export async function disruptionController(context: ControllerContext): Promise<void> {
  const { informers, signal, clock, log } = context;
  const budgets = informers.of(POD_DISRUPTION_BUDGETS);
  const pods = informers.of(PODS);
  const budgeteer = new Budgeteer(context, budgets, pods);
  const resized = ({ object, old }: { object: ScaledObject; old?: ScaledObject }): string[] =>
    old?.spec.replicas === object.spec.replicas ? [] : budgets.list(object.metadata.namespace ?? "").map(keyOf);
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
      ...SCALED.map((resource) => sourceOf(informers.of(resource), resized)),
    ],
    reconcile: (key) => budgeteer.reconcile(key),
  });
}

class Budgeteer {
  readonly #context: ControllerContext;
  readonly #budgets: Informer<PodDisruptionBudget>;
  readonly #pods: Informer<Pod>;
  readonly #scales: Scales;
  readonly #recorder: EventRecorder;

  constructor(context: ControllerContext, budgets: Informer<PodDisruptionBudget>, pods: Informer<Pod>) {
    this.#context = context;
    this.#budgets = budgets;
    this.#pods = pods;
    this.#scales = new Scales(context);
    this.#recorder = context.recorder("controllermanager");
  }

  async reconcile(key: string): Promise<ReconcileResult> {
    const { namespace, name } = splitKey(key);
    const budget = this.#budgets.get(namespace, name);
    if (budget === undefined) return;
    const pods = this.#pods.list(namespace).filter((pod) => selects(budget.spec.selector, pod.metadata.labels));
    if (pods.length === 0) this.#recorder.record(budget, "Normal", "NoPods", "No matching pods found");
    const { client, clock } = this.#context;
    let expected: number;
    try {
      expected = await this.#expected(budget, pods);
    } catch (error) {
      const why = messageOf(error);
      const message = `Failed to calculate the number of expected pods: ${why}`;
      this.#recorder.record(budget, "Warning", "CalculateExpectedPodCountFailed", message);
      await writeStatus(client, this.#budgets, budget, failedStatus(budget, why, clock.now()));
      throw error;
    }
    const { status, recheckMs } = budgetStatus(budget, pods, expected, clock.now());
    await writeStatus(client, this.#budgets, budget, status);
    return recheckMs === undefined ? undefined : { requeueAfterMs: recheckMs };
  }

  async #expected(budget: PodDisruptionBudget, pods: readonly Pod[]): Promise<number> {
    if (!countsByScale(budget)) return pods.length;
    const { count, unmanaged } = await this.#scales.expected(pods);
    if (unmanaged > 0) {
      const message =
        `Pods selected by this PodDisruptionBudget (selector: ${shown(budget.spec.selector)}) were found to be ` +
        "unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined " +
        'behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an integer value.';
      this.#recorder.record(budget, "Warning", "UnmanagedPods", message);
    }
    return count;
  }
}

/** A selector as upstream prints it in events. */
function shown(selector: LabelSelector | undefined): string {
  if (selector === undefined) return "nil";
  const labels = Object.entries(selector.matchLabels ?? {})
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}: ${value},`);
  const expressions = (selector.matchExpressions ?? []).map(
    ({ key, operator, values }) =>
      `LabelSelectorRequirement{Key:${key},Operator:${operator},Values:[${(values ?? []).join(" ")}],},`,
  );
  return `&LabelSelector{MatchLabels:map[string]string{${labels.join("")}},MatchExpressions:[]LabelSelectorRequirement{${expressions.join("")}},}`;
}
