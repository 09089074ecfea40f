/** Brings a new object into the store: one way for POST, PUT and apply. */
import { alreadyExists, badRequest, forbidden, invalid, StatusError, type KubeObject } from "@travelops/kube";
import { trackUpdate } from "@travelops/kube/schema/managed-fields";
import { normalize } from "@travelops/kube/schema/normalize";
import type { ObjectKey, StoredObject } from "../../store/store.ts";
import { type ServedResource, shownAs, shownSchema } from "../registry/registry.ts";
import type { Reservation } from "../registry/strategy.ts";
import type { AdmissionAttributes } from "../access.ts";
import { metadataErrors, newMetadata } from "../registry/object-metadata.ts";
import type { ServerCore } from "../server-options.ts";
import { admissionAttributes } from "./admission-attributes.ts";
import { resetFieldsOf } from "./reset-fields.ts";
import { withMetadata, type WriteContext } from "./write-context.ts";

/** What a write came to. `stored` is absent after a dry run. */
export interface Written {
  readonly object: KubeObject;
  readonly stored: StoredObject | undefined;
  readonly created: boolean;
}

const NAME_ATTEMPTS = 8;

/**
 * The steps of a creation, in order: `prepareNew`, `trackCreate`, `mutateNew`, (webhooks), `completeNew`,
 * `validate`, (webhooks), `charge`. Synchronous each: without webhooks they run inside the store's change.
 */
export function newAttributes(
  core: ServerCore,
  resource: ServedResource,
  object: KubeObject,
  context: WriteContext,
): AdmissionAttributes {
  const { namespace = "", name = "" } = object.metadata;
  return admissionAttributes(core, resource, context, {
    operation: "CREATE",
    subresource: "",
    namespace,
    name,
    object,
    oldObject: undefined,
    // The request may be an update or an apply that found nothing.
    ...(context.options === undefined ? {} : { options: () => ({ ...context.options?.(), kind: "CreateOptions" }) }),
  });
}

/** What the built-in plug-ins make of it. */
export function mutateNew(
  core: ServerCore,
  resource: ServedResource,
  object: KubeObject,
  context: WriteContext,
): KubeObject {
  const mutated = core.access.admission.mutate(newAttributes(core, resource, object, context)) ?? object;
  return mutated === object ? object : (resource.strategy.prepareForCreate?.(mutated, context) ?? mutated);
}

/** Takes what it needs outside itself, and holds it against all rules of its kind. */
export function completeNew(
  core: ServerCore,
  resource: ServedResource,
  object: KubeObject,
  context: WriteContext,
  reserved: (reservation: Reservation) => void,
): KubeObject {
  const { strategy, storageRow } = resource;
  const admitted = strategy.afterAdmission?.(object, undefined, context) ?? object;
  const reservation = strategy.reserve?.(admitted, undefined, context);
  if (reservation !== undefined) reserved(reservation);
  const complete = reservation?.object ?? admitted;
  const errors = [
    ...metadataErrors(resource, complete, undefined),
    ...(strategy.validate?.(complete, undefined, "") ?? []),
    ...core.validate(resource.row, complete, undefined, ""),
  ];
  if (errors.length > 0) throw invalid(storageRow.group, storageRow.kind, complete.metadata.name ?? "", errors);
  for (const said of strategy.warnings?.(complete, undefined) ?? []) context.warn(said);
  return complete;
}

/**
 * The object as it would be stored, all checks passed, without webhooks. Runs inside the store's change. A faulty
 * object is refused for its faults also where another has its name, as upstream, which finds that out last.
 */
export function admitNew(
  core: ServerCore,
  resource: ServedResource,
  object: KubeObject,
  context: WriteContext,
  reserved: (reservation: Reservation) => void,
  current?: StoredObject,
): KubeObject {
  const complete = completeNew(core, resource, mutateNew(core, resource, object, context), context, reserved);
  const attributes = newAttributes(core, resource, complete, context);
  core.access.admission.validate(attributes);
  if (current !== undefined) throw alreadyExists(resource.groupResource, complete.metadata.name ?? "");
  core.access.admission.charge(attributes);
  return complete;
}

/** Strategy and metadata of a new object; its name may still be open to chance. */
export function prepareNew(
  core: ServerCore,
  resource: ServedResource,
  object: KubeObject,
  namespace: string,
  context: WriteContext,
): KubeObject {
  const { strategy } = resource;
  if (resource.closing === true) {
    const name = object.metadata.name ?? "";
    throw forbidden(resource.groupResource, name, "create not allowed while custom resource definition is terminating");
  }
  // What is no version is not looked at, as upstream.
  if (/^\d*[1-9]\d*$/.test(object.metadata.resourceVersion ?? "")) {
    throw badRequest("resourceVersion should not be set on objects to be created");
  }
  const metadata = newMetadata(object.metadata, {
    namespace: resource.row.namespaced ? namespace : "",
    now: context.now,
    uid: core.uuid(),
    random: core.random,
    generation: strategy.tracksGeneration === true ? 1 : undefined,
  });
  return resetNew(resource, withMetadata(object, metadata), context);
}

/** What its strategy makes of a new object, whoever made it. */
export function resetNew(resource: ServedResource, object: KubeObject, context: WriteContext): KubeObject {
  const reset = withoutSentStatus(resource, object);
  return resource.strategy.prepareForCreate?.(reset, context) ?? reset;
}

/** A new object has no status, but for those that come with one. */
function withoutSentStatus(resource: ServedResource, object: KubeObject): KubeObject {
  const { strategy } = resource;
  const wiped = strategy.hasStatus && strategy.createsWithStatus !== true && object["status"] !== undefined;
  return wiped ? withoutStatus(resource, object) : object;
}

/** Built-in kinds say so with an empty one. */
function withoutStatus(resource: ServedResource, object: KubeObject): KubeObject {
  const status = resource.storageRow.schema.fields.get("status");
  if (resource.origin === "builtin")
    return { ...object, status: status === undefined ? {} : normalize(status.node, {}) };
  const { status: _status, ...rest } = object;
  return rest as KubeObject;
}

/**
 * Managed fields of an object written by something else than an apply. What strategies and admission make of it is
 * nobody's, as upstream: owners are those of what was sent.
 */
export function trackCreate(
  resource: ServedResource,
  sent: KubeObject,
  prepared: KubeObject,
  context: WriteContext,
): KubeObject {
  const after = shownAs(resource, sent);
  const { managedFields } = trackUpdate({
    node: shownSchema(resource),
    before: undefined,
    after,
    manager: context.manager,
    apiVersion: after.apiVersion,
    subresource: "",
    now: context.nowMs,
    resetFields: resetFieldsOf(resource, ""),
    convert: resource.managedAs,
  }).metadata;
  const { managedFields: _sent, ...metadata } = prepared.metadata;
  return withMetadata(prepared, managedFields === undefined ? metadata : { ...metadata, managedFields });
}

/** Creates `object`, given in the stored version, decoded, pruned and defaulted. */
export async function createObject(
  core: ServerCore,
  resource: ServedResource,
  object: KubeObject,
  namespace: string,
  context: WriteContext,
): Promise<Written> {
  const generated = (object.metadata.name ?? "") === "" && (object.metadata.generateName ?? "") !== "";
  for (let attempt = 1; ; attempt++) {
    try {
      return await createOnce(core, resource, object, namespace, context);
    } catch (error) {
      const taken = error instanceof StatusError && error.reason === "AlreadyExists";
      if (!generated || !taken || attempt >= NAME_ATTEMPTS) throw error;
    }
  }
}

async function createOnce(
  core: ServerCore,
  resource: ServedResource,
  object: KubeObject,
  namespace: string,
  context: WriteContext,
): Promise<Written> {
  const prepared = prepareNew(core, resource, object, namespace, context);
  const tracked = trackCreate(resource, object, prepared, context);
  const round = core.admissionWebhooks.round("CREATE", resource.row.group, resource.row.resource, "");
  if (round !== undefined) {
    const { createThroughWebhooks } = await import("./create-through-webhooks.ts");
    return createThroughWebhooks(core, resource, { sent: object, object: tracked }, context, round);
  }
  const name = prepared.metadata.name ?? "";
  const key: ObjectKey = { table: resource.table, namespace: prepared.metadata.namespace ?? "", name };
  const reservations: Reservation[] = [];
  const make = (current: StoredObject | undefined): KubeObject =>
    admitNew(core, resource, tracked, context, (reservation) => reservations.push(reservation), current);
  return commitNew(core, key, context, reservations, make);
}

/** Writes what `make` gives, unless it is a dry run; what was reserved is given back when nothing was written. */
export async function commitNew(
  core: ServerCore,
  key: ObjectKey,
  context: WriteContext,
  reservations: readonly Reservation[],
  make: (current: StoredObject | undefined) => KubeObject,
): Promise<Written> {
  let written = false;
  try {
    if (context.dryRun) return { object: make(core.store.get(key)), stored: undefined, created: true };
    const stored = await core.store.write(key, context.actor, (current) => ({ op: "put", object: make(current) }));
    if (stored === undefined) throw new Error("the store returned nothing for a put");
    written = true;
    return { object: stored.object, stored, created: true };
  } finally {
    if (!written) for (const reservation of reservations) reservation.release();
  }
}
