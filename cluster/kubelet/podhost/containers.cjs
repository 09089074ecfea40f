"use strict";
/** Long-running processes by key: containers with a log file. Their output, exit codes and signals. */
const { spawn } = require("node:child_process");
const { LogFile } = require("./log-file.cjs");
const { childrenOf, sweep, send } = require("./processes.cjs");
const { usageOf } = require("./usage.cjs");
const { spawnTerminal } = require("./terminals.cjs");

class Containers {
  /**
   * @param {(event: object) => void} emit
   * @param {import("./limits.cjs").Limits} limits
   */
  constructor(emit, limits) {
    this.emit = emit;
    this.limits = limits;
    this.running = new Map();
  }

  /**
   * Starts `argv`. The program says on descriptor 3 either `ok` just before it becomes the container's own
   * command, or why it cannot; the answer waits for that.
   */
  start({ key, argv: command, env, cwd, log, stdin, tty, wrapped, marker, limits }) {
    const argv = this.limits.enter(key, command, limits);
    const entry = { key, log: log ? new LogFile(log) : null, attached: new Set(), wrapped, marker, inner: 0 };
    return new Promise((resolve) => {
      let settled = false;
      const settle = (answer) => {
        if (settled) return;
        settled = true;
        resolve(answer);
      };
      const output = (stream, chunk) => {
        entry.log?.write(stream, chunk);
        for (const id of entry.attached) this.emit({ ev: "out", id, stream, data: chunk });
      };
      const exited = (code, signal) => {
        this.running.delete(key);
        entry.log?.close();
        const exceeded = this.limits.leave(key) ? "memory" : entry.exceeded;
        for (const id of entry.attached) this.emit({ ev: "exit", id, code, signal, at: Date.now() });
        settle({
          error: entry.status
            ? entry.status.trim()
            : `the process ended before its command could start (exit code ${code}, signal ${signal})`,
        });
        this.emit({ ev: "exit", key, code, signal, at: Date.now(), exceeded });
      };
      if (tty) this.startTty(entry, { argv, env, cwd, output, exited, settle });
      else this.startPiped(entry, { argv, env, cwd, stdin, output, exited, settle });
      this.limits.watch(key, entry.pid, limits);
    });
  }

  startPiped(entry, { argv, env, cwd, stdin, output, exited, settle }) {
    const child = spawn(argv[0], argv.slice(1), {
      env,
      cwd,
      detached: true,
      stdio: [stdin ? "pipe" : "ignore", "pipe", "pipe", "pipe"],
    });
    entry.child = child;
    entry.pid = child.pid ?? 0;
    child.on("error", (error) => {
      if (child.pid === undefined) {
        entry.status = error.message;
        exited(128, null);
      }
    });
    if (child.pid === undefined) return;
    this.running.set(entry.key, entry);
    child.stdout.on("data", (chunk) => output("stdout", chunk));
    child.stderr.on("data", (chunk) => output("stderr", chunk));
    child.stdin?.on("error", () => {});
    entry.status = "";
    child.stdio[3].on("data", (chunk) => {
      entry.status += chunk.toString("utf8");
      if (entry.status.startsWith("ok\n")) settle(this.started(entry));
    });
    child.stdio[3].on("error", () => {});
    // Output may outlive the process by what a grandchild holds open: wait briefly, not for ever.
    let done = false;
    const finish = (code, signal) => {
      if (done) return;
      done = true;
      exited(code, signal);
    };
    child.on("close", finish);
    child.on("exit", (code, signal) => {
      // With a container's first process all of it ends, as in a PID namespace.
      if (entry.marker) sweep(entry.marker);
      setTimeout(finish, 500, code, signal).unref();
    });
  }

  startTty(entry, { argv, env, cwd, output, exited, settle }) {
    try {
      entry.pty = spawnTerminal({ argv, env, cwd }, { onData: (data) => output("stdout", data), onExit: exited });
    } catch (error) {
      entry.status = error.message;
      exited(128, null);
      return;
    }
    entry.pid = entry.pty.pid;
    this.running.set(entry.key, entry);
    // A terminal has no descriptor 3: its command counts as started with its process.
    settle(this.started(entry));
  }

  started(entry) {
    entry.inner = entry.wrapped ? (childrenOf(entry.pid)[0] ?? entry.pid) : entry.pid;
    return { pid: entry.pid, inner: entry.inner, at: Date.now() };
  }

  /** `all`: the whole process group and whatever carries the container's marker, not its first process alone. */
  signal({ key, signal, all }) {
    const entry = this.running.get(key);
    if (entry === undefined) return { found: false };
    if (entry.inner === 0) entry.inner = entry.wrapped ? (childrenOf(entry.pid)[0] ?? entry.pid) : entry.pid;
    send(entry.inner, signal);
    if (all) {
      send(-entry.pid, signal);
      if (signal === "SIGKILL") {
        send(entry.pid, signal);
        if (entry.marker) sweep(entry.marker);
      }
    }
    return { found: true };
  }

  /** Above a limit that no group holds: all of it ends. */
  exceeded(key, why) {
    const entry = this.running.get(key);
    if (entry === undefined || entry.exceeded !== undefined) return;
    entry.exceeded = why;
    this.signal({ key, signal: "SIGKILL", all: true });
  }

  attach({ key, id }) {
    const entry = this.running.get(key);
    if (entry === undefined) return { found: false };
    entry.attached.add(id);
    return { found: true };
  }

  detach({ key, id }) {
    this.running.get(key)?.attached.delete(id);
    return {};
  }

  write({ key, data, end }) {
    const entry = this.running.get(key);
    if (entry === undefined) return { found: false };
    if (entry.pty) {
      if (data) entry.pty.write(data);
      return { found: true };
    }
    if (!entry.child?.stdin) return { found: false };
    return new Promise((resolve) => {
      const stdin = entry.child.stdin;
      if (end) stdin.end(data ?? undefined, () => resolve({ found: true }));
      else stdin.write(data, () => resolve({ found: true }));
    });
  }

  resize({ key, width, height }) {
    this.running.get(key)?.pty?.resize(width, height);
    return {};
  }

  /** What each container has used so far, and holds now. */
  usage() {
    return usageOf([...this.running.values()].map(({ key, pid }) => [key, pid]));
  }

  killAll() {
    for (const entry of this.running.values()) {
      send(-entry.pid, "SIGKILL");
      send(entry.inner, "SIGKILL");
    }
  }
}

module.exports = { Containers };
