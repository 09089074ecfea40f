/** Requests while other servers take part: theirs go to them, and what lists everything is told with them. */
import type { ApiCall } from "../request/api-call.ts";
import type { Handler } from "../chain/handler-chain.ts";
import { forward, forwardUpgrade } from "../proxy/forward.ts";
import type { Reply } from "../request/reply.ts";
import type { ServerCore } from "../server-options.ts";
import type { RemoteApi } from "./api-service.ts";
import { mergeAggregated, mergeGroup, mergeGroups, mergeIndex } from "./merge-documents.ts";
import { backendOf } from "./remote-server.ts";

const UNAVAILABLE: Reply = {
  kind: "raw",
  code: 503,
  contentType: "text/plain; charset=utf-8",
  body: "service unavailable\n",
  headers: { "x-content-type-options": "nosniff" },
};

/** `local` answers what is this server's own. */
export async function serveAggregated(core: ServerCore, call: ApiCall, local: Handler): Promise<Reply> {
  const [root, group, version, ...rest] = call.info.path.split("/").slice(1);
  if (root === "openapi") return serveOpenApi(core, call, local);
  if (root !== "apis") return local(call);
  if (group !== undefined && version !== undefined && version !== "") {
    const remote = core.aggregation.find(group, version);
    return remote === undefined ? local(call) : pass(core, call, remote);
  }
  if (call.method !== "GET" || rest.length > 0) return local(call);
  const availability = await core.aggregation.availability();
  const remotes = core.aggregation.all().map((remote) => ({ remote, documents: availability.documents(remote.name) }));
  if (group !== undefined && group !== "") return mergeGroup(await local(call), group, remotes);
  const reply = await local(withoutEtag(call));
  return reply.kind === "raw" ? mergeAggregated(call, reply, remotes) : mergeGroups(reply, remotes);
}

/** The sender's tag is of the merged document. */
function withoutEtag(call: ApiCall): ApiCall {
  const { "if-none-match": _tag, ...headers } = call.headers;
  return Object.create(call, { headers: { value: headers } }) as ApiCall;
}

function pass(core: ServerCore, call: ApiCall, remote: RemoteApi): Reply | Promise<Reply> {
  if (!remote.available) return UNAVAILABLE;
  const { user } = call;
  if (user === undefined) throw new Error("an aggregated request reached its handler without a user");
  const query = call.query.size === 0 ? "" : `?${call.query.toString()}`;
  const backend = backendOf(core, remote, call.info.path + query, user);
  return call.upgrade ? forwardUpgrade(call, backend) : forward(call, backend);
}

async function serveOpenApi(core: ServerCore, call: ApiCall, local: Handler): Promise<Reply> {
  const [, dialect, root, group = "", version = ""] = call.info.path.split("/").slice(1);
  if (call.method !== "GET") return local(call);
  if (dialect === "v2" && root === undefined) {
    const { openApiV2 } = await core.aggregation.availability();
    const { handleOpenApiV2 } = await import("../discovery/openapi-v2.ts");
    return handleOpenApiV2(core, call, await openApiV2.contents(core.aggregation.all()));
  }
  if (dialect !== "v3") return local(call);
  if (root === "apis") {
    const remote = core.aggregation.find(group, version);
    return remote === undefined ? local(call) : pass(core, call, remote);
  }
  if (root !== undefined && root !== "") return local(call);
  const availability = await core.aggregation.availability();
  const remotes = core.aggregation.all().map((remote) => ({ remote, documents: availability.documents(remote.name) }));
  return mergeIndex(call, await local(withoutEtag(call)), remotes);
}
