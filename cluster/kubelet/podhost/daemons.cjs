"use strict";
/** Node programs of ours that run beside the pods: messages and handles pass through podhost to the cluster process. */
const { fork } = require("node:child_process");
const { letGo, refuse } = require("./handles.cjs");

class Daemons {
  /** @param {(event: object, handle?: object) => void} emit */
  constructor(emit) {
    this.emit = emit;
    this.running = new Map();
  }

  start({ id, file, env, execArgv, args }) {
    const child = fork(file, args ?? [], {
      env,
      execArgv: execArgv ?? [],
      serialization: "advanced",
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.running.set(id, child);
    child.on("message", (message, handle) => this.emit({ ev: "daemon", id, message }, handle));
    child.on("error", () => {});
    child.on("exit", (code, signal) => {
      this.running.delete(id);
      this.emit({ ev: "exit", id, code, signal, at: Date.now() });
    });
    return { pid: child.pid };
  }

  send({ id, message }, handle) {
    const child = this.running.get(id);
    if (child === undefined || !child.connected) {
      handle?.close?.();
      handle?.destroy?.();
      return;
    }
    refuse(handle);
    child.send(message, handle, () => letGo(handle));
  }

  kill({ id, signal }) {
    this.running.get(id)?.kill(signal ?? "SIGTERM");
  }

  killAll() {
    for (const child of this.running.values()) child.kill("SIGKILL");
  }
}

module.exports = { Daemons };
