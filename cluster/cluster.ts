/** One OpenShift-compatible cluster in one process: control plane, controllers, scheduler, nodes, network. No globals. */
import path from "node:path";
import { silentLogger, systemClock, type Clock, type KubeClient, type Logger } from "@travelops/kube";
import type { UserInfo } from "./apiserver/api-server.ts";
import { startControlPlane, type ControlPlane } from "./control-plane.ts";
import { sharedInformers } from "./controllers/informers.ts";
import { startControllers } from "./controllers/start-controllers.ts";
import { applyOwnRoles } from "./own-roles.ts";
import { planNodes } from "./kubelet/node/node-plan.ts";
import { openSandbox, startNodes, type Nodes } from "./nodes.ts";
import { furnish } from "./openshift/furniture.ts";
import { startScheduler } from "./scheduler/start-scheduler.ts";
import type { KnownCluster } from "./network/egress/sibling-clusters.ts";
import type { Network } from "./network/start-network.ts";
import type { SandboxChoice } from "./kubelet/sandbox/probe.ts";
import type { Sandbox } from "./kubelet/sandbox/sandbox.ts";

export interface ClusterOptions {
  readonly name: string;
  /** 0 … 59: decides the address ranges. */
  readonly index: number;
  readonly dataDir: string;
  /** 0: a free port. */
  readonly apiPort: number;
  readonly ingress: { readonly http: number; readonly https: number };
  readonly nodes: number;
  readonly sandbox: SandboxChoice;
  readonly unknownImages: "fail" | "simulate";
  /** Folders whose package.json declares images. */
  readonly imagePackages: readonly string[];
  /** An audit policy for when `dataDir` has none; may be missing. */
  readonly auditPolicy?: string;
  /** A user's images.yaml; may be missing. */
  readonly imagesFile?: string;
  /** Node's compile cache, which pods of ours read: without it each of them strips types anew. */
  readonly compileCache?: string;
  /** A port of this machine's loopback that pods may reach, as `host.travelops.internal`. */
  readonly hostPort?: number;
  /** The clusters of this machine, this one among them, so that pods reach them by name; undefined for one there is not. */
  readonly siblings?: (name: string) => KnownCluster | undefined;
  /** Programs that pods may call by name though the system's directories do not have them (kubectl, helm). */
  readonly programs?: Readonly<Record<string, string>>;
  /** Directories that no pod sees besides `dataDir`, or instead of it where they hold it. */
  readonly masked?: readonly string[];
  readonly clock?: Clock;
  readonly random?: () => number;
  readonly log?: Logger;
}

export interface Cluster {
  readonly name: string;
  readonly apiServer: string;
  readonly control: ControlPlane;
  readonly sandbox: { readonly kind: "namespaces" | "bare"; readonly note: string };
  /** In the process, as `user`. */
  client(user: UserInfo): KubeClient;
  /** Resolves when Routes, Ingresses and Gateways are served. */
  readonly ingressReady: Promise<void>;
  readonly network: Network;
  /** Rejects when a part that the cluster cannot do without has ended by itself. */
  readonly failed: Promise<never>;
  close(): Promise<void>;
}

const LOOPBACK = "127.0.0.1";
const MASTERS = ["system:masters", "system:authenticated"];
/** Rights come from the bootstrap roles of the name. */
const AUTHENTICATED = ["system:authenticated"];

export async function createCluster(options: ClusterOptions): Promise<Cluster> {
  const clock = options.clock ?? systemClock;
  const random = options.random ?? Math.random;
  const log = (options.log ?? silentLogger).child({ cluster: options.name });
  const plan = planNodes({ cluster: options.name, index: options.index, count: options.nodes });
  const stop = new AbortController();
  const { signal } = stop;
  let apiServer = "";
  // Its processes start while this one starts the API.
  const sandbox = openSandbox(options, plan, () => apiServer, { clock, log });
  sandbox.catch(() => undefined);
  const control = await startControlPlane({
    name: options.name,
    dataDir: options.dataDir,
    podRange: plan.podRange,
    serviceRange: plan.serviceRange,
    host: LOOPBACK,
    apiPort: options.apiPort,
    ...(options.auditPolicy === undefined ? {} : { auditPolicy: options.auditPolicy }),
    clock,
    random,
    log,
  }).catch((error: unknown) => abandon(sandbox, error));
  apiServer = `https://${LOOPBACK}:${control.port}`;
  const parts = watchParts(signal, log);
  let nodes: Nodes | undefined;
  try {
    const client = (name: string, groups: readonly string[] = AUTHENTICATED): KubeClient =>
      control.server.clientFor({ name, groups });
    await applyOwnRoles(client("system:bootstrap", MASTERS));
    const informers = sharedInformers({
      client: client("system:kube-controller-manager"),
      signal,
      clock,
      random,
      log,
    });
    const controllers = startControllers({
      client: client("system:kube-controller-manager"),
      informers,
      rootCa: control.pki.ca,
      signCertificate: (request, terms) => control.pki.signRequest(request, terms),
      volumesDirectory: path.join(options.dataDir, "volumes"),
      signal,
      clock,
      random,
      log,
    });
    const scheduler = startScheduler({
      client: client("system:kube-scheduler"),
      informers,
      signal,
      clock,
      random,
      log,
    });
    parts.add("the controllers", controllers);
    parts.add("the scheduler", scheduler);
    nodes = await startNodes({ cluster: options, plan, control, sandbox, client, clock, log, signal });
    control.setNodeAccess(nodes.access);
    const furniture = furnishWhenReady(client("system:openshift-furniture"), nodes.network, {
      name: options.name,
      apiServer,
      clock,
      signal,
    });
    const running = nodes;
    return {
      name: options.name,
      apiServer,
      control,
      sandbox: running.sandbox,
      client: (user) => control.server.clientFor(user),
      ingressReady: Promise.all([running.network.ingressReady, furniture]).then(() => undefined),
      network: running.network,
      failed: parts.failed,
      async close() {
        stop.abort();
        await running.close();
        await Promise.allSettled([controllers, scheduler, furniture, informers.stopped]);
        await control.close();
      },
    };
  } catch (error) {
    stop.abort();
    await nodes?.close();
    await control.close();
    return abandon(nodes === undefined ? sandbox : undefined, error);
  }
}

/** Ends what was opened for a cluster that did not start. */
async function abandon(sandbox: Promise<Sandbox> | undefined, error: unknown): Promise<never> {
  await sandbox?.then(
    (opened) => opened.close(),
    () => undefined,
  );
  throw error;
}

interface FurnitureFacts {
  name: string;
  apiServer: string;
  clock: Clock;
  signal: AbortSignal;
}

async function furnishWhenReady(
  client: KubeClient,
  network: Network,
  { name, apiServer, clock, signal }: FurnitureFacts,
): Promise<void> {
  try {
    await network.ingressReady;
    await furnish(client, {
      clusterName: name,
      appsDomain: network.appsDomain,
      apiServerURL: apiServer,
      clock,
      signal,
    });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

interface Parts {
  readonly failed: Promise<never>;
  add(name: string, part: Promise<unknown>): void;
}

/** A part that ends while nobody asked it to is the end of the cluster: better a restart than half a cluster. */
function watchParts(signal: AbortSignal, log: Logger): Parts {
  const { promise: failed, reject } = Promise.withResolvers<never>();
  failed.catch(() => undefined);
  return {
    failed,
    add(name, part) {
      const ended = (why: unknown): void => {
        if (signal.aborted) return;
        log.fatal("a part of the cluster ended", { part: name, err: why });
        reject(new Error(`${name} ended: ${why instanceof Error ? why.message : String(why)}`));
      };
      part.then((value) => ended(value ?? "without a reason"), ended);
    },
  };
}
