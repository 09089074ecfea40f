/** `travelops up`: the cluster, its components, the pattern from Git; then it stays until Ctrl-C, or goes on detached. */
import path from "node:path";
import { Option, type Command } from "commander";
import { processId } from "@travelops/cluster/process-table";
import { BRANCH } from "../bootstrap/root-application.ts";
import { stopById, type ClusterProcess } from "../cluster-process.ts";
import { parseNodes, SANDBOXES } from "../clusters/options.ts";
import { resumeClusters, startStep } from "../clusters/resume-clusters.ts";
import { startCluster } from "../clusters/start-cluster.ts";
import type { CliContext } from "../context.ts";
import { outputOption } from "../output-option.ts";
import { prepareDataDir, type DataDir } from "../data-dir.ts";
import { claim, HUB, release, type RunState } from "../run-state.ts";
import { jsonSteps, terminalOf, textSteps } from "../terminal/steps.ts";
import { findGit, findTool } from "../tools.ts";
import { bringUpPattern } from "../up/bring-up.ts";
import { askedPorts, parseTimeout, patternSource, type ResolvedPattern, type UpOptions } from "../up/options.ts";
import { guard, handOver, keepOrStop, stay } from "../up/supervise.ts";

export function addUp(program: Command, context: CliContext): void {
  program
    .command("up")
    .description("bring the pattern up on this machine; resumes what is in the data directory")
    .option(
      "--pattern <dir|url>",
      "a directory to seed the in-cluster repository from, or a remote repository to follow",
    )
    .option("--revision <name>", "branch, tag or commit to follow of a remote pattern", BRANCH)
    .option("-d, --detach", "return once it is up, and leave it running")
    .option("--timeout <duration>", "how long to wait for the applications", "120s")
    .addOption(outputOption("json (one event a line)"))
    .option("--nodes <n>", "nodes of the cluster", "2")
    .addOption(new Option("--sandbox <kind>", "how pods are kept apart").choices(SANDBOXES).default("auto"))
    .addOption(
      new Option("--unknown-images <policy>", "what an image that nobody declared does")
        .choices(["fail", "simulate"])
        .default("fail"),
    )
    .option("--api-port <port>", "of the Kubernetes API")
    .option("--http-port <port>", "of the applications, HTTP")
    .option("--https-port <port>", "of the applications, HTTPS")
    .action((options: UpOptions) => up(context, context.dataDir(program.opts()), options));
}

async function up(context: CliContext, dir: DataDir, options: UpOptions): Promise<void> {
  const terminal = terminalOf(context.stderr, context.env);
  const json = options.output === "json";
  const steps = json ? jsonSteps((line) => context.stdout(`${line}\n`), context.now) : textSteps(terminal, context.now);
  const timeoutMs = parseTimeout(options.timeout);
  const source = await patternSource(options);
  const git = findGit(context.env);
  for (const tool of ["kubectl", "helm"] as const) findTool(tool, context.env);
  const wanted = { nodes: parseNodes(options.nodes), sandbox: options.sandbox };
  const ports = askedPorts(options);
  await prepareDataDir(dir);
  // What a killed foreground `up` leaves ends by itself; what a killed hub leaves goes on until now.
  const left = await claim(dir, newRun(context, options, source));
  let hub: ClusterProcess | undefined;
  try {
    await Promise.all(left.map((each) => stopById(each, LEFT_GRACE_MS, context.wait)));
    const resumed = resumeClusters(context, dir, steps);
    const started = await startStep(steps, HUB, () =>
      startCluster({ context, dir, name: HUB, wanted, askedPorts: ports, ...hostPortOf(source) }),
    );
    hub = started.process;
    if (hub.ready.sandboxNote !== "") context.stderr.write(`    ${hub.ready.sandboxNote}\n`);
    const pattern = bringUpPattern({
      context,
      dir,
      steps,
      git,
      source,
      timeoutMs,
      ports: started.settings.ports,
      kubeconfig: hub.ready.kubeconfig,
      json,
    });
    await guard(
      hub,
      context,
      dir,
      Promise.all([pattern, resumed]).then(() => undefined),
    );
    if (options.detach === true) return await handOver(hub, dir);
    await stay(hub, context, dir);
  } catch (error) {
    await keepOrStop(hub, context, dir, error, options.detach === true);
    throw error;
  }
  await release(dir);
}

const LEFT_GRACE_MS = 10_000;

const hostPortOf = (source: ResolvedPattern): { hostPort?: number } =>
  source.kind === "url" && source.hostPort !== undefined ? { hostPort: source.hostPort } : {};

function newRun(context: CliContext, options: UpOptions, source: ResolvedPattern): RunState {
  return {
    ...processId(process.pid),
    startedAt: new Date(context.now()).toISOString(),
    mode: options.detach === true ? "detached" : "foreground",
    closing: false,
    images: {
      unknown: options.unknownImages,
      ...(source.kind === "directory" ? { file: path.join(source.directory, "images.yaml") } : {}),
    },
    clusters: [],
  };
}
