/** Starts git, helm or kubectl with an argument list (never a shell) and a bounded time. */
import { execFile } from "node:child_process";

export interface ToolResult {
  stdout: string;
  stderr: string;
}

export class ToolError extends Error {
  readonly tool: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | undefined;
  constructor(tool: string, { stdout, stderr }: ToolResult, exitCode: number | undefined, message: string) {
    super(message);
    this.name = "ToolError";
    this.tool = tool;
    this.stdout = stdout;
    this.stderr = stderr;
    this.exitCode = exitCode;
  }
}

export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  signal?: AbortSignal;
  timeoutMs?: number;
}

/** As Argo CD's ARGOCD_EXEC_TIMEOUT. */
const TIMEOUT_MS = 90_000;
const MAX_OUTPUT = 64 << 20;

export type RunTool = (tool: string, args: readonly string[], options?: RunOptions) => Promise<ToolResult>;

export const runTool: RunTool = (tool, args, options = {}) =>
  new Promise((resolve, reject) => {
    const child = execFile(
      tool,
      [...args],
      {
        cwd: options.cwd,
        env: { PATH: process.env["PATH"] ?? "/usr/bin:/bin", LC_ALL: "C", ...options.env },
        maxBuffer: MAX_OUTPUT,
        timeout: options.timeoutMs ?? TIMEOUT_MS,
        signal: options.signal,
      },
      (error, stdout, stderr) => {
        if (error === null) return resolve({ stdout, stderr });
        const name = tool.split("/").at(-1) ?? tool;
        const code = typeof error.code === "number" ? error.code : undefined;
        reject(new ToolError(name, { stdout, stderr }, code, explain(name, error, stderr)));
      },
    );
    child.stdin?.end();
  });

function explain(name: string, error: Error & { killed?: boolean; code?: unknown }, stderr: string): string {
  if (error.code === "ENOENT") return `${name} is not installed where the gitops controller runs`;
  if (error.killed === true) return `${name} took too long and was ended`;
  const said = stderr.trim();
  return said === "" ? `${name} failed: ${error.message}` : `${name}: ${said}`;
}
