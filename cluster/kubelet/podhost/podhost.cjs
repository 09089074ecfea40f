"use strict";
/**
 * podhost: the one process of a cluster that forks. It spawns pods, owns their logs and exit codes, runs their
 * probes and hands out sockets made inside the pods' network. It knows nothing of Kubernetes: the cluster process
 * tells it what to run, over Node's IPC. When that channel closes, it ends with everything it has started.
 *
 * Requests carry `id` and get `{ id, ok | error }`; events carry `ev`.
 */
const net = require("node:net");
const { Containers } = require("./containers.cjs");
const { Execs, run } = require("./commands.cjs");
const { Probes } = require("./probes.cjs");
const { Daemons } = require("./daemons.cjs");
const { attempt } = require("./probe-actions.cjs");
const { letGo } = require("./handles.cjs");
const { Limits } = require("./limits.cjs");
const { sweep } = require("./processes.cjs");

const marker = process.env.TRAVELOPS_SWEEP;
delete process.env.TRAVELOPS_SWEEP;

const emit = (event, handle) => {
  if (process.connected) process.send(event, handle, { keepOpen: false }, () => letGo(handle));
};
const limits = new Limits((key, why) => containers.exceeded(key, why));
const containers = new Containers(emit, limits);
const execs = new Execs(emit);
/** A command of a container is held to its limits, too. */
const joined = (m) => ({ ...m, argv: limits.join(m.of, m.argv) });
const probes = new Probes(emit);
const daemons = new Daemons(emit);

/** Resolves with a listening server; its handle goes out with the answer. */
function listen({ address, port, backlog }) {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on("error", reject);
    server.listen({ host: address, port, backlog: backlog ?? 511, exclusive: true }, () => resolve(server));
  });
}

const requests = {
  run: (m) => run(joined(m)),
  "limits-open": (m) => limits.open(m),
  "limits-change": (m) => limits.change(m),
  "limits-remove": (m) => limits.removePod(m),
  start: (m) => containers.start(m),
  signal: (m) => containers.signal(m),
  attach: (m) => containers.attach(m),
  detach: (m) => containers.detach(m),
  input: (m) => containers.write(m),
  resize: (m) => containers.resize(m),
  exec: (m) => execs.start(joined(m)),
  "exec-input": (m) => execs.write(m),
  "exec-ack": (m) => execs.acknowledge(m),
  "exec-resize": (m) => execs.resize(m),
  "exec-kill": (m) => execs.kill(m),
  attempt: (m) => attempt(m.action, m.timeoutMs),
  probe: (m) => probes.add(m.action.argv === undefined ? m : { ...m, action: joined(m.action) }),
  "probe-remove": (m) => probes.remove(m),
  "probe-remove-all": (m) => probes.removeAll(m),
  daemon: (m) => daemons.start(m),
  "daemon-send": (m, handle) => daemons.send(m, handle),
  "daemon-kill": (m) => daemons.kill(m),
  usage: () => containers.usage(),
  sweep: (m) => ({ killed: sweep(m.marker) }),
};

process.on("message", (envelope, handle) => {
  const { id, op, message } = envelope;
  if (op === "listen") {
    listen(message).then(
      (server) => emit({ id, ok: {} }, server),
      (error) => emit({ id, error: error.message, code: error.code }),
    );
    return;
  }
  const action = requests[op];
  Promise.resolve()
    .then(() => {
      if (action === undefined) throw new Error(`podhost knows no request ${op}`);
      return action(message, handle);
    })
    .then(
      (ok) => id !== undefined && emit({ id, ok: ok ?? {} }),
      (error) => id !== undefined && emit({ id, error: error.message, code: error.code }),
    );
});

let ending = false;
function end() {
  if (ending) return;
  ending = true;
  daemons.killAll();
  execs.killAll();
  containers.killAll();
  if (marker) sweep(marker);
  process.exit(0);
}
process.on("disconnect", end);
process.on("SIGTERM", end);
// A terminal's Ctrl-C may reach us too; the cluster process decides when the pods end.
process.on("SIGINT", () => {});
process.on("uncaughtException", (error) => {
  process.stderr.write(`podhost: ${error.stack ?? error}\n`);
  end();
});

if (marker) watchParent();
if (!process.connected) end();

emit({ ev: "ready", pid: process.pid });

/**
 * Bare only, where no namespace ends with us: once in some hundred kills of the cluster process the end of the channel
 * went unnoticed (why is not known). A new parent says it as well.
 */
function watchParent() {
  const parent = process.ppid;
  setInterval(() => {
    if (process.ppid !== parent) end();
  }, 1000).unref();
}
