/** HorizontalPodAutoscalers: as many replicas as the use of CPU and memory asks for. */
import type {
  Discovery,
  EventRecorder,
  HorizontalPodAutoscaler,
  HpaMetricStatus,
  Informer,
  Pod,
  PodMetrics,
  Resource,
  Scale,
} from "@travelops/kube";
import {
  discover,
  formatTime,
  HORIZONTAL_POD_AUTOSCALERS,
  isConflict,
  isNotFound,
  jsonEqual,
  keyOf,
  matchesLabels,
  parseLabelSelector,
  parseQuantity,
  POD_METRICS,
  PODS,
  quantityMilli,
  type ReconcileResult,
  runController,
  setCondition,
  sourceOf,
  splitKey,
} from "@travelops/kube";
import type { ControllerContext } from "../context.ts";
import { messageOf } from "../shared/pod-control.ts";
import { evaluateMetrics, type Proposal } from "./metric.ts";
import { AutoscalerSelectors } from "./selectors.ts";
import { limitReplicas, NO_HISTORY, remember, type Said, type ScalingHistory } from "./scaling-rules.ts";

const WORKERS = 5;
const SCALE_TRIES = 5;
const TOLERANCE = 0.1;

type Hpa = HorizontalPodAutoscaler;
type Status = NonNullable<Hpa["status"]>;
type ConditionType = "AbleToScale" | "ScalingActive" | "ScalingLimited";

/** Runs the controller until the signal aborts. */
export async function horizontalPodAutoscalerController(context: ControllerContext): Promise<void> {
  const { informers, signal, clock, log } = context;
  const autoscalers = informers.of(HORIZONTAL_POD_AUTOSCALERS);
  const pods = informers.of(PODS);
  const reconciler = new Autoscaler(context, autoscalers, pods);
  await runController({
    name: "horizontalpodautoscaler",
    workers: WORKERS,
    signal,
    clock,
    log,
    sources: [
      // What they write themselves is no reason to look again.
      sourceOf(autoscalers, ({ object, old }) =>
        old !== undefined && jsonEqual(object.spec, old.spec) ? [] : [keyOf(object)],
      ),
      sourceOf(pods, () => []),
    ],
    reconcile: (key) => reconciler.reconcile(key),
  });
}

interface ScaleTarget {
  readonly resource: Resource;
  readonly scale: Scale;
}

const toleranceOf = (value: string | number | undefined): number =>
  value === undefined ? TOLERANCE : Number(quantityMilli(parseQuantity(value))) / 1000;

class Autoscaler {
  readonly #context: ControllerContext;
  readonly #autoscalers: Informer<Hpa>;
  readonly #pods: Informer<Pod>;
  readonly #discovery: Discovery;
  readonly #recorder: EventRecorder;
  readonly #selectors = new AutoscalerSelectors();
  /** By uid. */
  readonly #histories = new Map<string, ScalingHistory>();

  constructor(context: ControllerContext, autoscalers: Informer<Hpa>, pods: Informer<Pod>) {
    this.#context = context;
    this.#autoscalers = autoscalers;
    this.#pods = pods;
    this.#discovery = discover(context.client.transport);
    this.#recorder = context.recorder("horizontal-pod-autoscaler");
    autoscalers.onEvent(({ type, object }) => {
      if (type !== "deleted") return;
      this.#histories.delete(object.metadata.uid ?? "");
      this.#selectors.delete(object);
    });
  }

  async reconcile(key: string): Promise<ReconcileResult> {
    const { namespace, name } = splitKey(key);
    const hpa = this.#autoscalers.get(namespace, name);
    if (hpa === undefined || hpa.metadata.deletionTimestamp !== undefined) return;
    const pass = new Pass(hpa, this.#context.clock.now());
    await this.#scale(hpa, pass);
    await this.#write(hpa, pass.status);
    return { requeueAfterMs: this.#context.autoscalerPeriodMs };
  }

  async #scale(hpa: Hpa, pass: Pass): Promise<void> {
    let target: ScaleTarget;
    try {
      target = await this.#target(hpa);
    } catch (error) {
      const message = messageOf(error);
      this.#recorder.record(hpa, "Warning", "FailedGetScale", message);
      pass.say(
        "AbleToScale",
        "False",
        "FailedGetScale",
        `the HPA controller was unable to get the target's current scale: ${message}`,
      );
      return;
    }
    pass.say(
      "AbleToScale",
      "True",
      "SucceededGetScale",
      "the HPA controller was able to get the target's current scale",
    );
    const current = target.scale.spec?.replicas ?? 0;
    pass.status.currentReplicas = current;
    const wish = await this.#wish(hpa, target.scale, current, pass);
    if (wish === undefined) return;
    pass.status.desiredReplicas = wish.replicas;
    pass.status.currentMetrics = wish.statuses ?? null;
    if (wish.replicas !== current) await this.#rescale(hpa, target, wish, pass);
  }

  /** Undefined where nothing can be said. */
  async #wish(hpa: Hpa, scale: Scale, current: number, pass: Pass): Promise<Wish | undefined> {
    const { minReplicas = 1, maxReplicas } = hpa.spec;
    if (current === 0 && minReplicas !== 0) {
      pass.say(
        "ScalingActive",
        "False",
        "ScalingDisabled",
        "scaling is disabled since the replica count of the target is zero",
      );
      return { replicas: 0, reason: "" };
    }
    if (current > maxReplicas)
      return { replicas: maxReplicas, reason: "Current number of replicas above Spec.MaxReplicas" };
    if (current < minReplicas)
      return { replicas: minReplicas, reason: "Current number of replicas below Spec.MinReplicas" };
    const proposal = await this.#propose(hpa, scale, current, pass);
    if (proposal === undefined) return undefined;
    const uid = hpa.metadata.uid ?? "";
    const before = this.#histories.get(uid) ?? {
      ...NO_HISTORY,
      recommendations: [{ at: pass.now, replicas: current }],
    };
    const limited = limitReplicas({
      spec: hpa.spec,
      current,
      desired: proposal.replicas,
      history: before,
      now: pass.now,
    });
    this.#histories.set(uid, limited.history);
    pass.sayAll("AbleToScale", limited.ableToScale);
    pass.sayAll("ScalingLimited", limited.scalingLimited);
    // Neither, where it is what was asked for before that changes it.
    const reason =
      proposal.replicas > current
        ? `${proposal.name} above target`
        : proposal.replicas < current
          ? "All metrics below target"
          : "";
    return { replicas: limited.replicas, reason, statuses: [...proposal.statuses] };
  }

  async #propose(hpa: Hpa, scale: Scale, current: number, pass: Pass): Promise<Proposal | undefined> {
    const selector = scale.status?.selector ?? "";
    if (selector === "") {
      this.#recorder.record(hpa, "Warning", "SelectorRequired", "selector is required");
      pass.say("ScalingActive", "False", "InvalidSelector", "the HPA target's scale is missing a selector");
      return undefined;
    }
    const { namespace = "" } = hpa.metadata;
    const requirements = parseLabelSelector(selector);
    const pods = this.#pods.list(namespace).filter((pod) => matchesLabels(requirements, pod.metadata.labels));
    this.#selectors.set(hpa, requirements);
    const rivals = this.#selectors.of(namespace, pods);
    if (rivals.length > 1) {
      const message = `pods by selector ${selector} are controlled by multiple HPAs: [${rivals.join(" ")}]`;
      this.#recorder.record(hpa, "Warning", "AmbiguousSelector", message);
      pass.say("ScalingActive", "False", "AmbiguousSelector", message);
      return undefined;
    }
    const { scaleUp, scaleDown } = hpa.spec.behavior ?? {};
    const tolerance = { up: toleranceOf(scaleUp?.tolerance), down: toleranceOf(scaleDown?.tolerance) };
    const metrics = await this.#metrics(namespace, selector);
    const result = evaluateMetrics(hpa.spec.metrics ?? [], { pods, current, tolerance, now: pass.now, metrics });
    for (const failure of result.failures) this.#recorder.record(hpa, "Warning", failure.reason, failure.message);
    if (!result.ok) {
      const [first] = result.failures;
      const why = first?.message ?? result.message;
      pass.say(
        "ScalingActive",
        "False",
        first?.reason ?? "InvalidMetricSourceType",
        `the HPA was unable to compute the replica count: ${why}`,
      );
      this.#recorder.record(hpa, "Warning", "FailedComputeMetricsReplicas", result.message);
      pass.status.currentMetrics = [...result.statuses];
      return undefined;
    }
    const { name } = result.proposal;
    pass.say(
      "ScalingActive",
      "True",
      "ValidMetricFound",
      `the HPA was able to successfully calculate a replica count from ${name}`,
    );
    return result.proposal;
  }

  async #rescale(hpa: Hpa, { resource, scale }: ScaleTarget, { replicas, reason }: Wish, pass: Pass): Promise<void> {
    const current = scale.spec?.replicas ?? 0;
    try {
      await this.#setScale({ resource, scale }, replicas);
    } catch (error) {
      const message = messageOf(error);
      this.#recorder.record(
        hpa,
        "Warning",
        "FailedRescale",
        `New size: ${replicas}; reason: ${reason}; error: ${message}`,
      );
      pass.say(
        "AbleToScale",
        "False",
        "FailedUpdateScale",
        `the HPA controller was unable to update the target scale: ${message}`,
      );
      pass.status.desiredReplicas = hpa.status?.desiredReplicas ?? 0;
      return;
    }
    pass.say(
      "AbleToScale",
      "True",
      "SucceededRescale",
      `the HPA controller was able to update the target scale to ${replicas}`,
    );
    pass.status.lastScaleTime = formatTime(pass.now);
    this.#recorder.record(hpa, "Normal", "SuccessfulRescale", `New size: ${replicas}; reason: ${reason}`);
    const uid = hpa.metadata.uid ?? "";
    this.#histories.set(uid, remember(this.#histories.get(uid) ?? NO_HISTORY, current, replicas, pass.now));
  }

  /** Somebody else may change the target meanwhile. */
  async #setScale({ resource, scale }: ScaleTarget, replicas: number): Promise<void> {
    const { client } = this.#context;
    const { namespace = "", name = "" } = scale.metadata;
    for (let tries = 1, latest = scale; ; tries++) {
      try {
        await client.update(resource, { ...latest, spec: { replicas } }, { subresource: "scale" });
        return;
      } catch (error) {
        if (!isConflict(error) || tries === SCALE_TRIES) throw error;
        latest = (await client.get(resource, namespace, name, { subresource: "scale" })) as Scale;
      }
    }
  }

  async #target(hpa: Hpa): Promise<ScaleTarget> {
    const { apiVersion = "v1", kind, name } = hpa.spec.scaleTargetRef;
    const slash = apiVersion.indexOf("/");
    const group = slash < 0 ? "" : apiVersion.slice(0, slash);
    const resource = await this.#discovery.resourceFor({ group, version: apiVersion.slice(slash + 1), kind });
    if (resource === undefined) throw new Error(`no matches for kind "${kind}" in group "${group}"`);
    const { namespace = "" } = hpa.metadata;
    const scale = await this.#context.client.get(resource, namespace, name, { subresource: "scale" });
    return { resource, scale: scale as Scale };
  }

  async #metrics(namespace: string, labelSelector: string): Promise<readonly PodMetrics[] | { failure: string }> {
    try {
      return (await this.#context.client.list(POD_METRICS, { namespace, labelSelector })).items;
    } catch (error) {
      return { failure: messageOf(error) };
    }
  }

  async #write(hpa: Hpa, status: Status): Promise<void> {
    if (jsonEqual(hpa.status ?? {}, status)) return;
    try {
      const written = await this.#context.client.update(
        HORIZONTAL_POD_AUTOSCALERS,
        { ...hpa, status },
        { subresource: "status" },
      );
      this.#autoscalers.note(written);
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }
}

interface Wish {
  readonly replicas: number;
  readonly reason: string;
  readonly statuses?: HpaMetricStatus[];
}

/** One pass over one autoscaler, with one time for all of it. */
class Pass {
  readonly now: number;
  readonly status: Status;

  constructor(hpa: Hpa, now: number) {
    this.now = now;
    this.status = { desiredReplicas: 0, ...hpa.status };
  }

  say(type: ConditionType, status: "True" | "False", reason: string, message: string): void {
    this.status.conditions = setCondition(this.status.conditions, { type, status, reason, message }, this.now);
  }

  sayAll(type: ConditionType, { status, reason, message }: Said): void {
    this.say(type, status, reason, message);
  }
}
