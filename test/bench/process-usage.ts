/** What the kernel says a process uses (Linux). */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

const KB = 1024;
const MB = 1024 * 1024;

function field(text: string, name: string): number {
  return (Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? Number.NaN) * KB) / MB;
}

/** Megabytes resident: shared pages count in full. */
export const residentMb = (pid: number): number => field(readFileSync(`/proc/${pid}/status`, "utf8"), "VmRSS");

/** Megabytes of its own: shared pages count in part. NaN where the kernel does not tell. */
export function proportionalMb(pid: number): number {
  try {
    return field(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"), "Pss");
  } catch {
    return Number.NaN;
  }
}

let ticks: number | undefined;

/** Seconds of CPU time since its start, in user and kernel mode. */
export function cpuSeconds(pid: number): number {
  ticks ??= Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticks;
}
