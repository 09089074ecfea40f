/** What the kernel says of processes (Linux): who descends from whom, and who is still alive. */
import { readdirSync, readFileSync } from "node:fs";

export interface ProcessInfo {
  readonly pid: number;
  readonly parent: number;
  /** Together with the pid names one process for good: pids are used again. */
  readonly started: string;
  readonly command: string;
}

/** Zombies count as dead: nothing of theirs runs. */
export function liveProcesses(): ProcessInfo[] {
  return readdirSync("/proc")
    .filter((entry) => /^\d+$/.test(entry))
    .flatMap((entry) => describe(Number(entry)) ?? []);
}

function describe(pid: number): ProcessInfo | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name in parentheses may hold spaces and parentheses itself.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state = "", parent = ""] = fields;
    if (state === "Z" || state === "X") return undefined;
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8").replaceAll("\0", " ").trim();
    return { pid, parent: Number(parent), started: fields[19] ?? "", command };
  } catch {
    return undefined;
  }
}

export function descendantsOf(root: number): ProcessInfo[] {
  const all = liveProcesses();
  const found = new Map<number, ProcessInfo>();
  const family = new Set([root]);
  for (let before = -1; before !== family.size;) {
    before = family.size;
    for (const one of all) {
      if (family.has(one.pid) || !family.has(one.parent)) continue;
      family.add(one.pid);
      found.set(one.pid, one);
    }
  }
  return [...found.values()];
}

/** Those of `known` that still run, and any process whose command line holds `marker`. */
export function survivors(known: readonly ProcessInfo[], marker: string): ProcessInfo[] {
  const identities = new Set(known.map((one) => `${one.pid} ${one.started}`));
  return liveProcesses().filter((one) => identities.has(`${one.pid} ${one.started}`) || one.command.includes(marker));
}
