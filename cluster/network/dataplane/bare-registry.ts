/**
 * The bare sandbox's pod network: where each (pod address, port) really listens, and, for a Service, a
 * loopback listener a (source pod, Service, port), so that the source is known without asking the kernel.
 */
import net from "node:net";
import type { ConnectionSource, Locate } from "./connector.ts";
import type { PolicyGate } from "./policy-gate.ts";
import type { Siblings } from "./siblings.ts";
import type { DataplaneState, ServicePort } from "./state.ts";

/** Where a pod has to connect to reach an address. */
export type Way =
  | { readonly kind: "here"; readonly real: RealAddress }
  | { readonly kind: "nothing" }
  /** A NetworkPolicy forbids it. */
  | { readonly kind: "denied" }
  /** No address of the cluster. */
  | { readonly kind: "outside" };

const wayTo = (real: RealAddress | undefined): Way =>
  real === undefined ? { kind: "nothing" } : { kind: "here", real };

export interface RealAddress {
  readonly host: string;
  readonly port: number;
}

interface Registration {
  readonly real: RealAddress;
  /** Bound to the pod's localhost only. */
  readonly loopback: boolean;
  /** Several processes of the pod may share one socket. */
  holders: number;
}

interface SourceListener {
  readonly server: net.Server;
  readonly real: Promise<RealAddress>;
}

export interface BareRegistryOptions {
  readonly state: DataplaneState;
  /** NetworkPolicies, as far as programs ask. */
  readonly gate: Pick<PolicyGate, "mayReach" | "holdsBack">;
  /** Where a cluster beside this one is on this machine. */
  readonly siblings: Pick<Siblings, "covers" | "onThisMachine">;
  /** Serves a connection that `source` made to a ClusterIP or to the gateway's ingress. */
  readonly accept: (socket: net.Socket, source: ConnectionSource, ip: string, port: number) => void;
}

export class BareRegistry {
  readonly #options: BareRegistryOptions;
  readonly #listening = new Map<string, Registration>();
  readonly #sources = new Map<string, SourceListener>();

  constructor(options: BareRegistryOptions) {
    this.#options = options;
  }

  /** False when another process of the pod holds the port. */
  register(podIP: string, port: number, real: RealAddress, loopback: boolean): boolean {
    const key = `${podIP}:${port}`;
    const held = this.#listening.get(key);
    if (held === undefined) this.#listening.set(key, { real, loopback, holders: 1 });
    else if (held.real.host === real.host && held.real.port === real.port) held.holders++;
    else return false;
    return true;
  }

  unregister(podIP: string, port: number, real: RealAddress): void {
    const key = `${podIP}:${port}`;
    const held = this.#listening.get(key);
    if (held === undefined || held.real.host !== real.host || held.real.port !== real.port) return;
    if (--held.holders <= 0) this.#listening.delete(key);
  }

  /** For connections from other pods and from the dataplane itself. */
  readonly locate: Locate = (ip, port) => {
    const { state } = this.#options;
    if (ip === state.addresses.api && port === 443 && state.settings.apiServer !== undefined)
      return state.settings.apiServer;
    const found = this.#listening.get(`${ip}:${port}`);
    return found === undefined || found.loopback ? undefined : found.real;
  };

  /** Whether an address belongs to the cluster's ranges. */
  covers(ip: string): boolean {
    return this.#options.state.podRange.contains(ip) || this.#options.state.serviceRange.contains(ip);
  }

  /** Where a pod finds one of its own ports. */
  own(podIP: string, port: number): RealAddress | undefined {
    return this.#listening.get(`${podIP}:${port}`)?.real;
  }

  /** Where `podIP` has to connect to reach `ip:port`. */
  async route(podIP: string, ip: string, port: number): Promise<Way> {
    const { state, gate, siblings } = this.#options;
    if (ip === podIP) return wayTo(this.own(podIP, port));
    // Services are judged by the endpoint, when the connection is made.
    const isService = ip !== state.addresses.api && this.#target(ip, port) !== undefined;
    if (!isService && !gate.mayReach(podIP, ip, port)) return { kind: "denied" };
    if (siblings.covers(ip)) return wayTo(siblings.onThisMachine(ip, port));
    if (!this.covers(ip)) return { kind: "outside" };
    const isIngress = ip === state.addresses.gateway && (port === 80 || port === 443);
    if (isIngress || isService) return wayTo(await this.#sourceListener(podIP, ip, port));
    return wayTo(this.locate(ip, port));
  }

  holdsBack(podIP: string): boolean {
    return this.#options.gate.holdsBack(podIP);
  }

  #target(ip: string, port: number): ServicePort | undefined {
    return this.#options.state.servicePortAt(ip, port);
  }

  #sourceListener(podIP: string, ip: string, port: number): Promise<RealAddress> {
    const key = `${podIP}>${ip}:${port}`;
    const kept = this.#sources.get(key);
    if (kept !== undefined) return kept.real;
    const { state, accept } = this.#options;
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (socket) => {
      const pod = state.pods.get(podIP);
      accept(socket, pod === undefined ? { kind: "address", ip: podIP } : { kind: "pod", pod }, ip, port);
    });
    const real = new Promise<RealAddress>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host: "127.0.0.1", port: 0 }, () => {
        const address = server.address();
        if (address === null || typeof address === "string") reject(new Error("no TCP address"));
        else resolve({ host: "127.0.0.1", port: address.port });
      });
    });
    this.#sources.set(key, { server, real });
    real.catch(() => this.#sources.delete(key));
    return real;
  }

  /** Drops the listeners of pods and Services that are gone. */
  reconcile(): void {
    const { state } = this.#options;
    for (const [key, { server }] of this.#sources) {
      const [podIP = "", target = ""] = key.split(">");
      const [ip = "", port = ""] = target.split(":");
      const wanted = ip === state.addresses.gateway || this.#target(ip, Number(port)) !== undefined;
      if (wanted && state.pods.has(podIP)) continue;
      server.close();
      this.#sources.delete(key);
    }
  }

  close(): void {
    for (const { server } of this.#sources.values()) server.close();
    this.#sources.clear();
  }
}
