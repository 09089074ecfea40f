/** Starting and stopping one cluster's process; what it says over IPC is the only thing believed of it. */
import { fork, type ChildProcess } from "node:child_process";
import { openSync } from "node:fs";
import { open, stat } from "node:fs/promises";
import path from "node:path";
import type { ClusterMessage, ClusterReady } from "@travelops/cluster/messages";
import { clusterFailed, interrupted } from "./errors.ts";
import { isAlive } from "./process-table.ts";
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
  detach: boolean;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
}

export interface ClusterProcess {
  readonly pid: number;
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
  };
  const given = Object.entries(flags).flatMap(([name, value]) => (value === undefined ? [] : [`--${name}=${value}`]));
  return options.detach ? [...given, "--detached"] : given;
}

/** Resolves once its API answers; rejects with the reason it gave, and the place of its log. */
export async function startClusterProcess(options: ClusterProcessOptions): Promise<ClusterProcess> {
  const log = openSync(options.log, "a", 0o600);
  const from = (await stat(options.log)).size;
  const child = fork(path.join(ROOT, "cluster", "main.ts"), argumentsOf(options), {
    cwd: ROOT,
    detached: true,
    stdio: ["ignore", log, log, "ipc"],
    env: {
      ...options.env,
      NODE_COMPILE_CACHE: path.join(ROOT, "node_modules", ".cache", "travelops", "compile"),
      TRAVELOPS_TOOLS: TOOLS_DIR,
    },
  });
  const exited = new Promise<string>((resolve) =>
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`)),
  );
  const ready = await untilReady(child, exited, options, from);
  return {
    pid: child.pid ?? 0,
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
  };
}

function untilReady(
  child: ChildProcess,
  exited: Promise<string>,
  options: ClusterProcessOptions,
  logFrom: number,
): Promise<ClusterReady> {
  return new Promise((resolve, reject) => {
    options.signal.addEventListener("abort", () => {
      child.kill("SIGTERM");
      reject(interrupted());
    });
    child.on("message", (message: ClusterMessage) => {
      if (message.type === "ready") resolve(message);
      else if (message.type === "failed") reject(clusterFailed(message.message, options.log));
    });
    child.once("error", (error) =>
      reject(clusterFailed(`the cluster could not be started: ${error.message}`, options.log)),
    );
    exited
      .then(async (how) =>
        reject(
          clusterFailed(
            `the cluster ended at its start (${how}): ${await lastLine(options.log, logFrom)}`,
            options.log,
          ),
        ),
      )
      .catch(reject);
  });
}

async function lastLine(file: string, from: number): Promise<string> {
  const handle = await open(file, "r").catch(() => undefined);
  if (handle === undefined) return "";
  const { size } = await handle.stat();
  const length = Math.min(size - from, 4096);
  if (length <= 0) return handle.close().then(() => "it said nothing");
  const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length);
  await handle.close();
  return buffer.toString("utf8").trim().split("\n").at(-1) ?? "";
}

/** Ends a cluster by its pid (of another `up`): SIGTERM, then SIGKILL after `graceMs`. */
export async function stopByPid(
  pid: number,
  graceMs: number,
  wait: (ms: number) => Promise<void>,
): Promise<"stopped" | "killed" | "gone"> {
  if (!isAlive(pid)) return "gone";
  process.kill(pid, "SIGTERM");
  for (let waited = 0; waited < graceMs; waited += 25) {
    if (!isAlive(pid)) return "stopped";
    await wait(25);
  }
  if (isAlive(pid)) process.kill(pid, "SIGKILL");
  while (isAlive(pid)) await wait(10);
  return "killed";
}
