/** The kubelet of one Node: registers it, and runs the pods that are bound to it. */
import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { KubeClient } from "@travelops/kube";
import { steadyNow, systemClock, type Clock } from "@travelops/kube/api/clock.ts";
import { silentLogger, type Logger } from "@travelops/kube/api/logger.ts";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import { PODS } from "@travelops/kube/client/resources.ts";
import { eventRecorder } from "@travelops/kube/controller/events.ts";
import { createInformer, type Informer } from "@travelops/kube/controller/informer.ts";
import type { DiskSpace } from "./eviction/disk-usage.ts";
import { Evictions } from "./eviction/evictions.ts";
import type { ImageCatalogue } from "./images/catalogue.ts";
import { NodeAddressPool } from "./node/address-pool.ts";
import { nodeCapacity, type NodeSettings } from "./node/node-object.ts";
import { registerNode, type Registration } from "./node/node-registration.ts";
import type { KubeletContext, KubeletSources } from "./pod/kubelet-context.ts";
import { PendingResizes } from "./pod/pending-resizes.ts";
import { PodWorker } from "./pod/pod-worker.ts";
import { POD_PIDS_LIMIT } from "./pod/resource-limits.ts";
import type { Sandbox } from "./sandbox/sandbox.ts";

export interface KubeletOptions {
  /** Acts as `system:node:NAME`. */
  readonly client: KubeClient;
  readonly node: Omit<NodeSettings, "images">;
  readonly sandbox: Sandbox;
  readonly catalogue: ImageCatalogue;
  readonly sources: KubeletSources;
  /** The kubelets' directory below the cluster's data directory; shared by the nodes of a cluster. */
  readonly directory: string;
  readonly dns: { readonly server: string; readonly domain: string };
  /** Real directories that hostPath and local volumes may show (the storage of persistent volumes). */
  readonly realHostPaths?: readonly string[];
  readonly podEnv?: Readonly<Record<string, string>>;
  /** How many processes a pod may have. */
  readonly podPidsLimit?: number;
  /** How full the disk is; asked of the system where absent. */
  readonly diskSpace?: (directory: string) => Promise<DiskSpace>;
  readonly clock?: Clock;
  readonly log?: Logger;
  readonly newContainerId?: () => string;
}

export interface Kubelet {
  readonly node: string;
  /** The worker of a pod that this node runs. */
  pod(namespace: string, name: string): PodWorker | undefined;
  pods(): Iterable<PodWorker>;
  /** Stops watching and writing. The pods' processes end with the sandbox. */
  close(): Promise<void>;
}

/** Resolves once the Node is registered and its pods are known. */
export async function startKubelet(options: KubeletOptions): Promise<Kubelet> {
  const kubelet = new NodeKubelet(options);
  await kubelet.start();
  return kubelet;
}

const CLOCK_STEP_MS = 2000;

class NodeKubelet implements Kubelet {
  readonly node: string;
  readonly #options: KubeletOptions;
  readonly #context: KubeletContext;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #addresses: NodeAddressPool;
  readonly #workers = new Map<string, PodWorker>();
  readonly #resizes: PendingResizes;
  readonly #stop = new AbortController();
  readonly #informer: Informer<Pod>;
  #ahead: number;
  #following: Promise<void> | undefined;
  #evictions: Evictions | undefined;
  #registration: Registration | undefined;
  #runtimeDown = false;
  readonly #unsubscribe: (() => void)[] = [];

  constructor(options: KubeletOptions) {
    const { client, node, sandbox, catalogue, sources, directory, dns } = options;
    this.#options = options;
    this.node = node.name;
    this.#clock = options.clock ?? systemClock;
    this.#ahead = this.#clock.now() - steadyNow(this.#clock);
    this.#log = (options.log ?? silentLogger).child({ node: node.name });
    this.#addresses = new NodeAddressPool(node.podCIDR);
    this.#informer = createInformer<Pod>(client, PODS, {
      fieldSelector: `spec.nodeName=${node.name}`,
      clock: this.#clock,
      log: this.#log,
    });
    this.#resizes = new PendingResizes(() => this.#workers.values(), nodeCapacity(node.capacity));
    this.#context = {
      client,
      clock: this.#clock,
      log: this.#log,
      events: eventRecorder(client, "kubelet", this.#clock, { host: node.name, log: this.#log }),
      sandbox,
      catalogue,
      sources,
      node: { name: node.name, hostIP: node.address, allocatable: nodeCapacity(node.capacity) },
      podsDirectory: join(directory, "pods", node.name),
      hostPaths: { nodeRoot: join(directory, "nodes", node.name), real: options.realHostPaths ?? [] },
      dns,
      newContainerId: options.newContainerId ?? (() => randomBytes(32).toString("hex")),
      podEnv: options.podEnv ?? {},
      room: (uid) => this.#resizes.room(uid),
      pendingResizes: this.#resizes.pending,
      roomChanged: () => this.#resizes.retry(),
      podPidsLimit: options.podPidsLimit ?? POD_PIDS_LIMIT,
    };
  }

  async start(): Promise<void> {
    const { client, node, sandbox, catalogue, sources } = this.#options;
    mkdirSync(this.#context.podsDirectory, { recursive: true, mode: 0o755 });
    mkdirSync(this.#context.hostPaths.nodeRoot, { recursive: true, mode: 0o755 });
    this.#following = this.#informer.run(this.#stop.signal);
    // An informer that is stopped before it has synced rejects; that is the end of a start that was called off.
    const synced = this.#informer.synced();
    this.#registration = await registerNode({
      client,
      clock: this.#clock,
      log: this.#log,
      settings: { ...node, images: catalogue.references },
      sandbox: sandbox.kind,
      diskPressure: () => this.#evictions?.pressed === true,
      runtimeDown: () => this.#runtimeDown,
      onBeat: () => this.#watchClock(),
    });
    await Promise.all([
      synced,
      sources.configMaps.synced(),
      sources.secrets.synced(),
      sources.services.synced(),
      sources.claims.synced(),
      sources.volumes.synced(),
    ]);
    void removeOrphans(this.#context.podsDirectory, this.#informer.list());
    for (const pod of this.#informer.list())
      if (pod.status?.podIP !== undefined) this.#addresses.reserve(pod.status.podIP);
    this.#unsubscribe.push(
      this.#informer.onEvent((event) =>
        event.type === "deleted" ? this.#deleted(event.object) : this.#seen(event.object),
      ),
    );
    this.#followSources();
    const forget = sandbox.onChange?.((alive) => this.#sandboxChanged(alive));
    if (forget !== undefined) this.#unsubscribe.push(forget);
    this.#evictions = new Evictions({
      directory: this.#context.podsDirectory,
      clock: this.#clock,
      log: this.#log,
      workers: () => this.#workers.values(),
      onPressure: (pressed) => this.#pressed(pressed),
      ...(this.#options.diskSpace === undefined ? {} : { space: this.#options.diskSpace }),
    });
  }

  #sandboxChanged(alive: boolean): void {
    if (this.#runtimeDown === alive) {
      this.#runtimeDown = !alive;
      this.#registration?.refresh();
    }
    if (alive) for (const worker of this.#workers.values()) worker.wake();
  }

  #pressed(pressed: boolean): void {
    this.#registration?.refresh();
    const { events } = this.#context;
    const node = { apiVersion: "v1", kind: "Node", metadata: { name: this.node, uid: this.node } };
    const state = pressed ? "NodeHasDiskPressure" : "NodeHasNoDiskPressure";
    events.record(node, "Normal", state, `Node ${this.node} status is now: ${state}`);
    if (pressed) events.record(node, "Warning", "EvictionThresholdMet", "Attempting to reclaim ephemeral-storage");
  }

  #seen(pod: Pod): void {
    const uid = pod.metadata.uid ?? "";
    for (const other of this.#workers.values())
      if (other.pod.metadata.uid !== uid && sameName(other.pod, pod)) other.removed();
    const known = this.#workers.get(uid);
    if (known !== undefined) {
      known.update(pod);
      this.#resizes.retry();
      return;
    }
    const worker = new PodWorker(this.#context, pod, this.#addresses, () => this.#gone(uid));
    this.#workers.set(uid, worker);
    if (this.#evictions?.pressed === true && pod.status?.startTime === undefined)
      worker.evict("The node had condition: [DiskPressure]. ");
    worker.wake();
  }

  #gone(uid: string): void {
    this.#workers.delete(uid);
    this.#resizes.pending.delete(uid);
    this.#resizes.retry();
  }

  /** Tokens and the like end at a time of the day: after a step of the clock every pod looks whether its own still hold. */
  #watchClock(): void {
    const ahead = this.#clock.now() - steadyNow(this.#clock);
    if (Math.abs(ahead - this.#ahead) > CLOCK_STEP_MS) for (const worker of this.#workers.values()) worker.wake();
    this.#ahead = ahead;
  }

  pods(): Iterable<PodWorker> {
    return this.#workers.values();
  }

  #deleted(pod: Pod): void {
    this.#workers.get(pod.metadata.uid ?? "")?.removed();
  }

  /** A changed ConfigMap or Secret concerns the pods that refer to it: those of its namespace look again. */
  #followSources(): void {
    const { configMaps, secrets, claims, volumes } = this.#options.sources;
    const refresh = (namespace: string | undefined, refers: (worker: PodWorker) => boolean): void => {
      for (const worker of this.#workers.values())
        if ((namespace === undefined || worker.pod.metadata.namespace === namespace) && refers(worker))
          worker.refresh();
    };
    this.#unsubscribe.push(
      configMaps.onEvent(({ object }) =>
        refresh(object.metadata.namespace, (worker) => worker.refersTo("configMap", object.metadata.name ?? "")),
      ),
      secrets.onEvent(({ object }) =>
        refresh(object.metadata.namespace, (worker) => worker.refersTo("secret", object.metadata.name ?? "")),
      ),
      claims.onEvent(({ object }) =>
        refresh(object.metadata.namespace, (worker) => worker.refersTo("claim", object.metadata.name ?? "")),
      ),
      volumes.onEvent(() => refresh(undefined, (worker) => worker.waitsForVolumes)),
    );
  }

  pod(namespace: string, name: string): PodWorker | undefined {
    for (const worker of this.#workers.values())
      if (worker.pod.metadata.namespace === namespace && worker.pod.metadata.name === name) return worker;
    return undefined;
  }

  async close(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#registration?.close();
    this.#evictions?.close();
    for (const worker of this.#workers.values()) worker.close();
    this.#stop.abort();
    await this.#following?.catch(() => {});
    await this.#context.events.flush();
  }
}

const sameName = (a: Pod, b: Pod): boolean =>
  a.metadata.namespace === b.metadata.namespace && a.metadata.name === b.metadata.name;

/** Removes the directories of pods that are gone: deleted while the cluster was down. */
async function removeOrphans(directory: string, pods: readonly Pod[]): Promise<void> {
  const known = new Set(pods.map((pod) => pod.metadata.uid));
  const gone = readdirSync(directory).filter((name) => !known.has(name));
  await Promise.all(gone.map((name) => rm(join(directory, name), { recursive: true, force: true }).catch(() => {})));
}
