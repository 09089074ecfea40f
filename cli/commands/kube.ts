/** `kubeconfig`, `kubectl`, `helm`: the real clients on a cluster of ours. */
import { spawn } from "node:child_process";
import type { Command } from "commander";
import type { CliContext, GlobalOptions } from "../context.ts";
import { clusterUnknown, notRunning } from "../errors.ts";
import { liveRunState, type ClusterRun } from "../run-state.ts";
import { findTool } from "../tools.ts";

export function addKube(program: Command, context: CliContext): void {
  program
    .command("kubeconfig")
    .description("print the path of a kubeconfig")
    .option("--cluster <name>", "which cluster", "hub")
    .action(async (options: { cluster: string }) => {
      context.stdout(`${(await findCluster(context, program.opts(), options.cluster)).kubeconfig}\n`);
    });
  for (const tool of ["kubectl", "helm"] as const) {
    program
      .command(tool)
      .description(`run the real ${tool} on the hub`)
      .allowUnknownOption()
      .allowExcessArguments()
      .helpOption(false)
      .argument("[args...]")
      .passThroughOptions()
      .action(async (args: string[]) => {
        const cluster = await findCluster(context, program.opts(), "hub");
        context.setExit(
          await runTool(findTool(tool, context.env), args, {
            ...context.env,
            KUBECONFIG: cluster.kubeconfig,
          }),
        );
      });
  }
}

async function findCluster(context: CliContext, options: GlobalOptions, name: string): Promise<ClusterRun> {
  const dir = context.dataDir(options);
  const run = await liveRunState(dir);
  if (run === undefined) throw notRunning(dir.root);
  const cluster = run.clusters.find((each) => each.name === name);
  if (cluster === undefined)
    throw clusterUnknown(
      name,
      run.clusters.map((each) => each.name),
    );
  return cluster;
}

function runTool(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: "inherit", env });
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 1)));
  });
}
