"use strict";
/** CPU time and memory of process trees, from one look at /proc. */
const fs = require("node:fs");

const AT_PAGESZ = 6n;
const AT_CLKTCK = 17n;

/** Size of a page and ticks a second, as the kernel told this process. */
function units() {
  const known = new Map();
  try {
    const auxv = fs.readFileSync("/proc/self/auxv");
    for (let at = 0; at + 16 <= auxv.length; at += 16)
      known.set(auxv.readBigUInt64LE(at), auxv.readBigUInt64LE(at + 8));
  } catch {
    // Hidden: what nearly every Linux has.
  }
  return { page: Number(known.get(AT_PAGESZ) ?? 4096n), ticks: Number(known.get(AT_CLKTCK) ?? 100n) };
}

/** Every process: its parent, its session, and the ticks it and those of its children that are gone have used. */
function processes() {
  const found = new Map();
  for (const entry of fs.readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    try {
      const stat = fs.readFileSync(`/proc/${entry}/stat`, "latin1");
      const fields = stat
        .slice(stat.lastIndexOf(")") + 2)
        .split(" ")
        .map(Number);
      const ticks = fields[11] + fields[12] + fields[13] + fields[14];
      found.set(pid, { pid, parent: fields[1], session: fields[3], ticks });
    } catch {
      // Gone in the meantime.
    }
  }
  return found;
}

/** Private memory of each process, and what they share once. */
function memoryOf(pids, page) {
  let own = 0;
  let shared = 0;
  for (const pid of pids) {
    try {
      const [, resident = 0, common = 0] = fs.readFileSync(`/proc/${pid}/statm`, "latin1").split(" ").map(Number);
      own += resident - common;
      shared = Math.max(shared, common);
    } catch {
      // Gone in the meantime.
    }
  }
  return (own + shared) * page;
}

/** What the processes hold that no file stands behind: what a limit of memory is about. */
function anonymousMemoryOf(pids) {
  let held = 0;
  for (const pid of pids) {
    try {
      const [, resident = 0, common = 0] = fs.readFileSync(`/proc/${pid}/statm`, "latin1").split(" ").map(Number);
      held += resident - common;
    } catch {
      // Gone in the meantime.
    }
  }
  return held * units().page;
}

/** `roots`: [key, pid]. A process belongs to a root that it descends from, or that leads its session. */
function usageOf(roots) {
  const { page, ticks } = units();
  const all = processes();
  const children = new Map();
  const sessions = new Map();
  const push = (map, key, pid) => (map.has(key) ? map.get(key).push(pid) : map.set(key, [pid]));
  for (const { pid, parent, session } of all.values()) {
    push(children, parent, pid);
    push(sessions, session, pid);
  }
  const at = Date.now();
  return roots.map(([key, root]) => {
    const tree = new Set();
    const open = [root, ...(sessions.get(root) ?? [])];
    for (let pid = open.pop(); pid !== undefined; pid = open.pop()) {
      if (tree.has(pid) || !all.has(pid)) continue;
      tree.add(pid);
      open.push(...(children.get(pid) ?? []));
    }
    let used = 0;
    for (const pid of tree) used += all.get(pid).ticks;
    return { key, at, cpuMs: (used * 1000) / ticks, memoryBytes: memoryOf(tree, page) };
  });
}

module.exports = { usageOf, anonymousMemoryOf };
