/**
 * Where this machine lets us have control groups, found by making one: below our own group first, then further up. Under
 * systemd that is a slice of the user, as root any; in version 1 the controllers may each be somewhere else.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { dirname, join } from "node:path";

export type Controller = "memory" | "cpu" | "pids";

/** A directory of our own for each controller that can be had. */
export interface ControlGroupBases {
  readonly version: 1 | 2;
  readonly memory?: string;
  readonly cpu?: string;
  readonly pids?: string;
}

const CONTROLLERS: readonly Controller[] = ["memory", "cpu", "pids"];
const OURS = /^travelops-.+-(\d+)$/;

/** `name` distinguishes this cluster's groups; the process id in it tells later who has left some behind. */
export const groupName = (clusterId: string, pid: number = process.pid): string => `travelops-${clusterId}-${pid}`;

interface Place {
  /** Where the hierarchy is mounted, and our own group in it. */
  readonly mount: string;
  readonly own: string;
}

/** Undefined where there are none for us. `proc` is /proc/self but in tests. */
export function findControlGroups(name: string, proc = "/proc/self"): ControlGroupBases | undefined {
  if (!existsSync(join(proc, "cgroup"))) return undefined;
  const places = hierarchies(readFileSync(join(proc, "mountinfo"), "utf8"), readFileSync(join(proc, "cgroup"), "utf8"));
  const unified = places.get("");
  const second = unified === undefined ? undefined : makeUnified(unified, name);
  if (second !== undefined) return second;
  const found: Partial<Record<Controller, string>> = {};
  for (const controller of CONTROLLERS) {
    const place = places.get(controller);
    const made = place === undefined ? undefined : makeOwn(place, name);
    if (made !== undefined) found[controller] = made;
  }
  return Object.keys(found).length === 0 ? undefined : { version: 1, ...found };
}

/** By controller; "" is the unified hierarchy (cgroups(7)). */
function hierarchies(mountInfo: string, ownGroups: string): Map<string, Place> {
  const own = new Map<string, string>();
  for (const line of ownGroups.split("\n")) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    for (const controller of controllers?.split(",") ?? []) own.set(controller, path ?? "/");
  }
  const found = new Map<string, Place>();
  for (const line of mountInfo.split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root = "/", point = ""] = before.split(" ");
    const [type, , options = ""] = after.split(" ");
    if (type !== "cgroup" && type !== "cgroup2") continue;
    for (const controller of type === "cgroup2" ? [""] : options.split(",")) {
      const path = own.get(controller);
      if (path === undefined || found.has(controller)) continue;
      const below = root !== "/" && path.startsWith(root) ? path.slice(root.length) : path;
      found.set(controller, { mount: point, own: below.startsWith("/..") ? "/" : below });
    }
  }
  return found;
}

/** Our own group and those above it, nearest first. */
function upwards({ mount, own }: Place): string[] {
  const all: string[] = [];
  for (let path = own === "" ? "/" : own; ; path = dirname(path)) {
    all.push(join(mount, path));
    if (path === "/") return all;
  }
}

function makeOwn(place: Place, name: string): string | undefined {
  for (const parent of upwards(place)) {
    const directory = join(parent, name);
    if (makeDirectory(directory)) return directory;
  }
  return undefined;
}

function makeUnified(place: Place, name: string): ControlGroupBases | undefined {
  for (const parent of upwards(place)) {
    const directory = join(parent, name);
    if (!makeDirectory(directory)) continue;
    // Refused where processes stand in the group itself, but for the root; then one further up may offer them already.
    if (!offers(directory)) enable(parent);
    if (offers(directory)) {
      enable(directory);
      const at = (controller: Controller): Partial<ControlGroupBases> =>
        controllersOf(directory).includes(controller) ? { [controller]: directory } : {};
      return { version: 2, ...at("memory"), ...at("cpu"), ...at("pids") };
    }
    rmdirSync(directory);
  }
  return undefined;
}

const controllersOf = (directory: string): string[] => {
  try {
    return readFileSync(join(directory, "cgroup.controllers"), "utf8").trim().split(" ");
  } catch {
    return [];
  }
};

const offers = (directory: string): boolean => {
  const all = controllersOf(directory);
  return all.includes("memory") && all.includes("pids");
};

function enable(directory: string): void {
  for (const controller of CONTROLLERS) {
    try {
      writeFileSync(join(directory, "cgroup.subtree_control"), `+${controller}`);
    } catch {
      // Not to be had here.
    }
  }
}

function makeDirectory(path: string): boolean {
  try {
    mkdirSync(path, { recursive: true });
    return true;
  } catch {
    return false;
  }
}

const directoriesOf = ({ memory, cpu, pids }: ControlGroupBases): string[] => [
  ...new Set([memory, cpu, pids].filter((one) => one !== undefined)),
];

/** Takes our groups away; their last processes may still be ending. */
export async function releaseControlGroups(bases: ControlGroupBases): Promise<void> {
  for (let round = 0; round < 200; round++) {
    if (directoriesOf(bases).map(removeTree).every(Boolean)) return;
    await sleep(10);
  }
}

/** Takes away what clusters have left that were killed. */
export function removeStaleGroups(bases: ControlGroupBases, isAlive: (pid: number) => boolean = alive): void {
  for (const base of directoriesOf(bases)) {
    const parent = dirname(base);
    for (const name of subdirectories(parent)) {
      const pid = OURS.exec(name)?.[1];
      if (pid !== undefined && !isAlive(Number(pid))) removeTree(join(parent, name));
    }
  }
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

function subdirectories(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

/** The files in a group are the kernel's: an empty group goes by rmdir alone. */
function removeTree(directory: string): boolean {
  for (const name of subdirectories(directory)) removeTree(join(directory, name));
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
