/** The managed clusters of a data directory, started again by `up`: one that fails is told, and the others go on. */
import { availableParallelism } from "node:os";
import type { CliContext } from "../context.ts";
import type { DataDir } from "../data-dir.ts";
import { CliError } from "../errors.ts";
import { HUB } from "../run-state.ts";
import type { Steps } from "../terminal/steps.ts";
import { knownClusters } from "./settings.ts";
import { startCluster, tellNotStarted, type StartedCluster } from "./start-cluster.ts";

/** Never rejects. */
export async function resumeClusters(context: CliContext, dir: DataDir, steps: Steps): Promise<void> {
  const waiting = (await knownClusters(dir)).filter((name) => name !== HUB);
  const worker = async (): Promise<void> => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) await resume(name);
  };
  const resume = async (name: string): Promise<void> => {
    if (context.stop.aborted) return;
    try {
      const started = await startStep(steps, name, () =>
        startCluster({ context, dir, name, wanted: {}, askedPorts: {} }),
      );
      started.process.release();
    } catch (error) {
      if (context.stop.aborted) return;
      await tellNotStarted(dir, name, error);
      const advice = error instanceof CliError && error.advice !== undefined ? `\n      ${error.advice}` : "";
      context.stderr.write(`    ${error instanceof Error ? error.message : String(error)}${advice}\n`);
    }
  };
  await Promise.all(Array.from({ length: availableParallelism() }, worker));
}

/** How the start of any cluster is told. */
export const startStep = (steps: Steps, name: string, work: () => Promise<StartedCluster>): Promise<StartedCluster> =>
  steps.run(`Cluster ${name}`, work, ({ process: { ready } }) => `${ready.apiServer}, pods in ${ready.sandbox}`);
