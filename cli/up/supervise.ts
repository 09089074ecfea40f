/** Keeps an eye on the hub's process while `up` works and waits, and ends it in order. */
import type { ClusterProcess } from "../cluster-process.ts";
import type { CliContext } from "../context.ts";
import type { DataDir } from "../data-dir.ts";
import { CliError, clusterFailed, interrupted, stoppedElsewhere } from "../errors.ts";
import { stopClusters } from "../clusters/stop-clusters.ts";
import { watchClusters } from "../clusters/watch-clusters.ts";
import { changeRunState, HUB, release } from "../run-state.ts";

const ORDERLY = "exit code 0";
/** A broken connection is often the first sign of a cluster that ends: its own word counts more. */
const LAST_WORD_MS = 500;

/** `travelops down` from elsewhere ends the cluster in order. */
const clusterEnded = (how: string, dir: DataDir): CliError =>
  how === ORDERLY ? stoppedElsewhere() : clusterFailed(`the cluster ended unexpectedly (${how})`, dir.clusterLog(HUB));

/** Fails as soon as the cluster process dies or the user interrupts, whatever is being waited for. */
export async function guard(
  cluster: ClusterProcess,
  context: CliContext,
  dir: DataDir,
  work: Promise<void>,
): Promise<void> {
  const ended = (how: string): CliError => (context.stop.aborted ? interrupted() : clusterEnded(how, dir));
  const died = cluster.exited.then((how) => {
    throw ended(how);
  });
  died.catch(() => undefined);
  const stopped = new Promise<never>((_resolve, reject) => {
    if (context.stop.aborted) reject(interrupted());
    context.stop.addEventListener("abort", () => reject(interrupted()), { once: true });
  });
  const working = work.catch(async (error: unknown) => {
    await Promise.race([died, context.wait(LAST_WORD_MS)]);
    throw error;
  });
  working.catch(() => undefined);
  await Promise.race([working, died, stopped]);
}

/** The cluster goes on without us: from now on its own process holds the data directory. */
export async function handOver(cluster: ClusterProcess, dir: DataDir): Promise<void> {
  cluster.release();
  await changeRunState(dir, (run) => ({ ...run, ...cluster.id }));
}

/** A timeout leaves everything running for a look (foreground: until Ctrl-C); any other failure ends all in order. */
export async function keepOrStop(
  cluster: ClusterProcess | undefined,
  context: CliContext,
  dir: DataDir,
  error: unknown,
  detach: boolean,
): Promise<void> {
  if (cluster !== undefined && error instanceof CliError && error.code === "TIMED_OUT") {
    if (detach) return handOver(cluster, dir);
    context.stderr.write(
      `travelops: ${error.message}\n  Everything is left running: look from another terminal; Ctrl-C stops it.\n`,
    );
    await stay(cluster, context, dir).catch(() => undefined);
  } else await stopInOrder(context, dir);
  await release(dir);
}

/** Until Ctrl-C or until the hub ends by itself; then nothing is left running. */
export async function stay(cluster: ClusterProcess, context: CliContext, dir: DataDir): Promise<void> {
  const over = new AbortController();
  const stopped = new Promise<"stop">((resolve) => {
    if (context.stop.aborted) resolve("stop");
    context.stop.addEventListener("abort", () => resolve("stop"), { once: true });
  });
  const watching = watchClusters(context, dir, AbortSignal.any([over.signal, context.stop]));
  const outcome = await Promise.race([stopped, cluster.exited]);
  over.abort();
  await watching;
  await stopInOrder(context, dir);
  // `travelops down` from elsewhere ends the cluster in order: that is no failure of ours.
  if (outcome !== "stop" && outcome !== ORDERLY)
    throw clusterFailed(`the cluster ended unexpectedly (${outcome})`, dir.clusterLog(HUB));
}

/** Says so only where there is something to stop: `travelops down` may have done it. */
async function stopInOrder(context: CliContext, dir: DataDir): Promise<void> {
  if (context.stop.aborted) context.stderr.write("\nStopping (again Ctrl-C: at once) …\n");
  await stopClusters({ context, dir, which: () => true, closing: true });
  if (context.stop.aborted) context.stderr.write("  ✓ stopped; the state is kept for the next up\n");
}
