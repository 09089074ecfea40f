/** What the kernel says of a process; /proc where there is one. */
import { readFileSync } from "node:fs";

/** A process beyond doubt: a pid alone may be another's by now. */
export interface ProcessId {
  readonly pid: number;
  /** Start time in the kernel's clock, as text; "" where the system does not tell. */
  readonly pidStart: string;
}

/** A zombie is not alive. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
  return statFields(pid)?.[0] !== "Z";
}

/** Start time in clock ticks since boot, as text; "" where the system does not tell. */
export const startOf = (pid: number): string => statFields(pid)?.[19] ?? "";

export const processId = (pid: number): ProcessId => ({ pid, pidStart: startOf(pid) });

/** Whether that very process still runs. */
export const isRunning = ({ pid, pidStart }: ProcessId): boolean =>
  pid > 0 && isAlive(pid) && startOf(pid) === pidStart;

function statFields(pid: number): string[] | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold spaces: fields are counted after it.
    return text.slice(text.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined;
  }
}
