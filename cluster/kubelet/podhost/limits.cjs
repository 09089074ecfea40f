"use strict";
/** Limits of memory, CPU and processes, by what this machine has: control groups, resource limits, or a look now and then. */
const { run } = require("./commands.cjs");
const { ControlGroups } = require("./control-groups.cjs");
const { threadsOfUser } = require("./processes.cjs");

/** Writes itself into the groups, then becomes the command. Says on descriptor 3, where there is one, why it cannot. */
const ENTER = `
while [ "$1" != -- ]; do
  { echo 0 > "$1"; } 2>/dev/null || { { echo "entering the control group $1 was refused" >&3; } 2>/dev/null; exit 128; }
  shift
done
shift
exec "$@"`;

class Limits {
  /** @param {(key: string, why: "memory" | "pids") => void} exceeded */
  constructor(exceeded) {
    this.exceeded = exceeded;
    this.counts = new Map();
  }

  /**
   * What is enforced, and how. `bases` are the directories of control groups. `prlimit` is a program for the kernel's
   * limit of a user's processes, given where that is heeded; in namespaces (`inside`) each container counts its own, and
   * sets the limit itself.
   */
  async open({ bases, sh, prlimit, inside }) {
    this.sh = sh;
    this.prlimit = prlimit;
    this.inside = inside;
    if (bases !== undefined && (await this.works(bases))) this.groups = new ControlGroups(bases);
    const has = (controller) => this.groups?.bases[controller] !== undefined;
    this.watched = { memory: !has("memory"), pids: !has("pids") };
    return {
      memory: has("memory") ? "cgroup" : "watch",
      cpu: has("cpu") ? "cgroup" : "none",
      pids: has("pids") ? "cgroup" : prlimit === undefined ? "watch" : "rlimit",
    };
  }

  /** Only a process that could enter shows that groups are of use. */
  async works(bases) {
    const groups = new ControlGroups(bases);
    try {
      const files = groups.make("trial", {
        pod: "trial",
        name: "trial",
        limits: { memoryBytes: 2 ** 30 },
        podLimits: {},
      });
      const { code } = await run({ argv: [this.sh, "-c", ENTER, "sh", ...files, "--", this.sh, "-c", ":"], env: {} });
      return code === 0;
    } catch {
      return false;
    } finally {
      groups.leave("trial");
      groups.removePod("trial");
    }
  }

  /** The command with its limits in force. */
  enter(key, argv, limits) {
    if (limits === undefined || this.sh === undefined) return argv;
    const files = this.groups?.make(key, limits) ?? [];
    if (limits.podLimits.pids !== undefined) this.counts.set(key, limits.podLimits.pids);
    return this.wrapped(argv, files, limits.podLimits.pids);
  }

  /** The same for a command beside a container's own. */
  join(key, argv) {
    if (key === undefined || this.sh === undefined) return argv;
    return this.wrapped(argv, this.groups?.filesOf(key) ?? [], this.counts.get(key));
  }

  wrapped(argv, files, pids) {
    const entering = files.length === 0 ? [] : [this.sh, "-c", ENTER, "sh", ...files, "--"];
    if (!this.watched.pids || this.prlimit === undefined || this.inside || pids === undefined)
      return [...entering, ...argv];
    return [...entering, this.prlimit, `--nproc=${threadsOfUser(process.getuid()) + pids}`, ...argv];
  }

  /** The container runs as `pid`. */
  watch(key, pid, limits) {
    if (limits === undefined || this.watched === undefined) return;
    const watched = {
      ...(this.watched.memory ? { memoryBytes: limits.limits.memoryBytes } : {}),
      ...(this.watched.pids && this.prlimit === undefined ? { pids: limits.podLimits.pids } : {}),
    };
    if (watched.memoryBytes === undefined && watched.pids === undefined) return;
    const { LimitsWatch } = require("./limits-watch.cjs");
    this.looks ??= new LimitsWatch(this.exceeded);
    this.looks.add(key, pid, watched);
  }

  change({ key, limits }) {
    this.groups?.change(key, limits);
    if (this.watched?.memory) this.looks?.change(key, { memoryBytes: limits.memoryBytes });
  }

  /** The container has ended: whether a group's limit of memory was why. */
  leave(key) {
    this.looks?.remove(key);
    this.counts.delete(key);
    return this.groups?.leave(key) ?? false;
  }

  removePod({ pod }) {
    this.groups?.removePod(pod);
  }
}

module.exports = { Limits };
