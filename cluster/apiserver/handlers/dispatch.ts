/** Routes a request to the handler of its verb, subresource or path. */
import { badRequest, resourceNotFound, type KubeObject } from "@travelops/kube";
import type { ApiCall } from "../request/api-call.ts";
import { methodNotAllowed } from "../request/method-not-allowed.ts";
import type { Reply } from "../request/reply.ts";
import type { ResourceRequest } from "../request/request-info.ts";
import { isReview } from "../registry/builtin-resources.ts";
import type { ServedResource } from "../registry/registry.ts";
import type { ServerCore } from "../server-options.ts";
import { handlePath, pageNotFound } from "../system/paths.ts";
import { handleCreate, handleDelete, handleDeleteCollection, handleUpdate } from "./mutate.ts";
import { handlePatch } from "./patch.ts";
import { handleGet, handleList } from "./read.ts";
import { handleWatch } from "./watch.ts";

const READS: ReadonlySet<string> = new Set(["get", "list", "watch"]);

export async function dispatch(core: ServerCore, call: ApiCall): Promise<Reply> {
  const { info } = call;
  if (info.kind === "path") return handlePath(core, call, info);
  const resource = core.registry.get(info.group, info.version, info.resource);
  if (resource === undefined) {
    if (core.registry.versions(info.group).length === 0) return pageNotFound();
    throw resourceNotFound();
  }
  checkScope(resource, info);
  if (resource.deprecation !== undefined) {
    if (!call.warnings.includes(resource.deprecation)) call.warnings.push(resource.deprecation);
    call.annotate?.("k8s.io/deprecated", "true");
  }
  if (isReview(resource.row)) {
    const { handleReview } = await import("./reviews.ts");
    return handleReview(core, call, info, resource);
  }
  if (resource.virtual !== undefined && info.subresource === "") {
    return (await import("./virtual.ts")).handleVirtual(core, call, info, resource, resource.virtual);
  }
  const { conversion } = resource;
  const stored = (): KubeObject | undefined =>
    core.store.get({ table: resource.table, namespace: info.namespace, name: info.name })?.object;
  if (conversion !== undefined && conversion.concerns(info.verb, stored)) {
    const { dispatchConverted } = await import("../custom-resources/conversion/dispatch-converted.ts");
    return dispatchConverted(core, call, info, conversion, dispatchVerb);
  }
  if (conversion?.byWebhook === true && !READS.has(info.verb)) {
    const { dispatchShown } = await import("../custom-resources/conversion/dispatch-converted.ts");
    return dispatchShown(core, call, info, resource, conversion, dispatchVerb);
  }
  return dispatchVerb(core, call, info, resource);
}

async function dispatchVerb(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
): Promise<Reply> {
  if (info.subresource !== "") return dispatchSubresource(core, call, info, resource);
  if (!resource.row.verbs.includes(info.verb)) throw methodNotAllowed();
  switch (info.verb) {
    case "get":
      return handleGet(core, call, info, resource);
    case "list":
      return handleList(core, call, info, resource);
    case "watch":
      return handleWatch(core, call, info, resource);
    case "create":
      return resource.table === "bindings."
        ? (await import("./pod-actions.ts")).handleBinding(core, call, info, "")
        : handleCreate(core, call, info, resource);
    case "update":
      return named(info, () => handleUpdate(core, call, info, resource));
    case "patch":
      return named(info, () => handlePatch(core, call, info, resource));
    case "delete":
      return handleDelete(core, call, info, resource);
    case "deletecollection":
      if (resource.row.namespaced && info.namespace === "") throw methodNotAllowed();
      return handleDeleteCollection(core, call, info, resource);
  }
}

/** Namespaced resources are written in a namespace; others know none. */
function checkScope(resource: ServedResource, info: ResourceRequest): void {
  if (!resource.row.namespaced && info.namespace !== "") throw resourceNotFound();
  if (resource.row.namespaced && info.namespace === "" && info.name !== "") throw resourceNotFound();
}

function named(info: ResourceRequest, handle: () => Promise<Reply>): Promise<Reply> {
  if (info.name === "") throw methodNotAllowed();
  return handle();
}

/** Subresources that take over the connection. */
const STREAMS: ReadonlySet<string> = new Set(["exec", "attach", "portforward", "proxy"]);

/** Subresources that are a part of their object, read and written like it. */
const PARTS: ReadonlySet<string> = new Set(["status", "finalize", "approval", "ephemeralcontainers", "resize"]);

async function dispatchSubresource(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
): Promise<Reply> {
  const row = resource.row.subresources.get(info.subresource);
  if (row === undefined) throw resourceNotFound();
  const { verb, subresource } = info;
  if (STREAMS.has(subresource)) return (await import("./streams.ts")).handleStream(core, call, info, resource);
  if (subresource === "log") return (await import("./streams.ts")).handleLog(core, call, info);
  if (!row.verbs.includes(verb)) throw methodNotAllowed();
  if (info.rest !== "") throw resourceNotFound();
  if (PARTS.has(subresource)) {
    if (verb === "get") return handleGet(core, call, info, resource);
    if (verb === "update") return handleUpdate(core, call, info, resource);
    if (verb === "patch") return handlePatch(core, call, info, resource);
  }
  switch (subresource) {
    case "scale":
      return (await import("./scale.ts")).handleScale(core, call, info, resource);
    case "token":
      return (await import("./reviews.ts")).handleToken(core, call, info, resource);
    case "binding":
      return (await import("./pod-actions.ts")).handleBinding(core, call, info, info.name);
    case "eviction":
      return (await import("./pod-actions.ts")).handleEviction(core, call, info, resource);
    default:
      throw badRequest(
        `the subresource ${JSON.stringify(subresource)} of ${resource.row.resource} is not supported by the embedded cluster`,
      );
  }
}
