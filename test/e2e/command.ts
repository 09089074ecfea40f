/** The `travelops` command as a child process, in an environment of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import path from "node:path";

export const ROOT = path.join(import.meta.dirname, "..", "..");
const ENTRY = path.join(import.meta.dirname, "command-entry.ts");
const NODE = path.join(ROOT, "node_modules", ".bin", "node");

/** A command that says nothing for longer hangs. */
const LIMIT_MS = 90_000;

export interface CommandOptions {
  readonly dataDir: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Another user, where the test runs as root. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCommand {
  readonly child: ChildProcess;
  readonly outcome: Promise<Outcome>;
  /** What it wrote so far. */
  stdout(): string;
  /** Resolves once `text` was written to stderr. */
  said(text: string): Promise<void>;
}

/** What a user's shell has, and nothing of the test runner's. */
export function plainEnvironment(further: Readonly<Record<string, string>> = {}): Record<string, string> {
  return {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: process.env["HOME"] ?? "/",
    LANG: "C.UTF-8",
    NODE_COMPILE_CACHE: path.join(ROOT, "node_modules", ".cache", "travelops", "compile"),
    ...further,
  };
}

export function startCommand(args: readonly string[], options: CommandOptions): RunningCommand {
  const child = spawn(NODE, [ENTRY, "--data-dir", options.dataDir, ...args], {
    cwd: options.cwd ?? ROOT,
    env: plainEnvironment(options.env),
    stdio: ["ignore", "pipe", "pipe"],
    ...options.user,
  });
  const written = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name]?.setEncoding("utf8").on("data", (text: string) => {
      written[name] += text;
    });
  const limit = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  const outcome = new Promise<Outcome>((resolve, reject) => {
    child.once("error", reject);
    // Not `close`: a detached cluster must not keep us waiting.
    child.once("exit", (code, signal) => {
      clearTimeout(limit);
      setImmediate(() => resolve({ code: code ?? (signal === "SIGINT" ? 130 : 1), ...written }));
    });
  });
  return {
    child,
    outcome,
    stdout: () => written.stdout,
    said: (text) => untilSaid(child, outcome, () => written.stderr.includes(text), text),
  };
}

function untilSaid(child: ChildProcess, outcome: Promise<Outcome>, heard: () => boolean, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = (): void => {
      if (heard()) resolve();
    };
    child.stderr?.on("data", look);
    look();
    outcome.then(({ stderr }) => reject(new Error(`it ended without saying "${text}":\n${stderr}`))).catch(reject);
  });
}

export const command = (args: readonly string[], options: CommandOptions): Promise<Outcome> =>
  startCommand(args, options).outcome;
