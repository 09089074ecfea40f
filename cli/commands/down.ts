/** `travelops down`: ends what `up` started, in order; `--purge` removes the state as well. */
import { rm } from "node:fs/promises";
import type { Command } from "commander";
import { isRunning } from "@travelops/cluster/process-table";
import { stopClusters } from "../clusters/stop-clusters.ts";
import type { CliContext } from "../context.ts";
import { madeIn } from "../data-dir.ts";
import { notRunning } from "../errors.ts";
import { liveRunState, release } from "../run-state.ts";

/** How long a foreground `up` may take to notice that its clusters are gone. */
const NOTICE_MS = 5000;

export function addDown(program: Command, context: CliContext): void {
  program
    .command("down")
    .description("stop everything; the state stays for the next up")
    .option("--purge", "also remove the data directory's state")
    .action(async (options: { purge?: boolean }) => {
      const dir = context.dataDir(program.opts());
      const run = await liveRunState(dir);
      if (run === undefined && options.purge !== true) throw notRunning(dir.root);
      if (run !== undefined)
        await stopClusters({
          context,
          dir,
          which: () => true,
          closing: true,
          told: ({ name }, outcome) => void context.stderr.write(`  ✓ cluster ${name} ${outcome}\n`),
        });
      // A foreground `up` ends by itself once its clusters have; it removes its own claim.
      for (let waited = 0; run !== undefined && isRunning(run) && waited < NOTICE_MS; waited += 25)
        await context.wait(25);
      if (run !== undefined) await release(dir);
      if (options.purge !== true) return;
      for (const entry of madeIn(dir)) await rm(entry, { recursive: true, force: true });
      context.stderr.write(`  ✓ state removed\n`);
    });
}
