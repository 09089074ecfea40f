/** The API servers that are measured: ours as users run it, and kube-apiserver with etcd where they are. */
import path from "node:path";
import { loadKubeconfig } from "@travelops/kube/client/kubeconfig";
import { startClusterProcess } from "../cluster-under-test.ts";
import { descendantsOf } from "../crash/process-tree.ts";
import { startRealApiServer } from "../real-api-server.ts";
import type { ApiAddress } from "./h2-client.ts";
import { freePort, LONGEST_START_MS, timeToReady } from "./readiness.ts";

export type SubjectName = "travelops" | "kube-apiserver";

/** One that runs. */
export interface RunningSubject {
  readonly address: ApiAddress;
  /** The processes that are its control plane. */
  readonly pids: readonly number[];
  /** From starting the first process to the first 200 of /readyz over TLS. */
  readonly readyMs: number;
  /** Ends it and starts it on the same data; this one is of no use then. */
  restart(): Promise<RunningSubject>;
  close(): Promise<void>;
}

export interface Subject {
  readonly name: SubjectName;
  /** Starts on an empty data directory of its own, durable, and resolves once it is ready. */
  start(directory: string): Promise<RunningSubject>;
}

let runs = 0;

/** The whole cluster: its controllers, scheduler and nodes run beside the API, as they do for users. */
const travelops: Subject = {
  name: "travelops",
  start: (directory) => startCluster(path.join(directory, `cluster-${++runs}`)),
};

async function startCluster(dataDir: string): Promise<RunningSubject> {
  const apiPort = await freePort();
  let answered: Promise<number> | undefined;
  const cluster = await startClusterProcess({
    dataDir,
    nodes: 2,
    apiPort,
    patienceMs: LONGEST_START_MS,
    execArgv: profilerFlags(),
    onSpawn: () => void (answered = timeToReady(apiPort)),
  });
  const readyMs = (await answered) ?? Number.NaN;
  const { server, ca = "", cert, key } = loadKubeconfig(cluster.ready.kubeconfig);
  return {
    address: { server, ca, cert, key },
    pids: [cluster.pid],
    readyMs,
    async restart() {
      await cluster.stop();
      return startCluster(dataDir);
    },
    close: () => cluster.stop(),
  };
}

/** Flags for the runtime of the cluster under test, as `--cpu-prof --cpu-prof-dir=DIR`: to see where the time goes. */
function profilerFlags(): string[] {
  return (process.env["BENCH_NODE_FLAGS"] ?? "").split(" ").filter((flag) => flag !== "");
}

/** kube-apiserver and etcd alone: nothing else runs on them, which is to their advantage. */
const kubeApiServer = (assets: string): Subject => ({
  name: "kube-apiserver",
  start: () => startReal(assets),
});

async function startReal(assets: string, directory?: string): Promise<RunningSubject> {
  const begin = performance.now();
  const before = new Set(descendantsOf(process.pid).map(({ pid }) => pid));
  const real = await startRealApiServer(assets, { durable: true, ...(directory === undefined ? {} : { directory }) });
  const readyMs = performance.now() - begin;
  const pids = descendantsOf(process.pid)
    .filter(({ pid, command }) => !before.has(pid) && /\/(etcd|kube-apiserver) /.test(command))
    .map(({ pid }) => pid);
  return {
    address: { server: real.server, ca: real.ca, token: real.token },
    pids,
    readyMs,
    async restart() {
      await real.stop();
      return startReal(assets, real.directory);
    },
    close: () => real.close(),
  };
}

export function subjects(): readonly Subject[] {
  const assets = process.env["KUBEBUILDER_ASSETS"];
  return assets === undefined || assets === "" ? [travelops] : [travelops, kubeApiServer(assets)];
}
