/** What is known of each cluster without asking it: from its settings, run.json and the kernel. */
import { isRunning } from "@travelops/cluster/process-table";
import type { DataDir } from "../data-dir.ts";
import { HUB, type ClusterRun, type RunState } from "../run-state.ts";
import { knownClusters, readSettings } from "./settings.ts";

export interface ClusterRow {
  name: string;
  state: "running" | "starting" | "stopping" | "stopped" | "failed";
  apiServer: string;
  kubeconfig: string;
  /** "" while it is not known. */
  sandbox: string;
  message?: string;
}

/** The hub first, then by name. `run`: the live state, if anything is up. */
export async function clusterRows(dir: DataDir, run: RunState | undefined): Promise<ClusterRow[]> {
  const running = new Map(run?.clusters.map((each) => [each.name, each]));
  const names = new Set([...(await knownClusters(dir)), ...running.keys()]);
  const sorted = [...names].toSorted((a, b) => Number(b === HUB) - Number(a === HUB) || (a < b ? -1 : 1));
  return Promise.all(
    sorted.map(async (name) => {
      const found = running.get(name);
      return found === undefined ? stoppedRow(dir, name) : rowOf(dir, found);
    }),
  );
}

async function stoppedRow(dir: DataDir, name: string): Promise<ClusterRow> {
  const row = { name, kubeconfig: dir.clusterKubeconfig(name), sandbox: "" };
  try {
    const port = (await readSettings(dir, name))?.ports.api;
    return { ...row, state: "stopped", apiServer: port === undefined ? "" : `https://127.0.0.1:${port}` };
  } catch (error) {
    return { ...row, state: "failed", apiServer: "", message: error instanceof Error ? error.message : String(error) };
  }
}

function rowOf(dir: DataDir, run: ClusterRun): ClusterRow {
  const { name, apiServer, kubeconfig, sandbox } = run;
  const row = { name, apiServer, kubeconfig, sandbox };
  if (run.state === "failed") return { ...row, state: "failed", message: run.message ?? "" };
  if (isRunning(run)) return { ...row, state: run.state };
  if (run.state === "stopping") return { ...row, state: "stopped" };
  return { ...row, state: "failed", message: `its process ended unexpectedly; its log: ${dir.clusterLog(name)}` };
}
