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
import { isFinished, isReady, isTerminating } from "../shared/pods.ts";
import { deleteExactly, patched, writeStatus } from "../shared/write.ts";
import { drivesAway, evictionIn, taintsAfter } from "./taints.ts";

/** Silence that a node is allowed, as upstream's --node-monitor-grace-period. */
const GRACE_MS = 50_000;
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

  constructor(context: ControllerContext, nodes: Informer<Node>, leases: Informer<Lease>, pods: Informer<Pod>) {
    this.#context = context;
    this.#nodes = nodes;
    this.#leases = leases;
    this.#pods = pods;
  }

  async watchOver(name: string): Promise<ReconcileResult> {
    const node = this.#nodes.get("", name);
    if (node === undefined) {
      this.#seen.delete(name);
      return;
    }
    const { client, clock } = this.#context;
    const left = this.#graceLeft(node);
    const current = left > 0 ? node : await this.#markSilent(node);
    const taints = taintsAfter(current, formatTime(clock.now()));
    // An empty list is removed, as kubectl does.
    if (taints !== undefined)
      await patched(client, this.#nodes, current, { spec: { taints: taints.length === 0 ? null : taints } });
    if (findCondition(current.status?.conditions, "Ready")?.status !== "True") await this.#markPods(current);
    return left > 0 ? { requeueAfterMs: left } : undefined;
  }

  #graceLeft(node: Node): number {
    const name = node.metadata.name ?? "";
    const now = steadyNow(this.#context.clock);
    const renewed = `${this.#leases.get(LEASE_NAMESPACE, name)?.spec?.renewTime} ${findCondition(node.status?.conditions, "Ready")?.lastHeartbeatTime}`;
    const seen = this.#seen.get(name);
    if (seen === undefined || seen.renewed !== renewed) {
      this.#seen.set(name, { renewed, at: now });
      return GRACE_MS;
    }
    const left = seen.at + GRACE_MS - now;
    if (left >= -ASLEEP_MS) return left;
    // Asked for far later than was wanted: this process slept, and the nodes with it. They get the time to wake up.
    this.#seen.set(name, { renewed, at: now - GRACE_MS + WAKE_UP_MS });
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
      this.#context
        .recorder("node-controller")
        .record(node, "Normal", "NodeNotReady", `Node ${node.metadata.name} status is now: NodeNotReady`);
    }
    // What was just written is no sign of life.
    const seen = this.#seen.get(node.metadata.name ?? "");
    if (seen !== undefined) {
      const renewed = `${this.#leases.get(LEASE_NAMESPACE, node.metadata.name ?? "")?.spec?.renewTime} ${findCondition(written.status?.conditions, "Ready")?.lastHeartbeatTime}`;
      this.#seen.set(node.metadata.name ?? "", { ...seen, renewed });
    }
    return written;
  }

  /** Nobody can say that they are ready any more, so Services leave them out. */
  async #markPods(node: Node): Promise<void> {
    const { client, clock } = this.#context;
    for (const pod of this.#pods.byIndex(BY_NODE, node.metadata.name ?? "")) {
      if (!isReady(pod) || isFinished(pod)) continue;
      const conditions = setCondition(pod.status?.conditions, { type: "Ready", status: "False" }, clock.now());
      try {
        await writeStatus(client, this.#pods, pod, { ...pod.status, conditions });
        this.#context.recorder("node-controller").record(pod, "Warning", "NodeNotReady", "Node is not ready");
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
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
