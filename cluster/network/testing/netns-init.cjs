"use strict";
// Root of a test's network namespace: brings it up, then starts daemons and opens sockets on request over IPC.
const { spawn, execFileSync } = require("node:child_process");
const fs = require("node:fs");
const net = require("node:net");
const ip = (...args) => execFileSync("ip", args, { stdio: "pipe" });
const daemons = new Map();
/** Namespaces of pods: a process holds each. */
const pods = new Map();
const set = (name, value) => fs.writeFileSync(`/proc/sys/net/${name}`, value);
const commands = {
  setup({ local, addresses }) {
    ip("link", "set", "lo", "up");
    for (const range of local) ip("route", "add", "local", range, "dev", "lo");
    for (const address of addresses) ip("addr", "add", `${address}/32`, "dev", "lo");
  },
  /** A pod with a network of its own, linked as the kubelet does it. */
  async pod({ address, gateway }) {
    if (pods.size === 0) {
      ip("link", "add", "br0", "address", "02:00:00:00:00:01", "type", "bridge");
      ip("link", "set", "br0", "up");
      ip("route", "add", "10.128.0.0/16", "dev", "br0", "src", gateway);
      set("ipv4/ip_forward", "1");
      for (const name of ["all", "default", "br0"]) set(`ipv4/conf/${name}/send_redirects`, "0");
      if (fs.existsSync("/proc/sys/net/bridge")) set("bridge/bridge-nf-call-iptables", "0");
    }
    const own = fs.readlinkSync("/proc/self/ns/net");
    const holder = spawn("unshare", ["-n", "cat"], { stdio: ["pipe", "ignore", "ignore"] });
    while (fs.readlinkSync(`/proc/${holder.pid}/ns/net`) === own) await new Promise((r) => setTimeout(r, 1));
    const link = `v${pods.size}`;
    pods.set(address, holder);
    ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", String(holder.pid));
    ip("link", "set", link, "master", "br0", "up");
    const inside = (...args) =>
      execFileSync("nsenter", [`--net=/proc/${holder.pid}/ns/net`, "ip", ...args], { stdio: "pipe" });
    inside("link", "set", "lo", "up");
    inside("addr", "add", `${address}/32`, "dev", "eth0");
    inside("link", "set", "eth0", "up");
    inside("route", "add", gateway, "dev", "eth0", "scope", "link");
    inside("route", "add", "default", "via", gateway);
  },
  daemon({ id, file, env, pod }) {
    const enter = pods.has(pod) ? [`--net=/proc/${pods.get(pod).pid}/ns/net`, process.execPath] : [];
    const [program, ...args] = enter.length > 0 ? ["nsenter", ...enter, file] : [process.execPath, file];
    const child = spawn(program, args, {
      env: { ...process.env, ...env },
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    daemons.set(id, child);
    child.on("message", (message) => process.send({ daemon: id, message }));
    child.on("exit", (code, signal) => process.send({ daemon: id, exited: code ?? signal }));
  },
  send({ id, message }, handle) {
    const child = daemons.get(id);
    handle?.on("connection", (socket) => socket.resetAndDestroy());
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
  new Promise((resolve) => resolve(commands[command](args, handle, done))).then(
    () => command !== "listen" && done !== undefined && process.send({ done }),
    (error) => process.send({ done, error: String(error.stderr ?? error.message) }),
  );
});
process.on("disconnect", () => {
  for (const child of daemons.values()) child.kill("SIGKILL");
  process.exit(0);
});
