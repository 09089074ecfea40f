/** UDP Services: one socket a ClusterIP and port, one upstream socket a client, forgotten when quiet. */
import dgram from "node:dgram";
import type { Balancer } from "./balancer.ts";
import { clientOf, type ConnectionSource, type MayConnect } from "./connector.ts";
import { listeningPlaces, sourceOf } from "./service-proxy.ts";
import type { DataplaneState, ServicePort } from "./state.ts";

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
  /** The Service's port as it is now. */
  readonly target: () => ServicePort | undefined;
  readonly source: (address: string) => ConnectionSource;
}

export interface UdpProxyOptions {
  readonly state: DataplaneState;
  readonly balancer: Balancer;
  readonly mayConnect: MayConnect;
  readonly log: (message: string) => void;
}

const OUTSIDE: ConnectionSource = { kind: "outside", via: "host" };

export class UdpProxy {
  readonly #options: UdpProxyOptions;
  readonly #listeners = new Map<string, Listener>();
  /** Sockets of the host, by the id under which they came. */
  readonly #hosts = new Map<string, Listener>();

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
    for (const [key, { ip, port }] of wanted) if (!this.#listeners.has(key)) this.#open(key, ip, port);
    for (const listener of [...this.#listeners.values(), ...this.#hosts.values()]) forgetGone(listener);
  }

  #open(key: string, ip: string, port: number): void {
    const { state } = this.#options;
    const listener: Listener = {
      socket: dgram.createSocket("udp4"),
      flows: new Map(),
      target: () => state.servicePortAt(ip, port, "UDP"),
      source: (address) => sourceOf(state, address),
    };
    this.#serve(this.#listeners, key, listener);
    listener.socket.bind(port, ip);
  }

  /** A socket of the host that stands for a Service's port. */
  serve(id: string, socket: dgram.Socket, service: string, port: number): void {
    this.drop(id);
    const target = (): ServicePort | undefined => this.#options.state.servicePort(service, port, "UDP");
    this.#serve(this.#hosts, id, { socket, flows: new Map(), target, source: () => OUTSIDE });
  }

  drop(id: string): void {
    const listener = this.#hosts.get(id);
    this.#hosts.delete(id);
    if (listener !== undefined) closeListener(listener);
  }

  #serve(listeners: Map<string, Listener>, key: string, listener: Listener): void {
    listeners.set(key, listener);
    listener.socket.on("error", (error) => {
      this.#options.log(`cannot serve UDP ${key} for its Service: ${error.message}`);
      if (listeners.get(key) === listener) listeners.delete(key);
      closeListener(listener);
    });
    listener.socket.on("message", (message, peer) => this.#pass(listener, message, peer));
  }

  #pass(listener: Listener, message: Buffer, peer: dgram.RemoteInfo): void {
    const flow = listener.flows.get(`${peer.address}:${peer.port}`) ?? this.#newFlow(listener, peer);
    if (flow === undefined) return;
    flow.timer.refresh();
    flow.upstream.send(message, flow.endpoint.port, flow.endpoint.ip, () => {});
  }

  #newFlow(listener: Listener, peer: dgram.RemoteInfo): Flow | undefined {
    const { balancer, mayConnect } = this.#options;
    const target = listener.target();
    if (target === undefined || listener.flows.size >= MAX_CLIENTS) return undefined;
    const source = listener.source(peer.address);
    const endpoint = balancer
      .order(target.service, target.port, { ...clientOf(source), ip: peer.address })
      .find((candidate) => mayConnect(source, candidate));
    if (endpoint === undefined) return undefined;
    balancer.served(target.service, peer.address, endpoint);
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
    for (const listener of [...this.#listeners.values(), ...this.#hosts.values()]) closeListener(listener);
    this.#listeners.clear();
    this.#hosts.clear();
  }
}

/** A client that goes on sending is not left with an endpoint that is gone. */
function forgetGone(listener: Listener): void {
  if (listener.flows.size === 0) return;
  const ready = listener.target()?.port.endpoints.filter((e) => e.ready) ?? [];
  for (const { endpoint, end } of listener.flows.values())
    if (!ready.some((e) => e.ip === endpoint.ip && e.port === endpoint.port)) end();
}

function closeListener(listener: Listener): void {
  for (const flow of listener.flows.values()) {
    clearTimeout(flow.timer);
    flow.upstream.close();
  }
  listener.flows.clear();
  listener.socket.close();
}
