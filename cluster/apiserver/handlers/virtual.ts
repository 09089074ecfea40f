/** GET of resources of which nothing is stored: each object is made from the stored one of its name. */
import { methodNotAllowed } from "../request/method-not-allowed.ts";
import type { ApiCall } from "../request/api-call.ts";
import { parseListOptions } from "../request/list-options.ts";
import { LazyEncoded, type Reply } from "../request/reply.ts";
import type { ResourceRequest } from "../request/request-info.ts";
import type { ServedResource, VirtualResource } from "../registry/registry.ts";
import { selectionOf } from "../registry/selection.ts";
import { tableOf } from "../registry/tables.ts";
import type { ServerCore } from "../server-options.ts";
import { presenterOf, presentObject } from "./presentation.ts";
import { requireStored, selectAll } from "./read.ts";

/** Throws `StatusError`. The table of `resource` is that of the objects it is made from. */
export async function handleVirtual(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
  virtual: VirtualResource,
): Promise<Reply> {
  const now = core.clock.now();
  if (info.verb === "get") {
    const source = requireStored(core, resource, info);
    return presentObject(core, call, resource, await virtual.get(source.object, now));
  }
  if (info.verb !== "list") throw methodNotAllowed();
  const { presentation, include } = presenterOf(call, resource, true);
  const options = parseListOptions(call.query, false);
  // Says what is wrong with a selector before anything is measured.
  selectionOf(resource, options.labelSelector, options.fieldSelector);
  const sources = selectAll(core, info, resource, options).map((stored) => stored.object);
  const objects = await virtual.list(sources, now);
  if (presentation.form !== "object") {
    const style = { metaVersion: presentation.metaVersion, include, columns: true };
    return { kind: "object", code: 200, value: new LazyEncoded(tableOf(resource, objects, {}, style, now)) };
  }
  const { row } = resource;
  const envelope = { kind: row.listKind, apiVersion: `${row.group}/${row.version}`, metadata: {} };
  return { kind: "list", envelope, items: objects.map((object) => new LazyEncoded(object)) };
}
