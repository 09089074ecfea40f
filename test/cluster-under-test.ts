/** A whole cluster as users run it: the process `cluster/main.ts`, told what to do by flags, believed over IPC. */
import { type ChildProcess, fork } from "node:child_process";
import { mkdirSync, openSync, closeSync, readFileSync } from "node:fs";
import path from "node:path";
import type { ClusterMessage, ClusterReady } from "@travelops/cluster/messages";
import { httpsTransport } from "@travelops/kube/client/https-transport";
import { loadKubeconfig } from "@travelops/kube/client/kubeconfig";
import { createKubeClient } from "@travelops/kube/client/kube-client";
import type { KubeClient } from "@travelops/kube";

const ROOT = path.join(import.meta.dirname, "..");

/** A start that takes longer has failed. */
const START_MS = 30_000;

export interface ClusterProcessOptions {
  readonly dataDir: string;
  readonly nodes?: number;
  readonly sandbox?: "auto" | "namespaces" | "bare";
  readonly unknownImages?: "fail" | "simulate";
  readonly apiPort?: number;
  /** How long it may take until it is ready. */
  readonly patienceMs?: number;
  /** For the runtime itself: `--cpu-prof`. */
  readonly execArgv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Told the pid as soon as there is one, long before the API is ready. */
  readonly onSpawn?: (pid: number) => void;
}

export interface ClusterProcess {
  readonly pid: number;
  readonly ready: ClusterReady;
  /** Milliseconds from fork to the message that the API is ready. */
  readonly startedMs: number;
  /** Acts as cluster-admin over TLS, with the kubeconfig's client certificate. */
  readonly client: KubeClient;
  readonly exited: Promise<string>;
  /** What it wrote to stdout and stderr in this run. */
  log(): string;
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** The cluster said why it did not start; `message` is its sentence. */
export class ClusterDidNotStart extends Error {
  override readonly name = "ClusterDidNotStart";
}

function argumentsOf(options: ClusterProcessOptions): string[] {
  const flags = {
    data: options.dataDir,
    nodes: options.nodes ?? 1,
    sandbox: options.sandbox ?? "auto",
    "unknown-images": options.unknownImages ?? "fail",
    "api-port": options.apiPort ?? 0,
  };
  return Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
}

/** Starts it and resolves once its API answers; its log lies beside the data directory. It ends with this process. */
export async function startClusterProcess(options: ClusterProcessOptions): Promise<ClusterProcess> {
  mkdirSync(path.dirname(options.dataDir), { recursive: true });
  const logFile = `${options.dataDir}.log`;
  const log = openSync(logFile, "w", 0o600);
  const begin = performance.now();
  const child = fork(path.join(ROOT, "cluster", "main.ts"), argumentsOf(options), {
    stdio: ["ignore", log, log, "ipc"],
    execArgv: [...(options.execArgv ?? [])],
    env: {
      ...process.env,
      NODE_COMPILE_CACHE: path.join(ROOT, "node_modules", ".cache", "travelops", "compile"),
      TRAVELOPS_TOOLS: path.join(ROOT, "node_modules", ".cache", "travelops", "tools"),
      NODE_OPTIONS: "",
      MALLOC_ARENA_MAX: "2",
      ...options.env,
    },
  });
  closeSync(log);
  if (child.pid !== undefined) options.onSpawn?.(child.pid);
  const exited = new Promise<string>((resolve) =>
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`)),
  );
  const tooLate = setTimeout(() => child.kill("SIGKILL"), options.patienceMs ?? START_MS);
  const ready = await untilReady(child, exited, logFile).finally(() => clearTimeout(tooLate));
  const startedMs = performance.now() - begin;
  const transport = httpsTransport(loadKubeconfig(ready.kubeconfig));
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await exited;
    transport.close();
  };
  return {
    pid: child.pid ?? 0,
    ready,
    startedMs,
    client: createKubeClient(transport),
    exited,
    log: () => readFileSync(logFile, "utf8"),
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
  };
}

function untilReady(child: ChildProcess, exited: Promise<string>, logFile: string): Promise<ClusterReady> {
  return new Promise((resolve, reject) => {
    child.on("message", (message: ClusterMessage) => {
      if (message.type === "ready") resolve(message);
      else if (message.type === "failed") reject(new ClusterDidNotStart(message.message));
    });
    child.once("error", reject);
    void exited.then((how) =>
      reject(new Error(`the cluster ended at its start (${how}): ${readFileSync(logFile, "utf8").slice(-2000)}`)),
    );
  });
}
