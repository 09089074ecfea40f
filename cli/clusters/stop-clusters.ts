/** Stops clusters in order, and tells everybody beforehand that their end is meant. */
import { signalTo, stopById } from "../cluster-process.ts";
import { isRunning } from "@travelops/cluster/process-table";
import type { CliContext } from "../context.ts";
import type { DataDir } from "../data-dir.ts";
import { changeRunState, type ClusterRun } from "../run-state.ts";

const GRACE_MS = 20_000;

export type StopOutcome = Awaited<ReturnType<typeof stopById>>;

export interface StopRequest {
  readonly context: CliContext;
  readonly dir: DataDir;
  readonly which: (cluster: ClusterRun) => boolean;
  /** Nothing more may start in the directory. */
  readonly closing: boolean;
  readonly told?: (cluster: ClusterRun, outcome: StopOutcome) => void;
}

export async function stopClusters({ context, dir, which, closing, told }: StopRequest): Promise<void> {
  const run = await changeRunState(dir, (state) => ({
    ...state,
    closing: state.closing || closing,
    clusters: state.clusters.map((each) =>
      which(each) && each.state !== "failed" ? { ...each, state: "stopping" } : each,
    ),
  }));
  const ending = (run?.clusters ?? []).filter((each) => which(each) && isRunning(each));
  const kill = (): void => ending.forEach((each) => signalTo(each, "SIGKILL"));
  context.force.addEventListener("abort", kill, { once: true });
  if (context.force.aborted) kill();
  await Promise.all(
    ending.map(async (each) => {
      const outcome = await stopById(each, GRACE_MS, (ms) => context.wait(ms));
      if (outcome !== "gone") told?.(each, outcome);
    }),
  );
  context.force.removeEventListener("abort", kill);
}
