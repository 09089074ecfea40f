/** Keeps an eye on the cluster's process while `up` works and waits, and ends it in order. */
import type { ClusterProcess } from "../cluster-process.ts";
import type { CliContext } from "../context.ts";
import type { DataDir } from "../data-dir.ts";
import { CliError, clusterFailed, interrupted, stoppedElsewhere } from "../errors.ts";
import { startOf } from "../process-table.ts";
import { release, writeRunState, type RunState } from "../run-state.ts";

const ORDERLY = "exit code 0";
/** A broken connection is often the first sign of a cluster that ends: its own word counts more. */
const LAST_WORD_MS = 500;

/** `travelops down` from elsewhere ends the cluster in order. */
const clusterEnded = (how: string, dir: DataDir): CliError =>
  how === ORDERLY
    ? stoppedElsewhere()
    : clusterFailed(`the cluster ended unexpectedly (${how})`, dir.clusterLog("hub"));

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
export async function handOver(cluster: ClusterProcess, dir: DataDir, run: RunState): Promise<void> {
  cluster.release();
  run.pid = cluster.pid;
  run.pidStart = startOf(cluster.pid);
  await writeRunState(dir, run);
}

/** A timeout leaves everything running for a look (foreground: until Ctrl-C); any other failure ends the cluster in order. */
export async function keepOrStop(
  cluster: ClusterProcess | undefined,
  context: CliContext,
  dir: DataDir,
  run: RunState,
  error: unknown,
  detach: boolean,
): Promise<void> {
  if (cluster !== undefined && error instanceof CliError && error.code === "TIMED_OUT") {
    if (detach) {
      return handOver(cluster, dir, run);
    }
    context.stderr.write(
      `travelops: ${error.message}\n  Everything is left running: look from another terminal; Ctrl-C stops it.\n`,
    );
    await stay(cluster, context, dir).catch(() => undefined);
  } else if (cluster !== undefined) await stopInOrder(cluster, context);
  await release(dir);
}

/** Until Ctrl-C (then an orderly stop) or until the cluster ends by itself. */
export async function stay(cluster: ClusterProcess, context: CliContext, dir: DataDir): Promise<void> {
  const stopped = new Promise<"stop">((resolve) => {
    if (context.stop.aborted) resolve("stop");
    context.stop.addEventListener("abort", () => resolve("stop"), { once: true });
  });
  const outcome = await Promise.race([stopped, cluster.exited]);
  if (outcome === "stop") return stopInOrder(cluster, context);
  // `travelops down` from elsewhere ends the cluster in order: that is no failure of ours.
  if (outcome !== ORDERLY) throw clusterFailed(`the cluster ended unexpectedly (${outcome})`, dir.clusterLog("hub"));
}

export async function stopInOrder(cluster: ClusterProcess, context: CliContext): Promise<void> {
  context.stderr.write("\nStopping (again Ctrl-C: at once) …\n");
  context.force.addEventListener("abort", () => cluster.kill(), { once: true });
  if (context.force.aborted) cluster.kill();
  await cluster.stop();
  context.stderr.write("  ✓ stopped; the state is kept for the next up\n");
}
