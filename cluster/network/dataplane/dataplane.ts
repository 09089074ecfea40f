/** One cluster's dataplane: DNS, Services, ingress, dials. No globals: the process and the tests both make one of these. */
import net from "node:net";
import type { DataplaneSettings, Delta, HostListener } from "../config.ts";
import { Balancer } from "./balancer.ts";
import { BareRegistry } from "./bare-registry.ts";
import {
  connectService,
  connectionError,
  dialAddress,
  directConnect,
  type Connect,
  type ConnectionSource,
  type Locate,
} from "./connector.ts";
import { startDnsServer, type DnsServer, type ForwardQuery } from "./dns-server.ts";
import { FrontServer } from "./ingress/front-server.ts";
import { SessionPool, UpstreamAgent } from "./ingress/upstream.ts";
import { resolveInCluster } from "./resolve.ts";
import { ServiceProxy, sourceOf } from "./service-proxy.ts";
import { startSocketServer, type SocketServer } from "./socket-server.ts";
import { DataplaneState } from "./state.ts";
import { UdpProxy } from "./udp-proxy.ts";

export interface DataplaneOptions {
  readonly settings: DataplaneSettings;
  readonly snapshot: Delta;
  readonly forward: ForwardQuery;
  readonly log: (message: string) => void;
  readonly now?: () => number;
  readonly random?: () => number;
  /** Where a mesh takes connections over. */
  readonly connect?: (locate: Locate) => Connect;
}

export interface Dataplane {
  apply(delta: Delta): void;
  listen(id: string, listener: HostListener, server: net.Server): void;
  unlisten(id: string): void;
  close(): void;
}

/** Starts everything; resolves when DNS, Services and the socket answer. */
export async function startDataplane(options: DataplaneOptions): Promise<Dataplane> {
  const { settings, log } = options;
  const random = options.random ?? Math.random;
  const state = new DataplaneState(settings);
  state.apply(options.snapshot);
  const bareMode = settings.sandbox === "bare";
  const registry = new BareRegistry({
    state,
    accept: (socket, source, ip, port) => acceptBare(socket, source, ip, port),
  });
  const locate: Locate = bareMode ? registry.locate : (host, port) => ({ host, port });
  const connect = (options.connect ?? directConnect)(locate);
  const balancer = new Balancer(options.now ?? Date.now);
  const proxy = new ServiceProxy({ state, balancer, connect, log });
  const udp = new UdpProxy({ state, balancer, log });
  const front = new FrontServer({
    state,
    balancer,
    connect,
    agent: new UpstreamAgent(connect),
    sessions: new SessionPool(connect),
    random,
  });

  function acceptBare(socket: net.Socket, source: ConnectionSource, ip: string, port: number): void {
    if (ip !== state.addresses.gateway) return proxy.acceptFrom(socket, source, ip, port);
    socket.resume();
    front.accept(socket, { publicPort: port, httpsPort: 443, tls: port === 443 ? "only" : "never" });
  }

  const reconcile = (delta: Delta): void => {
    for (const [key, service] of Object.entries(delta.services ?? {})) if (service === null) balancer.forget(key);
    if (delta.fronts !== undefined) front.refresh();
    if (bareMode) return registry.reconcile();
    if (delta.services !== undefined) {
      proxy.reconcile();
      udp.reconcile();
    }
  };
  front.refresh();
  reconcile(options.snapshot);

  const dial = async (host: string, port: number, sourceIP: string | undefined): Promise<net.Socket> => {
    const ip = addressFor(state, host, sourceIP);
    if (ip === state.addresses.gateway) return joinIngress(front, port);
    const target = state.servicePortAt(ip, port);
    if (target === undefined || ip === state.addresses.api) return dialAddress(locate, ip, port);
    const source: ConnectionSource =
      sourceIP === undefined ? { kind: "outside", via: "api" } : sourceOf(state, sourceIP);
    const connection = await connectService({ balancer, connect }, source, target);
    if (connection === undefined)
      throw connectionError(
        "ECONNREFUSED",
        `Service ${target.service.namespace}/${target.service.name} has no ready endpoint on port ${port}`,
      );
    return connection.socket;
  };

  const inside: (DnsServer | net.Server)[] = [];
  if (!bareMode) {
    inside.push(await startDnsServer({ state, forward: options.forward, random, log }, state.addresses.dns, 53));
    for (const port of [80, 443] as const) inside.push(insideIngress(front, state.addresses.gateway, port, log));
  }
  const sockets: SocketServer = await startSocketServer({
    path: settings.socketPath,
    dial,
    bare: bareMode ? registry : undefined,
    resolve: (name, type, namespace) => Promise.resolve(resolveInCluster(state, name, type, namespace)),
    log,
  });

  const hostListeners = new Map<string, net.Server>();
  return {
    apply(delta) {
      state.apply(delta);
      reconcile(delta);
    },
    listen(id, listener, server) {
      hostListeners.get(id)?.close();
      hostListeners.set(id, server);
      server.on("error", (error) => log(`host listener ${id}: ${error.message}`));
      if (listener.kind === "service")
        server.on("connection", (socket: net.Socket) => proxy.acceptFromHost(socket, listener.service, listener.port));
      else front.serve(server, listener);
    },
    unlisten(id) {
      hostListeners.get(id)?.close();
      hostListeners.delete(id);
    },
    close() {
      for (const server of [...hostListeners.values(), ...inside]) server.close();
      sockets.close();
      proxy.close();
      udp.close();
      registry.close();
      front.close();
    },
  };
}

/** An address of the cluster for a host that may be a name, as the source pod would resolve it. */
function addressFor(state: DataplaneState, host: string, sourceIP: string | undefined): string {
  if (net.isIP(host) !== 0) {
    if (state.podRange.contains(host) || state.serviceRange.contains(host)) return host;
    throw connectionError("EOUTSIDE", `${host} is not an address of the cluster`);
  }
  const namespace = (sourceIP === undefined ? undefined : state.pods.get(sourceIP)?.namespace) ?? "default";
  const result = resolveInCluster(state, host, "A", namespace);
  const first = result.kind === "records" ? result.records[0] : undefined;
  if (typeof first === "string") return first;
  if (result.kind === "outside" || first !== undefined)
    throw connectionError("EOUTSIDE", `${host} is not a name of the cluster`);
  throw connectionError("ENOTFOUND", `no Service or pod has the name ${host}`);
}

/** The ingress as pods see it at the gateway's address, reached without a socket of theirs. */
async function joinIngress(front: FrontServer, port: number): Promise<net.Socket> {
  if (port !== 80 && port !== 443)
    throw connectionError("ECONNREFUSED", `the ingress listens on ports 80 and 443, not on ${port}`);
  const server = net.createServer((socket) => {
    server.close();
    front.accept(socket, { publicPort: port, httpsPort: 443, tls: port === 443 ? "only" : "never" });
  });
  await new Promise<void>((resolve, reject) =>
    server.once("error", reject).listen({ host: "127.0.0.1", port: 0 }, resolve),
  );
  return dialAddress((host, to) => ({ host, port: to }), "127.0.0.1", (server.address() as net.AddressInfo).port);
}

function insideIngress(
  front: FrontServer,
  address: string,
  port: 80 | 443,
  log: (message: string) => void,
): net.Server {
  const server = net.createServer({ noDelay: true });
  server.on("error", (error) => log(`the ingress cannot listen on ${address}:${port}: ${error.message}`));
  front.serveInside(server, address, port);
  server.listen({ host: address, port });
  return server;
}
