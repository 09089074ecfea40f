/** A node with a sandbox on the API under test: what the kubelet's own tests stand on. */
import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { KubeClient } from "@travelops/kube";
import { systemClock, type Clock } from "@travelops/kube/api/clock.ts";
import { createLogger, silentLogger } from "@travelops/kube/api/logger.ts";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import { NAMESPACES, PODS, SERVICE_ACCOUNTS } from "@travelops/kube/client/resources.ts";
import type { FindSibling } from "../../network/egress/sibling-clusters.ts";
import { startNetwork, type Network } from "../../network/start-network.ts";
import { testCertificate } from "../../network/testing/certificate.ts";
import { startApiUnderTest, type ApiUnderTest } from "../../../test/api-under-test.ts";
import type { DiskSpace } from "../eviction/disk-usage.ts";
import { createCatalogue, type UnknownImages } from "../images/catalogue.ts";
import { startKubelet, type Kubelet } from "../kubelet.ts";
import { kubeletSources } from "../kubelet-sources.ts";
import { chooseSandbox } from "../sandbox/probe.ts";
import type { Sandbox } from "../sandbox/sandbox.ts";
import { startSandbox, type SandboxSettings } from "../sandbox/start-sandbox.ts";
import { superviseSandbox } from "../sandbox/supervised-sandbox.ts";
import { findProgram } from "../sandbox/tools.ts";

export const NODE = "node-1";
const PRELOAD = fileURLToPath(new URL("../../network/bare/preload.cjs", import.meta.url));

export interface Lab {
  readonly api: ApiUnderTest;
  readonly client: KubeClient;
  readonly directory: string;
  sandbox: Sandbox;
  kubelet: Kubelet;
  network: Network | undefined;
  /** Creates a pod bound to the node. */
  run(name: string, spec: Record<string, unknown>, metadata?: Record<string, unknown>): Promise<Pod>;
  get(name: string): Promise<Pod>;
  /** Waits until the pod satisfies `holds`. */
  until(name: string, holds: (pod: Pod) => boolean, timeoutMs?: number): Promise<Pod>;
  events(name: string): Promise<string[]>;
  remove(name: string): Promise<void>;
  /** Ends sandbox and kubelet, as a crash would, and starts them anew. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

export interface LabOptions {
  readonly unknownImages?: UnknownImages;
  readonly packages?: string[];
  readonly api?: ApiUnderTest;
  /** With DNS, Services and dials. */
  readonly network?: boolean;
  /** Clusters beside this one, for pods of the lab's network. */
  readonly siblings?: FindSibling;
  readonly podPidsLimit?: number;
  readonly clock?: Clock;
  /** Podhost is started again when it ends. */
  readonly supervised?: boolean;
  readonly diskSpace?: () => Promise<DiskSpace>;
}

export async function startLab(kind: "namespaces" | "bare", options: LabOptions = {}): Promise<Lab> {
  const decision = await chooseSandbox(kind);
  const api = options.api ?? (await startApiUnderTest());
  const { client } = api;
  const directory = mkdtempSync(join(tmpdir(), "travelops-kubelet-"));
  const stop = new AbortController();
  const sources = kubeletSources(client, stop.signal);
  const catalogue = createCatalogue({
    packages: options.packages ?? [],
    unknownImages: options.unknownImages ?? "fail",
    node: process.execPath,
    host: {
      programs: { node: process.execPath },
      find: (name) => findProgram(name),
      linkDirectory: join(directory, "bin"),
    },
  });
  const socketPath = join(directory, "d.sock");
  const start = async (): Promise<{ sandbox: Sandbox; kubelet: Kubelet; network: Network | undefined }> => {
    const settings: SandboxSettings = {
      directory,
      masked: [directory],
      gateway: "10.128.0.1/16",
      serviceRange: "10.64.0.0/16",
      siblingRange: "10.127.0.0/16",
      nodeAddresses: [],
      clusterId: `test-${directory.slice(-6)}`,
      ...(options.network === true ? { preload: PRELOAD, dataplaneSocket: socketPath } : {}),
    };
    const open = (): Promise<Sandbox> => startSandbox(decision, settings);
    const first = await open();
    const sandbox =
      options.supervised === true
        ? superviseSandbox(first, open, { clock: options.clock ?? systemClock, log: silentLogger })
        : first;
    const network =
      options.network === true
        ? await startNetwork({
            client,
            host: sandbox.network,
            cluster: { name: "hub", podRange: "10.128.0.0/16", serviceRange: "10.64.0.0/16", domain: "cluster.local" },
            ingress: { http: [0], https: [0] },
            certificate: testCertificate(["*.apps.hub.travelops.localhost"]),
            socketPath,
            ...(options.siblings === undefined ? {} : { siblings: options.siblings }),
          })
        : undefined;
    network?.ingressReady.catch(() => {});
    const kubelet = await startKubelet({
      client,
      node: { name: NODE, address: "10.128.0.1", podCIDR: "10.128.0.0/24", labels: {} },
      sandbox,
      catalogue,
      sources,
      directory,
      dns: { server: "10.64.0.10", domain: "cluster.local" },
      ...(options.diskSpace === undefined ? {} : { diskSpace: options.diskSpace }),
      ...(options.clock === undefined ? {} : { clock: options.clock }),
      ...(options.podPidsLimit === undefined ? {} : { podPidsLimit: options.podPidsLimit }),
      log: createLogger({ level: process.env["DEBUG_KUBELET"] === undefined ? "error" : "debug" }),
    });
    return { sandbox, kubelet, network };
  };
  await namespaceReady(client);
  const running = await start();
  const get = (name: string): Promise<Pod> => client.get<Pod>(PODS, "default", name);
  const lab: Lab = {
    api,
    client,
    directory,
    ...running,
    get,
    run: (name, spec, metadata = {}) =>
      client.create<Pod>(PODS, {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name, namespace: "default", ...metadata },
        spec: {
          nodeName: NODE,
          terminationGracePeriodSeconds: 1,
          automountServiceAccountToken: false,
          ...spec,
        } as unknown as Pod["spec"],
      }),
    async until(name, holds, timeoutMs = 15_000) {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const pod = await get(name);
        if (holds(pod)) return pod;
        if (Date.now() > deadline)
          throw new Error(
            `pod ${name} did not get there: ${JSON.stringify(pod.status, null, 1)}\n${(await lab.events(name)).join("\n")}`,
          );
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    },
    async events(name) {
      const list = await client.list(
        { group: "", version: "v1", resource: "events", kind: "Event", namespaced: true },
        { namespace: "default" },
      );
      return list.items
        .filter((event) => (event["involvedObject"] as { name?: string }).name === name)
        .map((event) => `${String(event["reason"])}: ${String(event["message"])}`);
    },
    async remove(name) {
      await client.delete(PODS, "default", name, { gracePeriodSeconds: 0 }).catch(() => {});
    },
    async restart() {
      await lab.network?.close();
      await Promise.all([lab.sandbox.close(), lab.kubelet.close()]);
      Object.assign(lab, await start());
    },
    async close() {
      await lab.kubelet.close();
      await lab.network?.close();
      await lab.sandbox.close();
      stop.abort();
      await api.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
  return lab;
}

/** A fresh API server makes its namespaces a moment after it answers; service accounts are a controller's work. */
async function namespaceReady(client: KubeClient): Promise<void> {
  for (const name of ["default", "kube-node-lease"]) {
    const deadline = Date.now() + 10_000;
    for (;;) {
      try {
        await client.get(NAMESPACES, "", name);
        break;
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name } }).catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }
  await client
    .create(SERVICE_ACCOUNTS, {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "default", namespace: "default" },
    })
    .catch(() => {});
}
