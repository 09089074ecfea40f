/** Runs the steps of a script with the real programs, in a directory and a namespace of its own. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { toolPath } from "../tools.ts";
import { matchLines, matchStart, substitute } from "./pattern.ts";
import type { Script, Step } from "./script.ts";
import { words } from "./words.ts";

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
  readonly code: number;
}

export interface Bench {
  /** Empty, and removed by whoever made it. */
  readonly directory: string;
  readonly kubeconfig: string;
  readonly variables: Map<string, string>;
}

/** Decides whether a step went as it should; throws what is wrong. */
export type Judge = (step: Step, output: Output, bench: Bench) => void;

const RETRY_MS = 30_000;
const STEP_MS = 60_000;
/** Stands for what is yet to be recorded. */
const UNKNOWN = "?";

interface Background {
  readonly child: ChildProcess;
  seen: string;
  errors: string;
}

export interface RunOptions {
  /** Steps that are run once whatever comes: those that are known to differ. */
  readonly once?: (step: Step) => boolean;
  /** What is tried again, and expected to print `?`, is given to the judge once it has stayed the same for so long. */
  readonly settleMs?: number;
}

/** Runs every step in order; `judge` sees each output. */
export async function runScript(script: Script, bench: Bench, judge: Judge, options: RunOptions = {}): Promise<void> {
  const running = new Map<string, Background>();
  try {
    for (const block of script.blocks) {
      if (block.type === "file") await writeInput(bench, block.path, block.content);
      else if (block.type === "step") await runStep(onceOnly(block, options), bench, judge, running, options);
    }
  } finally {
    await Promise.all([...running.values()].map(stop));
  }
}

function onceOnly(step: Step, { once }: RunOptions): Step {
  return step.kind === "retry" && once?.(step) === true ? { ...step, kind: "run" } : step;
}

async function writeInput(bench: Bench, name: string, content: string): Promise<void> {
  const file = path.join(bench.directory, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, substitute(content, bench.variables));
}

async function runStep(
  step: Step,
  bench: Bench,
  judge: Judge,
  running: Map<string, Background>,
  { settleMs }: RunOptions,
): Promise<void> {
  if (step.kind === "start") running.set(step.name, await start(step.command, bench));
  else if (step.kind === "await") await awaitOutput(step, bench, running, judge);
  else if (step.kind === "run") judge(step, await run(step.command, bench), bench);
  else if (settleMs === undefined) await retry(step, bench, judge);
  else judge(step, await settled(step, bench, settleMs), bench);
}

async function retry(step: Step, bench: Bench, judge: Judge): Promise<void> {
  const deadline = Date.now() + RETRY_MS;
  for (;;) {
    const output = await run(step.command, bench);
    try {
      return judge(step, output, bench);
    } catch (error) {
      if (Date.now() > deadline) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** What a command prints once that is as expected or, where it is yet to be recorded, has not changed for a while. */
async function settled(step: Step, bench: Bench, settleMs: number): Promise<Output> {
  const deadline = Date.now() + RETRY_MS;
  let since = Date.now();
  let last: Output | undefined;
  for (;;) {
    const output = await run(step.command, bench);
    const isKnown = step.stdout[0] !== UNKNOWN;
    if (isKnown && matchLines(step.stdout, output.stdout, bench.variables) !== undefined) return output;
    if (output.stdout !== last?.stdout) since = Date.now();
    last = output;
    if ((!isKnown && Date.now() - since > settleMs) || Date.now() > deadline) return output;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

/** Fails unless the output is as the step says; keeps what its placeholders name. */
export const strictJudge: Judge = (step, output, bench) => {
  const stdout = matchLines(step.stdout, output.stdout, bench.variables);
  const stderr = matchLines(step.stderr, causesInOrder(step.stderr, output.stderr, bench), bench.variables);
  if (stdout === undefined || stderr === undefined || output.code !== step.code) throw mismatch(step, output);
  for (const [name, value] of [...stdout, ...stderr]) bench.variables.set(name, value);
};

/** The causes of a refusal come in any order upstream (it walks maps), so they are put into the expected one. */
function causesInOrder(expected: readonly string[], text: string, bench: Bench): string {
  const lines = text.split("\n");
  const causes = lines.filter((line) => line.startsWith("* "));
  const sorted = expected
    .filter((line) => line.startsWith("* "))
    .flatMap((line) => {
      const at = causes.findIndex((cause) => matchLines([line], cause, bench.variables) !== undefined);
      return at === -1 ? [] : causes.splice(at, 1);
    });
  const ordered = [...sorted, ...causes];
  return lines
    .map((line) => (line.startsWith("* ") ? (ordered.shift() ?? line) : bracketedInOrder(line, expected, bench)))
    .join("\n");
}

const BRACKETED = /^(.* is invalid: \[)(.*)(\])$/;

/** The same for `… is invalid: [a, b]`; a cause may hold a comma itself, hence the parts are compared. */
function bracketedInOrder(line: string, expected: readonly string[], bench: Bench): string {
  const [, head = "", body = "", tail = ""] = BRACKETED.exec(line) ?? [];
  if (body === "") return line;
  const parts = body.split(", ").toSorted();
  const same = expected.find((wanted) => {
    const [, start = "", causes = ""] = BRACKETED.exec(wanted) ?? [];
    return (
      matchLines([start], head, bench.variables) !== undefined &&
      matchLines([causes.split(", ").toSorted().join(", ")], parts.join(", "), bench.variables) !== undefined
    );
  });
  return same === undefined ? line : `${head}${BRACKETED.exec(same)?.[2] ?? body}${tail}`;
}

function mismatch(step: Step, output: Output): Error {
  const show = (lines: readonly string[], mark = ""): string => lines.map((line) => `  ${mark}${line}\n`).join("");
  const shown = (text: string): string[] => (text === "" ? [] : text.replace(/\n$/, "").split("\n"));
  return new Error(
    `line ${step.line}: ${step.command}\nexpected (exit code ${step.code}):\n${show(step.stdout)}${show(step.stderr, "! ")}` +
      `but it printed (exit code ${output.code}):\n${show(shown(output.stdout))}${show(shown(output.stderr), "! ")}`,
  );
}

interface Invocation {
  readonly child: ChildProcess;
  readonly into: string | undefined;
}

async function invoke(command: string, bench: Bench): Promise<Invocation> {
  const { program, args, from, into } = words(command, (text) => substitute(text, bench.variables));
  const [file, given] = executable(program, args);
  const child = spawn(file, given, { cwd: bench.directory, env: environment(bench), stdio: "pipe" });
  child.stdin.on("error", () => undefined);
  child.stdin.end(from === undefined ? "" : await readFile(path.join(bench.directory, from)));
  return { child, into };
}

const WEBHOOK = path.join(import.meta.dirname, "webhook.ts");
const EDITOR = path.join(import.meta.dirname, "editor.ts");

function executable(program: string, args: readonly string[]): [file: string, args: readonly string[]] {
  if (program === "webhook") return [process.execPath, [WEBHOOK, ...args]];
  if (program === "kubectl" || program === "helm") return [toolPath(program), args];
  throw new Error(`a script runs kubectl, helm and webhook only, not ${program}`);
}

/** Caches and settings lie in the script's directory: nothing of the user's is read or written. */
function environment(bench: Bench): NodeJS.ProcessEnv {
  return {
    PATH: process.env["PATH"],
    KUBECONFIG: bench.kubeconfig,
    HOME: bench.directory,
    KUBE_EDITOR: `${process.execPath} ${EDITOR}`,
    KUBECACHEDIR: path.join(bench.directory, ".kube-cache"),
    HELM_CACHE_HOME: path.join(bench.directory, ".helm-cache"),
    HELM_CONFIG_HOME: path.join(bench.directory, ".helm-config"),
    HELM_DATA_HOME: path.join(bench.directory, ".helm-data"),
    TZ: "UTC",
    LANG: "C",
  };
}

async function run(command: string, bench: Bench): Promise<Output> {
  const { child, into } = await invoke(command, bench);
  const timer = setTimeout(() => child.kill("SIGKILL"), STEP_MS);
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const code = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (exit, signal) => resolve(exit ?? (signal === null ? 1 : 128)));
  });
  clearTimeout(timer);
  if (into === undefined) return { stdout, stderr, code };
  await writeFile(path.join(bench.directory, into), stdout);
  return { stdout: "", stderr, code };
}

async function start(command: string, bench: Bench): Promise<Background> {
  const { child } = await invoke(command, bench);
  const background: Background = { child, seen: "", errors: "" };
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (background.seen += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (background.errors += text));
  return background;
}

async function awaitOutput(step: Step, bench: Bench, running: Map<string, Background>, judge: Judge): Promise<void> {
  const background = running.get(step.name);
  if (background === undefined) throw new Error(`line ${step.line}: nothing was started as ${step.name}`);
  const deadline = Date.now() + RETRY_MS;
  for (;;) {
    const matched = matchStart(step.stdout, background.seen, bench.variables);
    if (matched !== undefined && step.stdout.length > 0) {
      background.seen = background.seen.slice(matched);
      return;
    }
    const ended = background.child.exitCode !== null;
    if (ended || step.stdout.length === 0 || Date.now() > deadline) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  if (step.stdout.length === 0) await new Promise((resolve) => setTimeout(resolve, 1000));
  judge(step, { stdout: background.seen, stderr: background.errors, code: 0 }, bench);
  background.seen = "";
}

async function stop({ child }: Background): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGKILL");
  await ended;
}
