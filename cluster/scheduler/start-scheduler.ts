/** Binds pods to nodes, the moment they or the nodes change. */
import type { Clock, Condition, EventRecorder, Informer, KubeClient, Logger, Node, Pod } from "@travelops/kube";
import {
  eventRecorder,
  findCondition,
  isNotFound,
  jsonEqual,
  NAMESPACES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  setCondition,
  silentLogger,
  STORAGE_CLASSES,
  systemClock,
} from "@travelops/kube";
import { type SharedInformers, sharedInformers } from "../controllers/informers.ts";
import { ClusterView } from "./cluster-view.ts";
import { decide, type Surroundings } from "./decide.ts";
import type { Preemption } from "./preemption.ts";
import { prepareVolumes } from "./prepare-volumes.ts";
import { SchedulingQueue } from "./scheduling-queue.ts";

export interface SchedulerOptions {
  client: KubeClient;
  signal: AbortSignal;
  clock?: Clock;
  random?: () => number;
  log?: Logger;
  /** Shared with the controllers of the same process; made here where absent. */
  informers?: SharedInformers;
  /** Pods name it in spec.schedulerName. */
  name?: string;
}

const RETRY_BIND_MS = 100;
/** What the scheduler was doing, by the reasons of its events. */
const ACTIONS = { Scheduled: "Binding", FailedScheduling: "Scheduling", Preempted: "Preempting" };

/** Runs until `signal` aborts. */
export async function startScheduler(options: SchedulerOptions): Promise<void> {
  const informers = options.informers ?? sharedInformers(options);
  const scheduler = new Scheduler(options, informers);
  await scheduler.run();
  if (options.informers === undefined) await informers.stopped;
}

class Scheduler {
  readonly #client: KubeClient;
  readonly #signal: AbortSignal;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #log: Logger;
  readonly #name: string;
  readonly #recorder: EventRecorder;
  readonly #informers: SharedInformers;
  readonly #pods: Informer<Pod>;
  readonly #queue = new SchedulingQueue();
  readonly #view = new ClusterView();
  readonly #underWay = new Set<Promise<void>>();

  constructor(options: SchedulerOptions, informers: SharedInformers) {
    this.#client = options.client;
    this.#signal = options.signal;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#log = (options.log ?? silentLogger).child({ controller: "scheduler" });
    this.#name = options.name ?? "default-scheduler";
    this.#recorder = eventRecorder(options.client, this.#name, this.#clock, { log: this.#log, actions: ACTIONS });
    this.#informers = informers;
    this.#pods = informers.of(PODS);
  }

  async run(): Promise<void> {
    const close = (): void => this.#queue.close();
    this.#signal.addEventListener("abort", close, { once: true });
    const claims = this.#informers.of(PERSISTENT_VOLUME_CLAIMS);
    const volumes = this.#informers.of(PERSISTENT_VOLUMES);
    const classes = this.#informers.of(STORAGE_CLASSES);
    const namespaces = this.#informers.of(NAMESPACES);
    const nodes = this.#informers.of(NODES);
    const budgets = this.#informers.of(POD_DISRUPTION_BUDGETS);
    const known = [this.#pods, nodes, claims, volumes, classes, namespaces, budgets];
    try {
      // Nothing is decided before everything is known.
      await Promise.all(known.map((informer) => informer.synced()));
    } catch (error) {
      if (this.#signal.aborted) return;
      throw error;
    }
    const stop = [
      nodes.onEvent((event) => this.#onNode(event)),
      this.#pods.onEvent((event) => this.#onPod(event)),
      claims.onEvent(() => this.#queue.wakeAll()),
      volumes.onEvent(() => this.#queue.wakeAll()),
      classes.onEvent(() => this.#queue.wakeAll()),
    ];
    const around: Omit<Surroundings, "nodes"> = {
      volumes: {
        claim: (namespace, name) => claims.get(namespace, name),
        volume: (name) => volumes.get("", name),
        volumes: () => volumes.list(),
        storageClass: (name) => classes.get("", name),
      },
      namespaceLabels: (name) => namespaces.get("", name)?.metadata.labels,
      random: this.#random,
      budgets: () => budgets.list(),
    };
    for (let pod = await this.#queue.next(); pod !== undefined; pod = await this.#queue.next())
      this.#place(pod, around);
    for (const undo of stop) undo();
    await Promise.all(this.#underWay);
  }

  #onNode({ type, object, old }: { type: string; object: Node; old?: Node }): void {
    if (type === "deleted") this.#view.removeNode(object.metadata.name ?? "");
    else this.#view.setNode(object);
    // Heartbeats change nothing that a pod could wait for.
    const same =
      old !== undefined &&
      jsonEqual(old.spec, object.spec) &&
      jsonEqual(old.metadata.labels, object.metadata.labels) &&
      jsonEqual(old.status?.allocatable, object.status?.allocatable);
    if (!same) this.#queue.wakeAll();
  }

  #onPod({ type, object: pod, old }: { type: string; object: Pod; old?: Pod }): void {
    if ((pod.spec.nodeName ?? "") !== "") {
      this.#queue.remove(pod);
      if (type === "deleted") this.#view.removePod(pod);
      else this.#view.setPod(pod);
      // A pod that left makes room; one that came or changed its labels may be what another wants to be near.
      const same =
        old !== undefined && old.spec.nodeName === pod.spec.nodeName && old.status?.phase === pod.status?.phase;
      if (!same || !jsonEqual(old.metadata.labels, pod.metadata.labels)) this.#queue.wakeAll();
      return;
    }
    if (type === "deleted") {
      this.#queue.remove(pod);
      this.#view.removePod(pod);
      return;
    }
    if (!this.#isMine(pod)) {
      this.#queue.remove(pod);
      return;
    }
    if (this.#view.isPlaced(pod)) return;
    if (old === undefined || !jsonEqual(old.spec, pod.spec) || !jsonEqual(old.metadata.labels, pod.metadata.labels))
      this.#queue.offer(pod);
    else this.#queue.refresh(pod);
  }

  #isMine(pod: Pod): boolean {
    return (
      (pod.spec.schedulerName ?? "default-scheduler") === this.#name &&
      pod.metadata.deletionTimestamp === undefined &&
      (pod.spec.schedulingGates ?? []).length === 0 &&
      pod.status?.phase !== "Succeeded" &&
      pod.status?.phase !== "Failed"
    );
  }

  #place(pod: Pod, around: Omit<Surroundings, "nodes">): void {
    const decision = decide(pod, {
      ...around,
      nodes: this.#view.nodesFor(pod),
      nominated: this.#view.nominatedNode(pod),
    });
    if (decision.kind === "node" && decision.waiting !== undefined) {
      // Its volumes first: the claim that is bound then wakes it.
      this.#queue.sleep(pod);
      const node = this.#informers.of(NODES).get("", decision.name);
      if (node !== undefined) this.#start(prepareVolumes(this.#client, decision.waiting, node, around.volumes));
      return;
    }
    if (decision.kind === "node") {
      this.#view.assume(pod, decision.name);
      this.#start(this.#bind(pod, decision.name));
      return;
    }
    this.#queue.sleep(pod);
    if (decision.preemption !== undefined) this.#view.nominate(pod, decision.preemption.node);
    this.#start(this.#report(pod, decision.message, decision.preemption));
  }

  #start(work: Promise<void>): void {
    const guarded = work.catch((error: unknown) => {
      if (!this.#signal.aborted && !isNotFound(error)) this.#log.warn("failed", { err: error });
    });
    this.#underWay.add(guarded);
    void guarded.finally(() => this.#underWay.delete(guarded));
  }

  async #bind(pod: Pod, node: string): Promise<void> {
    const { namespace = "", name = "", uid } = pod.metadata;
    try {
      await this.#client.createSubresource(PODS, namespace, name, "binding", {
        apiVersion: "v1",
        kind: "Binding",
        metadata: { name, namespace, uid },
        target: { apiVersion: "v1", kind: "Node", name: node },
      });
    } catch (error) {
      this.#view.forget(pod);
      if (isNotFound(error) || this.#signal.aborted) return;
      this.#recorder.record(
        pod,
        "Warning",
        "FailedScheduling",
        `binding rejected: ${error instanceof Error ? error.message : String(error)}`,
      );
      // A conflict means that it has changed: its event is on its way. Anything else is tried again.
      this.#clock.setTimeout(() => this.#again(pod), RETRY_BIND_MS);
      return;
    }
    this.#recorder.record(pod, "Normal", "Scheduled", `Successfully assigned ${namespace}/${name} to ${node}`);
  }

  #again(pod: Pod): void {
    const latest = this.#pods.get(pod.metadata.namespace ?? "", pod.metadata.name ?? "");
    const waits = latest !== undefined && (latest.spec.nodeName ?? "") === "" && this.#isMine(latest);
    if (waits && !this.#signal.aborted) this.#queue.offer(latest);
  }

  async #report(pod: Pod, message: string, preemption: Preemption | undefined): Promise<void> {
    const latest = this.#pods.get(pod.metadata.namespace ?? "", pod.metadata.name ?? "") ?? pod;
    const known = findCondition(latest.status?.conditions, "PodScheduled");
    const condition: Omit<Condition, "lastTransitionTime"> = {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message,
    };
    const told = known?.status === "False" && known.reason === "Unschedulable" && known.message === message;
    const nominatedNodeName = preemption?.node;
    if (!told || (nominatedNodeName !== undefined && latest.status?.nominatedNodeName !== nominatedNodeName)) {
      this.#recorder.record(pod, "Warning", "FailedScheduling", message);
      await this.#patchStatus(latest, condition, nominatedNodeName);
    }
    for (const victim of preemption?.victims ?? []) await this.#preempt(pod, victim, preemption?.node ?? "");
  }

  async #patchStatus(
    pod: Pod,
    condition: Omit<Condition, "lastTransitionTime">,
    nominatedNodeName?: string,
  ): Promise<void> {
    const { namespace = "", name = "", uid } = pod.metadata;
    const [next] = setCondition(
      pod.status?.conditions?.filter((one) => one.type === condition.type),
      condition,
      this.#clock.now(),
    );
    // A new condition goes last; a patch without an order would put it first.
    const types = new Set([...(pod.status?.conditions ?? []).map((one) => one.type), condition.type]);
    const status = {
      conditions: [next],
      "$setElementOrder/conditions": [...types].map((type) => ({ type })),
      ...(nominatedNodeName === undefined ? {} : { nominatedNodeName }),
    };
    const patch = { metadata: { uid }, status };
    const written = await this.#client.patch(PODS, namespace, name, "application/strategic-merge-patch+json", patch, {
      subresource: "status",
    });
    this.#pods.note(written);
  }

  async #preempt(pod: Pod, victim: Pod, node: string): Promise<void> {
    const { namespace = "", name = "", uid } = victim.metadata;
    if (victim.metadata.deletionTimestamp !== undefined) return;
    await this.#patchStatus(victim, {
      type: "DisruptionTarget",
      status: "True",
      reason: "PreemptionByScheduler",
      message: `${this.#name}: preempting to accommodate a higher priority pod`,
    });
    await this.#client.delete(PODS, namespace, name, { preconditions: { uid } });
    this.#recorder.record(
      victim,
      "Normal",
      "Preempted",
      `Preempted by pod ${pod.metadata.uid} on node ${node}`,
      undefined,
      pod,
    );
  }
}
