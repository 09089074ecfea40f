/** `kubeconfig`, `kubectl`, `helm`: the real clients on a cluster of ours. */
import { spawn } from "node:child_process";
import type { Command } from "commander";
import type { CliContext, GlobalOptions } from "../context.ts";
import { clusterUnknown, notRunning } from "../errors.ts";
import { liveRunState } from "../run-state.ts";
import { findTool } from "../tools.ts";

export function addKube(program: Command, context: CliContext): void {
  program
    .command("kubeconfig")
    .description("print the path of a kubeconfig")
    .option("--cluster <name>", "only this cluster's; without it the file has a context for each")
    .action(async (options: { cluster?: string }) => {
      context.stdout(`${await findKubeconfig(context, program.opts(), options.cluster)}\n`);
    });
  for (const tool of ["kubectl", "helm"] as const) {
    program
      .command(tool)
      .description(
        `run the real ${tool}: on the hub, or another cluster with --${tool === "helm" ? "kube-" : ""}context NAME`,
      )
      .allowUnknownOption()
      .allowExcessArguments()
      .helpOption(false)
      .argument("[args...]")
      .passThroughOptions()
      .action(async (args: string[]) => {
        context.setExit(
          await runTool(findTool(tool, context.env), args, {
            ...context.env,
            KUBECONFIG: await findKubeconfig(context, program.opts()),
          }),
        );
      });
  }
}

/** Of `name`, or the merged one. */
async function findKubeconfig(context: CliContext, options: GlobalOptions, name?: string): Promise<string> {
  const dir = context.dataDir(options);
  const run = await liveRunState(dir);
  if (run === undefined) throw notRunning(dir.root);
  if (name === undefined) return dir.kubeconfig;
  const cluster = run.clusters.find((each) => each.name === name);
  if (cluster !== undefined) return cluster.kubeconfig;
  throw clusterUnknown(
    name,
    run.clusters.map((each) => each.name),
  );
}

function runTool(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { stdio: "inherit", env });
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 1)));
  });
}
