/** POST, PUT and DELETE of resources. */
import { badRequest, type KubeObject, type Status } from "@travelops/kube";
import type { ApiCall } from "../request/api-call.ts";
import {
  decodeBody,
  expectKind,
  fieldValidationOf,
  pruneUnknown,
  readingKind,
  requireKind,
} from "../request/body-codec.ts";
import { parseListOptions } from "../request/list-options.ts";
import { objectReply, type Reply } from "../request/reply.ts";
import type { ResourceRequest } from "../request/request-info.ts";
import { checkNamespace } from "../registry/object-metadata.ts";
import type { ServedResource } from "../registry/registry.ts";
import type { ServerCore } from "../server-options.ts";
import { methodNotAllowed } from "../request/method-not-allowed.ts";
import { createObject, type Written } from "./create-object.ts";
import { deleteObject, deleteOptions, type Deleted } from "./delete-object.ts";
import { checkObjectTypes, toStored } from "./object-schema.ts";
import { presentList, presentObject, presentStored, presenterOf } from "./presentation.ts";
import { selectAll } from "./read.ts";
import { updateObject } from "./update-object.ts";
import { writeContext } from "./write-context.ts";

/** The answer to a write: what is stored now, or what would be after a dry run. */
export function presentWritten(core: ServerCore, call: ApiCall, resource: ServedResource, written: Written): Reply {
  const code = written.created ? 201 : 200;
  return written.stored === undefined
    ? presentObject(core, call, resource, written.object, code)
    : presentStored(core, call, resource, written.stored, code);
}

/** Decodes the body as an object of `resource`: kind, unknown fields and types checked. */
async function decodeObject(call: ApiCall, resource: ServedResource): Promise<KubeObject> {
  const validation = fieldValidationOf(call.query);
  const { value, duplicates } = await decodeBody(
    await call.readBody(),
    resource.origin === "builtin" ? "merged" : validation !== "Ignore",
    readingKind(resource.row.kind),
  );
  if (resource.origin === "custom") requireKind(value, resource.row);
  const object = expectKind(value, resource.row);
  const pruned = pruneUnknown(call, resource.row.schema, object, duplicates, validation);
  checkObjectTypes(resource, pruned);
  return pruned;
}

export async function handleCreate(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
): Promise<Reply> {
  if (info.name !== "") throw methodNotAllowed();
  if (resource.row.namespaced && info.namespace === "") {
    throw methodNotAllowed();
  }
  presenterOf(call, resource);
  const context = writeContext(core, call, info);
  const object = await decodeObject(call, resource);
  checkNamespace(resource, object, info.namespace);
  const written = await createObject(core, resource, toStored(resource, object), info.namespace, context);
  return presentWritten(core, call, resource, written);
}

/** The name in the object has to agree with the path's. Throws `StatusError` 400. */
export function checkName(object: KubeObject, name: string): void {
  const given = object.metadata.name ?? "";
  if (given === "")
    throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
  if (given !== name) {
    throw badRequest(`the name of the object (${given}) does not match the name on the URL (${name})`);
  }
}

export async function handleUpdate(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
): Promise<Reply> {
  presenterOf(call, resource);
  const context = writeContext(core, call, info);
  const object = await decodeObject(call, resource);
  checkNamespace(resource, object, info.namespace);
  checkName(object, info.name);
  const wanted = toStored(resource, object);
  const written = await updateObject(
    core,
    resource,
    {
      namespace: info.namespace,
      name: info.name,
      subresource: info.subresource,
      produce: () => wanted,
      mayCreate: resource.strategy.allowCreateOnUpdate === true && info.subresource === "",
      requireVersion: true,
    },
    context,
  );
  return presentWritten(core, call, resource, written);
}

/** Resources whose deletion answers with the object rather than with a Status. */
const RETURNED_ON_DELETE: ReadonlySet<string> = new Set([
  "pods.",
  "services.",
  "serviceaccounts.",
  "persistentvolumes.",
  "persistentvolumeclaims.",
  "podtemplates.",
  "resourcequotas.",
]);

function deletedStatus(resource: ServedResource, name: string, object: KubeObject): Status {
  const { group, resource: kind } = resource.row;
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: {
      name,
      ...(group === "" ? {} : { group }),
      kind,
      ...(object.metadata.uid === undefined ? {} : { uid: object.metadata.uid }),
    },
  } as unknown as Status;
}

function presentDeleted(
  core: ServerCore,
  call: ApiCall,
  resource: ServedResource,
  name: string,
  deleted: Deleted,
): Reply {
  if (deleted.gone && !RETURNED_ON_DELETE.has(resource.table)) {
    return objectReply(deletedStatus(resource, name, deleted.object));
  }
  return deleted.stored === undefined
    ? presentObject(core, call, resource, deleted.object)
    : presentStored(core, call, resource, deleted.stored);
}

export async function handleDelete(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
): Promise<Reply> {
  presenterOf(call, resource);
  const context = writeContext(core, call, info);
  const options = await deleteOptions(call);
  const key = { table: resource.table, namespace: info.namespace, name: info.name };
  return presentDeleted(core, call, resource, info.name, await deleteObject(core, resource, key, options, context));
}

/** Deletes what the selectors name, each object by itself; what vanishes meanwhile is no fault. */
export async function handleDeleteCollection(
  core: ServerCore,
  call: ApiCall,
  info: ResourceRequest,
  resource: ServedResource,
): Promise<Reply> {
  const presenter = presenterOf(call, resource);
  const context = writeContext(core, call, info);
  const options = await deleteOptions(call);
  const selected = selectAll(core, info, resource, parseListOptions(call.query, false));
  await Promise.all(
    selected.map(async (stored) => {
      try {
        await deleteObject(core, resource, stored.key, options, context);
      } catch (error) {
        if ((error as { code?: unknown }).code !== 404) throw error;
      }
    }),
  );
  return presentList(core, resource, selected, { resourceVersion: String(core.store.revision) }, presenter);
}
