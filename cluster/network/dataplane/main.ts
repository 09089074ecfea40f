/** The dataplane's process: starts on the first message of its IPC channel, and ends with it. */
import { flushCompileCache } from "node:module";
import dgram from "node:dgram";
import net from "node:net";
import { returnMemoryWhenIdle } from "../../idle-memory.ts";
import type { FromDataplane, SiblingAddress, ToDataplane } from "../config.ts";
import { startDataplane, type Dataplane } from "./dataplane.ts";

const send = (message: FromDataplane): void => {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
};
const log = (message: string): void => send({ type: "log", level: "warn", message });

const pending = new Map<number, (answer: Buffer | undefined) => void>();
let nextForward = 1;
const forward = (query: Buffer): Promise<Buffer | undefined> =>
  new Promise((resolve) => {
    const id = nextForward++;
    pending.set(id, resolve);
    send({ type: "forward", id, query: query.toString("base64") });
  });

const asked = new Map<number, (answer: SiblingAddress | undefined) => void>();
const sibling = (host: string): Promise<SiblingAddress | undefined> =>
  new Promise((resolve) => {
    const id = nextForward++;
    asked.set(id, resolve);
    send({ type: "sibling", id, host });
  });

let dataplane: Promise<Dataplane> | undefined;

async function handle(message: ToDataplane, handle: unknown): Promise<void> {
  switch (message.type) {
    case "start":
      dataplane = startDataplane({
        settings: message.settings,
        snapshot: message.snapshot,
        rulesMayStand: message.rulesMayStand === true,
        servicesMayStand: message.servicesMayStand === true,
        forward,
        sibling,
        log,
        onPolicies: (enforcement) => send({ type: "policies", enforcement }),
      });
      await dataplane;
      send({ type: "ready" });
      returnMemoryWhenIdle();
      // A process that is killed writes no cache at its end.
      return flushCompileCache();
    case "delta":
      return (await dataplane)?.apply(message.delta);
    case "listen":
      if (handle instanceof net.Server) (await dataplane)?.listen(message.id, message.listener, handle);
      else if (message.listener.kind === "service" && handle instanceof dgram.Socket)
        (await dataplane)?.listenUdp(message.id, message.listener, handle);
      else log(`the socket of ${message.id} got lost on its way to the dataplane`);
      return send({ type: "listening", id: message.id });
    case "unlisten":
      return (await dataplane)?.unlisten(message.id);
    case "forwarded": {
      const resolve = pending.get(message.id);
      pending.delete(message.id);
      return resolve?.(message.answer === null ? undefined : Buffer.from(message.answer, "base64"));
    }
    case "sibling":
      asked.get(message.id)?.(message.answer ?? undefined);
      return void asked.delete(message.id);
  }
}

process.on("message", (message, received) => {
  handle(message as ToDataplane, received).catch((error: unknown) => {
    send({
      type: "log",
      level: "error",
      message: `dataplane: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    });
    if ((message as ToDataplane).type === "start") setImmediate(() => process.exit(1));
  });
});
process.on("disconnect", () => process.exit(0));
process.on("SIGTERM", () => process.exit(0));
// Ctrl-C reaches the whole process group; the cluster decides when the dataplane ends.
process.on("SIGINT", () => {});
