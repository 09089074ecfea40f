"use strict";
/** Short commands: `run` collects the output, `exec` streams it both ways with flow control. */
const { spawn } = require("node:child_process");
const { send } = require("./processes.cjs");
const { spawnTerminal } = require("./terminals.cjs");

const MAX_OUTPUT = 64 * 1024;
/** Bytes sent and not yet acknowledged before reading pauses. */
const WINDOW = 1024 * 1024;

/** Runs a command to its end. Never rejects: a command that cannot start answers code 127 and says why on stderr. */
function run({ argv, env, cwd, input, timeoutMs }) {
  return new Promise((resolve) => {
    const child = spawn(argv[0], argv.slice(1), { env, cwd, detached: true, stdio: ["pipe", "pipe", "pipe"] });
    const out = [];
    const err = [];
    let size = 0;
    const collect = (list) => (chunk) => {
      if (size < MAX_OUTPUT) list.push(chunk);
      size += chunk.length;
    };
    let timedOut = false;
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true;
            if (child.pid !== undefined) send(-child.pid, "SIGKILL");
          }, timeoutMs);
    let done = false;
    const finish = (code, signal) => {
      if (done) return;
      done = true;
      clearTimeout(timer);
      resolve({ code, signal, timedOut, stdout: Buffer.concat(out).toString(), stderr: Buffer.concat(err).toString() });
    };
    child.on("error", (error) => {
      err.push(Buffer.from(error.message));
      finish(127, null);
    });
    if (child.pid === undefined) return;
    child.stdout.on("data", collect(out));
    child.stderr.on("data", collect(err));
    child.stdin.on("error", () => {});
    child.stdin.end(input ?? "");
    child.on("close", finish);
    child.on("exit", (code, signal) => setTimeout(finish, 200, code, signal).unref());
  });
}

class Execs {
  constructor(emit) {
    this.emit = emit;
    this.running = new Map();
  }

  start({ id, argv, env, cwd, stdin, tty, size }) {
    if (tty) return this.startTty({ id, argv, env, cwd, size });
    const child = spawn(argv[0], argv.slice(1), {
      env,
      cwd,
      detached: true,
      stdio: [stdin ? "pipe" : "ignore", "pipe", "pipe"],
    });
    if (child.pid === undefined)
      return new Promise((resolve) => child.on("error", (e) => resolve({ error: e.message })));
    const entry = { child, unacknowledged: 0, pid: child.pid };
    this.running.set(id, entry);
    child.on("error", () => {});
    child.stdin?.on("error", () => {});
    for (const stream of ["stdout", "stderr"]) {
      child[stream].on("data", (data) => {
        entry.unacknowledged += data.length;
        if (entry.unacknowledged > WINDOW) {
          child.stdout.pause();
          child.stderr.pause();
        }
        this.emit({ ev: "out", id, stream, data });
      });
    }
    let done = false;
    const finish = (code, signal) => {
      if (done) return;
      done = true;
      this.running.delete(id);
      this.emit({ ev: "exit", id, code, signal, at: Date.now() });
    };
    child.on("close", finish);
    // A background grandchild may hold the output open: `kubectl exec` ends with its command all the same,
    // but not before what the command itself wrote has been read.
    child.on("exit", (code, signal) => {
      const poll = () => {
        if (done) return;
        if (entry.unacknowledged > 0 || entry.paused) setTimeout(poll, 100).unref();
        else finish(code, signal);
      };
      setTimeout(poll, 200).unref();
    });
    return { pid: child.pid };
  }

  startTty({ id, argv, env, cwd, size }) {
    const entry = { unacknowledged: 0, pid: 0 };
    try {
      entry.pty = spawnTerminal(
        { argv, env, cwd, size },
        {
          onData: (data) => {
            entry.unacknowledged += data.length;
            if (entry.unacknowledged > WINDOW) entry.pty.pause();
            this.emit({ ev: "out", id, stream: "stdout", data });
          },
          onExit: (code, signal) => {
            this.running.delete(id);
            this.emit({ ev: "exit", id, code, signal, at: Date.now() });
          },
        },
      );
    } catch (error) {
      return { error: error.message };
    }
    entry.pid = entry.pty.pid;
    this.running.set(id, entry);
    return { pid: entry.pid };
  }

  acknowledge({ id, bytes }) {
    const entry = this.running.get(id);
    if (entry === undefined) return;
    entry.unacknowledged -= bytes;
    if (entry.unacknowledged > WINDOW / 2) return;
    entry.child?.stdout.resume();
    entry.child?.stderr.resume();
    entry.pty?.resume();
  }

  write({ id, data, end }) {
    const entry = this.running.get(id);
    if (entry === undefined) return { found: false };
    if (entry.pty) {
      if (data) entry.pty.write(data);
      return { found: true };
    }
    const stdin = entry.child.stdin;
    if (stdin === null || stdin.destroyed || stdin.writableEnded) return { found: false };
    return new Promise((resolve) => {
      if (end) stdin.end(data ?? undefined, () => resolve({ found: true }));
      else stdin.write(data, () => resolve({ found: true }));
    });
  }

  resize({ id, width, height }) {
    this.running.get(id)?.pty?.resize(width, height);
  }

  kill({ id }) {
    const entry = this.running.get(id);
    if (entry === undefined) return;
    send(-entry.pid, "SIGKILL");
    send(entry.pid, "SIGKILL");
  }

  killAll() {
    for (const entry of this.running.values()) {
      send(-entry.pid, "SIGKILL");
      send(entry.pid, "SIGKILL");
    }
  }
}

module.exports = { run, Execs };
