/** Requests to another API server: through its Service, with this server's own certificate and the user's name. */
import type { Duplex } from "node:stream";
import { StatusError } from "@travelops/kube";
import type { UserInfo } from "../api-server.ts";
import { secured, type Backend } from "../proxy/backend.ts";
import { forward } from "../proxy/forward.ts";
import { proxiedValue } from "../proxy/proxied-value.ts";
import type { ApiCall } from "../request/api-call.ts";
import { parseRequestInfo } from "../request/request-info.ts";
import type { ServerCore } from "../server-options.ts";
import { serviceAddress } from "../webhook-client/webhook-target.ts";
import type { RemoteApi } from "./api-service.ts";

/** Headers that say who asks (upstream's request header authentication). */
export function userHeaders({ name, uid, groups, extra }: UserInfo): Record<string, string | readonly string[]> {
  const headers: Record<string, string | readonly string[]> = { "x-remote-user": name };
  if ((uid ?? "") !== "") headers["x-remote-uid"] = uid ?? "";
  if (groups.length > 0) headers["x-remote-group"] = groups;
  for (const [key, values] of Object.entries(extra ?? {}))
    headers[`x-remote-extra-${encodeURIComponent(key).toLowerCase()}`] = values;
  return headers;
}

/** The server of `remote`, for one request. */
export function backendOf(core: ServerCore, remote: RemoteApi, path: string, user: UserInfo): Backend {
  const { namespace, name, port } = remote.service;
  const servername = `${name}.${namespace}.svc`;
  return {
    connect: async () =>
      secured(await dial(core, remote), {
        servername,
        verify: remote.verify,
        ...(remote.ca === undefined ? {} : { ca: remote.ca }),
        ...(core.frontProxy === undefined ? {} : { client: core.frontProxy }),
      }),
    host: port === 443 ? servername : `${servername}:${port}`,
    path,
    headers: userHeaders(user),
  };
}

async function dial({ store, nodeAccess }: ServerCore, { service }: RemoteApi): Promise<Duplex> {
  const { namespace, name, port } = service;
  const object = store.get({ table: "services.", namespace, name })?.object;
  const address = serviceAddress(object, service);
  const inside = nodeAccess?.dialAddress;
  const isExternal = (object?.["spec"] as { type?: string } | undefined)?.type === "ExternalName";
  if (isExternal) return connectOutside(address);
  if (inside === undefined) throw new Error(`no node serves the network of service ${name}:${port} yet`);
  return inside(address.host, address.port);
}

async function connectOutside({ host, port }: { host: string; port: number }): Promise<Duplex> {
  const { connect } = await import("node:net");
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    socket.once("error", reject);
    socket.once("connect", () => resolve(socket));
  });
}

const AGGREGATOR: UserInfo = { name: "system:kube-aggregator", groups: ["system:masters"] };
const PATIENCE_MS = 5_000;

/** A GET of the aggregator's own. Rejects with why there is no answer, or none of the 200s. */
export async function ask(core: ServerCore, remote: RemoteApi, path: string): Promise<unknown> {
  const signal = AbortSignal.any([AbortSignal.timeout(PATIENCE_MS), core.closing]);
  const call: ApiCall = {
    id: core.uuid(),
    method: "GET",
    info: parseRequestInfo("GET", path, new URLSearchParams()),
    query: new URLSearchParams(),
    headers: { accept: "application/json" },
    peerCertificate: undefined,
    user: AGGREGATOR,
    upgrade: false,
    warnings: [],
    signal,
    readBody: () => Promise.resolve({ kind: "none" }),
  };
  const reply = await withinTime(forward(call, backendOf(core, remote, path, AGGREGATOR)), signal);
  if (reply.kind !== "proxied") throw new Error("no answer");
  if (reply.code < 200 || reply.code >= 300) {
    await proxiedValue(reply).catch(() => undefined);
    throw new Error(`bad status from ${urlOf(remote, path)}: ${reply.code}`);
  }
  return (await proxiedValue(reply)).body;
}

export const urlOf = ({ service }: RemoteApi, path: string): string =>
  `https://${service.name}.${service.namespace}.svc:${service.port}${path}`;

/** What a failed request says, without what this server adds for its own clients. */
export const reasonOf = (error: unknown): string =>
  error instanceof StatusError
    ? error.message.replace(/^error trying to reach service: /, "")
    : error instanceof Error
      ? error.message
      : String(error);

function withinTime<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const late = (): void => reject(new Error("context deadline exceeded"));
    signal.addEventListener("abort", late, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", late));
  });
}
