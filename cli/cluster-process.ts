/** Starting and stopping one cluster's process; what it says over IPC is the only thing believed of it. */
import { fork, type ChildProcess } from "node:child_process";
import { open } from "node:fs/promises";
import path from "node:path";
import type { ClusterMessage, ClusterReady } from "@travelops/cluster/messages";
import { formatOwner } from "@travelops/cluster/owner";
import { isRunning, processId, type ProcessId } from "@travelops/cluster/process-table";
import { clusterFailed, interrupted, type CliError } from "./errors.ts";
import { lastWord } from "./last-word.ts";
import { ROOT, TOOLS_DIR } from "./tools.ts";

export interface ClusterProcessOptions {
  name: string;
  index: number;
  dir: string;
  kubeconfig: string;
  log: string;
  ports: { api: number; http: number; https: number };
  nodes: number;
  sandbox: string;
  unknownImages: string;
  /** Further catalogue: a user's images.yaml. */
  imagesFile?: string;
  /** A port of this machine that pods may reach, by the name host.travelops.internal. */
  hostPort?: number;
  /** For clusters that have none of their own; may be missing. */
  auditPolicy: string;
  /** A directory that no pod may see: keys and state of all clusters. */
  mask: string;
  /** Ends with us, with another process, or only when it is stopped. */
  endsWith: "parent" | "none" | ProcessId;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
}

export interface ClusterProcess {
  readonly id: ProcessId;
  readonly ready: ClusterReady;
  readonly exited: Promise<string>;
  /** Orderly stop; resolves once it is gone. */
  stop(): Promise<void>;
  kill(): void;
  /** Lets it go on without us. */
  release(): void;
}

function argumentsOf(options: ClusterProcessOptions): string[] {
  const flags: Record<string, string | number | undefined> = {
    name: options.name,
    index: options.index,
    data: options.dir,
    kubeconfig: options.kubeconfig,
    "api-port": options.ports.api,
    "http-port": options.ports.http,
    "https-port": options.ports.https,
    nodes: options.nodes,
    sandbox: options.sandbox,
    "unknown-images": options.unknownImages,
    "images-file": options.imagesFile,
    "host-port": options.hostPort,
    "audit-policy": options.auditPolicy,
    mask: options.mask,
    owner: typeof options.endsWith === "object" ? formatOwner(options.endsWith) : undefined,
  };
  const given = Object.entries(flags).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]));
  return options.endsWith === "parent" ? given : [...given, "--detached"];
}

/** A process that was started, and has not said yet whether it serves. */
export interface LaunchedCluster {
  readonly id: ProcessId;
  /** Its API answers; rejects, once it is gone, with the reason it gave and the place of its log. */
  readonly started: Promise<ClusterProcess>;
}

/** Its log is appended to: the reason of a failure is read from what it adds. */
export async function launchCluster(options: ClusterProcessOptions): Promise<LaunchedCluster> {
  const log = await open(options.log, "a", 0o600);
  const from = (await log.stat()).size;
  const child = fork(path.join(ROOT, "cluster", "main.ts"), argumentsOf(options), {
    cwd: ROOT,
    detached: true,
    stdio: ["ignore", log.fd, log.fd, "ipc"],
    env: {
      ...options.env,
      NODE_COMPILE_CACHE: path.join(ROOT, "node_modules", ".cache", "travelops", "compile"),
      TRAVELOPS_TOOLS: TOOLS_DIR,
      // What the compiler's threads free serves the others: 2 MB a cluster, and as much CPU as with an arena for each.
      MALLOC_ARENA_MAX: "2",
    },
  });
  const id = processId(child.pid ?? 0);
  await log.close();
  const exited = new Promise<string>((resolve) =>
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`)),
  );
  const started = untilReady(child, exited, options, from).then((ready) => handleOf(child, id, ready, exited));
  started.catch(() => undefined);
  return { id, started };
}

const handleOf = (
  child: ChildProcess,
  id: ProcessId,
  ready: ClusterReady,
  exited: Promise<string>,
): ClusterProcess => ({
  id,
  ready,
  exited,
  async stop() {
    child.kill("SIGTERM");
    await exited;
  },
  kill: () => void child.kill("SIGKILL"),
  release() {
    if (child.connected) child.disconnect();
    child.unref();
  },
});

async function untilReady(
  child: ChildProcess,
  exited: Promise<string>,
  options: ClusterProcessOptions,
  logFrom: number,
): Promise<ClusterReady> {
  const { promise, resolve, reject } = Promise.withResolvers<ClusterReady>();
  // Told once it is gone: whoever hears of it may start another.
  let why: CliError | undefined;
  const stop = (): void => {
    why = interrupted();
    child.kill("SIGTERM");
  };
  options.signal.addEventListener("abort", stop);
  if (options.signal.aborted) stop();
  child.on("message", (message: ClusterMessage) => {
    if (message.type === "ready") resolve(message);
    else if (message.type === "failed") why ??= clusterFailed(message.message, options.log);
  });
  child.once("error", (error) =>
    reject(clusterFailed(`the cluster could not be started: ${error.message}`, options.log)),
  );
  exited
    .then(async (how) => {
      const last = await lastLine(options.log, logFrom);
      reject(why ?? clusterFailed(`the cluster ended at its start (${how}): ${last}`, options.log));
    })
    .catch(reject);
  return promise.finally(() => options.signal.removeEventListener("abort", stop));
}

async function lastLine(file: string, from: number): Promise<string> {
  const handle = await open(file, "r").catch(() => undefined);
  if (handle === undefined) return "";
  const { size } = await handle.stat();
  const length = Math.min(size - from, 4096);
  if (length <= 0) return handle.close().then(() => "it said nothing");
  const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
  await handle.close();
  return lastWord(buffer.toString("utf8"));
}

/** Ends a process that is no child of ours: SIGTERM, then SIGKILL after `graceMs`. */
export async function stopById(
  id: ProcessId,
  graceMs: number,
  wait: (ms: number) => Promise<void>,
): Promise<"stopped" | "killed" | "gone"> {
  if (!isRunning(id)) return "gone";
  signalTo(id, "SIGTERM");
  for (let waited = 0; waited < graceMs; waited += 25) {
    if (!isRunning(id)) return "stopped";
    await wait(25);
  }
  signalTo(id, "SIGKILL");
  while (isRunning(id)) await wait(10);
  return "killed";
}

export function signalTo(id: ProcessId, signal: NodeJS.Signals): void {
  try {
    if (isRunning(id)) process.kill(id.pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
