/**
 * The one way in which a stored object changes: PUT, every patch, subresources. `produce` is shown the current
 * object inside the store's change, so a patch is applied to what is there and never conflicts with itself.
 */
import { conflict, fieldInvalid, invalid, MODIFIED, notFound, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { keepTimes, trackUpdate } from "@travelops/kube/schema/managed-fields";
import type { Change, ObjectKey, StoredObject } from "../../store/store.ts";
import type { ServedResource } from "../registry/registry.ts";
import type { Reservation } from "../registry/strategy.ts";
import { subresourcePart } from "../registry/subresource-parts.ts";
import { unenforced } from "../registry/unenforced.ts";
import { metadataErrors, specChanged, updatedMetadata } from "../registry/object-metadata.ts";
import type { ServerCore } from "../server-options.ts";
import { admitNew, prepareNew, trackCreate, type Written } from "./create-object.ts";
import { resetFieldsOf } from "./reset-fields.ts";
import { withMetadata, type WriteContext } from "./write-context.ts";

export interface UpdateRequest {
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
  /**
   * The wanted object in the stored version; `current` is undefined where there is none and `mayCreate` is set.
   * Must be pure. Throws `StatusError`.
   */
  produce(current: KubeObject | undefined): KubeObject;
  /** Managed fields come from `produce` (server-side apply). */
  readonly ownsManagedFields?: boolean;
  readonly mayCreate?: boolean;
  /** PUT: a missing resourceVersion may be a fault. */
  readonly requireVersion?: boolean;
}

/** Checks uid and resourceVersion that the sender believes in. Throws `StatusError` 409 or 422. */
function checkPreconditions(
  resource: ServedResource,
  wanted: KubeObject,
  current: KubeObject,
  request: UpdateRequest,
): void {
  const { uid, resourceVersion } = wanted.metadata;
  if (uid !== undefined && uid !== "" && uid !== current.metadata.uid) {
    // Only who sends a whole object says which one is meant; a patch asks for a change that cannot be.
    if (request.requireVersion !== true && request.ownsManagedFields !== true) {
      throw invalid(resource.row.group, resource.row.kind, request.name, [
        fieldInvalid("metadata.uid", uid, "field is immutable"),
      ]);
    }
    throw conflict(
      resource.groupResource,
      request.name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid ?? ""}`,
    );
  }
  const given = resourceVersion ?? "";
  if (given === "" || given === "0") {
    if (request.requireVersion === true && !resource.strategy.allowUnconditionalUpdate) {
      throw invalid(resource.row.group, resource.row.resource, request.name, [
        fieldInvalid("metadata.resourceVersion", 0, "must be specified for an update"),
      ]);
    }
    return;
  }
  if (!/^\d+$/.test(given)) {
    throw invalid(resource.row.group, resource.row.kind, request.name, [
      fieldInvalid(
        "metadata.resourceVersion",
        given,
        `strconv.ParseUint: parsing ${JSON.stringify(given)}: invalid syntax`,
      ),
    ]);
  }
  if (given !== current.metadata.resourceVersion) throw conflict(resource.groupResource, request.name, MODIFIED);
}

/** A write to `/status` changes status (and what metadata the resource lets it); one to the resource all else. */
function separate(resource: ServedResource, wanted: KubeObject, current: KubeObject, subresource: string): KubeObject {
  const { strategy } = resource;
  if (subresource === "status") {
    const metadata =
      strategy.statusResetsMetadata === true
        ? {
            ...current.metadata,
            ...(wanted.metadata.managedFields === undefined ? {} : { managedFields: wanted.metadata.managedFields }),
          }
        : wanted.metadata;
    const next: KubeObject = { ...current, metadata };
    if (wanted["status"] === undefined) delete next["status"];
    else next["status"] = wanted["status"];
    return next;
  }
  const part = subresource === "" ? undefined : subresourcePart(subresource);
  if (part !== undefined) return part(wanted, current);
  if (subresource !== "" || !strategy.hasStatus) return wanted;
  if (wanted["status"] === current["status"]) return wanted;
  const next: KubeObject = { ...wanted };
  if (current["status"] === undefined) delete next["status"];
  else next["status"] = current["status"];
  return next;
}

function prepare(
  resource: ServedResource,
  wanted: KubeObject,
  current: KubeObject,
  request: UpdateRequest,
  context: WriteContext,
): KubeObject {
  const { strategy } = resource;
  let next = separate(resource, wanted, current, request.subresource);
  next = withMetadata(next, updatedMetadata(next.metadata, current.metadata));
  const caveat = request.subresource === "" ? unenforced(resource.table, next.metadata.labels) : undefined;
  if (caveat !== undefined) context.warn(caveat);
  if (request.subresource === "") next = strategy.prepareForUpdate?.(next, current, context) ?? next;
  else if (request.subresource === "status") next = strategy.prepareForStatusUpdate?.(next, current, context) ?? next;
  return next;
}

function bumpGeneration(
  resource: ServedResource,
  next: KubeObject,
  current: KubeObject,
  subresource: string,
): KubeObject {
  const { strategy } = resource;
  if (strategy.tracksGeneration !== true || subresource === "status") return next;
  const annotated =
    strategy.annotationsBumpGeneration === true && !equalJson(next.metadata.annotations, current.metadata.annotations);
  if (!annotated && !specChanged(next, current, strategy.hasStatus)) return next;
  return withMetadata(next, { ...next.metadata, generation: (current.metadata.generation ?? 0) + 1 });
}

interface Checked {
  readonly object: KubeObject;
  readonly changed: boolean;
}

/** The object as it would be stored after an update, all checks passed. */
function admitUpdate(
  core: ServerCore,
  resource: ServedResource,
  wanted: KubeObject,
  current: KubeObject,
  request: UpdateRequest,
  context: WriteContext,
  reserved: (reservation: Reservation) => void,
): Checked {
  const { row, strategy } = resource;
  checkPreconditions(resource, wanted, current, request);
  const prepared = prepare(resource, wanted, current, request, context);
  const admitted =
    core.access.admit({
      operation: "UPDATE",
      user: context.user,
      group: row.group,
      version: resource.storageRow.version,
      resource: row.resource,
      subresource: request.subresource,
      kind: row.kind,
      namespace: request.namespace,
      name: request.name,
      object: prepared,
      oldObject: current,
      dryRun: context.dryRun,
      warn: context.warn,
    }) ?? prepared;
  const reservation = request.subresource === "" ? strategy.reserve?.(admitted, current, context) : undefined;
  if (reservation !== undefined) reserved(reservation);
  const next = bumpGeneration(resource, reservation?.object ?? admitted, current, request.subresource);
  const errors = [
    ...metadataErrors(resource, next, current),
    ...(strategy.validate?.(next, current, request.subresource) ?? []),
    ...core.validate(resource.storageRow, next, current, request.subresource),
  ];
  if (errors.length > 0) throw invalid(row.group, row.kind, request.name, errors);
  return finish(resource, next, current, request, context);
}

function finish(
  resource: ServedResource,
  next: KubeObject,
  current: KubeObject,
  request: UpdateRequest,
  context: WriteContext,
): Checked {
  if (request.ownsManagedFields === true) {
    const object = keepTimes(current, next);
    return { object, changed: !equalJson(object, current) };
  }
  if (equalJson(next, current)) return { object: current, changed: false };
  const object = trackUpdate({
    node: resource.storageRow.schema,
    before: current,
    after: next,
    manager: context.manager,
    apiVersion: next.apiVersion,
    subresource: request.subresource,
    now: context.nowMs,
    resetFields: resetFieldsOf(resource, request.subresource),
  });
  return { object, changed: !equalJson(object, current) };
}

/** Nothing holds a deleted object any more. */
export const isReleased = (resource: ServedResource, object: KubeObject): boolean =>
  object.metadata.deletionTimestamp !== undefined &&
  (object.metadata.finalizers ?? []).length === 0 &&
  (object.metadata.deletionGracePeriodSeconds ?? 0) === 0 &&
  resource.strategy.keepsAlive?.(object) !== true;

/** Changes one object. Throws `StatusError`. */
export async function updateObject(
  core: ServerCore,
  resource: ServedResource,
  request: UpdateRequest,
  context: WriteContext,
): Promise<Written> {
  const key: ObjectKey = { table: resource.table, namespace: request.namespace, name: request.name };
  const reservations: Reservation[] = [];
  const reserved = (reservation: Reservation): void => void reservations.push(reservation);
  let created = false;
  let outcome: KubeObject | undefined;
  let previous: KubeObject | undefined;
  let deleted = false;

  const change = (stored: StoredObject | undefined): Change => {
    if (stored === undefined) {
      outcome = createInstead(core, resource, request, context, reserved);
      created = true;
      return { op: "put", object: outcome };
    }
    const current = stored.object;
    previous = current;
    const checked = admitUpdate(core, resource, request.produce(current), current, request, context, reserved);
    outcome = checked.object;
    if (!checked.changed) return { op: "none" };
    deleted = isReleased(resource, outcome);
    return deleted ? { op: "delete", object: outcome } : { op: "put", object: outcome };
  };

  let written = false;
  try {
    if (context.dryRun) {
      change(core.store.get(key));
      return { object: outcome as KubeObject, stored: undefined, created };
    }
    const stored = await core.store.write(key, context.actor, change);
    if (stored === undefined) throw notFound(resource.groupResource, request.name);
    written = true;
    if (deleted) resource.strategy.afterDelete?.(stored.object);
    else if (previous !== undefined) resource.strategy.afterUpdate?.(stored.object, previous);
    return { object: stored.object, stored, created };
  } finally {
    if (!written) for (const reservation of reservations) reservation.release();
  }
}

function createInstead(
  core: ServerCore,
  resource: ServedResource,
  request: UpdateRequest,
  context: WriteContext,
  reserved: (reservation: Reservation) => void,
): KubeObject {
  if (request.mayCreate !== true) throw notFound(resource.groupResource, request.name);
  const wanted = request.produce(undefined);
  if ((wanted.metadata.uid ?? "") !== "") {
    throw conflict(
      resource.groupResource,
      request.name,
      `Precondition failed: UID in precondition: ${wanted.metadata.uid ?? ""}, UID in object meta: `,
    );
  }
  if ((wanted.metadata.resourceVersion ?? "") !== "") throw notFound(resource.groupResource, request.name);
  const prepared = prepareNew(core, resource, wanted, request.namespace, context);
  const admitted = admitNew(core, resource, prepared, context, reserved);
  return request.ownsManagedFields === true ? admitted : trackCreate(resource, admitted, context);
}
