/** Removes what is left of a cluster whose process has ended; its index and ports are free from then on. */
import { rename, rm } from "node:fs/promises";
import type { DataDir } from "../data-dir.ts";
import { changeRunState, withoutCluster } from "../run-state.ts";
import { withdrawKubeconfig } from "./kubeconfigs.ts";

/** Removes what a deletion that was cut short has left. */
export const clearDeleted = (dir: DataDir, name: string): Promise<void> =>
  rm(dir.deletedCluster(name), { recursive: true, force: true });

export async function removeCluster(dir: DataDir, name: string): Promise<void> {
  await withdrawKubeconfig(dir, name);
  await clearDeleted(dir, name);
  // The cluster is gone with that: what a crash leaves of it is nobody's, and goes with the next one of the name.
  await rename(dir.cluster(name), dir.deletedCluster(name)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
  });
  await clearDeleted(dir, name);
  await rm(dir.clusterLog(name), { force: true });
  await changeRunState(dir, (run) => withoutCluster(run, name));
}
