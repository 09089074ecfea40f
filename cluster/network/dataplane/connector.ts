/** The one place where a connection to a Service is made, and where the mesh will stand. */
import net from "node:net";
import type { EndpointConfig, PodConfig, ServiceConfig, ServicePortConfig } from "../config.ts";
import type { Balancer, Client } from "./balancer.ts";

export type ConnectionSource =
  | { readonly kind: "pod"; readonly pod: PodConfig }
  /** An address of the pods' network that no known pod has (yet). */
  | { readonly kind: "address"; readonly ip: string }
  /** From outside: through the ingress, a NodePort or the API server. */
  | { readonly kind: "outside"; readonly via: "ingress" | "host" | "api" };

export interface ConnectionContext {
  readonly source: ConnectionSource;
  readonly service: ServiceConfig;
  readonly port: ServicePortConfig;
  readonly endpoint: EndpointConfig;
}

/** Opens the connection of a context; resolves when it stands. */
export type Connect = (context: ConnectionContext) => Promise<net.Socket>;

/** Where an address of the pods' network really is: itself, or (bare sandbox) a port of 127.x. */
export type Locate = (ip: string, port: number) => { host: string; port: number } | undefined;

const CONNECT_TIMEOUT_MS = 5000;

export function connectionError(code: string, message: string): NodeJS.ErrnoException {
  return Object.assign(new Error(message), { code });
}

/** A TCP connection to where `locate` says the address is. */
export function dialAddress(locate: Locate, ip: string, port: number): Promise<net.Socket> {
  const where = locate(ip, port);
  if (where === undefined) return Promise.reject(connectionError("ECONNREFUSED", `nothing listens on ${ip}:${port}`));
  return new Promise((resolve, reject) => {
    const socket = net.connect({ host: where.host, port: where.port, noDelay: true, allowHalfOpen: true });
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(CONNECT_TIMEOUT_MS, () =>
      fail(connectionError("ETIMEDOUT", `${ip}:${port} did not answer in ${CONNECT_TIMEOUT_MS} ms`)),
    );
    socket.once("error", fail);
    socket.once("connect", () => {
      socket.setTimeout(0);
      socket.removeAllListeners("timeout");
      socket.removeListener("error", fail);
      resolve(socket);
    });
  });
}

/** Connects straight to the endpoint: what stands here until a mesh does. */
export const directConnect =
  (locate: Locate): Connect =>
  ({ endpoint }) =>
    dialAddress(locate, endpoint.ip, endpoint.port);

export interface ServiceConnection {
  readonly socket: net.Socket;
  readonly context: ConnectionContext;
}

/** What NetworkPolicies let through; everything where there are none. */
export type MayConnect = (source: ConnectionSource, endpoint: EndpointConfig) => boolean;

/** Tries the ready endpoints that the source may reach in turn; `undefined` when there is none or none answers. */
export async function connectService(
  options: { balancer: Balancer; connect: Connect; mayConnect?: MayConnect },
  source: ConnectionSource,
  target: { service: ServiceConfig; port: ServicePortConfig },
): Promise<ServiceConnection | undefined> {
  const client = clientOf(source);
  for (const endpoint of options.balancer.order(target.service, target.port, client)) {
    if (options.mayConnect?.(source, endpoint) === false) continue;
    const context: ConnectionContext = { source, service: target.service, port: target.port, endpoint };
    try {
      const socket = await options.connect(context);
      options.balancer.served(target.service, client.ip, endpoint);
      return { socket, context };
    } catch {
      continue; // refused or unreachable: the next endpoint may do
    }
  }
  return undefined;
}

export function clientOf(source: ConnectionSource): Client {
  switch (source.kind) {
    case "pod":
      return source.pod;
    case "address":
      return { ip: source.ip };
    case "outside":
      return {};
  }
}

export function sourceAddress(source: ConnectionSource): string | undefined {
  switch (source.kind) {
    case "pod":
      return source.pod.ip;
    case "address":
      return source.ip;
    case "outside":
      return undefined;
  }
}
