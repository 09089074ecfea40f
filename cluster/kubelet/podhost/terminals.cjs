"use strict";
/**
 * Programs on a terminal. The command sets the terminal as its own controlling one (`setsid -c` in its argv): it lives
 * in another PID namespace than whoever forks it, where a shell could not name the foreground process group otherwise.
 */
const fs = require("node:fs");
const { spawn } = require("node:child_process");

/** After the program's end: how long its last output may take. */
const DRAIN_MS = 30;

/** @returns {{ pid: number, write, resize, pause, resume }} Throws when the program cannot be started. */
function spawnTerminal({ argv, env, cwd, size }, { onData, onExit }) {
  // Loaded when first needed: most clusters never open a terminal.
  const { open } = require("@lydell/node-pty");
  const terminal = open({ cols: size?.width || 80, rows: size?.height || 24, encoding: null });
  const slave = fs.openSync(terminal._pty, fs.constants.O_RDWR | fs.constants.O_NOCTTY);
  terminal.slave.destroy();
  const child = spawn(argv[0], argv.slice(1), { env, cwd, detached: true, stdio: [slave, slave, slave] });
  fs.closeSync(slave);
  let quiet;
  let exit;
  const finish = () => {
    if (quiet === "done") return;
    quiet = "done";
    terminal.master.destroy();
    onExit(exit.code, exit.signal);
  };
  const arm = () => {
    clearTimeout(quiet);
    quiet = setTimeout(finish, DRAIN_MS);
  };
  terminal.master.on("data", (data) => {
    onData(Buffer.from(data));
    if (exit !== undefined && quiet !== "done") arm();
  });
  // EIO: the last holder of the other end is gone.
  terminal.master.on("error", () => {});
  child.on("error", (error) => {
    if (child.pid !== undefined) return;
    onData(Buffer.from(`${error.message}\r\n`));
    exit = { code: 127, signal: null };
    arm();
  });
  child.on("exit", (code, signal) => {
    exit = { code, signal };
    arm();
  });
  return {
    pid: child.pid ?? 0,
    write: (data) => {
      if (!terminal.master.destroyed) terminal.master.write(Buffer.from(data));
    },
    resize: (width, height) => {
      if (quiet !== "done") terminal.resize(Math.max(1, width), Math.max(1, height));
    },
    pause: () => terminal.master.pause(),
    resume: () => terminal.master.resume(),
  };
}

module.exports = { spawnTerminal };
