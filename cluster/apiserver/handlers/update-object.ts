/**
 * The one way in which a stored object changes: PUT, every patch, subresources. `produce` is shown the current
 * object inside the store's change, so a patch is applied to what is there and never conflicts with itself.
 */
import { conflict, fieldInvalid, invalid, MODIFIED, notFound, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { keepTimes, trackUpdate } from "@travelops/kube/schema/managed-fields";
import type { Change, ObjectKey, StoredObject } from "../../store/store.ts";
import type { AdmissionAttributes } from "../access.ts";
import type { WebhookRound } from "../admission/webhooks/webhook-index.ts";
import { type ServedResource, shownAs, shownSchema } from "../registry/registry.ts";
import type { Reservation } from "../registry/strategy.ts";
import { storagePath } from "../registry/storage-path.ts";
import { metadataErrors, specChanged } from "../registry/object-metadata.ts";
import type { ServerCore } from "../server-options.ts";
import { admitNew, prepareNew, trackCreate, type Written } from "./create-object.ts";
import { admissionAttributes } from "./admission-attributes.ts";
import { resetFieldsOf } from "./reset-fields.ts";
import { asSent, byStrategy } from "./prepare-update.ts";
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
  /** Where admission sees another kind than what is stored: the Scale of an object. */
  readonly shape?: AdmissionShape;
}

export interface AdmissionShape {
  of(object: KubeObject): KubeObject;
  /** `object` with what `changed` says. */
  into(object: KubeObject, changed: KubeObject): KubeObject;
}

/** Checks the uid that the sender believes in. Throws `StatusError` 409 or 422. */
function checkUid(resource: ServedResource, wanted: KubeObject, current: KubeObject, request: UpdateRequest): void {
  const { uid } = wanted.metadata;
  if (uid !== undefined && uid !== "" && uid !== current.metadata.uid) {
    // Only who sends a whole object says which one is meant; a patch asks for a change that cannot be.
    if (request.requireVersion !== true) {
      throw invalid(resource.row.group, resource.row.kind, request.name, [
        fieldInvalid("metadata.uid", uid, "field is immutable"),
      ]);
    }
    throw conflict(
      resource.groupResource,
      request.name,
      `StorageError: invalid object, Code: 4, Key: ${storagePath(resource, request)}, ResourceVersion: 0, ` +
        `AdditionalErrorMsg: Precondition failed: UID in precondition: ${uid}, UID in object meta: ${current.metadata.uid ?? ""}`,
    );
  }
}

/** The same of the resourceVersion, which upstream looks at only when all mutating admission is done. */
export function checkVersion(
  resource: ServedResource,
  wanted: KubeObject,
  current: KubeObject,
  request: UpdateRequest,
): void {
  const given = wanted.metadata.resourceVersion ?? "";
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

function bumpGeneration(
  resource: ServedResource,
  next: KubeObject,
  current: KubeObject,
  subresource: string,
): KubeObject {
  const { strategy } = resource;
  if (strategy.tracksGeneration !== true || strategy.keepsFirstGeneration === true || subresource === "status")
    return next;
  const annotated =
    strategy.annotationsBumpGeneration === true && !equalJson(next.metadata.annotations, current.metadata.annotations);
  if (!annotated && !specChanged(next, current, strategy.hasStatus)) return next;
  return withMetadata(next, { ...next.metadata, generation: (current.metadata.generation ?? 0) + 1 });
}

/**
 * The steps of an update, in order: `beginUpdate`, `mutate`, (webhooks), `checkVersion`, `completeUpdate`, `validate`,
 * (webhooks), `charge`, `outcomeOf`. Synchronous each: without webhooks they run inside the store's change.
 */
export function updateAttributes(
  core: ServerCore,
  resource: ServedResource,
  object: KubeObject,
  current: KubeObject,
  request: UpdateRequest,
  context: WriteContext,
): AdmissionAttributes {
  const subject = { operation: "UPDATE", subresource: request.subresource, namespace: request.namespace } as const;
  const { shape } = request;
  return admissionAttributes(core, resource, context, {
    ...subject,
    name: request.name,
    ...(shape === undefined
      ? { object, oldObject: current }
      : { object: shape.of(object), oldObject: shape.of(current) }),
  });
}

/** What the request makes of the current object, with its owners. */
export function beginUpdate(
  resource: ServedResource,
  wanted: KubeObject,
  current: KubeObject,
  request: UpdateRequest,
  context: WriteContext,
): KubeObject {
  checkUid(resource, wanted, current, request);
  const sent = asSent(resource, wanted, current, request);
  const prepared = byStrategy(resource, sent, current, request, context);
  if (request.ownsManagedFields === true || equalJson(sent, current)) return prepared;
  // What strategies make of it is nobody's, as upstream.
  const after = shownAs(resource, sent);
  const tracked = trackUpdate({
    node: shownSchema(resource),
    before: shownAs(resource, current),
    after,
    manager: context.manager,
    apiVersion: after.apiVersion,
    subresource: request.subresource,
    now: context.nowMs,
    resetFields: resetFieldsOf(resource, request.subresource),
    convert: resource.managedAs,
  });
  if (after === prepared) return tracked;
  const { managedFields } = tracked.metadata;
  const { managedFields: _managed, ...metadata } = prepared.metadata;
  return withMetadata(prepared, managedFields === undefined ? metadata : { ...metadata, managedFields });
}

/** What the built-in plug-ins make of it. */
export function mutateUpdate(
  core: ServerCore,
  resource: ServedResource,
  object: KubeObject,
  current: KubeObject,
  request: UpdateRequest,
  context: WriteContext,
): KubeObject {
  if (context.admission === "none") return object;
  const attributes = updateAttributes(core, resource, object, current, request, context);
  return reshaped(request, core.access.admission.mutate(attributes), attributes.object, object);
}

/** Brings back into the object what was changed in the shape that admission saw. */
export function reshaped(
  request: UpdateRequest,
  changed: KubeObject | undefined,
  shown: KubeObject | undefined,
  object: KubeObject,
): KubeObject {
  if (changed === undefined || changed === shown) return object;
  return request.shape === undefined ? changed : request.shape.into(object, changed);
}

/** Takes what it needs outside itself, and holds it against all rules of its kind. */
export function completeUpdate(
  core: ServerCore,
  resource: ServedResource,
  object: KubeObject,
  current: KubeObject,
  request: UpdateRequest,
  context: WriteContext,
  reserved: (reservation: Reservation) => void,
): KubeObject {
  const { storageRow, strategy } = resource;
  const main = request.subresource === "";
  const admitted = (main ? strategy.afterAdmission?.(object, current, context) : undefined) ?? object;
  const reservation = main ? strategy.reserve?.(admitted, current, context) : undefined;
  if (reservation !== undefined) reserved(reservation);
  const next = bumpGeneration(resource, reservation?.object ?? admitted, current, request.subresource);
  const errors = [
    ...metadataErrors(resource, next, current),
    ...(strategy.validate?.(next, current, request.subresource) ?? []),
    ...core.validate(resource.row, next, current, request.subresource),
  ];
  if (errors.length > 0) throw invalid(storageRow.group, storageRow.kind, request.name, errors);
  // A new scale is an update of the whole object, as upstream.
  const whole = main || request.subresource === "scale";
  if (whole) for (const said of strategy.warnings?.(next, current) ?? []) context.warn(said);
  return next;
}

export interface UpdateOutcome {
  /** Undefined: everything stays as it is. */
  readonly next?: KubeObject;
}

/** What is to be written, when anything is. */
export function outcomeOf(next: KubeObject, current: KubeObject): UpdateOutcome {
  const object = keepTimes(current, next);
  return equalJson(object, current) ? {} : { next: object };
}

/** The object as it would be stored after an update, all checks passed, without webhooks. */
function admitUpdate(
  core: ServerCore,
  resource: ServedResource,
  wanted: KubeObject,
  current: KubeObject,
  request: UpdateRequest,
  context: WriteContext,
  reserved: (reservation: Reservation) => void,
): UpdateOutcome {
  const begun = beginUpdate(resource, wanted, current, request, context);
  const mutated = mutateUpdate(core, resource, begun, current, request, context);
  checkVersion(resource, wanted, current, request);
  const next = completeUpdate(core, resource, mutated, current, request, context, reserved);
  if (context.admission !== "none") {
    const attributes = updateAttributes(core, resource, next, current, request, context);
    core.access.admission.validate(attributes);
    core.access.admission.charge(attributes);
  }
  return outcomeOf(next, current);
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
  const rounds = updateRounds(core, resource, request, context);
  if (rounds !== undefined) {
    const { updateThroughWebhooks } = await import("./update-through-webhooks.ts");
    return updateThroughWebhooks(core, resource, request, context, rounds);
  }
  const reservations: Reservation[] = [];
  const reserved = (reservation: Reservation): void => void reservations.push(reservation);
  return commitUpdate(core, resource, request, context, reservations, (stored) => {
    if (stored === undefined)
      return { next: admitNew(core, resource, beginInstead(core, resource, request, context), context, reserved) };
    const current = stored.object;
    return admitUpdate(core, resource, request.produce(current), current, request, context, reserved);
  });
}

/** The webhooks that have a say in an update, and in the creation it may come to. */
export interface UpdateRounds {
  readonly create: WebhookRound | undefined;
  readonly update: WebhookRound | undefined;
}

function updateRounds(
  core: ServerCore,
  { row }: ServedResource,
  { subresource, mayCreate }: UpdateRequest,
  context: WriteContext,
): UpdateRounds | undefined {
  if (context.admission === "none") return undefined;
  const update = core.admissionWebhooks.round("UPDATE", row.group, row.resource, subresource);
  const create = mayCreate === true ? core.admissionWebhooks.round("CREATE", row.group, row.resource, "") : undefined;
  return update === undefined && create === undefined ? undefined : { update, create };
}

/** Writes what `decide` makes of the current object, unless it is a dry run. */
export async function commitUpdate(
  core: ServerCore,
  resource: ServedResource,
  request: UpdateRequest,
  context: WriteContext,
  reservations: readonly Reservation[],
  decide: (stored: StoredObject | undefined) => UpdateOutcome,
): Promise<Written> {
  const key: ObjectKey = { table: resource.table, namespace: request.namespace, name: request.name };
  let outcome: KubeObject | undefined;
  let previous: KubeObject | undefined;
  let deleted = false;
  const change = (stored: StoredObject | undefined): Change => {
    const { next } = decide(stored);
    previous = stored?.object;
    outcome = next ?? previous;
    if (next === undefined) return { op: "none" };
    deleted = previous !== undefined && isReleased(resource, next);
    return deleted ? { op: "delete", object: next } : { op: "put", object: next };
  };
  let written = false;
  try {
    if (context.dryRun) {
      change(core.store.get(key));
      return { object: outcome as KubeObject, stored: undefined, created: previous === undefined };
    }
    const stored = await core.store.write(key, context.actor, change);
    if (stored === undefined) throw notFound(resource.groupResource, request.name);
    written = true;
    if (deleted) resource.strategy.afterDelete?.(stored.object);
    else if (previous !== undefined) resource.strategy.afterUpdate?.(stored.object, previous);
    return { object: stored.object, stored, created: previous === undefined };
  } finally {
    if (!written) for (const reservation of reservations) reservation.release();
  }
}

/** The new object of an update that found none; to be admitted as any new one. */
export function beginInstead(
  core: ServerCore,
  resource: ServedResource,
  request: UpdateRequest,
  context: WriteContext,
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
  const tracked = request.ownsManagedFields === true ? prepared : trackCreate(resource, wanted, prepared, context);
  return tracked;
}
