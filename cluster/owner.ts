/** A cluster that another process answers for, which is not its parent: it ends when that one is gone. */
import { isRunning, type ProcessId } from "./process-table.ts";

const LOOK_MS = 500;

/** `PID:START`, as one argument. */
export const formatOwner = ({ pid, pidStart }: ProcessId): string => `${pid}:${pidStart}`;

export function parseOwner(text: string): ProcessId {
  const match = /^(\d+):(\d*)$/.exec(text);
  if (match === null) throw new Error(`--owner: "${text}" is not PID:START`);
  return { pid: Number(match[1]), pidStart: match[2] ?? "" };
}

/** Calls `gone` once, soon after the owner has ended, however it ended. */
export function watchOwner(owner: ProcessId, gone: () => void): void {
  const timer = setInterval(() => {
    if (isRunning(owner)) return;
    clearInterval(timer);
    gone();
  }, LOOK_MS);
  timer.unref();
}
