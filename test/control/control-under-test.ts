/**
 * An API under test with controllers, a scheduler and three nodes that only tell what is asked of them: ours, or with
 * KUBEBUILDER_ASSETS (which then also holds `kube-controller-manager` and `kube-scheduler`) upstream's.
 */
import { existsSync } from "node:fs";
import path from "node:path";
import { createLogger } from "@travelops/kube";
import { type ApiUnderTest, startApiUnderTest } from "../api-under-test.ts";
import { type Program, startProgram } from "../program.ts";
import { startFakeKubelets, startFakeNode } from "./fake-node.ts";
import { startMetricsServer } from "./metrics-server.ts";

const MANAGER = "kube-controller-manager";
const SCHEDULER = "kube-scheduler";
const AUTOSCALER_PERIOD_MS = 1000;

/** Whether upstream's programs are at hand where they are asked for. */
export function canStartControl(): boolean {
  const assets = process.env["KUBEBUILDER_ASSETS"] ?? "";
  return assets === "" || [MANAGER, SCHEDULER].every((program) => existsSync(path.join(assets, program)));
}

/** Starts everything; `close()` takes it down. */
export async function startControlUnderTest(): Promise<ApiUnderTest> {
  const api = await startApiUnderTest({ serviceAccounts: true });
  const abort = new AbortController();
  const { client } = api;
  const control = api.real ? startUpstream(api) : await startOurs(api, abort.signal);
  const metrics = await startMetricsServer(client);
  const kubelets = startFakeKubelets(client, abort.signal);
  for (const [name, zone] of [
    ["node-a", "one"],
    ["node-b", "one"],
    ["node-c", "two"],
  ] as const)
    await startFakeNode({ client, signal: abort.signal, name, zone });
  return {
    ...api,
    async close() {
      abort.abort();
      await Promise.all([control.close(), kubelets, metrics.close()]);
      await api.close();
    },
  };
}

function startUpstream({ kubeconfig }: ApiUnderTest): { close(): Promise<void> } {
  const assets = process.env["KUBEBUILDER_ASSETS"] ?? "";
  const directory = path.dirname(kubeconfig);
  const common = [`--kubeconfig=${kubeconfig}`, "--leader-elect=false", "--kube-api-qps=500", "--kube-api-burst=500"];
  const programs: Program[] = [
    startProgram(path.join(assets, MANAGER), [
      ...common,
      "--secure-port=0",
      `--horizontal-pod-autoscaler-sync-period=${AUTOSCALER_PERIOD_MS}ms`,
      `--service-account-private-key-file=${path.join(directory, "sa.key")}`,
      `--root-ca-file=${path.join(directory, "certs", "apiserver.crt")}`,
    ]),
    startProgram(path.join(assets, SCHEDULER), [...common, "--secure-port=0"]),
  ];
  return { close: async () => void (await Promise.all(programs.map((program) => program.stop()))) };
}

async function startOurs({ client }: ApiUnderTest, signal: AbortSignal): Promise<{ close(): Promise<void> }> {
  const [{ sharedInformers }, { startControllers }, { startScheduler }] = await Promise.all([
    import("@travelops/cluster/controllers/informers"),
    import("@travelops/cluster/controllers/start-controllers"),
    import("@travelops/cluster/scheduler/start-scheduler"),
  ]);
  const log = createLogger({ level: process.env["TEST_LOG"] === undefined ? "silent" : "debug" });
  const informers = sharedInformers({ client, signal, log });
  const common = { client, informers, signal, log };
  const done = [
    startControllers({ ...common, rootCa: "the root CA", autoscalerPeriodMs: AUTOSCALER_PERIOD_MS }),
    startScheduler(common),
  ];
  return { close: async () => void (await Promise.all([...done, informers.stopped])) };
}
