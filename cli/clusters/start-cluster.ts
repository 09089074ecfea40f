/** The one way a cluster starts, the hub and every other: choices kept, process launched, told in run.json. */
import { isRunning } from "@travelops/cluster/process-table";
import { launchCluster, type ClusterProcess, type ClusterProcessOptions } from "../cluster-process.ts";
import type { CliContext } from "../context.ts";
import type { DataDir } from "../data-dir.ts";
import { CliError, clusterExists, notRunning, settingsMissing, stoppedElsewhere } from "../errors.ts";
import { changeRunState, HUB, readRunState, withCluster, type ClusterRun, type RunState } from "../run-state.ts";
import { withStateLock } from "../state-lock.ts";
import { ROOT } from "../tools.ts";
import { publishKubeconfig } from "./kubeconfigs.ts";
import { clearDeleted, removeCluster } from "./remove-cluster.ts";
import {
  chooseIndex,
  choosePorts,
  hasState,
  keepSettings,
  readSettings,
  settingsOfOthers,
  type ClusterSettings,
  type Ports,
} from "./settings.ts";

export interface ClusterStart {
  readonly context: CliContext;
  readonly dir: DataDir;
  readonly name: string;
  /** What is not named stays as it was the last time. */
  readonly wanted: Partial<Pick<ClusterSettings, "nodes" | "sandbox">>;
  readonly askedPorts: Partial<Ports>;
  /** A port of this machine that its pods may reach. */
  readonly hostPort?: number;
}

export interface StartedCluster {
  readonly process: ClusterProcess;
  readonly settings: ClusterSettings;
}

const DEFAULTS = { nodes: 2, sandbox: "auto" };
const TRIES = 5;
const TAKEN = /EADDRINUSE|no free port/;

/**
 * Resolves once its API answers. A port that was free a moment ago may be taken by now: then others are chosen, unless
 * these were asked for. A managed cluster that fails at its very first start leaves nothing behind.
 */
export async function startCluster(start: ClusterStart): Promise<StartedCluster> {
  let first = false;
  for (let attempt = 1; ; attempt++) {
    const { settings, fresh, chosen } = await reserve(start, first);
    first = fresh;
    try {
      return { process: await launch(start, settings), settings };
    } catch (error) {
      const taken = error instanceof CliError && TAKEN.test(error.message);
      if (taken && chosen && attempt < TRIES) continue;
      if (first && start.name !== HUB) await removeCluster(start.dir, start.name);
      throw error;
    }
  }
}

interface Reserved {
  readonly settings: ClusterSettings;
  /** There was no such cluster before. */
  readonly fresh: boolean;
  readonly chosen: boolean;
}

/** `again`: what was chosen a moment ago is to be chosen anew. */
function reserve({ dir, name, wanted, askedPorts }: ClusterStart, again: boolean): Promise<Reserved> {
  return withStateLock(dir, async () => {
    const run = await readRunState(dir);
    if (run === undefined) throw notRunning(dir.root);
    mayStart(dir, run, name);
    const before = await readSettings(dir, name);
    const fresh = again || before === undefined;
    const others = fresh ? await settingsOfOthers(dir, name) : [];
    const { ports, chosen } = await choosePorts({
      name,
      asked: askedPorts,
      kept: fresh ? undefined : before.ports,
      others,
    });
    const index = name === HUB ? 0 : (before?.index ?? chooseIndex(others.map((each) => each.index)));
    const settings = { ...DEFAULTS, ...before, ...wanted, index, ports };
    if (before === undefined) await checkNoState(dir, name);
    await keepSettings(dir, name, settings);
    return { settings, fresh, chosen };
  });
}

/** State whose choices got lost is somebody's: only the hub's, which are always the same, can be made again. */
async function checkNoState(dir: DataDir, name: string): Promise<void> {
  await clearDeleted(dir, name);
  if (name === HUB) return;
  if (await hasState(dir, name)) throw settingsMissing(name, dir.clusterSettings(name));
}

async function launch(start: ClusterStart, settings: ClusterSettings): Promise<ClusterProcess> {
  const { context, dir, name } = start;
  const { promise: started, resolve } = Promise.withResolvers<ClusterProcess>();
  // It may fail (Ctrl-C) while run.json is still being written, before anybody waits for it.
  started.catch(() => undefined);
  // Launched and told as one step: a process that nobody knows of could not be stopped.
  const state = await changeRunState(dir, async (run) => {
    mayStart(dir, run, name);
    const launched = await launchCluster(processOptions(start, settings, run));
    resolve(launched.started);
    return withCluster(run, { ...launched.id, ...whileStarting(dir, name, settings) });
  });
  if (state === undefined) throw notRunning(dir.root);
  try {
    const cluster = await started;
    await publishKubeconfig(dir, cluster.ready.kubeconfig);
    await tellOutcome(start, {
      state: "running",
      sandbox: cluster.ready.sandbox,
      sandboxNote: cluster.ready.sandboxNote,
    });
    return cluster;
  } catch (error) {
    const run = await tellOutcome(start, { state: "failed", message: reasonOf(error) });
    if (!context.stop.aborted && run?.clusters.find((each) => each.name === name)?.state === "stopping")
      throw stoppedElsewhere();
    throw error;
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** For a cluster that could not even be launched. */
export async function tellNotStarted(dir: DataDir, name: string, error: unknown): Promise<void> {
  const settings = await readSettings(dir, name).catch(() => undefined);
  const none = { ports: { api: 0, http: 0, https: 0 } };
  const row = { ...whileStarting(dir, name, settings ?? none), pid: 0, pidStart: "" };
  await changeRunState(dir, (run) =>
    run.closing || run.clusters.some((each) => each.name === name)
      ? undefined
      : withCluster(run, { ...row, state: "failed", message: reasonOf(error) }),
  );
}

function mayStart(dir: DataDir, run: RunState, name: string): void {
  const living = run.mode === "foreground" ? isRunning(run) : [run, ...run.clusters].some(isRunning);
  if (!living || run.closing) throw notRunning(dir.root);
  if (run.clusters.some((each) => each.name === name && isRunning(each))) throw clusterExists(name);
}

function processOptions(start: ClusterStart, settings: ClusterSettings, run: RunState): ClusterProcessOptions {
  const { dir, name, context } = start;
  const holder = name === HUB ? "parent" : { pid: run.pid, pidStart: run.pidStart };
  return {
    name,
    ...settings,
    dir: dir.cluster(name),
    kubeconfig: dir.clusterKubeconfig(name),
    log: dir.clusterLog(name),
    unknownImages: run.images.unknown,
    ...(run.images.file === undefined ? {} : { imagesFile: run.images.file }),
    ...(start.hostPort === undefined ? {} : { hostPort: start.hostPort }),
    auditPolicy: dir.auditPolicy,
    mask: maskOf(dir),
    endsWith: run.mode === "foreground" ? holder : "none",
    env: context.env,
    signal: context.stop,
  };
}

/** All keys of all clusters, unless the directory holds our own programs, which pods run. */
const maskOf = (dir: DataDir): string => (ROOT.startsWith(`${dir.root}/`) ? dir.clusters : dir.root);

const whileStarting = (
  dir: DataDir,
  name: string,
  { ports }: Pick<ClusterSettings, "ports">,
): Omit<ClusterRun, "pid" | "pidStart"> => ({
  name,
  state: "starting",
  apiServer: `https://127.0.0.1:${ports.api}`,
  kubeconfig: dir.clusterKubeconfig(name),
  ingress: { http: ports.http, https: ports.https },
  sandbox: "",
  sandboxNote: "",
});

/** Nothing where it is being stopped: that is what counts then. */
function tellOutcome({ dir, name }: ClusterStart, outcome: Partial<ClusterRun>): Promise<RunState | undefined> {
  return changeRunState(dir, (run) => {
    const cluster = run.clusters.find((each) => each.name === name);
    return cluster?.state === "starting" ? withCluster(run, { ...cluster, ...outcome }) : undefined;
  });
}
