/** `travelops down`: ends what `up` started, in order; `--purge` removes the state as well. */
import { rm } from "node:fs/promises";
import type { Command } from "commander";
import { stopByPid } from "../cluster-process.ts";
import type { CliContext } from "../context.ts";
import { notRunning } from "../errors.ts";
import { isAlive } from "../process-table.ts";
import { liveRunState, readRunState, release } from "../run-state.ts";

const GRACE_MS = 20_000;

export function addDown(program: Command, context: CliContext): void {
  program
    .command("down")
    .description("stop everything; the state stays for the next up")
    .option("--purge", "also remove the data directory's state")
    .action(async (options: { purge?: boolean }) => {
      const dir = context.dataDir(program.opts());
      const run = await liveRunState(dir);
      if (run === undefined && options.purge !== true) throw notRunning(dir.root);
      const wait = (ms: number) => context.wait(ms);
      for (const cluster of (run ?? (await readRunState(dir)))?.clusters ?? []) {
        const outcome = await stopByPid(cluster.pid, GRACE_MS, wait);
        if (outcome !== "gone") context.stderr.write(`  ✓ cluster ${cluster.name} ${outcome}\n`);
      }
      // A foreground `up` ends by itself once its clusters have; it removes its own claim.
      for (let waited = 0; run !== undefined && isAlive(run.pid) && waited < 5000; waited += 25) await wait(25);
      await release(dir);
      if (options.purge !== true) return;
      await purge(dir.root);
      context.stderr.write(`  ✓ state removed\n`);
    });
}

/** Only what `up` made: a directory that holds other things keeps them. */
async function purge(root: string): Promise<void> {
  for (const entry of ["clusters", "logs", "config.json", "kubeconfig", "git-credentials", "run.json"]) {
    await rm(`${root}/${entry}`, { recursive: true, force: true });
  }
}
