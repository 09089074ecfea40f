/** Drives the real command, git and kubectl on a data directory, as a user does. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { toolPath } from "../tools.ts";

const run = promisify(execFile);
const ROOT = path.join(import.meta.dirname, "..", "..");

export interface UpResult {
  /** From starting the command to the dashboard's first 200. */
  readonly servingMs: number;
  /** The command's own steps, in milliseconds by name. */
  readonly steps: Readonly<Record<string, number>>;
  readonly kubeconfig: string;
  /** `http://127.0.0.1:PORT`, the git-server from here. */
  readonly gitServer: string;
}

interface UpEvent {
  readonly step?: string;
  readonly state?: string;
  readonly durationMs?: number;
  readonly event?: string;
  readonly kubeconfig?: string;
  readonly urls?: readonly { readonly name: string; readonly local?: string }[];
}

const travelops = (dataDir: string, ...args: string[]) =>
  run(process.execPath, [path.join(ROOT, "travelops"), "--data-dir", dataDir, ...args], {
    cwd: ROOT,
    maxBuffer: 1 << 24,
  });

/** `travelops up`, until the travel demo is synced, healthy and answers. */
export async function up(dataDir: string): Promise<UpResult> {
  const begin = performance.now();
  const { stdout } = await travelops(dataDir, "up", "--detach", "-o", "json");
  const events = stdout
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as UpEvent);
  const ready = events.find(({ event }) => event === "ready");
  const local = (name: string): string => {
    const url = ready?.urls?.find((one) => one.name === name)?.local;
    if (url === undefined) throw new Error(`up names no local URL of "${name}"`);
    return url;
  };
  await answers(local("control"));
  const steps = events.flatMap(({ step, state, durationMs }) =>
    step !== undefined && state === "done" ? [[step, durationMs ?? Number.NaN] as const] : [],
  );
  return {
    servingMs: performance.now() - begin,
    steps: Object.fromEntries(steps),
    kubeconfig: ready?.kubeconfig ?? "",
    gitServer: local("git"),
  };
}

async function answers(url: string): Promise<void> {
  const deadline = performance.now() + 30_000;
  while (performance.now() < deadline) {
    const status = await fetch(url).then(
      async (answer) => (await answer.arrayBuffer(), answer.status),
      () => 0,
    );
    if (status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`${url} did not answer within 30 s`);
}

/** Stops it in order; where that cannot be done, at once: a bench must leave nothing running. */
export async function down(dataDir: string): Promise<void> {
  const state = await readFile(path.join(dataDir, "run.json"), "utf8").catch(() => undefined);
  try {
    await travelops(dataDir, "down");
  } catch (error) {
    const { clusters = [] } = JSON.parse(state ?? "{}") as { clusters?: { pid: number }[] };
    for (const { pid } of clusters) process.kill(pid, "SIGKILL");
    throw error;
  }
}

/** The set-up, and whatever only the first start pays. */
export const setUp = () => run(process.execPath, [path.join(ROOT, "cli", "launcher", "set-up.cjs")], { cwd: ROOT });

export const kubectl = (kubeconfig: string, ...args: string[]) =>
  run(toolPath("kubectl"), ["--kubeconfig", kubeconfig, ...args]);

export interface Checkout {
  git(...args: string[]): Promise<unknown>;
  readonly directory: string;
}

/** A clone of the in-cluster repository, with the credentials that `up` left for its user. */
export async function clonePattern(dataDir: string, gitServer: string, directory: string): Promise<Checkout> {
  const helper = ["-c", `credential.helper=store --file=${path.join(dataDir, "git-credentials")}`];
  const env = {
    PATH: process.env["PATH"] ?? "",
    HOME: directory,
    GIT_TERMINAL_PROMPT: "0",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "bench",
    GIT_AUTHOR_EMAIL: "bench@example.com",
    GIT_COMMITTER_NAME: "bench",
    GIT_COMMITTER_EMAIL: "bench@example.com",
  };
  await run("git", [...helper, "clone", "--quiet", `${gitServer}/git/pattern.git`, directory], { env });
  return { directory, git: (...args) => run("git", [...helper, ...args], { cwd: directory, env }) };
}
