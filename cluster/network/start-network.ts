/** The network of a cluster: dataplane, controllers, local ports, egress. */
import net from "node:net";
import path from "node:path";
import type { Duplex } from "node:stream";
import { createOwnClasses } from "./own-classes.ts";
import { silentLogger, systemClock, type Clock, type KubeClient, type Logger } from "@travelops/kube";
import { clusterAddresses, EGRESS_PORT } from "./address.ts";
import type { DataplaneSettings } from "./config.ts";
import { DataplaneLink } from "./controllers/dataplane-link.ts";
import { HostListeners } from "./controllers/host-listeners.ts";
import { LocalUrls, type NetworkUrl } from "./controllers/local-urls.ts";
import { NetworkController } from "./controllers/network-controller.ts";
import { installCrdFolder } from "./crds/install-crds.ts";
import { dialThrough, type DialOptions } from "./dial.ts";
import { bareEgressEnv, egressEnv } from "./egress/env.ts";
import { HostResolver } from "./egress/host-resolver.ts";
import { serveEgress, type MappedAddress } from "./egress/proxy.ts";
import type { FindSibling } from "./egress/sibling-clusters.ts";
import { SiblingDoors } from "./egress/sibling-doors.ts";
import type { NetworkHost } from "./network-host.ts";
import { installOpenShiftCrds } from "../openshift/furniture.ts";

export interface ClusterNetwork {
  readonly name: string;
  readonly podRange: string;
  readonly serviceRange: string;
  /** `cluster.local`. */
  readonly domain: string;
}

export interface StartNetworkOptions {
  readonly client: KubeClient;
  readonly host: NetworkHost;
  readonly cluster: ClusterNetwork;
  /** Where browsers reach the ingress: ports of 127.0.0.1 to try in order (0: any), or sockets that listen already. */
  readonly ingress: {
    readonly http: readonly number[] | net.Server;
    readonly https: readonly number[] | net.Server;
  };
  /** For `*.apps.CLUSTER.travelops.localhost`, with 127.0.0.1 among its names. */
  readonly certificate: { readonly cert: string; readonly key: string };
  /** The dataplane's unix socket; bare pods get it as TRAVELOPS_DATAPLANE. */
  readonly socketPath: string;
  /** Bare sandbox: where the API server really listens. */
  readonly apiServer?: { readonly host: string; readonly port: number };
  /** Names outside the cluster that stand for ports of this machine, for the egress proxy. */
  readonly egressMap?: (host: string, port: number) => MappedAddress | undefined;
  /** Where the clusters of this machine are, for pods. */
  readonly siblings?: FindSibling;
  readonly clock?: Clock;
  readonly log?: Logger;
  readonly signal?: AbortSignal;
}

export interface Network {
  /** Connects to a pod's or Service's address or name, from outside the pods' network. */
  dial(host: string, port: number, options?: DialOptions): Promise<Duplex>;
  /** Hosts of Routes, Ingresses and Gateways, for people. */
  urls(): NetworkUrl[];
  /** Proxy variables for pods that have none. In the bare sandbox they lead native programs into the cluster. */
  egressEnv(): Record<string, string>;
  readonly appsDomain: string;
  readonly ports: { readonly http: number; readonly https: number };
  /** Resolves when CRDs are installed and Routes, Ingresses and Gateways are served; rejects when that failed. */
  readonly ingressReady: Promise<void>;
  close(): Promise<void>;
}

/** What macOS takes; Linux takes a little more. */
const MAX_SOCKET_PATH = 103;

const appsDomainOf = (clusterName: string): string => `apps.${clusterName}.travelops.localhost`;

/** Resolves when DNS, Services and dials work; the ingress follows (`ingressReady`). */
export async function startNetwork(options: StartNetworkOptions): Promise<Network> {
  const { client, host, cluster } = options;
  if (Buffer.byteLength(options.socketPath) > MAX_SOCKET_PATH) {
    throw new Error(
      `the path ${options.socketPath} is too long for a unix socket (${MAX_SOCKET_PATH} bytes): use a data directory with a shorter path`,
    );
  }
  const clock = options.clock ?? systemClock;
  const log = options.log ?? silentLogger;
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const appsDomain = appsDomainOf(cluster.name);
  const opened = await openIngress(options.ingress);
  const settings = settingsOf(options, appsDomain, opened.ports);
  const resolver = new HostResolver(clock);
  const listeners = new HostListeners({
    send: (id, listener, server) => link.listen(id, listener, server),
    drop: (id) => link.unlisten(id),
    log: (message) => log.warn(message),
  });
  const bare = host.sandbox === "bare";
  const find = options.siblings ?? (() => undefined);
  const doors = new SiblingDoors({
    find,
    listen: bare ? undefined : (address, port) => host.listen(address, port),
    log: (message) => log.warn(message),
  });
  const link: DataplaneLink = new DataplaneLink({
    host,
    settings,
    clock,
    log,
    forward: (query) => resolver.ask(query),
    sibling: (name) => doors.open(name),
    onPolicies: (enforcement) => controller.policiesEnforced(enforcement),
    onRestart: () => void listeners.reopen().then(() => controller.relook()),
  });
  const urls = new LocalUrls(listeners, {
    cluster: cluster.name,
    ports: () => opened.ports,
    udp: host.sandbox === "namespaces",
    log,
  });
  const addresses = clusterAddresses(cluster.podRange, cluster.serviceRange);
  const controller = new NetworkController({ client, link, urls, appsDomain, addresses, clock, log, signal });
  const crds = installCrds(client, { clock, signal });
  crds.catch(() => {});
  const dial: Network["dial"] = (to, port, dialOptions) => dialThrough(settings.socketPath, to, port, dialOptions);
  let egress: { close(): void } | undefined;
  let environment: Record<string, string> = {};
  try {
    await Promise.all([link.start(), controller.start()]);
    listeners.adopt("http", { kind: "http" }, opened.http);
    listeners.adopt("https", { kind: "https" }, opened.https);
    const listener = await host.listen(addresses.gateway, EGRESS_PORT);
    // In the bare sandbox every caller is this machine: there is no source to tell.
    egress = serveEgress(listener, {
      dial: (to, port, source) => dial(to, port, bare ? {} : { source }),
      map: (name, port) => mapSibling(find, name, port) ?? options.egressMap?.(name, port),
    });
    environment = bare ? bareEgressEnv((listener.address() as net.AddressInfo).port) : egressEnv(cluster);
  } catch (error) {
    stop.abort();
    link.close();
    controller.close();
    for (const server of [opened.http, opened.https]) server.close();
    throw error;
  }
  const ingressReady = crds.then(() => createOwnClasses(client, signal)).then(() => controller.startIngress());
  ingressReady.catch((error: unknown) => signal.aborted || log.error("the ingress did not start", { err: error }));
  return {
    dial,
    urls: () => controller.urls(),
    egressEnv: () => environment,
    appsDomain,
    ports: opened.ports,
    ingressReady,
    async close() {
      stop.abort();
      egress?.close();
      doors.close();
      controller.close();
      link.close();
      await crds.catch(() => {});
    },
  };
}

/** What the proxy makes of a name that cluster DNS knows, too: the same place, judged by the same address. */
function mapSibling(find: FindSibling, host: string, port: number): MappedAddress | undefined {
  const sibling = find(host);
  const there = sibling?.ports[port];
  return sibling === undefined || there === undefined
    ? undefined
    : { host: "127.0.0.1", port: there, judgedAs: sibling.address };
}

/** CRDs of the Gateway API and of OpenShift, where they are missing. */
export async function installCrds(client: KubeClient, options: { clock: Clock; signal?: AbortSignal }): Promise<void> {
  await Promise.all([
    installCrdFolder(client, path.join(import.meta.dirname, "crds"), options),
    installOpenShiftCrds(client, options),
  ]);
}

function settingsOf(
  options: StartNetworkOptions,
  appsDomain: string,
  publicPorts: { http: number; https: number },
): DataplaneSettings {
  const { cluster, host, certificate, socketPath, apiServer } = options;
  return {
    clusterName: cluster.name,
    clusterDomain: cluster.domain,
    appsDomain,
    podRange: cluster.podRange,
    serviceRange: cluster.serviceRange,
    sandbox: host.sandbox,
    socketPath,
    certificate,
    publicPorts,
    ...(apiServer === undefined ? {} : { apiServer }),
  };
}

interface OpenedIngress {
  readonly http: net.Server;
  readonly https: net.Server;
  readonly ports: { readonly http: number; readonly https: number };
}

async function openIngress(wanted: StartNetworkOptions["ingress"]): Promise<OpenedIngress> {
  const open = async (given: readonly number[] | net.Server, name: string): Promise<net.Server> => {
    if (given instanceof net.Server) return given;
    for (const port of given) {
      const server = await tryListen(port);
      if (server !== undefined) return server;
    }
    throw new Error(
      `the ingress found no free port for ${name} on 127.0.0.1 among ${given.join(", ")}: free one, or name another`,
    );
  };
  const http = await open(wanted.http, "HTTP");
  const https = await open(wanted.https, "HTTPS");
  const portOf = (server: net.Server): number => (server.address() as net.AddressInfo).port;
  return { http, https, ports: { http: portOf(http), https: portOf(https) } };
}

function tryListen(port: number): Promise<net.Server | undefined> {
  return new Promise((resolve, reject) => {
    const server = net.createServer((socket) => socket.destroy());
    server.once("error", (error: NodeJS.ErrnoException) =>
      error.code === "EADDRINUSE" || error.code === "EACCES" ? resolve(undefined) : reject(error),
    );
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => resolve(server));
  });
}
