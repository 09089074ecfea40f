/** What commands use of the process they run in; handed in, so that tests can stand in for it. */
import type { DataDir } from "./data-dir.ts";

export interface GlobalOptions {
  dataDir?: string;
}

export interface CliContext {
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  now(): number;
  stdout(text: string): void;
  stderr: NodeJS.WriteStream;
  dataDir(options: GlobalOptions): DataDir;
  setExit(code: number): void;
  wait(ms: number, signal?: AbortSignal): Promise<void>;
  /** Aborts at the first Ctrl-C, SIGTERM or SIGHUP. */
  readonly stop: AbortSignal;
  /** Aborts at a second one that comes later. */
  readonly force: AbortSignal;
}
