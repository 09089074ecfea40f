/** A cluster as a process of its own: flags, start, orderly stop. Talks to whoever started it over IPC. */
import { readdirSync, readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { flushCompileCache } from "node:module";
import path from "node:path";
import { parseArgs } from "node:util";
import { createLogger } from "@travelops/kube/api/logger";
import { createCluster, type Cluster } from "./cluster.ts";
import { returnMemoryWhenIdle } from "./idle-memory.ts";
import { writeKubeconfig } from "./kubeconfig.ts";
import type { ClusterMessage } from "./messages.ts";
import type { KnownCluster } from "./network/egress/sibling-clusters.ts";
import { parseOwner, watchOwner } from "./owner.ts";
import type { SandboxChoice } from "./kubelet/sandbox/probe.ts";

const ROOT = path.join(import.meta.dirname, "..");

const { values } = parseArgs({
  options: {
    name: { type: "string", default: "hub" },
    index: { type: "string", default: "0" },
    data: { type: "string" },
    kubeconfig: { type: "string" },
    "api-port": { type: "string", default: "0" },
    "http-port": { type: "string", default: "0" },
    "https-port": { type: "string", default: "0" },
    nodes: { type: "string", default: "2" },
    sandbox: { type: "string", default: "auto" },
    "unknown-images": { type: "string", default: "fail" },
    "images-file": { type: "string" },
    "audit-policy": { type: "string" },
    "host-port": { type: "string" },
    mask: { type: "string", multiple: true, default: [] },
    detached: { type: "boolean", default: false },
    owner: { type: "string" },
    "log-level": { type: "string", default: "info" },
  },
});

const log = createLogger({ name: "cluster", level: values["log-level"] === "debug" ? "debug" : "info" });

function tell(message: ClusterMessage): void {
  if (process.connected) process.send?.(message);
}

/** Components and apps of the repository: each may declare images. */
function imagePackages(): string[] {
  return ["components", "apps"].flatMap((parent) => {
    const directory = path.join(ROOT, parent);
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => path.join(directory, entry.name));
  });
}

function programs(): Record<string, string> {
  const tools = process.env["TRAVELOPS_TOOLS"];
  if (tools === undefined) return {};
  return Object.fromEntries(["kubectl", "helm"].map((name) => [name, path.join(tools, name)]));
}

/** What `cli` wrote down of each cluster beside this one. `name` is a DNS label, so it names no other place. */
function knownCluster(dataDir: string, name: string): KnownCluster | undefined {
  try {
    const text = readFileSync(path.join(path.dirname(dataDir), name, "cluster.json"), "utf8");
    return JSON.parse(text) as KnownCluster;
  } catch {
    return undefined;
  }
}

async function start(dataDir: string): Promise<Cluster> {
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const cluster = await createCluster({
    name: values.name,
    index: Number(values.index),
    dataDir,
    apiPort: Number(values["api-port"]),
    ingress: { http: Number(values["http-port"]), https: Number(values["https-port"]) },
    nodes: Number(values.nodes),
    sandbox: values.sandbox as SandboxChoice,
    unknownImages: values["unknown-images"] === "simulate" ? "simulate" : "fail",
    imagePackages: imagePackages(),
    programs: programs(),
    masked: values.mask,
    siblings: (name) => knownCluster(dataDir, name),
    ...(process.env["NODE_COMPILE_CACHE"] === undefined ? {} : { compileCache: process.env["NODE_COMPILE_CACHE"] }),
    ...(values["host-port"] === undefined ? {} : { hostPort: Number(values["host-port"]) }),
    ...(values["audit-policy"] === undefined ? {} : { auditPolicy: values["audit-policy"] }),
    ...(values["images-file"] === undefined ? {} : { imagesFile: values["images-file"] }),
    log,
  });
  const kubeconfig = values.kubeconfig ?? path.join(dataDir, "kubeconfig");
  await writeKubeconfig(kubeconfig, {
    cluster: values.name,
    server: cluster.apiServer,
    ca: cluster.control.pki.ca,
    certificate: cluster.control.pki.admin,
  });
  tell({
    type: "ready",
    name: values.name,
    apiServer: cluster.apiServer,
    kubeconfig,
    sandbox: cluster.sandbox.kind,
    sandboxNote: cluster.sandbox.kind === "bare" ? cluster.sandbox.note : "",
    startMs: Math.round(performance.now()),
  });
  return cluster;
}

/** Ends once: by signal, by the foreground `up` going away, or because a part of the cluster ended. */
function stopOnce(cluster: Cluster): (code: number) => void {
  let stopping = false;
  return (code) => {
    if (stopping) return;
    stopping = true;
    cluster
      .close()
      .catch((error: unknown) => log.error("stopping failed", { err: error }))
      .finally(() => process.exit(code));
  };
}

if (values.data === undefined) throw new Error("--data is needed: the directory of this cluster's state");
// While it starts there is nothing to bring in order: the store survives any end, and the pods' host goes with us.
const early = (): never => process.exit(0);
process.on("SIGTERM", early).on("SIGINT", () => undefined);
// Whoever starts us waits for our word: without them nobody would know of us.
process.on("disconnect", early);
try {
  const cluster = await start(path.resolve(values.data));
  const stop = stopOnce(cluster);
  process.removeListener("SIGTERM", early).removeListener("disconnect", early);
  process.on("SIGTERM", () => stop(0));
  if (!values.detached) process.on("disconnect", () => stop(0));
  if (values.owner !== undefined) watchOwner(parseOwner(values.owner), () => stop(0));
  cluster.failed.catch(() => stop(1));
  cluster.ingressReady.catch((error: unknown) => log.error("the ingress did not start", { err: error }));
  flushCompileCache();
  returnMemoryWhenIdle();
} catch (error) {
  log.fatal("the cluster did not start", { err: error });
  tell({ type: "failed", message: error instanceof Error ? error.message : String(error) });
  process.exit(1);
}
