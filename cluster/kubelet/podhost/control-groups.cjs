"use strict";
/**
 * Control groups of pods and containers, version 2 or the controllers of version 1, below directories that the cluster
 * process has found (`../sandbox/control-groups.ts`). The layout is BASE/POD/CONTAINER; the first process of a container
 * writes itself into its groups before it becomes the container's command.
 */
const fs = require("node:fs");
const path = require("node:path");

const PERIOD_US = 100000;

/** Above what a container may hold it is killed, not swapped out. */
const WRITES = {
  1: {
    memory: (bytes) => [
      ["memory.limit_in_bytes", bytes],
      ["memory.memsw.limit_in_bytes", bytes],
    ],
    cpu: (milli) => [
      ["cpu.cfs_period_us", PERIOD_US],
      ["cpu.cfs_quota_us", milli === undefined ? -1 : quota(milli)],
    ],
    shares: (milli) => [["cpu.shares", shares(milli)]],
    pids: (count) => [["pids.max", count]],
  },
  2: {
    memory: (bytes) => [
      ["memory.max", bytes],
      ["memory.swap.max", 0],
      ["memory.oom.group", 1],
    ],
    cpu: (milli) => [["cpu.max", `${milli === undefined ? "max" : quota(milli)} ${PERIOD_US}`]],
    shares: (milli) => [["cpu.weight", 1 + Math.floor(((shares(milli) - 2) * 9999) / 262142)]],
    pids: (count) => [["pids.max", count]],
  },
};

const quota = (milli) => Math.max(1000, Math.round((milli * PERIOD_US) / 1000));
const shares = (milli) => Math.min(262144, Math.max(2, Math.floor((milli * 1024) / 1000)));

class ControlGroups {
  /** @param {{ version: 1 | 2, memory?: string, cpu?: string, pids?: string }} bases directory of each controller */
  constructor(bases) {
    this.bases = bases;
    this.directories = [...new Set([bases.memory, bases.cpu, bases.pids].filter(Boolean))];
    this.containers = new Map();
    this.leftover = new Set();
  }

  /**
   * Makes the groups of a container (and its pod's) and returns the files into which its first process writes itself.
   * @param {{ pod: string, name: string, limits: object, podLimits: object }} spec
   */
  make(key, { pod, name, limits, podLimits }) {
    const group = { pod, name, directories: new Set() };
    this.containers.set(key, group);
    for (const base of this.directories) {
      const podDirectory = path.join(base, pod);
      if (!fs.existsSync(podDirectory)) {
        fs.mkdirSync(podDirectory, { recursive: true });
        if (this.bases.version === 2) delegate(podDirectory);
        this.write(base, podDirectory, podLimits);
      }
      // Version 1 counts the processes of a whole pod in the pod's own group: one directory and one move less.
      const only = this.bases.version === 1 && !this.concerns(base, limits);
      const directory = only ? podDirectory : path.join(podDirectory, name);
      if (!only) {
        fs.mkdirSync(directory, { recursive: true });
        this.write(base, directory, limits);
      }
      group.directories.add(directory);
    }
    return [...group.directories].map((directory) => path.join(directory, "cgroup.procs"));
  }

  /** New limits for a container that runs. */
  change(key, limits) {
    const group = this.containers.get(key);
    if (group === undefined) return;
    for (const base of this.directories) {
      const directory = path.join(base, group.pod, group.name);
      if (group.directories.has(directory)) this.write(base, directory, limits);
    }
  }

  /** The files into which another process of a container writes itself. */
  filesOf(key) {
    return [...(this.containers.get(key)?.directories ?? [])].map((directory) => path.join(directory, "cgroup.procs"));
  }

  /** The container has ended: whether memory was why. */
  leave(key) {
    const group = this.containers.get(key);
    if (group === undefined) return false;
    this.containers.delete(key);
    let killed = false;
    for (const directory of group.directories) {
      if (path.basename(directory) === group.pod) continue;
      killed ||= oomKills(directory, this.bases.version) > 0;
      this.leftover.add(directory);
    }
    this.clean();
    return killed;
  }

  removePod(pod) {
    for (const base of this.directories) {
      for (const name of subdirectories(path.join(base, pod))) this.leftover.add(path.join(base, pod, name));
      this.leftover.add(path.join(base, pod));
    }
    this.clean();
  }

  /** Groups whose last processes are still dying go a moment later. */
  clean(tries = 50) {
    // A container's group before its pod's.
    for (const directory of [...this.leftover].sort((a, b) => b.length - a.length))
      if (removed(directory)) this.leftover.delete(directory);
    if (this.leftover.size === 0 || tries === 0 || this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.clean(tries - 1);
    }, 100).unref();
  }

  concerns(base, limits) {
    return (
      (base === this.bases.memory && limits.memoryBytes !== undefined) ||
      (base === this.bases.cpu && (limits.cpuMilli !== undefined || limits.sharesMilli !== undefined))
    );
  }

  write(base, directory, limits) {
    const kinds = WRITES[this.bases.version];
    const all = [
      ...(base === this.bases.memory && limits.memoryBytes !== undefined ? kinds.memory(limits.memoryBytes) : []),
      ...(base === this.bases.cpu && limits.cpuMilli !== undefined ? kinds.cpu(limits.cpuMilli) : []),
      ...(base === this.bases.cpu && limits.sharesMilli !== undefined ? kinds.shares(limits.sharesMilli) : []),
      ...(base === this.bases.pids && limits.pids !== undefined ? kinds.pids(limits.pids) : []),
    ];
    writeAll(directory, all);
  }
}

/** A limit of memory with swap must never be below that of memory alone: what is refused is tried again after the others. */
function writeAll(directory, all) {
  let left = all;
  for (let round = 0; round < 2 && left.length > 0; round++)
    left = left.filter(([file, value]) => !wrote(directory, file, value));
}

function wrote(directory, file, value) {
  const full = path.join(directory, file);
  if (!fs.existsSync(full)) return true;
  try {
    fs.writeFileSync(full, String(value));
    return true;
  } catch {
    return false;
  }
}

function oomKills(directory, version) {
  try {
    const text = fs.readFileSync(
      path.join(directory, version === 2 ? "memory.events" : "memory.oom_control"),
      "latin1",
    );
    return Number(/^oom_kill (\d+)$/m.exec(text)?.[1] ?? 0);
  } catch {
    return 0;
  }
}

function delegate(directory) {
  for (const controller of ["memory", "cpu", "pids"]) wrote(directory, "cgroup.subtree_control", `+${controller}`);
}

function subdirectories(directory) {
  try {
    return fs
      .readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

function removed(directory) {
  try {
    fs.rmdirSync(directory);
    return true;
  } catch (error) {
    return error.code === "ENOENT";
  }
}

module.exports = { ControlGroups };
