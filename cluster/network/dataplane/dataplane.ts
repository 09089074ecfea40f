/** One cluster's dataplane: DNS, Services, ingress, dials. No globals: the process and the tests both make one of these. */
import type dgram from "node:dgram";
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import type { DataplaneSettings, Delta, HostListener, PolicyEnforcement } from "../config.ts";
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
  type MayConnect,
} from "./connector.ts";
import { startDnsServer, type DnsServer, type ForwardQuery } from "./dns-server.ts";
import { FrontServer } from "./ingress/front-server.ts";
import { SessionPool, UpstreamAgent } from "./ingress/upstream.ts";
import type { Firewall } from "../policy/firewall.ts";
import { resolveForPod, resolveInCluster } from "./resolve.ts";
import { PolicyGate } from "./policy-gate.ts";
import { ServiceProxy, sourceOf } from "./service-proxy.ts";
import { ServiceTranslation } from "./service-translation.ts";
import { Siblings, type AskSibling } from "./siblings.ts";
import { startSocketServer, type SocketServer } from "./socket-server.ts";
import { DataplaneState } from "./state.ts";
import { UdpProxy } from "./udp-proxy.ts";

export interface DataplaneOptions {
  readonly settings: DataplaneSettings;
  readonly snapshot: Delta;
  readonly forward: ForwardQuery;
  readonly sibling: AskSibling;
  readonly log: (message: string) => void;
  /** Told how far NetworkPolicies are enforced, when there are any. */
  readonly onPolicies?: (enforcement: PolicyEnforcement) => void;
  /** The pods' network may hold rules of a dataplane before this one. */
  readonly rulesMayStand?: boolean;
  readonly servicesMayStand?: boolean;
  readonly now?: () => number;
  readonly random?: () => number;
  /** Where a mesh takes connections over. */
  readonly connect?: (locate: Locate) => Connect;
}

export interface Dataplane {
  apply(delta: Delta): void;
  listen(id: string, listener: HostListener, server: net.Server): void;
  /** A UDP socket of the host that is a Service's port. */
  listenUdp(id: string, listener: { service: string; port: number }, socket: dgram.Socket): void;
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
  const gate = new PolicyGate({
    state,
    isNode,
    ...(bareMode ? {} : { openFirewall: () => openFirewall(options.rulesMayStand === true) }),
    rulesMayStand: options.rulesMayStand === true,
    report: options.onPolicies ?? (() => {}),
  });
  const mayConnect: MayConnect = (source, endpoint) => gate.mayConnect(source, endpoint);
  const siblings = new Siblings(options.sibling);
  const registry = new BareRegistry({
    state,
    gate,
    siblings,
    accept: (socket, source, ip, port) => acceptBare(socket, source, ip, port),
  });
  const locate: Locate = bareMode ? registry.locate : (host, port) => ({ host, port });
  const connect = (options.connect ?? directConnect)(locate);
  const balancer = new Balancer(options.now ?? Date.now);
  const proxy = new ServiceProxy({ state, balancer, connect, mayConnect, log });
  // A mesh has to see every connection; and where nothing is routed there is nothing to translate.
  const translation =
    bareMode || options.connect !== undefined
      ? undefined
      : new ServiceTranslation({
          state,
          openNetlink: async () => (await import("../netfilter/netlink-socket.ts")).openNetlink(),
          rulesMayStand: options.servicesMayStand === true,
          log,
          onTracking: forgetClosedSoon,
        });
  const udp = new UdpProxy({
    state,
    balancer,
    mayConnect: (source, endpoint) => gate.mayConnect(source, endpoint, "UDP"),
    log,
  });
  const front = new FrontServer({
    state,
    balancer,
    connect,
    agent: new UpstreamAgent(connect),
    sessions: new SessionPool(connect),
    mayEnter: (gateways, endpoint) => gate.mayEnter(gateways, endpoint),
    random,
  });

  function acceptBare(socket: net.Socket, source: ConnectionSource, ip: string, port: number): void {
    if (ip !== state.addresses.gateway || (port !== 80 && port !== 443))
      return proxy.acceptFrom(socket, source, ip, port);
    socket.resume();
    front.accept(socket, { publicPort: port, httpsPort: 443, tls: port === 443 ? "only" : "never" });
  }

  const reconcile = (delta: Delta): void => {
    for (const [key, service] of Object.entries(delta.services ?? {})) if (service === null) balancer.forget(key);
    if (delta.fronts !== undefined) front.refresh();
    gate.refresh({
      policies: delta.policies !== undefined,
      targets: delta.services !== undefined || delta.pods !== undefined,
    });
    if (bareMode) return registry.reconcile();
    if (delta.services !== undefined) {
      proxy.reconcile();
      udp.reconcile();
      translation?.refresh(delta.services);
    }
  };
  front.refresh();
  reconcile(options.snapshot);

  const dial = async (host: string, port: number, sourceIP: string | undefined): Promise<net.Socket> => {
    const ip = addressFor(state, gate, host, port, sourceIP);
    const target = state.servicePortAt(ip, port);
    if (target === undefined || ip === state.addresses.api) {
      if (sourceIP !== undefined && !gate.mayReach(sourceIP, ip, port))
        throw heldBack(state, sourceIP, `${ip}:${port}`);
      return ip === state.addresses.gateway ? joinIngress(front, port) : dialAddress(locate, ip, port);
    }
    const source: ConnectionSource =
      sourceIP === undefined ? { kind: "outside", via: "api" } : sourceOf(state, sourceIP);
    const connection = await connectService({ balancer, connect, mayConnect }, source, target);
    if (connection === undefined)
      throw connectionError(
        "ECONNREFUSED",
        `Service ${target.service.namespace}/${target.service.name} has no ready endpoint on port ${port} that may be reached`,
      );
    return connection.socket;
  };

  const inside: (DnsServer | net.Server)[] = [];
  if (!bareMode) {
    inside.push(
      await startDnsServer(
        { state, forward: options.forward, sibling: siblings.find, random, log },
        state.addresses.dns,
        53,
      ),
    );
    for (const port of [80, 443] as const) inside.push(insideIngress(front, state.addresses.gateway, port, log));
  }
  const sockets: SocketServer = await startSocketServer({
    path: settings.socketPath,
    dial,
    bare: bareMode ? registry : undefined,
    resolve: (name, type, namespace, podIP) =>
      gate.mayReach(podIP, state.addresses.dns, 53, "UDP")
        ? resolveForPod(state, siblings.find, name, type, namespace)
        : Promise.resolve({ kind: "denied" }),
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
      if (listener.kind === "service") {
        // A server that came as a handle has none of the options it was made with.
        Object.assign(server, { allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
        server.on("connection", (socket: net.Socket) => proxy.acceptFromHost(socket, listener.service, listener.port));
      } else front.serve(server, listener);
    },
    listenUdp: (id, { service, port }, socket) => udp.serve(id, socket, service, port),
    unlisten(id) {
      udp.drop(id);
      hostListeners.get(id)?.close();
      hostListeners.delete(id);
    },
    close() {
      for (const server of [...hostListeners.values(), ...inside]) server.close();
      sockets.close();
      proxy.close();
      udp.close();
      gate.close();
      translation?.close();
      registry.close();
      front.close();
    },
  };
}

/** Addresses of the pods' network that are the nodes' own. */
const isNode = (ip: string): boolean =>
  Object.values(os.networkInterfaces()).some((addresses) => addresses?.some((a) => a.address === ip));

/**
 * Connections that are closed stay in the kernel's table of 262,144 for 120 s: clients that open more than some 2,000 a second
 * would fill it. Where the setting cannot be written the kernel's stays.
 */
function forgetClosedSoon(): void {
  fs.writeFile("/proc/sys/net/netfilter/nf_conntrack_tcp_timeout_time_wait", "10", () => {});
}

/** The kernel's firewall, and all it takes to talk to it, only where there is a policy to enforce. */
async function openFirewall(rulesMayStand: boolean): Promise<Firewall> {
  const [{ Firewall: Made }, { openNetlink }] = await Promise.all([
    import("../policy/firewall.ts"),
    import("../netfilter/netlink-socket.ts"),
  ]);
  return new Made(await openNetlink(), rulesMayStand);
}

function heldBack(state: DataplaneState, podIP: string, target: string): NodeJS.ErrnoException {
  const pod = state.pods.get(podIP);
  return connectionError(
    "EPOLICY",
    `a NetworkPolicy does not let pod ${pod === undefined ? podIP : `${pod.namespace}/${pod.name}`} reach ${target}`,
  );
}

/** An address of the cluster for a host that may be a name, as the source pod would resolve it. */
function addressFor(
  state: DataplaneState,
  gate: PolicyGate,
  host: string,
  port: number,
  sourceIP: string | undefined,
): string {
  const heldPod = sourceIP !== undefined && gate.holdsBack(sourceIP) ? sourceIP : undefined;
  if (net.isIP(host) !== 0) {
    if (state.podRange.contains(host) || state.serviceRange.contains(host)) return host;
    if (heldPod !== undefined && !gate.mayReach(heldPod, host, port)) throw heldBack(state, heldPod, `${host}:${port}`);
    throw connectionError("EOUTSIDE", `${host} is not an address of the cluster`);
  }
  const namespace = (sourceIP === undefined ? undefined : state.pods.get(sourceIP)?.namespace) ?? "default";
  const result = resolveInCluster(state, host, "A", namespace);
  // The proxy knows the names and ports of clusters beside this one, and has not found this.
  if (result.kind === "sibling")
    throw connectionError("ENOTFOUND", `no cluster here has the name ${host}, or it serves nothing on port ${port}`);
  const first = result.kind === "records" ? result.records[0] : undefined;
  // Names below localhost: what they mean is for the proxy to refuse.
  if (typeof first === "string" && first.startsWith("127."))
    throw connectionError("EOUTSIDE", `${host} is no name of the cluster`);
  if (typeof first === "string") return first;
  // Policies know addresses: whoever asked has to find the name's, and ask again.
  if ((result.kind === "outside" || first !== undefined) && heldPod !== undefined)
    throw connectionError("ERESOLVE", `${host} has to be resolved for a NetworkPolicy`);
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
