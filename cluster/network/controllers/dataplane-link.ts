/** The dataplane as the cluster process sees it: rows go out as deltas, and the whole again after a restart. */
import path from "node:path";
import type { Clock, Logger } from "@travelops/kube";
import type {
  DataplaneSettings,
  Delta,
  FromDataplane,
  FrontConfig,
  HostListener,
  PodConfig,
  PolicyConfig,
  PolicyEnforcement,
  ServiceConfig,
  SiblingAddress,
  ToDataplane,
} from "../config.ts";
import type { HostSocket } from "./host-listeners.ts";
import type { NetworkDaemon, NetworkHost } from "../network-host.ts";

const DAEMON = path.join(import.meta.dirname, "../dataplane/main.ts");
/** Stripping and compiling its sources anew costs the daemon 150 ms and 35 MB; Node leaves out what it cannot write. */
const COMPILE_CACHE = path.join(import.meta.dirname, "../../../node_modules/.cache/travelops-compile");
const RESTART_MS = [100, 500, 2000, 5000] as const;

interface Tables {
  services: ServiceConfig;
  pods: PodConfig;
  fronts: FrontConfig;
  policies: PolicyConfig;
}

export interface DataplaneLinkOptions {
  readonly host: NetworkHost;
  readonly settings: DataplaneSettings;
  readonly clock: Clock;
  readonly log: Logger;
  readonly forward: (query: Buffer) => Promise<Buffer | undefined>;
  readonly sibling: (host: string) => Promise<SiblingAddress | undefined>;
  /** How far NetworkPolicies are enforced. */
  readonly onPolicies: (enforcement: PolicyEnforcement) => void;
  /** The sockets of the host are gone with the old process. */
  readonly onRestart: () => void;
}

export class DataplaneLink {
  readonly #options: DataplaneLinkOptions;
  readonly #rows: { [T in keyof Tables]: Map<string, { row: Tables[T]; text: string }> } = {
    services: new Map(),
    pods: new Map(),
    fronts: new Map(),
    policies: new Map(),
  };
  #pending: { [T in keyof Tables]?: Record<string, Tables[T] | null> } = {};
  /** Sockets on their way: closed here when they have arrived, since two owners would both accept. */
  readonly #underway = new Map<string, HostSocket>();
  #daemon: NetworkDaemon | undefined;
  /** A policy went out once: what the kernel made of it outlives the dataplane, as long as the pods' network does. */
  #policiesKnown = false;
  #startedBefore = false;
  #restarts = 0;
  #cancelRestart: (() => void) | undefined;
  #closed = false;

  constructor(options: DataplaneLinkOptions) {
    this.#options = options;
  }

  /** Starts the process; resolves when it serves. */
  async start(): Promise<void> {
    const { host, settings, log } = this.#options;
    const daemon = await host.runDaemon({
      name: "dataplane",
      file: DAEMON,
      env: {
        NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? COMPILE_CACHE,
        // The firewall's way to the kernel is one of Node's experiments.
        NODE_OPTIONS: "--disable-warning=ExperimentalWarning",
      },
    });
    if (this.#closed) return daemon.kill();
    const ready = Promise.withResolvers<void>();
    daemon.onMessage((message) => {
      const received = message as FromDataplane;
      if (received.type === "ready") ready.resolve();
      else this.#handle(daemon, received);
    });
    void daemon.exited.then((code) => {
      ready.reject(new Error(`the dataplane ended with ${code} before it served`));
      this.#ended(daemon, code);
    });
    this.#pending = {};
    send(daemon, {
      type: "start",
      settings,
      snapshot: this.#snapshot(),
      rulesMayStand: this.#policiesKnown,
      servicesMayStand: this.#startedBefore,
    });
    this.#policiesKnown ||= this.#rows.policies.size > 0;
    this.#startedBefore = true;
    this.#daemon = daemon;
    await ready.promise;
    log.debug("dataplane ready", { services: this.#rows.services.size });
  }

  /** Sets or removes a row; it goes out with `flush`. Equal rows are not sent again. */
  set<T extends keyof Tables>(table: T, key: string, row: Tables[T] | null): void {
    const rows = this.#rows[table] as Map<string, { row: Tables[T]; text: string }>;
    const known = rows.get(key);
    if (row === null) {
      if (known === undefined) return;
      rows.delete(key);
    } else {
      const text = JSON.stringify(row);
      if (known?.text === text) return;
      rows.set(key, { row, text });
    }
    const pending = (this.#pending[table] ?? {}) as Record<string, Tables[T] | null>;
    pending[key] = row;
    this.#pending = { ...this.#pending, [table]: pending };
  }

  keys(table: keyof Tables): string[] {
    return [...this.#rows[table].keys()];
  }

  flush(): void {
    if (Object.keys(this.#pending).length === 0) return;
    const delta: Delta = this.#pending;
    this.#pending = {};
    if (this.#daemon === undefined) return;
    this.#policiesKnown ||= this.#rows.policies.size > 0;
    send(this.#daemon, { type: "delta", delta });
  }

  listen(id: string, listener: HostListener, server: HostSocket): void {
    if (this.#daemon === undefined) {
      server.close();
      return;
    }
    this.#underway.set(id, server);
    this.#daemon.send({ type: "listen", id, listener } satisfies ToDataplane, server);
  }

  unlisten(id: string): void {
    if (this.#daemon !== undefined) send(this.#daemon, { type: "unlisten", id });
  }

  #snapshot(): Delta {
    const all = <T extends keyof Tables>(table: T): Record<string, Tables[T]> =>
      Object.fromEntries([...this.#rows[table]].map(([key, { row }]) => [key, row as Tables[T]]));
    return { services: all("services"), pods: all("pods"), fronts: all("fronts"), policies: all("policies") };
  }

  #handle(daemon: NetworkDaemon, message: FromDataplane): void {
    switch (message.type) {
      case "log":
        return this.#options.log[message.level](message.message);
      case "forward":
        this.#options.forward(Buffer.from(message.query, "base64")).then(
          (answer) => send(daemon, { type: "forwarded", id: message.id, answer: answer?.toString("base64") ?? null }),
          () => send(daemon, { type: "forwarded", id: message.id, answer: null }),
        );
        return;
      case "sibling": {
        const answer = (found: SiblingAddress | undefined): void =>
          send(daemon, { type: "sibling", id: message.id, answer: found ?? null });
        return void this.#options.sibling(message.host).then(answer, () => answer(undefined));
      }
      case "policies":
        return this.#options.onPolicies(message.enforcement);
      case "listening":
        release(this.#underway.get(message.id));
        this.#underway.delete(message.id);
        return;
      case "ready":
        return;
    }
  }

  #ended(daemon: NetworkDaemon, code: number | string): void {
    if (this.#daemon === daemon) this.#daemon = undefined;
    for (const socket of this.#underway.values()) release(socket);
    this.#underway.clear();
    if (this.#closed) return;
    const wait = RESTART_MS[Math.min(this.#restarts++, RESTART_MS.length - 1)] ?? 5000;
    this.#options.log.warn(`the dataplane ended with ${code}; starting it again in ${wait} ms`);
    this.#cancelRestart = this.#options.clock.setTimeout(() => {
      this.start().then(
        () => {
          this.#restarts = 0;
          this.#options.onRestart();
        },
        (error: unknown) => this.#options.log.error("the dataplane did not start", { err: error }),
      );
    }, wait);
  }

  close(): void {
    this.#closed = true;
    this.#cancelRestart?.();
    for (const socket of this.#underway.values()) release(socket);
    this.#daemon?.kill();
  }
}

/** Closes our copy; whoever sent it may have done so, which a UDP socket takes amiss. */
function release(socket: HostSocket | undefined): void {
  try {
    socket?.close();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ERR_SOCKET_DGRAM_NOT_RUNNING") throw error;
  }
}

const send = (daemon: NetworkDaemon, message: ToDataplane): void => daemon.send(message);
