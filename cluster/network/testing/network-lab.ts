/** A dataplane with actors in a network namespace, for tests: started by hand, without controllers. */
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import type { DataplaneSettings, Delta, FromDataplane, HostListener } from "../config.ts";
import type { NetworkDaemon } from "../network-host.ts";
import { netnsHost, plainHost, type TestHost } from "./netns-host.ts";
import { testCertificate } from "./certificate.ts";

const DATAPLANE = path.join(import.meta.dirname, "../dataplane/main.ts");
const ACTOR = path.join(import.meta.dirname, "actor.ts");

export interface Lab {
  readonly settings: DataplaneSettings;
  readonly host: TestHost;
  /** A pod with a network of its own, of `namespaces`: an actor there, or another program that is asked alike. */
  inPod(address: string, file?: string): Promise<Lab["act"]>;
  /** Asks the actor inside the pods' network. */
  act<T = unknown>(command: object): Promise<T>;
  apply(delta: Delta): void;
  /** A listening port of the host for the dataplane; resolves with its number. */
  listen(listener: HostListener): Promise<number>;
  close(): void;
}

export async function startLab(options: {
  sandbox: "namespaces" | "bare";
  snapshot: Delta;
  /** Addresses of pods, all in the one namespace of dataplane and actor. */
  pods?: readonly string[];
  /** Addresses of pods that have a namespace each. */
  namespaces?: readonly string[];
}): Promise<Lab> {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "travelops-lab-"));
  const podRange = "10.128.0.0/16";
  const serviceRange = "10.64.0.0/16";
  const host =
    options.sandbox === "bare"
      ? plainHost()
      : await netnsHost({
          local: [serviceRange],
          addresses: ["10.128.0.1", ...(options.pods ?? [])],
          pods: options.namespaces ?? [],
        });
  const appsDomain = "apps.hub.travelops.localhost";
  const settings: DataplaneSettings = {
    clusterName: "hub",
    clusterDomain: "cluster.local",
    appsDomain,
    podRange,
    serviceRange,
    sandbox: options.sandbox,
    socketPath: path.join(dir, "dataplane.sock"),
    certificate: testCertificate([`*.${appsDomain}`]),
    publicPorts: { http: 8080, https: 8443 },
  };
  const dataplane = await host.runDaemon({ name: "dataplane", file: DATAPLANE });
  await started(dataplane, { type: "start", settings, snapshot: options.snapshot });
  const act = await startActor(host);
  return {
    settings,
    host,
    act,
    async inPod(address, file = ACTOR) {
      if (host.runInPod === undefined) throw new Error("the bare sandbox has no network of a pod");
      return actorOf(await host.runInPod(address, file));
    },
    apply: (delta) => dataplane.send({ type: "delta", delta }),
    async listen(listener) {
      const server = await new Promise<net.Server>((resolve) => {
        const made = net.createServer().listen(0, "127.0.0.1", () => resolve(made));
      });
      const { port } = server.address() as net.AddressInfo;
      dataplane.send({ type: "listen", id: String(port), listener }, server);
      return port;
    },
    close() {
      host.close();
      fs.rmSync(dir, { recursive: true, force: true });
    },
  };
}

function started(daemon: NetworkDaemon, start: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    daemon.onMessage((raw) => {
      const message = raw as FromDataplane;
      if (message.type === "ready") resolve();
      if (message.type === "forward") daemon.send({ type: "forwarded", id: message.id, answer: null });
      if (message.type === "log") process.stderr.write(`${message.message}\n`);
    });
    void daemon.exited.then((code) => reject(new Error(`the dataplane ended with ${code}`)));
    daemon.send(start);
  });
}

export async function startActor(host: TestHost, file: string = ACTOR): Promise<Lab["act"]> {
  return actorOf(await host.runDaemon({ name: "actor", file }));
}

function actorOf(actor: NetworkDaemon): Lab["act"] {
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  actor.onMessage((raw) => {
    const { id, result, error } = raw as { id: number; result?: unknown; error?: string };
    const waiter = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) waiter?.resolve(result);
    else waiter?.reject(Object.assign(new Error(error), { code: error }));
  });
  let next = 1;
  return <T>(command: object) =>
    new Promise<T>((resolve, reject) => {
      const id = next++;
      waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      actor.send({ id, ...command });
    });
}

/** Asks again until the answer fits; for what takes effect a little later. */
export async function eventually<T>(
  ask: () => Promise<T>,
  fits: (value: T) => boolean,
  deadlineMs = 10_000,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await ask().catch((error: unknown) => error as T);
    if (fits(value)) return value;
    if (Date.now() > end)
      throw new Error(
        `not in ${deadlineMs} ms; last seen: ${value instanceof Error ? value.message : JSON.stringify(value)}`,
      );
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
