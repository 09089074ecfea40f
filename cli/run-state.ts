/** Which process holds a data directory, and what it serves: `run.json`, removed when it ends in order. */
import { open, readFile, rename, rm, writeFile } from "node:fs/promises";
import type { DataDir } from "./data-dir.ts";
import { alreadyRunning, dataDirUnusable } from "./errors.ts";
import { isAlive, startOf } from "./process-table.ts";

export interface ClusterRun {
  name: string;
  pid: number;
  apiServer: string;
  kubeconfig: string;
  sandbox: string;
  sandboxNote: string;
  state: "starting" | "running";
}

export interface RunState {
  /** The process that answers for all (the foreground `up`, or the cluster itself once detached). */
  pid: number;
  /** Start time of `pid` in the kernel's clock: tells a reused pid. */
  pidStart: string;
  startedAt: string;
  ingress: { http: number; https: number };
  clusters: ClusterRun[];
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

export async function writeRunState(dir: DataDir, state: RunState): Promise<void> {
  const staged = `${dir.runFile}.${process.pid}`;
  await writeFile(staged, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  await rename(staged, dir.runFile);
}

/** The state only while its process lives; a file left by a crash counts as nothing. */
export async function liveRunState(dir: DataDir): Promise<RunState | undefined> {
  const state = await readRunState(dir);
  if (state === undefined) return undefined;
  const pids = [
    { pid: state.pid, start: state.pidStart },
    ...state.clusters.map((cluster) => ({ pid: cluster.pid, start: undefined })),
  ];
  return pids.some(({ pid, start }) => isAlive(pid) && (start === undefined || startOf(pid) === start))
    ? state
    : undefined;
}

/** Takes the directory for this process, or says who has it. */
export async function claim(dir: DataDir, state: RunState): Promise<void> {
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = await open(dir.runFile, "wx", 0o600);
      await file.writeFile(`${JSON.stringify(state, null, 2)}\n`);
      await file.close();
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw dataDirUnusable(dir.root, String(error));
    }
    const live = await liveRunState(dir);
    if (live !== undefined) throw alreadyRunning(dir.root, live.pid);
    await rm(dir.runFile, { force: true });
  }
  throw dataDirUnusable(dir.root, "another `travelops up` is starting in it");
}

export const release = (dir: DataDir): Promise<void> => rm(dir.runFile, { force: true });
