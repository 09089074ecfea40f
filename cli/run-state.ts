/** Which process holds a data directory, and what it serves: `run.json`, removed when it ends in order. */
import { readFile, rm } from "node:fs/promises";
import { isRunning, type ProcessId } from "@travelops/cluster/process-table";
import type { DataDir } from "./data-dir.ts";
import { alreadyRunning } from "./errors.ts";
import { replaceJson, replaceOrOverwriteJson } from "./replace-file.ts";
import { withStateLock } from "./state-lock.ts";

export const HUB = "hub";

export interface ClusterRun extends ProcessId {
  readonly name: string;
  /** `stopping`: somebody ends it on purpose. Whether `running` is still true, its process tells. */
  readonly state: "starting" | "running" | "stopping" | "failed";
  /** Why it failed. */
  readonly message?: string;
  readonly apiServer: string;
  readonly kubeconfig: string;
  readonly ingress: { readonly http: number; readonly https: number };
  readonly sandbox: string;
  readonly sandboxNote: string;
}

/** The process that answers for all: the foreground `up`, or the hub itself once detached. */
export interface RunState extends ProcessId {
  readonly startedAt: string;
  /** Decides whether managed clusters end with the holder. */
  readonly mode: "foreground" | "detached";
  /** From now on everything is being stopped: nothing more may start. */
  readonly closing: boolean;
  readonly images: { readonly unknown: string; readonly file?: string };
  readonly clusters: readonly ClusterRun[];
}

export async function readRunState(dir: DataDir): Promise<RunState | undefined> {
  const text = await readFile(dir.runFile, "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as RunState;
  } catch {
    return undefined;
  }
}

/** The state only while one of its processes lives; a file left by a crash counts as nothing. */
export async function liveRunState(dir: DataDir): Promise<RunState | undefined> {
  const state = await readRunState(dir);
  return state !== undefined && [state, ...state.clusters].some(isRunning) ? state : undefined;
}

/**
 * Reads, changes and writes the state as one step among all commands. Without a state, and where `change` gives
 * undefined, nothing is written. What it gives back is what stands now.
 */
export function changeRunState(
  dir: DataDir,
  change: (state: RunState) => RunState | undefined | Promise<RunState | undefined>,
): Promise<RunState | undefined> {
  return withStateLock(dir, async () => {
    const before = await readRunState(dir);
    const after = before === undefined ? undefined : await change(before);
    if (after !== undefined) await replaceOrOverwriteJson(dir.runFile, after);
    return after ?? before;
  });
}

/** The state with `cluster` in it, in the place of one of its name. */
export const withCluster = (state: RunState, cluster: ClusterRun): RunState => ({
  ...state,
  clusters: state.clusters.some((each) => each.name === cluster.name)
    ? state.clusters.map((each) => (each.name === cluster.name ? cluster : each))
    : [...state.clusters, cluster],
});

export const withoutCluster = (state: RunState, name: string): RunState => ({
  ...state,
  clusters: state.clusters.filter((each) => each.name !== name),
});

/** Takes the directory for this process, or says who has it. Gives what a crashed one left running. */
export function claim(dir: DataDir, state: RunState): Promise<ClusterRun[]> {
  return withStateLock(dir, async () => {
    const before = await readRunState(dir);
    const running = before?.clusters.filter(isRunning) ?? [];
    // The hub of a foreground `up` that was killed is about to end; a detached one goes on.
    const hub = before?.mode === "detached" ? running.find((each) => each.name === HUB) : undefined;
    const holder = before !== undefined && isRunning(before) ? before : hub;
    if (holder !== undefined) throw alreadyRunning(dir.root, holder.pid);
    await replaceJson(dir.runFile, state);
    return running;
  });
}

/** Removes the state, unless another process holds it by now. */
export function release(dir: DataDir): Promise<void> {
  return withStateLock(dir, async () => {
    const state = await readRunState(dir);
    if (state !== undefined && state.pid !== process.pid && [state, ...state.clusters].some(isRunning)) return;
    await rm(dir.runFile, { force: true });
  });
}
