/** `travelops cluster create|list|delete`: managed clusters beside the hub, each a process of its own. */
import { Option, type Command } from "commander";
import { isRunning } from "@travelops/cluster/process-table";
import { clusterRows } from "../clusters/cluster-rows.ts";
import { checkClusterName, parseNodes, SANDBOXES } from "../clusters/options.ts";
import { removeCluster } from "../clusters/remove-cluster.ts";
import { startStep } from "../clusters/resume-clusters.ts";
import { startCluster } from "../clusters/start-cluster.ts";
import { stopClusters } from "../clusters/stop-clusters.ts";
import type { CliContext } from "../context.ts";
import type { DataDir } from "../data-dir.ts";
import { clusterExists, clusterUnknown, hubStays, notRunning } from "../errors.ts";
import { outputOption } from "../output-option.ts";
import { HUB, liveRunState } from "../run-state.ts";
import { terminalOf, textSteps } from "../terminal/steps.ts";
import { table } from "../terminal/table.ts";

interface CreateOptions {
  readonly nodes?: string;
  readonly sandbox?: string;
}

export function addCluster(program: Command, context: CliContext): void {
  const dir = (): DataDir => context.dataDir(program.opts());
  const cluster = program.command("cluster").description("managed clusters, each a process of its own");
  cluster
    .command("create")
    .argument("<name>", "of the cluster, and of its kubectl context")
    .option("--nodes <n>", "nodes of the cluster (default: 2, or as it was)")
    .addOption(
      new Option("--sandbox <kind>", "how pods are kept apart (default: auto, or as it was)").choices(SANDBOXES),
    )
    .description("create a cluster beside the hub, or start one again that has ended")
    .action((name: string, options: CreateOptions) => create(context, dir(), name, options));
  cluster
    .command("list")
    .description("the clusters that have state here, the hub among them")
    .addOption(outputOption())
    .action((options: { output: string }) => list(context, dir(), options.output));
  cluster
    .command("delete")
    .argument("<name>", "of the cluster")
    .description("stop a cluster and remove its state")
    .action((name: string) => remove(context, dir(), name));
}

async function create(context: CliContext, dir: DataDir, name: string, options: CreateOptions): Promise<void> {
  checkClusterName(name);
  const wanted = {
    ...(options.nodes === undefined ? {} : { nodes: parseNodes(options.nodes) }),
    ...(options.sandbox === undefined ? {} : { sandbox: options.sandbox }),
  };
  const run = await liveRunState(dir);
  if (run === undefined) throw notRunning(dir.root);
  if (name === HUB || run.clusters.some((each) => each.name === name && isRunning(each))) throw clusterExists(name);
  const steps = textSteps(terminalOf(context.stderr, context.env), context.now);
  const started = await startStep(steps, name, () => startCluster({ context, dir, name, wanted, askedPorts: {} }));
  const { ready } = started.process;
  started.process.release();
  if (ready.sandboxNote !== "") context.stderr.write(`    ${ready.sandboxNote}\n`);
  context.stderr.write(`    Try: ./travelops kubectl --context ${name} get nodes\n`);
}

async function list(context: CliContext, dir: DataDir, output: string): Promise<void> {
  const clusters = await clusterRows(dir, await liveRunState(dir));
  if (output === "json") {
    context.stdout(`${JSON.stringify({ clusters }, null, 2)}\n`);
    return;
  }
  const rows = clusters.map((each) => [each.name, each.state, each.sandbox || "-", each.apiServer || "-"]);
  context.stdout(table(["CLUSTER", "STATE", "SANDBOX", "API SERVER"], rows));
  for (const each of clusters)
    if (each.message !== undefined) context.stderr.write(`  ${each.name}: ${each.message}\n`);
}

async function remove(context: CliContext, dir: DataDir, name: string): Promise<void> {
  checkClusterName(name);
  if (name === HUB) throw hubStays();
  const known = (await clusterRows(dir, await liveRunState(dir))).map((each) => each.name);
  if (!known.includes(name)) throw clusterUnknown(name, known);
  const steps = textSteps(terminalOf(context.stderr, context.env), context.now);
  await steps.run(`Delete cluster ${name}`, async () => {
    await stopClusters({ context, dir, which: (each) => each.name === name, closing: false });
    await removeCluster(dir, name);
  });
}
