"use strict";
// Root of a test's network namespace: brings it up, then starts daemons and opens sockets on request over IPC.
const { spawn, execFileSync } = require("node:child_process");
const net = require("node:net");
const ip = (...args) => execFileSync("ip", args, { stdio: "pipe" });
const daemons = new Map();
const commands = {
  setup({ local, addresses }) {
    ip("link", "set", "lo", "up");
    for (const range of local) ip("route", "add", "local", range, "dev", "lo");
    for (const address of addresses) ip("addr", "add", `${address}/32`, "dev", "lo");
  },
  daemon({ id, file, env }) {
    const child = spawn(process.execPath, [file], {
      env: { ...process.env, ...env },
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    daemons.set(id, child);
    child.on("message", (message) => process.send({ daemon: id, message }));
    child.on("exit", (code, signal) => process.send({ daemon: id, exited: code ?? signal }));
  },
  send({ id, message }, handle) {
    const child = daemons.get(id);
    if (child?.connected) child.send(message, handle, undefined, () => handle?.close());
  },
  kill({ id, signal }) {
    daemons.get(id)?.kill(signal);
  },
  listen({ address, port }, _handle, done) {
    const server = net
      .createServer()
      .listen(port, address, () => process.send({ done }, server, undefined, () => server.close()));
  },
};
process.on("message", ({ command, done, ...args }, handle) => {
  try {
    commands[command](args, handle, done);
    if (command !== "listen" && done !== undefined) process.send({ done });
  } catch (error) {
    process.send({ done, error: String(error.stderr ?? error.message) });
  }
});
process.on("disconnect", () => {
  for (const child of daemons.values()) child.kill("SIGKILL");
  process.exit(0);
});
