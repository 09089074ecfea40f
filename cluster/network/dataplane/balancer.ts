/** Which endpoint a connection gets: round robin over the ready ones, or the client's last one. */
import type { EndpointConfig, ServiceConfig, ServicePortConfig } from "../config.ts";

interface Affinity {
  readonly ip: string;
  readonly at: number;
}

const MAX_AFFINITIES = 10_000;

/** Who connects, as far as that decides where to. */
export interface Client {
  readonly ip?: string;
  readonly node?: string;
  readonly zone?: string;
}

/** The ready endpoints that a client may get by where they run: of its node only, or the nearest that there are. */
export function eligible(service: ServiceConfig, ready: EndpointConfig[], { node, zone }: Client): EndpointConfig[] {
  if (service.local === true && node !== undefined) return ready.filter((e) => e.node === node);
  if (service.prefer === undefined || node === undefined) return ready;
  const here = service.prefer === "node" ? ready.filter((e) => e.node === node) : [];
  if (here.length > 0) return here;
  const near = zone === undefined ? [] : ready.filter((e) => e.zone === zone);
  return near.length > 0 ? near : ready;
}

export class Balancer {
  readonly #now: () => number;
  readonly #turns = new Map<string, number>();
  readonly #affinities = new Map<string, Affinity>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Ready endpoints in the order in which to try them; empty when there is none. */
  order(service: ServiceConfig, port: ServicePortConfig, client: Client): EndpointConfig[] {
    const all = port.endpoints.filter((e) => e.ready);
    const ready = service.local === true || service.prefer !== undefined ? eligible(service, all, client) : all;
    if (ready.length < 2) return ready;
    const key = `${service.namespace}/${service.name}:${port.port}/${port.protocol}`;
    const turn = this.#turns.get(key) ?? 0;
    this.#turns.set(key, (turn + 1) % 0x7fffffff);
    let start = turn % ready.length;
    if (service.affinitySeconds !== undefined && client.ip !== undefined) {
      const kept = this.#kept(`${service.namespace}/${service.name}|${client.ip}`, service.affinitySeconds);
      const index = kept === undefined ? -1 : ready.findIndex((e) => e.ip === kept);
      if (index >= 0) start = index;
    }
    return [...ready.slice(start), ...ready.slice(0, start)];
  }

  /** Remembers which endpoint served a client of a Service with affinity. */
  served(service: ServiceConfig, clientIP: string | undefined, endpoint: EndpointConfig): void {
    if (service.affinitySeconds === undefined || clientIP === undefined) return;
    const key = `${service.namespace}/${service.name}|${clientIP}`;
    this.#affinities.delete(key);
    this.#affinities.set(key, { ip: endpoint.ip, at: this.#now() });
    if (this.#affinities.size > MAX_AFFINITIES) {
      const oldest = this.#affinities.keys().next().value;
      if (oldest !== undefined) this.#affinities.delete(oldest);
    }
  }

  /** Forgets a Service that is gone. */
  forget(service: string): void {
    for (const key of this.#turns.keys()) if (key.startsWith(`${service}:`)) this.#turns.delete(key);
    for (const key of this.#affinities.keys()) if (key.startsWith(`${service}|`)) this.#affinities.delete(key);
  }

  #kept(key: string, seconds: number): string | undefined {
    const affinity = this.#affinities.get(key);
    if (affinity === undefined) return undefined;
    if (this.#now() - affinity.at <= seconds * 1000) return affinity.ip;
    this.#affinities.delete(key);
    return undefined;
  }
}
