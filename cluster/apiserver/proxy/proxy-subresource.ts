/** `pods/NAME/proxy/PATH`, and of Services and nodes: the request goes on to what listens there. */
import { notImplemented, serviceUnavailable, type KubeObject } from "@travelops/kube";
import type { ApiCall } from "../request/api-call.ts";
import type { Reply } from "../request/reply.ts";
import type { ResourceRequest } from "../request/request-info.ts";
import type { ServerCore } from "../server-options.ts";
import { secured, type Backend } from "./backend.ts";
import { forward, forwardUpgrade } from "./forward.ts";
import { nodeEndpoint } from "./node-endpoint.ts";
import { proxyTarget, splitName, type ProxyTarget } from "./targets.ts";

const PREFIX = /^\/api\/v1\/(?:namespaces\/[^/]+\/)?(?:pods|services|nodes)\/[^/]+\/proxy/;

/** Passes `call` on; `object` is the pod, Service or node that it names. Throws `StatusError`. */
export async function handleProxy(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  object: KubeObject,
): Promise<Reply> {
  const mountedAt = PREFIX.exec(info.path)?.[0] ?? info.path;
  const path = info.path.slice(mountedAt.length);
  const query = call.query.size === 0 ? "" : `?${call.query.toString()}`;
  if (info.resource === "nodes" && splitName(info.name)?.port === "") return nodeEndpoint(core, call, info, path);
  // A page's own links are relative to a directory.
  if (path === "" && !call.upgrade)
    return {
      kind: "raw",
      code: 301,
      contentType: "text/plain; charset=utf-8",
      body: "",
      headers: { location: `${info.path}/${query}` },
    };
  const target = proxyTarget(core, info, object);
  const backend: Backend = {
    connect: () => connect(core, target),
    host: target.port === (target.scheme === "https" ? 443 : 80) ? target.address : `${target.address}:${target.port}`,
    path: (path === "" ? "/" : path) + query,
    headers: {},
    mountedAt,
  };
  return call.upgrade ? forwardUpgrade(call, backend) : forward(call, backend);
}

async function connect({ nodeAccess }: ServerCore, { scheme, address, port }: ProxyTarget) {
  if (nodeAccess === undefined) throw serviceUnavailable("no node serves the pods' network yet");
  if (nodeAccess.dialAddress === undefined) throw notImplemented("a proxy into the pods' network");
  const socket = await nodeAccess.dialAddress(address, port);
  // As upstream: pods' certificates are their own, and whoever may proxy may also ask the pod directly.
  return scheme === "https" ? secured(socket, { servername: address, verify: false }) : socket;
}
