/** Nodes that fall silent are marked, tainted and emptied; pods of nodes that are gone are removed. */
import type { Informer, Lease, Node, NodeCondition, Pod } from "@travelops/kube";
import {
  findCondition,
  formatTime,
  steadyNow,
  isNotFound,
  keyOf,
  LEASES,
  NODES,
  PODS,
  type ReconcileResult,
  runController,
  setCondition,
  sourceOf,
  splitKey,
} from "@travelops/kube";
import type { ControllerContext } from "../context.ts";
import { isFinished, isTerminating } from "../shared/pods.ts";
import { deleteExactly, patched, writeStatus } from "../shared/write.ts";
import { drivesAway, evictionIn, taintsAfter } from "./taints.ts";

/** Silence that a node is allowed, as upstream's --node-monitor-grace-period. */
const GRACE_MS = 50_000;
/** And one that has never said anything, as upstream's --node-startup-grace-period. */
const STARTUP_GRACE_MS = 60_000;
/** A look that comes this much too late says that the machine slept. */
const ASLEEP_MS = 2000;
const WAKE_UP_MS = 15_000;
/** How long a pod's node may be missing before the pod is taken for lost. */
const QUARANTINE_MS = 40_000;
const BY_NODE = "node";
const LEASE_NAMESPACE = "kube-node-lease";
const SILENT = { reason: "NodeStatusUnknown", message: "Kubelet stopped posting node status." };
const NEVER = { reason: "NodeStatusNeverUpdated", message: "Kubelet never posted node status." };
const REPORTED = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] as const;

function podsByNode(pods: Informer<Pod>): void {
  pods.addIndex(BY_NODE, (pod) => ((pod.spec.nodeName ?? "") === "" ? [] : [pod.spec.nodeName ?? ""]));
}

/** Watches over the nodes until the signal aborts. */
export async function nodeLifecycleController(context: ControllerContext): Promise<void> {
  const { informers, signal, clock, log } = context;
  const nodes = informers.of(NODES);
  const leases = informers.of(LEASES);
  const pods = informers.of(PODS);
  podsByNode(pods);
  const keeper = new NodeKeeper(context, nodes, leases, pods);
  await Promise.all([
    runController({
      name: "nodelifecycle",
      signal,
      clock,
      log,
      sources: [
        sourceOf(nodes, ({ object }) => [object.metadata.name ?? ""]),
        sourceOf(leases, ({ object }) =>
          object.metadata.namespace === LEASE_NAMESPACE ? [object.metadata.name ?? ""] : [],
        ),
        sourceOf(pods, () => []),
      ],
      reconcile: (name) => keeper.watchOver(name),
    }),
    runController({
      name: "nodelifecycle-pods",
      signal,
      clock,
      log,
      sources: [
        sourceOf(nodes, () => []),
        sourceOf(pods, ({ type, object, old }) =>
          type === "deleted" || (object.spec.nodeName ?? "") === "" || object.spec.nodeName === old?.spec.nodeName
            ? []
            : [keyOf(object)],
        ),
      ],
      reconcile: (key) => keeper.receive(key),
    }),
    runController({
      name: "taint-eviction",
      signal,
      clock,
      log,
      sources: [
        sourceOf(pods, ({ object }) => (object.spec.nodeName !== undefined ? [keyOf(object)] : [])),
        sourceOf(nodes, ({ object, old }) =>
          old !== undefined && object.spec?.taints === old.spec?.taints
            ? []
            : pods.byIndex(BY_NODE, object.metadata.name ?? "").map(keyOf),
        ),
      ],
      reconcile: (key) => keeper.evict(key),
    }),
  ]);
}

class NodeKeeper {
  readonly #context: ControllerContext;
  readonly #nodes: Informer<Node>;
  readonly #leases: Informer<Lease>;
  readonly #pods: Informer<Pod>;
  /** Since when pods, by their keys, have been on a node that drives some away. */
  readonly #taintedSince = new Map<string, number>();
  /** When the last sign of life was seen, by this clock: that of the node may differ. */
  readonly #seen = new Map<string, { renewed: string; at: number }>();
  /** The nodes as they were last looked at. */
  readonly #registered = new Map<string, Node>();
  /** Nodes whose silence was found out, and whose pods have yet to be told of it. */
  readonly #toTell = new Set<string>();

  constructor(context: ControllerContext, nodes: Informer<Node>, leases: Informer<Lease>, pods: Informer<Pod>) {
    this.#context = context;
    this.#nodes = nodes;
    this.#leases = leases;
    this.#pods = pods;
  }

  async watchOver(name: string): Promise<ReconcileResult> {
    const node = this.#nodes.get("", name);
    if (node === undefined) return this.#forget(name);
    if (this.#registered.get(name)?.metadata.uid !== node.metadata.uid)
      this.#say(node, "RegisteredNode", `Node ${name} event: Registered Node ${name} in Controller`);
    this.#registered.set(name, node);
    const { client, clock } = this.#context;
    const left = this.#graceLeft(node);
    const current = left > 0 ? node : await this.#markSilent(node);
    const taints = taintsAfter(current, formatTime(clock.now()));
    // An empty list is removed, as kubectl does.
    if (taints !== undefined)
      await patched(client, this.#nodes, current, { spec: { taints: taints.length === 0 ? null : taints } });
    // A kubelet that says itself that it is not ready still answers for its pods.
    if (this.#toTell.has(name)) {
      for (const pod of this.#pods.byIndex(BY_NODE, name)) await this.#markPod(pod);
      this.#toTell.delete(name);
    }
    return left > 0 ? { requeueAfterMs: left } : undefined;
  }

  #forget(name: string): void {
    const node = this.#registered.get(name);
    if (node !== undefined)
      this.#say(node, "RemovingNode", `Node ${name} event: Removing Node ${name} from Controller`);
    this.#registered.delete(name);
    this.#seen.delete(name);
    this.#toTell.delete(name);
  }

  #say(node: Node, reason: string, message: string): void {
    this.#context.recorder("node-controller").record(node, "Normal", reason, message);
  }

  #graceLeft(node: Node): number {
    const name = node.metadata.name ?? "";
    const now = steadyNow(this.#context.clock);
    const renewed = `${this.#leases.get(LEASE_NAMESPACE, name)?.spec?.renewTime} ${findCondition(node.status?.conditions, "Ready")?.lastHeartbeatTime}`;
    const seen = this.#seen.get(name);
    const grace = findCondition(node.status?.conditions, "Ready") === undefined ? STARTUP_GRACE_MS : GRACE_MS;
    if (seen === undefined || seen.renewed !== renewed) {
      this.#seen.set(name, { renewed, at: now });
      return grace;
    }
    const left = seen.at + grace - now;
    if (left >= -ASLEEP_MS) return left;
    // Asked for far later than was wanted: this process slept, and the nodes with it. They get the time to wake up.
    this.#seen.set(name, { renewed, at: now - grace + WAKE_UP_MS });
    return WAKE_UP_MS;
  }

  async #markSilent(node: Node): Promise<Node> {
    const now = this.#context.clock.now();
    const ready = findCondition(node.status?.conditions, "Ready");
    let conditions: NodeCondition[] = node.status?.conditions ?? [];
    for (const type of REPORTED) {
      const known = findCondition(conditions, type);
      if (known?.status === "Unknown") continue;
      const lastHeartbeatTime = known?.lastHeartbeatTime ?? node.metadata.creationTimestamp ?? undefined;
      const condition = { type, status: "Unknown" as const, ...(known === undefined ? NEVER : SILENT) };
      conditions = setCondition(conditions, condition, now).map((one) =>
        one.type === type ? { ...one, lastHeartbeatTime } : one,
      );
    }
    const written = await writeStatus(this.#context.client, this.#nodes, node, { ...node.status, conditions });
    if (ready?.status === "True") {
      this.#say(node, "NodeNotReady", `Node ${node.metadata.name} status is now: NodeNotReady`);
      this.#toTell.add(node.metadata.name ?? "");
    }
    // What was just written is no sign of life.
    const seen = this.#seen.get(node.metadata.name ?? "");
    if (seen !== undefined) {
      const renewed = `${this.#leases.get(LEASE_NAMESPACE, node.metadata.name ?? "")?.spec?.renewTime} ${findCondition(written.status?.conditions, "Ready")?.lastHeartbeatTime}`;
      this.#seen.set(node.metadata.name ?? "", { ...seen, renewed });
    }
    return written;
  }

  /** A pod that comes to a node that is not ready. */
  async receive(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const pod = this.#pods.get(namespace, name);
    const node = pod === undefined ? undefined : this.#nodes.get("", pod.spec.nodeName ?? "");
    const ready = findCondition(node?.status?.conditions, "Ready");
    if (pod !== undefined && ready !== undefined && ready.status !== "True") await this.#markPod(pod);
  }

  /** Nobody can say that it is ready any more, so Services leave it out. */
  async #markPod(pod: Pod): Promise<void> {
    const { client, clock } = this.#context;
    const ready = findCondition(pod.status?.conditions, "Ready");
    if (ready === undefined || ready.status === "False") return;
    const conditions = setCondition(pod.status?.conditions, { ...ready, status: "False" }, clock.now());
    try {
      await writeStatus(client, this.#pods, pod, { ...pod.status, conditions });
      this.#context.recorder("node-controller").record(pod, "Warning", "NodeNotReady", "Node is not ready");
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  async evict(key: string): Promise<ReconcileResult> {
    const { namespace, name } = splitKey(key);
    const pod = this.#pods.get(namespace, name);
    const node = pod === undefined ? undefined : this.#nodes.get("", pod.spec.nodeName ?? "");
    if (pod === undefined || node === undefined || isTerminating(pod) || !drivesAway(node)) {
      this.#taintedSince.delete(key);
      return;
    }
    const now = this.#context.clock.now();
    const since = this.#taintedSince.get(key) ?? now;
    this.#taintedSince.set(key, since);
    const left = evictionIn(pod, node, now, since);
    if (left === undefined) return;
    if (left > 0) return { requeueAfterMs: left };
    const { client, clock, recorder } = this.#context;
    recorder("taint-eviction-controller").record(
      pod,
      "Normal",
      "TaintManagerEviction",
      `Marking for deletion Pod ${key}`,
    );
    await markDisrupted(
      client,
      this.#pods,
      pod,
      clock.now(),
      "DeletionByTaintManager",
      "Taint manager: deleting due to NoExecute taint",
    );
    await deleteExactly(client, PODS, pod);
  }
}

async function markDisrupted(
  client: ControllerContext["client"],
  pods: Informer<Pod>,
  pod: Pod,
  now: number,
  reason: string,
  message: string,
  phase: Pod["status"] = {},
): Promise<void> {
  const conditions = setCondition(
    pod.status?.conditions,
    { type: "DisruptionTarget", status: "True", reason, message },
    now,
  );
  await writePodStatus(client, pods, pod, { ...pod.status, ...phase, conditions });
}

/** That the pod is gone meanwhile is as good. */
async function writePodStatus(
  client: ControllerContext["client"],
  pods: Informer<Pod>,
  pod: Pod,
  status: Pod["status"],
): Promise<void> {
  try {
    await writeStatus(client, pods, pod, status);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}

/** Removes pods that no kubelet will ever end, until the signal aborts. */
export async function podGarbageController(context: ControllerContext): Promise<void> {
  const { client, informers, signal, clock, log } = context;
  const pods = informers.of(PODS);
  const nodes = informers.of(NODES);
  podsByNode(pods);
  const lostSince = new Map<string, number>();
  await runController({
    name: "podgc",
    signal,
    clock,
    log,
    sources: [
      sourceOf(pods, ({ type, object }) => {
        if (type === "deleted") lostSince.delete(object.metadata.uid ?? "");
        return type === "deleted" ? [] : [keyOf(object)];
      }),
      sourceOf(nodes, ({ type, object }) =>
        type === "deleted" ? pods.byIndex(BY_NODE, object.metadata.name ?? "").map(keyOf) : [],
      ),
    ],
    async reconcile(key) {
      const { namespace, name } = splitKey(key);
      const pod = pods.get(namespace, name);
      if (pod === undefined) return;
      const node = pod.spec.nodeName ?? "";
      if (node === "") {
        if (!isTerminating(pod)) return;
        // Nobody else will say that it has ended; whoever holds it by a finalizer waits for that.
        if (!isFinished(pod)) await writePodStatus(client, pods, pod, { ...pod.status, phase: "Failed" });
        await deleteExactly(client, PODS, pod, { gracePeriodSeconds: 0 });
        return;
      }
      const uid = pod.metadata.uid ?? "";
      if (nodes.get("", node) !== undefined) {
        lostSince.delete(uid);
        return;
      }
      const since = lostSince.get(uid) ?? clock.now();
      lostSince.set(uid, since);
      const left = since + QUARANTINE_MS - clock.now();
      if (left > 0) return { requeueAfterMs: left };
      const phase = isFinished(pod) ? {} : { phase: "Failed" as const };
      await markDisrupted(client, pods, pod, clock.now(), "DeletionByPodGC", "PodGC: node no longer exists", phase);
      await deleteExactly(client, PODS, pod, { gracePeriodSeconds: 0 });
      return;
    },
  });
}
