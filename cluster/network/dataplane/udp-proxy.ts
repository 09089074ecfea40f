/** UDP Services: one socket a ClusterIP and port, one upstream socket a client, forgotten when quiet. */
import dgram from "node:dgram";
import type { Balancer } from "./balancer.ts";
import { clientOf, type MayConnect } from "./connector.ts";
import { listeningPlaces, sourceOf } from "./service-proxy.ts";
import type { DataplaneState } from "./state.ts";

const QUIET_MS = 60_000;
const MAX_CLIENTS = 1024;

interface Flow {
  readonly upstream: dgram.Socket;
  readonly endpoint: { ip: string; port: number };
  readonly timer: NodeJS.Timeout;
  readonly end: () => void;
}

interface Listener {
  readonly socket: dgram.Socket;
  readonly flows: Map<string, Flow>;
}

export interface UdpProxyOptions {
  readonly state: DataplaneState;
  readonly balancer: Balancer;
  readonly mayConnect: MayConnect;
  readonly log: (message: string) => void;
}

export class UdpProxy {
  readonly #options: UdpProxyOptions;
  readonly #listeners = new Map<string, Listener>();

  constructor(options: UdpProxyOptions) {
    this.#options = options;
  }

  reconcile(): void {
    const { state } = this.#options;
    const wanted = new Map<string, { ip: string; port: number }>();
    for (const { ip, port } of listeningPlaces(state, "UDP")) wanted.set(`${ip}:${port}`, { ip, port });
    for (const [key, listener] of this.#listeners) {
      if (wanted.has(key)) continue;
      closeListener(listener);
      this.#listeners.delete(key);
    }
    for (const [key, { ip, port }] of wanted) {
      const listener = this.#listeners.get(key);
      if (listener === undefined) this.#open(key, ip, port);
      else this.#forget(listener, ip, port);
    }
  }

  /** A client that goes on sending is not left with an endpoint that is gone. */
  #forget(listener: Listener, ip: string, port: number): void {
    if (listener.flows.size === 0) return;
    const ready = this.#options.state.servicePortAt(ip, port, "UDP")?.port.endpoints.filter((e) => e.ready) ?? [];
    for (const flow of listener.flows.values()) {
      const { endpoint } = flow;
      if (!ready.some((e) => e.ip === endpoint.ip && e.port === endpoint.port)) flow.end();
    }
  }

  #open(key: string, ip: string, port: number): void {
    const listener: Listener = { socket: dgram.createSocket("udp4"), flows: new Map() };
    this.#listeners.set(key, listener);
    listener.socket.on("error", (error) => {
      this.#options.log(`cannot serve UDP ${key} for its Service: ${error.message}`);
      if (this.#listeners.get(key) === listener) this.#listeners.delete(key);
      closeListener(listener);
    });
    listener.socket.on("message", (message, peer) => this.#pass(listener, ip, port, message, peer));
    listener.socket.bind(port, ip);
  }

  #pass(listener: Listener, ip: string, port: number, message: Buffer, peer: dgram.RemoteInfo): void {
    const flow = listener.flows.get(`${peer.address}:${peer.port}`) ?? this.#newFlow(listener, ip, port, peer);
    if (flow === undefined) return;
    flow.timer.refresh();
    flow.upstream.send(message, flow.endpoint.port, flow.endpoint.ip, () => {});
  }

  #newFlow(listener: Listener, ip: string, port: number, peer: dgram.RemoteInfo): Flow | undefined {
    const target = this.#options.state.servicePortAt(ip, port, "UDP");
    if (target === undefined || listener.flows.size >= MAX_CLIENTS) return undefined;
    const source = sourceOf(this.#options.state, peer.address);
    const endpoint = this.#options.balancer
      .order(target.service, target.port, clientOf(source))
      .find((candidate) => this.#options.mayConnect(source, candidate));
    if (endpoint === undefined) return undefined;
    this.#options.balancer.served(target.service, peer.address, endpoint);
    const key = `${peer.address}:${peer.port}`;
    const upstream = dgram.createSocket("udp4");
    const end = (): void => {
      if (!listener.flows.delete(key)) return;
      clearTimeout(flow.timer);
      upstream.close();
    };
    const flow: Flow = { upstream, endpoint, timer: setTimeout(end, QUIET_MS).unref(), end };
    listener.flows.set(key, flow);
    upstream.on("error", end);
    upstream.on("message", (answer) => {
      flow.timer.refresh();
      listener.socket.send(answer, peer.port, peer.address, () => {});
    });
    return flow;
  }

  close(): void {
    for (const listener of this.#listeners.values()) closeListener(listener);
    this.#listeners.clear();
  }
}

function closeListener(listener: Listener): void {
  for (const flow of listener.flows.values()) {
    clearTimeout(flow.timer);
    flow.upstream.close();
  }
  listener.flows.clear();
  listener.socket.close();
}
