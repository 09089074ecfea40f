/** The nodes of a cluster: the sandbox that pods run in, their network, and a kubelet a Node. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import type { Clock, KubeClient, Logger } from "@travelops/kube";
import type { NodeAccess } from "./apiserver/api-server.ts";
import type { ClusterOptions } from "./cluster.ts";
import { INNER_API_PORT, type ControlPlane } from "./control-plane.ts";
import { createNodeAccess } from "./kubelet/access/node-access.ts";
import { createCatalogue } from "./kubelet/images/catalogue.ts";
import { startKubelet, type Kubelet } from "./kubelet/kubelet.ts";
import { kubeletSources } from "./kubelet/kubelet-sources.ts";
import { chooseSandbox } from "./kubelet/sandbox/probe.ts";
import type { Sandbox } from "./kubelet/sandbox/sandbox.ts";
import { startSandbox, type SandboxSettings } from "./kubelet/sandbox/start-sandbox.ts";
import { superviseSandbox } from "./kubelet/sandbox/supervised-sandbox.ts";
import { findProgram } from "./kubelet/sandbox/tools.ts";
import { UsageSampler } from "./kubelet/usage/usage-sampler.ts";
import type { NodePlan } from "./kubelet/node/node-plan.ts";
import { clusterAddresses, SIBLING_RANGE } from "./network/address.ts";
import { ELSEWHERE } from "./network/egress/proxy.ts";
import { siblingClusters } from "./network/egress/sibling-clusters.ts";
import { startNetwork, type Network } from "./network/start-network.ts";

export interface NodesOptions {
  readonly cluster: ClusterOptions;
  readonly plan: NodePlan;
  readonly control: ControlPlane;
  /** Being opened since before there was an API: its processes need none. */
  readonly sandbox: Promise<Sandbox>;
  readonly client: (user: string, groups?: readonly string[]) => KubeClient;
  readonly clock: Clock;
  readonly log: Logger;
  readonly signal: AbortSignal;
}

export interface Nodes {
  readonly sandbox: { readonly kind: "namespaces" | "bare"; readonly note: string };
  readonly network: Network;
  readonly access: NodeAccess;
  close(): Promise<void>;
}

const DOMAIN = "cluster.local";
/** How pods name this machine; only one port of it is open to them, and only where it was asked for. */
const HOST_ALIAS = "host.travelops.internal";
const NODE_GROUPS = ["system:nodes", "system:authenticated"];

export async function startNodes(options: NodesOptions): Promise<Nodes> {
  const { cluster, plan, control, client, clock, log, signal } = options;
  const directory = kubeletDirectory(cluster);
  const sources = kubeletSources(client("system:node:sources", NODE_GROUPS), signal, { clock, log });
  const catalogue = openCatalogue(cluster, directory);
  const sandbox = await options.sandbox;
  const kubelets: Kubelet[] = [];
  let network: Network | undefined;
  try {
    if (sandbox.kind === "namespaces") {
      const { api, gateway } = clusterAddresses(plan.podRange, plan.serviceRange);
      control.server.serve(await sandbox.network.listen(api, 443));
      control.server.serve(await sandbox.network.listen(gateway, INNER_API_PORT));
    }
    const certificate = await control.pki.issueServer(`apps.${cluster.name}.travelops.localhost`, [
      `*.apps.${cluster.name}.travelops.localhost`,
      `*.apps.${cluster.name}.travelops.internal`,
      "localhost",
      "127.0.0.1",
    ]);
    network = await startNetwork({
      client: client("system:network"),
      host: sandbox.network,
      cluster: {
        name: cluster.name,
        podRange: plan.podRange,
        serviceRange: plan.serviceRange,
        domain: DOMAIN,
      },
      ingress: { http: [cluster.ingress.http], https: [cluster.ingress.https] },
      certificate,
      socketPath: dataplaneSocket(cluster),
      apiServer: { host: "127.0.0.1", port: control.port },
      egressMap: (host, port) =>
        host === HOST_ALIAS && port === cluster.hostPort ? { host: "127.0.0.1", port, judgedAs: ELSEWHERE } : undefined,
      ...(cluster.siblings === undefined ? {} : { siblings: siblingClusters(cluster.siblings) }),
      clock,
      log,
      signal,
    });
    const { egressEnv } = network;
    const start = async (node: NodePlan["nodes"][number]): Promise<void> => {
      kubelets.push(
        await startKubelet({
          client: client(`system:node:${node.name}`, NODE_GROUPS),
          node,
          sandbox,
          catalogue,
          sources,
          directory,
          dns: { server: plan.dnsServer, domain: DOMAIN },
          realHostPaths: [path.join(cluster.dataDir, "volumes")],
          podEnv: egressEnv(),
          clock,
          log,
        }),
      );
    };
    await Promise.all(plan.nodes.map(start));
  } catch (error) {
    // The sandbox is left to who opened it.
    await closeAll(kubelets, network);
    throw error;
  }
  const running = network;
  const sampler = new UsageSampler(() => sandbox.usage(), clock);
  return {
    sandbox: { kind: sandbox.kind, note: sandbox.note },
    network: running,
    access: createNodeAccess({ kubelets, sampler, dial: (address, port) => running.dial(address, port) }),
    close() {
      sampler.close();
      return closeAll(kubelets, running, sandbox);
    },
  };
}

async function closeAll(kubelets: readonly Kubelet[], network: Network | undefined, sandbox?: Sandbox): Promise<void> {
  await Promise.all(kubelets.map((kubelet) => kubelet.close()));
  await network?.close();
  await sandbox?.close();
}

const kubeletDirectory = (cluster: ClusterOptions): string => path.join(cluster.dataDir, "kubelet");
const dataplaneSocket = (cluster: ClusterOptions): string => path.join(kubeletDirectory(cluster), "dataplane.sock");

/**
 * Opens what pods will run in, again and again if it ends by itself. Asks nothing of the API; `apiServer` is asked once
 * there are containers.
 */
export async function openSandbox(
  cluster: ClusterOptions,
  plan: NodePlan,
  apiServer: () => string,
  options: { clock: Clock; log: Logger },
): Promise<Sandbox> {
  const directory = kubeletDirectory(cluster);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const decision = await chooseSandbox(cluster.sandbox);
  const settings: SandboxSettings = {
    directory,
    masked: maskedOf(cluster),
    gateway: plan.gateway,
    serviceRange: plan.serviceRange,
    siblingRange: SIBLING_RANGE,
    nodeAddresses: plan.nodeAddresses,
    clusterId: createHash("sha256").update(path.resolve(cluster.dataDir)).digest("hex").slice(0, 16),
    preload: path.join(import.meta.dirname, "network", "bare", "preload.cjs"),
    dataplaneSocket: dataplaneSocket(cluster),
    apiServer,
  };
  const open = (): Promise<Sandbox> => startSandbox(decision, settings);
  return superviseSandbox(await open(), open, options);
}

/** One that lies in another is hidden with it. */
function maskedOf({ dataDir, masked = [] }: ClusterOptions): string[] {
  const all = [...new Set([dataDir, ...masked])];
  return all.filter((each) => !all.some((other) => each.startsWith(`${other}${path.sep}`)));
}

function openCatalogue(cluster: ClusterOptions, directory: string) {
  return createCatalogue({
    packages: cluster.imagePackages,
    ...(cluster.compileCache === undefined ? {} : { packageEnv: { NODE_COMPILE_CACHE: cluster.compileCache } }),
    ...(cluster.imagesFile !== undefined && existsSync(cluster.imagesFile) ? { userFile: cluster.imagesFile } : {}),
    unknownImages: cluster.unknownImages,
    node: process.execPath,
    host: {
      programs: { node: process.execPath, ...cluster.programs },
      find: (name) => findProgram(name),
      linkDirectory: path.join(directory, "bin"),
    },
  });
}
