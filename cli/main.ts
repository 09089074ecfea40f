/** The command: parses, runs, and turns every failure into one sentence and an exit code. */
import { setTimeout as wait } from "node:timers/promises";
import { Command, CommanderError } from "commander";
import { addCluster } from "./commands/cluster.ts";
import { addDown } from "./commands/down.ts";
import { addKube } from "./commands/kube.ts";
import { addOpen } from "./commands/open.ts";
import { addStatus } from "./commands/status.ts";
import { addUp } from "./commands/up.ts";
import type { CliContext } from "./context.ts";
import { dataDirOf } from "./data-dir.ts";
import { CliError, EXIT } from "./errors.ts";
import { hoistDataDir } from "./global-options.ts";

/** npm and the terminal both pass one Ctrl-C on: what comes within this time is the same one. */
const SAME_INTERRUPT_MS = 500;

export async function main(args: readonly string[]): Promise<void> {
  const context = processContext();
  const program = new Command("travelops")
    .description("The travelops pattern on one machine: GitOps, clusters, mesh and secrets, without containers or root")
    .option("--data-dir <dir>", "where all state lives (default: $TRAVELOPS_DATA_DIR, else .travelops here)")
    .enablePositionalOptions()
    .exitOverride()
    .showHelpAfterError();
  for (const add of [addUp, addStatus, addDown, addCluster, addKube, addOpen]) add(program, context);
  try {
    await program.parseAsync(hoistDataDir(args), { from: "user" });
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown): void {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    return;
  }
  if (error instanceof CliError) {
    process.exitCode = error.exit;
    if (error.code !== "INTERRUPTED")
      process.stderr.write(`travelops: ${error.message}\n${error.advice === undefined ? "" : `  ${error.advice}\n`}`);
    return;
  }
  process.exitCode = EXIT.general;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`travelops: ${message}\n`);
  if (process.env["TRAVELOPS_DEBUG"] && error instanceof Error) process.stderr.write(`${error.stack ?? ""}\n`);
}

function processContext(): CliContext {
  const stop = new AbortController();
  const force = new AbortController();
  let first = 0;
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => {
      if (first === 0) {
        first = Date.now();
        stop.abort();
      } else if (Date.now() - first > SAME_INTERRUPT_MS) force.abort();
    });
  }
  return {
    env: process.env,
    cwd: process.env["INIT_CWD"] ?? process.cwd(),
    now: () => Date.now(),
    stdout: (text) => void process.stdout.write(text),
    stderr: process.stderr,
    dataDir: (options) => dataDirOf(options.dataDir, process.env, process.cwd()),
    setExit: (code) => {
      process.exitCode = code;
    },
    wait: async (ms, signal) => {
      await wait(ms, undefined, { signal });
    },
    stop: stop.signal,
    force: force.signal,
  };
}
