"use strict";
/** Finding and ending processes: the children of a wrapper, and everything that carries a marker in its environment. */
const fs = require("node:fs");

/** Process ids of the direct children of `pid`. */
function childrenOf(pid) {
  try {
    const text = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1");
    return text.split(" ").filter(Boolean).map(Number);
  } catch {
    return scanForParent(pid);
  }
}

/** Kernels without /proc/PID/task/PID/children. */
function scanForParent(parent) {
  const found = [];
  for (const entry of processIds()) {
    try {
      const stat = fs.readFileSync(`/proc/${entry}/stat`, "latin1");
      const after = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (Number(after[1]) === parent) found.push(entry);
    } catch {
      // Gone in the meantime.
    }
  }
  return found;
}

function processIds() {
  try {
    return fs
      .readdirSync("/proc")
      .map(Number)
      .filter((pid) => Number.isInteger(pid) && pid > 0);
  } catch {
    return [];
  }
}

/** Processes (not zombies, not this one) whose environment holds `marker` as a whole NAME=value. */
function withMarker(marker) {
  const needle = Buffer.from(`${marker}\0`);
  return processIds().filter((pid) => {
    if (pid === process.pid) return false;
    try {
      const environ = fs.readFileSync(`/proc/${pid}/environ`);
      const at = environ.indexOf(needle);
      return at === 0 || (at > 0 && environ[at - 1] === 0);
    } catch {
      return false;
    }
  });
}

/** 0 and NaN name no process of ours: to the kernel 0 is the caller's own process group, and podhost would kill itself. */
function send(pid, signal) {
  if (!Number.isInteger(pid) || pid === 0) return false;
  try {
    process.kill(pid, signal);
    return true;
  } catch {
    return false;
  }
}

/** Kills all that carry the marker; a process may fork while we look, so look until none is left. */
function sweep(marker) {
  let killed = 0;
  for (let round = 0; round < 20; round++) {
    const found = withMarker(marker);
    if (found.length === 0) break;
    for (const pid of found) if (send(pid, "SIGKILL")) killed++;
  }
  return killed;
}

/** How many threads a user runs: what the kernel's own limit of processes counts. */
function threadsOfUser(uid) {
  let count = 0;
  for (const pid of processIds()) {
    try {
      const status = fs.readFileSync(`/proc/${pid}/status`, "latin1");
      if (Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]) === uid)
        count += Number(/^Threads:\s+(\d+)/m.exec(status)?.[1] ?? 1);
    } catch {
      // Gone in the meantime.
    }
  }
  return count;
}

module.exports = { childrenOf, withMarker, sweep, send, threadsOfUser };
