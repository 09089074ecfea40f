/** Removes what is left of a cluster whose process has ended; its index and ports are free from then on. */
import { rm } from "node:fs/promises";
import type { DataDir } from "../data-dir.ts";
import { changeRunState, withoutCluster } from "../run-state.ts";
import { withdrawKubeconfig } from "./kubeconfigs.ts";

export async function removeCluster(dir: DataDir, name: string): Promise<void> {
  await withdrawKubeconfig(dir, name);
  // Without its settings the cluster is gone: what a crash leaves of the rest is nobody's, and goes with the next one.
  await rm(dir.clusterSettings(name), { force: true });
  await rm(dir.cluster(name), { recursive: true, force: true });
  await rm(dir.clusterLog(name), { force: true });
  await changeRunState(dir, (run) => withoutCluster(run, name));
}
