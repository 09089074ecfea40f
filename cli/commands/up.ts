/** `travelops up`: the cluster, its components, the pattern from Git; then it stays until Ctrl-C, or goes on detached. */
import { stat } from "node:fs/promises";
import path from "node:path";
import { Option, type Command } from "commander";
import type { KubeClient } from "@travelops/kube";
import {
  applyRootApplication,
  installComponents,
  IN_CLUSTER_REPO_URL,
  seed,
  waitForGitServer,
  writeGitCredentials,
} from "../bootstrap/install.ts";
import { BRANCH, type PatternSource } from "../bootstrap/root-application.ts";
import { summarize, waitForApplications } from "../bootstrap/wait-applications.ts";
import { startClusterProcess, type ClusterProcess } from "../cluster-process.ts";
import { choosePorts, type Ports } from "../config.ts";
import { connect } from "../connect.ts";
import type { CliContext } from "../context.ts";
import { prepareDataDir, type DataDir } from "../data-dir.ts";
import { CliError, clusterFailed, interrupted, patternUnusable, timedOut } from "../errors.ts";
import { startOf } from "../process-table.ts";
import { claim, release, writeRunState, type RunState } from "../run-state.ts";
import { collectUrls } from "../status/urls.ts";
import { jsonSteps, terminalOf, textSteps, type Steps } from "../terminal/steps.ts";
import { farewell } from "../terminal/farewell.ts";
import { findGit, findTool, ROOT } from "../tools.ts";

interface UpOptions {
  pattern?: string;
  revision: string;
  detach?: boolean;
  timeout: string;
  output: string;
  nodes: string;
  sandbox: string;
  unknownImages: string;
  apiPort?: string;
  httpPort?: string;
  httpsPort?: string;
  bare?: boolean;
}

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
      new Option("--sandbox <kind>", "how pods are kept apart")
        .choices(["auto", "namespaces", "bare"])
        .default("auto"),
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
  const steps = json
    ? jsonSteps((line) => context.stdout(`${line}\n`), context.now)
    : textSteps(terminal, context.now);
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
    const ports = await choosePorts(dir, askedPorts(options));
    run.ingress = { http: ports.http, https: ports.https };
    cluster = await steps.run(
      "Cluster hub",
      () => startClusterProcess(clusterOptions(context, dir, options, ports, source)),
      (started) => `${started.ready.apiServer}, pods in ${started.ready.sandbox}`,
    );
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
      cluster.release();
      run.pid = cluster.pid;
      run.pidStart = startOf(cluster.pid);
      await writeRunState(dir, run);
      return;
    }
    await stay(cluster, context, dir);
  } catch (error) {
    await keepOrStop(cluster, context, dir, run, error, options.detach === true);
    throw error;
  }
  await release(dir);
}

/** A timeout leaves everything running for a look (foreground: until Ctrl-C); any other failure ends the cluster in order. */
async function keepOrStop(
  cluster: ClusterProcess | undefined,
  context: CliContext,
  dir: DataDir,
  run: RunState,
  error: unknown,
  detach: boolean,
): Promise<void> {
  if (cluster !== undefined && error instanceof CliError && error.code === "TIMED_OUT") {
    if (detach) {
      cluster.release();
      run.pid = cluster.pid;
      run.pidStart = startOf(cluster.pid);
      await writeRunState(dir, run);
      return;
    }
    context.stderr.write(
      `travelops: ${error.message}\n  Everything is left running: look from another terminal; Ctrl-C stops it.\n`,
    );
    await stay(cluster, context, dir).catch(() => undefined);
  } else if (cluster !== undefined) await stopInOrder(cluster, context);
  await release(dir);
}

/** Fails as soon as the cluster process dies or the user interrupts, whatever is being waited for. */
async function guard(
  cluster: ClusterProcess,
  context: CliContext,
  dir: DataDir,
  work: Promise<void>,
): Promise<void> {
  const died = cluster.exited.then((how) => {
    throw context.stop.aborted
      ? interrupted()
      : clusterFailed(`the cluster ended unexpectedly (${how})`, dir.clusterLog("hub"));
  });
  const stopped = new Promise<never>((_resolve, reject) => {
    if (context.stop.aborted) reject(interrupted());
    context.stop.addEventListener("abort", () => reject(interrupted()), { once: true });
  });
  work.catch(() => undefined);
  died.catch(() => undefined);
  await Promise.race([work, died, stopped]);
}

interface BringUp {
  context: CliContext;
  dir: DataDir;
  steps: Steps;
  git: string;
  source: ResolvedPattern;
  timeoutMs: number;
  ports: Ports;
  kubeconfig: string;
  json: boolean;
}

async function bringUpPattern(work: BringUp): Promise<void> {
  const { context, steps, ports, dir } = work;
  const deadline = AbortSignal.timeout(work.timeoutMs);
  const signal = AbortSignal.any([deadline, context.stop]);
  const connection = await connect(work.kubeconfig);
  const { client } = connection;
  let waitingFor = "the components";
  try {
    const repoUrl = work.source.kind === "url" ? work.source.url : IN_CLUSTER_REPO_URL;
    const credentials = await steps.run(
      "Components",
      () => installComponents(client, IN_CLUSTER_REPO_URL, signal),
      () => "git-server, gitops",
    );
    waitingFor = "the git-server";
    const server = await steps.run(
      "Git server",
      () => waitForGitServer(client, ports, context.wait, signal),
      (row) => row.url,
    );
    await writeGitCredentials(dir, credentials, [server.url, server.local]);
    if (work.source.kind === "directory") {
      const { directory } = work.source;
      await steps.run(
        "Repository",
        () => seed(work.git, server.local, credentials, directory, signal),
        (result) =>
          result.state === "seeded"
            ? `seeded from ${path.relative(context.cwd, directory) || directory}`
            : "as it was left",
      );
    }
    const pattern: PatternSource = {
      repoUrl,
      revision: work.source.kind === "url" ? work.source.revision : BRANCH,
    };
    await applyRootApplication(client, pattern, signal);
    waitingFor = "the applications";
    await steps.run(
      "Applications",
      async (update) => {
        const seen = await waitForApplications(
          client,
          "pattern",
          (detail) => {
            waitingFor = detail;
            update(detail);
          },
          signal,
        );
        signal.throwIfAborted();
        return seen;
      },
      (objects) => summarize(objects.values()),
    );
    await sayDone(work, client, server.url);
  } catch (error) {
    if (deadline.aborted && !context.stop.aborted)
      throw timedOut("bringing the pattern up", work.timeoutMs / 1000, waitingFor);
    throw error;
  } finally {
    connection.close();
  }
}

async function sayDone(work: BringUp, client: KubeClient, gitUrl: string): Promise<void> {
  const urls = await collectUrls(client, work.ports);
  if (work.json) {
    work.context.stdout(`${JSON.stringify({ event: "ready", kubeconfig: work.kubeconfig, urls })}\n`);
    return;
  }
  work.context.stderr.write(
    farewell({
      urls,
      kubeconfig: work.kubeconfig,
      gitUrl,
      gitCredentials: work.dir.gitCredentials,
      color: terminalOf(work.context.stderr, work.context.env).color,
      inCluster: work.source.kind === "directory",
    }),
  );
}

/** Until Ctrl-C (then an orderly stop) or until the cluster ends by itself. */
async function stay(cluster: ClusterProcess, context: CliContext, dir: DataDir): Promise<void> {
  const stopped = new Promise<"stop">((resolve) => {
    if (context.stop.aborted) resolve("stop");
    context.stop.addEventListener("abort", () => resolve("stop"), { once: true });
  });
  const outcome = await Promise.race([stopped, cluster.exited]);
  if (outcome === "stop") return stopInOrder(cluster, context);
  // `travelops down` from elsewhere ends the cluster in order: that is no failure of ours.
  if (outcome !== "exit code 0")
    throw clusterFailed(`the cluster ended unexpectedly (${outcome})`, dir.clusterLog("hub"));
}

async function stopInOrder(cluster: ClusterProcess, context: CliContext): Promise<void> {
  context.stderr.write("\nStopping (again Ctrl-C: at once) …\n");
  context.force.addEventListener("abort", () => cluster.kill(), { once: true });
  if (context.force.aborted) cluster.kill();
  await cluster.stop();
  context.stderr.write("  ✓ stopped; the state is kept for the next up\n");
}

type ResolvedPattern =
  | { kind: "directory"; directory: string }
  | { kind: "url"; url: string; revision: string };

const REMOTE = /^(https?|ssh|git|file):\/\//;

async function patternSource(options: UpOptions): Promise<ResolvedPattern> {
  const given = options.pattern;
  if (given !== undefined && (REMOTE.test(given) || /^[\w.-]+@[\w.-]+:/.test(given)))
    return { kind: "url", url: given, revision: options.revision };
  const directory = path.resolve(given ?? path.join(ROOT, "pattern"));
  const found = await stat(path.join(directory, "apps")).catch(() => undefined);
  if (!found?.isDirectory())
    throw patternUnusable(given ?? directory, "it has no folder apps/ with the pattern's Applications");
  return { kind: "directory", directory };
}

function askedPorts(options: UpOptions): Partial<Ports> {
  const port = (text: string | undefined, flag: string): number | undefined => {
    if (text === undefined) return undefined;
    const value = Number(text);
    if (!Number.isInteger(value) || value < 1 || value > 65535)
      throw new CliError("BAD_PORT", 2, `${flag}: "${text}" is no port (1 to 65535)`);
    return value;
  };
  const asked = {
    api: port(options.apiPort, "--api-port"),
    http: port(options.httpPort, "--http-port"),
    https: port(options.httpsPort, "--https-port"),
  };
  return Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
}

function clusterOptions(
  context: CliContext,
  dir: DataDir,
  options: UpOptions,
  ports: Ports,
  source: ResolvedPattern,
) {
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
    detach: options.detach === true,
    env: context.env,
    signal: context.stop,
  };
}

/** `90s`, `2m`, `1h`, `500ms`, or plain seconds → milliseconds. */
export function parseDuration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text);
  const unit = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }[match?.[2] ?? "s"] ?? 1000;
  if (match === null) throw new CliError("BAD_DURATION", 2, `"${text}" is no duration: write 90s, 2m or 1h`);
  return Number(match[1]) * unit;
}
