/** Listens on every ClusterIP and port in the pods' network and joins each connection to an endpoint. */
import net from "node:net";
import os from "node:os";
import { connectService, type Connect, type ConnectionSource, type MayConnect } from "./connector.ts";
import type { Balancer } from "./balancer.ts";
import { join } from "./pump.ts";
import type { DataplaneState } from "./state.ts";

export interface ServiceProxyOptions {
  readonly state: DataplaneState;
  readonly balancer: Balancer;
  readonly connect: Connect;
  readonly mayConnect: MayConnect;
  readonly log: (message: string) => void;
}

export class ServiceProxy {
  readonly #options: ServiceProxyOptions;
  readonly #listeners = new Map<string, net.Server>();

  constructor(options: ServiceProxyOptions) {
    this.#options = options;
  }

  /** Opens and closes listeners so that they are those of the Services in the state. */
  reconcile(): void {
    const wanted = new Map<string, { ip: string; port: number }>();
    for (const { ip, port } of listeningPlaces(this.#options.state, "TCP")) wanted.set(`${ip}:${port}`, { ip, port });
    for (const [key, server] of this.#listeners) {
      if (wanted.has(key)) continue;
      server.close();
      this.#listeners.delete(key);
    }
    for (const [key, { ip, port }] of wanted) if (!this.#listeners.has(key)) this.#open(key, ip, port);
  }

  #open(key: string, ip: string, port: number): void {
    const server = net.createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true }, (client) =>
      this.accept(client, ip, port),
    );
    this.#listeners.set(key, server);
    server.on("error", (error: NodeJS.ErrnoException) => {
      this.#options.log(`cannot listen on ${key} for its Service: ${error.message}`);
      if (this.#listeners.get(key) === server) this.#listeners.delete(key);
    });
    server.listen({ host: ip, port, backlog: 511 });
  }

  /** A client that reached a ClusterIP. */
  accept(client: net.Socket, ip: string, port: number): void {
    this.acceptFrom(client, sourceOf(this.#options.state, client.remoteAddress), ip, port);
  }

  /** As `accept`, where the source is known by other means than its address. */
  acceptFrom(client: net.Socket, source: ConnectionSource, ip: string, port: number): void {
    const target = this.#options.state.servicePortAt(ip, port);
    if (target === undefined) return void client.resetAndDestroy();
    void this.#relay(client, source, target);
  }

  /** A client of this machine that reached a NodePort or LoadBalancer port of the host. */
  acceptFromHost(client: net.Socket, key: string, port: number): void {
    const target = this.#options.state.servicePort(key, port);
    if (target === undefined) return void client.resetAndDestroy();
    void this.#relay(client, { kind: "outside", via: "host" }, target);
  }

  async #relay(
    client: net.Socket,
    source: ConnectionSource,
    target: NonNullable<ReturnType<DataplaneState["servicePort"]>>,
  ): Promise<void> {
    const ignore = (): void => {};
    client.on("error", ignore);
    const connection = await connectService(this.#options, source, target);
    if (connection === undefined) return void client.resetAndDestroy();
    if (client.destroyed) return void connection.socket.destroy();
    join(client, connection.socket);
  }

  close(): void {
    for (const server of this.#listeners.values()) server.close();
    this.#listeners.clear();
  }
}

export function sourceOf(state: DataplaneState, address: string | undefined): ConnectionSource {
  const ip = (address ?? "").replace(/^::ffff:/, "");
  const pod = state.pods.get(ip);
  return pod === undefined ? { kind: "address", ip } : { kind: "pod", pod };
}

/** The addresses and ports that Services have in the pods' network: ClusterIPs, and node ports on every node's address. */
export function listeningPlaces(state: DataplaneState, protocol: "TCP" | "UDP"): { ip: string; port: number }[] {
  const { api, dns } = state.addresses;
  const places: { ip: string; port: number }[] = [];
  let nodes: string[] | undefined;
  for (const service of state.services.values()) {
    const ips = service.clusterIPs.filter((ip) => ip !== dns && !(ip === api && protocol === "TCP"));
    for (const port of service.ports) {
      if (port.protocol !== protocol) continue;
      for (const ip of ips) places.push({ ip, port: port.port });
      if (port.nodePort === undefined) continue;
      nodes ??= nodeAddresses(state);
      for (const ip of nodes) places.push({ ip, port: port.nodePort });
    }
  }
  return places;
}

/** The nodes' own addresses, as the pods' network has them. */
function nodeAddresses(state: DataplaneState): string[] {
  return Object.values(os.networkInterfaces())
    .flatMap((addresses) => addresses?.map((a) => a.address) ?? [])
    .filter((ip) => state.isNodeAddress(ip));
}
