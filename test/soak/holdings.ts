/** What a running cluster holds of the machine, counted: what is made for a pod has to be gone with it. */
import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import path from "node:path";
import { descendantsOf } from "../crash/process-tree.ts";

export interface Holdings {
  readonly processes: number;
  /** Open files and sockets of the cluster process, of podhost and of the dataplane, by what they are. */
  readonly descriptors: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly mounts: number;
  readonly interfaces: number;
  /** Sockets that listen in the pods' network. */
  readonly listeners: number;
  readonly podDirectories: number;
  readonly sandboxFiles: number;
  readonly controlGroups: number;
}

export function holdingsOf(cluster: number, dataDir: string, apiPort: number): Holdings {
  const family = descendantsOf(cluster);
  const named = (file: string): number =>
    family.findLast(({ command }) => command.includes(file) && !/^\S*sh\s|^\S*unshare\s|^\S*setpriv\s/.test(command))
      ?.pid ?? 0;
  const podhost = named("podhost.cjs");
  const inside = path.join(dataDir, "kubelet", "inside");
  return {
    processes: family.length,
    descriptors: {
      cluster: descriptorsOf(cluster, clientsOf(apiPort)),
      podhost: descriptorsOf(podhost),
      dataplane: descriptorsOf(named("dataplane")),
    },
    // In the bare sandbox these are the machine's, of which others make use as well.
    mounts: isOwn(podhost, "mnt") ? lines(`/proc/${podhost}/mountinfo`) : 0,
    interfaces: isOwn(podhost, "net") ? lines(`/proc/${podhost}/net/dev`) : 0,
    listeners: isOwn(podhost, "net") ? listenersOf(podhost) : 0,
    podDirectories: podDirectories(dataDir),
    // Seen through podhost's own mounts: there the sandbox keeps its handles.
    sandboxFiles: ["net", "uts", "ipc", "pods"]
      .map((name) => count(`/proc/${podhost}/root${path.join(inside, name)}`))
      .reduce((a, b) => a + b, 0),
    controlGroups: controlGroupsOf(cluster),
  };
}

const isOwn = (pid: number, kind: string): boolean =>
  readlinkSync(`/proc/${pid}/ns/${kind}`) !== readlinkSync(`/proc/self/ns/${kind}`);

const listenersOf = (pid: number): number =>
  readFileSync(`/proc/${pid}/net/tcp`, "latin1")
    .split("\n")
    .filter((line) => line.split(/\s+/)[4] === "0A").length;

export function podDirectories(dataDir: string): number {
  const nodes = path.join(dataDir, "kubelet", "pods");
  return readdirSync(nodes)
    .map((node) => count(path.join(nodes, node)))
    .reduce((a, b) => a + b, 0);
}

/** Groups of pods and containers below those of this cluster process. */
export function controlGroupsOf(cluster: number): number {
  const bases = ["", "memory", "pids", "cpu"].map((name) => path.join("/sys/fs/cgroup", name)).filter(existsSync);
  return bases.flatMap((base) => groupsBelow(base)).filter((name) => ownBelow(name, cluster)).length;
}

/** The `cgroup.procs` of a tree in which other programs' groups come and go while it is read. */
function groupsBelow(directory: string): string[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    const own = entries.filter((entry) => entry.name === "cgroup.procs").map(({ name }) => path.join(directory, name));
    const below = entries.filter((entry) => entry.isDirectory()).map(({ name }) => path.join(directory, name));
    return [...own, ...below.flatMap(groupsBelow)];
  } catch (error) {
    if (["ENOENT", "ENODEV"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
    throw error;
  }
}

const ownBelow = (name: string, cluster: number): boolean =>
  name.includes(`-${cluster}/`) && name.includes("travelops-") && name.endsWith("cgroup.procs");

/** Sockets of those who are connected to the API: how many there are is their affair. */
function clientsOf(port: number): ReadonlySet<string> {
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const rows = ["tcp", "tcp6"].flatMap((name) => readFileSync(`/proc/net/${name}`, "latin1").split("\n"));
  return new Set(
    rows
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local = "", , state]) => local.endsWith(`:${hex}`) && state !== "0A")
      .map((fields) => `socket:[${fields[9]}]`),
  );
}

function descriptorsOf(pid: number, except: ReadonlySet<string> = new Set()): Record<string, number> {
  const found: Record<string, number> = {};
  const directory = `/proc/${pid}/fd`;
  for (const name of readdirSync(directory).toSorted())
    try {
      const link = readlinkSync(path.join(directory, name));
      if (except.has(link)) continue;
      const kind = link.replace(/\d+/g, "N");
      found[kind] = (found[kind] ?? 0) + 1;
    } catch {
      // Closed in the meantime.
    }
  return found;
}

const count = (directory: string): number => {
  try {
    return readdirSync(directory).length;
  } catch {
    return 0;
  }
};

const lines = (file: string): number => readFileSync(file, "latin1").split("\n").length;
