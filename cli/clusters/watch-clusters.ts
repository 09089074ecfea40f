/** While a foreground `up` waits: a managed cluster that ends by itself is told at once, and the others go on. */
import { isRunning } from "@travelops/cluster/process-table";
import type { CliContext } from "../context.ts";
import type { DataDir } from "../data-dir.ts";
import { changeRunState, HUB, readRunState, withCluster, type ClusterRun } from "../run-state.ts";

const LOOK_MS = 500;

/** Until `signal` aborts. */
export async function watchClusters(context: CliContext, dir: DataDir, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    for (const cluster of (await readRunState(dir))?.clusters ?? [])
      if (hasEnded(cluster) && !signal.aborted) await tellEnd(context, dir, cluster.name);
    await context.wait(LOOK_MS, signal).catch(() => undefined);
  }
}

const hasEnded = (cluster: ClusterRun): boolean =>
  cluster.name !== HUB && cluster.state === "running" && !isRunning(cluster);

async function tellEnd(context: CliContext, dir: DataDir, name: string): Promise<void> {
  let found = false;
  await changeRunState(dir, (run) => {
    const cluster = run.clusters.find((each) => each.name === name);
    // By now somebody may have stopped it on purpose, or started it again.
    if (cluster === undefined || run.closing || !hasEnded(cluster)) return undefined;
    found = true;
    return withCluster(run, { ...cluster, state: "failed", message: "its process ended unexpectedly" });
  });
  if (!found) return;
  context.stderr.write(
    `  ✗ Cluster ${name} ended unexpectedly; the others go on. Its log: ${dir.clusterLog(name)}\n` +
      `    Start it again: travelops cluster create ${name}\n`,
  );
}
