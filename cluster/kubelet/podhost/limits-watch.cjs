"use strict";
/**
 * Limits where there are no control groups: now and then a look at those containers that have one. What is above its
 * limit of memory, or of processes, is killed. Between two looks a container may hold more.
 */
const { childrenOf } = require("./processes.cjs");
const { anonymousMemoryOf } = require("./usage.cjs");

const CALM_MS = 2000;
const NEAR_MS = 200;
/** From this part of its limit on a container is looked at often. */
const NEAR = 0.5;

class LimitsWatch {
  /** @param {(key: string, why: "memory" | "pids") => void} exceeded */
  constructor(exceeded) {
    this.exceeded = exceeded;
    this.watched = new Map();
  }

  /** @param {{ memoryBytes?: number, pids?: number }} limits */
  add(key, pid, limits) {
    if (limits.memoryBytes === undefined && limits.pids === undefined) return;
    this.watched.set(key, { pid, limits });
    this.arm(NEAR_MS);
  }

  change(key, limits) {
    const entry = this.watched.get(key);
    if (entry !== undefined) entry.limits = { ...entry.limits, ...limits };
  }

  remove(key) {
    this.watched.delete(key);
  }

  arm(ms) {
    if (this.watched.size === 0 || this.timer !== undefined) return;
    this.timer = setTimeout(() => {
      this.timer = undefined;
      this.arm(this.look() ? NEAR_MS : CALM_MS);
    }, ms).unref();
  }

  /** True when a container is near a limit. */
  look() {
    let near = false;
    for (const [key, { pid, limits }] of this.watched) {
      const tree = treeOf(pid, limits.pids);
      const part = (tree.length - 2) / (limits.pids ?? Number.POSITIVE_INFINITY);
      if (part > 1) this.exceeded(key, "pids");
      near ||= part > NEAR;
      if (limits.memoryBytes === undefined) continue;
      const held = anonymousMemoryOf(tree) / limits.memoryBytes;
      if (held > 1) this.exceeded(key, "memory");
      near ||= held > NEAR;
    }
    return near;
  }
}

/** A process and its descendants, and what else leads its session; no more than is needed to know that it is too many. */
function treeOf(root, most = Number.POSITIVE_INFINITY) {
  const tree = [];
  const open = [root];
  for (let pid = open.pop(); pid !== undefined && tree.length <= most + 3; pid = open.pop()) {
    tree.push(pid);
    open.push(...childrenOf(pid));
  }
  return tree;
}

module.exports = { LimitsWatch };
