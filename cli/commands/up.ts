/** `travelops up`: the cluster, its components, the pattern from Git; then it stays until Ctrl-C, or goes on detached. */
import path from "node:path";
import { Option, type Command } from "commander";
import { BRANCH } from "../bootstrap/root-application.ts";
import { startClusterProcess, type ClusterProcess } from "../cluster-process.ts";
import { choosePorts, keepPorts, type Ports } from "../config.ts";
import type { CliContext } from "../context.ts";
import { prepareDataDir, type DataDir } from "../data-dir.ts";
import { CliError } from "../errors.ts";
import { startOf } from "../process-table.ts";
import { claim, release, writeRunState, type RunState } from "../run-state.ts";
import { jsonSteps, terminalOf, textSteps, type Steps } from "../terminal/steps.ts";
import { findGit, findTool } from "../tools.ts";
import { bringUpPattern } from "../up/bring-up.ts";
import { askedPorts, parseDuration, patternSource, type ResolvedPattern, type UpOptions } from "../up/options.ts";
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
    .option("-o, --output <format>", "text or json (one event a line)", "text")
    .option("--nodes <n>", "nodes of the cluster", "2")
    .addOption(
      new Option("--sandbox <kind>", "how pods are kept apart").choices(["auto", "namespaces", "bare"]).default("auto"),
    )
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
  const timeoutMs = parseDuration(options.timeout);
  const source = await patternSource(options);
  const git = findGit(context.env);
  for (const tool of ["kubectl", "helm"] as const) findTool(tool, context.env);
  await prepareDataDir(dir);
  const run: RunState = {
    pid: process.pid,
    pidStart: startOf(process.pid),
    startedAt: new Date(context.now()).toISOString(),
    ingress: { http: 0, https: 0 },
    clusters: [],
  };
  await claim(dir, run);
  let cluster: ClusterProcess | undefined;
  try {
    const started = await startOnFreePorts(context, dir, options, source, steps);
    const { ports } = started;
    cluster = started.cluster;
    run.ingress = { http: ports.http, https: ports.https };
    if (cluster.ready.sandboxNote !== "") context.stderr.write(`    ${cluster.ready.sandboxNote}\n`);
    run.clusters = [
      {
        name: "hub",
        pid: cluster.pid,
        apiServer: cluster.ready.apiServer,
        kubeconfig: cluster.ready.kubeconfig,
        sandbox: cluster.ready.sandbox,
        sandboxNote: cluster.ready.sandboxNote,
        state: "running",
      },
    ];
    await writeRunState(dir, run);
    await guard(
      cluster,
      context,
      dir,
      bringUpPattern({
        context,
        dir,
        steps,
        git,
        source,
        timeoutMs,
        ports,
        kubeconfig: cluster.ready.kubeconfig,
        json,
      }),
    );
    if (options.detach === true) {
      await handOver(cluster, dir, run);
      return;
    }
    await stay(cluster, context, dir);
  } catch (error) {
    await keepOrStop(cluster, context, dir, run, error, options.detach === true);
    throw error;
  }
  await release(dir);
}

const TRIES = 5;
const TAKEN = /EADDRINUSE|no free port/;

/** A port that was free a moment ago may be taken by now: then others are chosen, unless these were asked for. */
async function startOnFreePorts(
  context: CliContext,
  dir: DataDir,
  options: UpOptions,
  source: ResolvedPattern,
  steps: Steps,
): Promise<{ cluster: ClusterProcess; ports: Ports }> {
  return steps.run(
    "Cluster hub",
    async () => {
      for (let attempt = 1; ; attempt++) {
        const { ports, chosen } = await choosePorts(dir, askedPorts(options));
        try {
          const cluster = await startClusterProcess(clusterOptions(context, dir, options, ports, source));
          await keepPorts(dir, ports);
          return { cluster, ports };
        } catch (error) {
          const taken = error instanceof CliError && TAKEN.test(error.message);
          if (!taken || !chosen || attempt === TRIES) throw error;
        }
      }
    },
    ({ cluster }) => `${cluster.ready.apiServer}, pods in ${cluster.ready.sandbox}`,
  );
}

function clusterOptions(context: CliContext, dir: DataDir, options: UpOptions, ports: Ports, source: ResolvedPattern) {
  const nodes = Number(options.nodes);
  if (!Number.isInteger(nodes) || nodes < 1 || nodes > 100)
    throw new CliError("BAD_NODES", 2, `--nodes: "${options.nodes}" is no number from 1 to 100`);
  return {
    name: "hub",
    index: 0,
    dir: dir.cluster("hub"),
    kubeconfig: dir.kubeconfig,
    log: dir.clusterLog("hub"),
    ports,
    nodes,
    sandbox: options.sandbox,
    unknownImages: options.unknownImages,
    ...(source.kind === "directory" ? { imagesFile: path.join(source.directory, "images.yaml") } : {}),
    ...(source.kind === "url" && source.hostPort !== undefined ? { hostPort: source.hostPort } : {}),
    detach: options.detach === true,
    env: context.env,
    signal: context.stop,
  };
}
