/**
 * Server-side apply and ownership of fields, as apimachinery's managedfields package has them:
 * `serverSideApply` merges a configuration, `trackUpdate` records every other write.
 */
import { formatTime } from "../api/clock.ts";
import type { KubeObject, ManagedFieldsEntry } from "../api/object.ts";
import { parseApiVersion } from "../api/object.ts";
import { StatusError, applyConflict, badRequest } from "../api/status-error.ts";
import type { StatusCause } from "../api/status-error.ts";
import { difference, fieldSetOf, isEmptySet, pathsOf, printPath, union } from "./field-set.ts";
import type { FieldSet } from "./field-set.ts";
import { ConflictError, applyConfiguration, updateOwnership } from "./field-updater.ts";
import type { Conflict, Convert, UpdaterContext } from "./field-updater.ts";
import { equalJson, isObject } from "./json-value.ts";
import { adoptableFields, refreshLastApplied } from "./last-applied.ts";
import { capManagers, managerId, printManager, readManagers, sameOwners, writeManagers } from "./manager-table.ts";
import type { ManagerEntry, ManagerTable } from "./manager-table.ts";
import type { StructNode } from "./node.ts";
import { withoutNulls } from "./typed-nulls.ts";
import { TypedError } from "./typed-node.ts";
import { typedFaults } from "./typed-validate.ts";

export type { Convert, Typed } from "./field-updater.ts";

interface Common {
  readonly node: StructNode;
  /** Who writes; the field manager of the request, or else the user agent up to its first `/`. */
  readonly manager: string;
  /** The version the request is in. */
  readonly apiVersion: string;
  readonly subresource?: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Fields this endpoint resets, so that nobody comes to own them through it (`fieldSetOf(["status"])`). */
  readonly resetFields?: FieldSet;
  /** For entries of other versions; absent when all versions have the same shape. */
  readonly convert?: Convert;
}

export interface ApplyRequest extends Common {
  /** Undefined: the apply creates the object. */
  readonly live: KubeObject | undefined;
  readonly applied: KubeObject;
  readonly force: boolean;
}

export interface UpdateRequest extends Common {
  /** Undefined: a create. */
  readonly before: KubeObject | undefined;
  readonly after: KubeObject;
}

const MAX_UPDATE_MANAGERS = 10;

/** The manager that applied objects with `kubectl apply` before server-side apply came. */
const KUBECTL = "kubectl";

/** What everyone has to name and so nobody owns. */
const UNOWNED = fieldSetOf(
  ["apiVersion"],
  ["kind"],
  ["metadata"],
  ...[
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
  ].map((field) => ["metadata", field] as const),
);

const contextOf = (request: Common): UpdaterContext => ({
  node: request.node,
  apiVersion: request.apiVersion,
  convert: request.convert,
  resetFields: request.resetFields,
});

function selfOf(
  request: Common,
  operation: "Apply" | "Update",
  manager = request.manager,
): ManagerEntry & { id: string } {
  const entry = {
    manager: manager === "" ? "unknown" : manager,
    operation,
    apiVersion: request.apiVersion,
    subresource: request.subresource ?? "",
    fields: {},
    time: undefined,
  };
  return { ...entry, id: managerId(entry) };
}

function withoutManagedFields(object: KubeObject): KubeObject {
  if (!isObject(object.metadata) || !("managedFields" in object.metadata)) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function withManagedFields(object: KubeObject, managedFields: ManagedFieldsEntry[] | undefined): KubeObject {
  if (managedFields === undefined) return withoutManagedFields(object);
  return { ...object, metadata: { ...object.metadata, managedFields } };
}

function stripUnowned(managers: Map<string, ManagerEntry>, id: string): void {
  const entry = managers.get(id);
  if (entry === undefined) return;
  const fields = difference(entry.fields, UNOWNED);
  if (isEmptySet(fields)) managers.delete(id);
  else if (fields !== entry.fields) managers.set(id, { ...entry, fields });
}

/**
 * The object of `after` with its managedFields brought up to date. Never refuses a write: where ownership
 * cannot be told, the object goes without managedFields, as upstream has it.
 */
export function trackUpdate(request: UpdateRequest): KubeObject {
  const { before } = request;
  const after = withoutManagedFields(request.after);
  const managers = managersOfUpdate(request);
  if (managers.size === 0 && before?.metadata.uid !== undefined && before.metadata.uid !== "") return after;
  try {
    const tracked = track(
      request,
      before === undefined ? emptyObject(request.after) : withoutManagedFields(before),
      after,
      managers,
      request.manager,
    );
    return keepTimes(before, withManagedFields(after, writeManagers(tracked)));
  } catch (error) {
    if (error instanceof TypedError) return after;
    throw error;
  }
}

const emptyObject = ({ apiVersion, kind }: KubeObject): KubeObject => ({ apiVersion, kind }) as KubeObject;

/** A client may write managedFields itself; one that does not know them must not lose them. */
function managersOfUpdate({ node, before, after, subresource }: UpdateRequest): Map<string, ManagerEntry> {
  const sent: unknown = subresource === undefined || subresource === "" ? after.metadata?.managedFields : undefined;
  if (isReset(node, sent)) return new Map();
  for (const entries of [sent, before?.metadata.managedFields]) {
    try {
      const managers = readManagers(entries);
      if (managers.size > 0) return managers;
    } catch {
      // What cannot be read counts as not sent.
    }
  }
  return new Map();
}

/** One empty entry asks to forget all owners; for built-in kinds, whose decoder can tell it from nothing, an empty list too. */
function isReset(node: StructNode, sent: unknown): boolean {
  if (!Array.isArray(sent)) return false;
  if (sent.length === 0) return node.typeName !== undefined;
  return sent.length === 1 && isObject(sent[0]) && Object.keys(sent[0]).length === 0;
}

function track(
  request: Common,
  before: KubeObject,
  after: KubeObject,
  managers: ManagerTable,
  manager: string,
): Map<string, ManagerEntry> {
  // The write is tracked under a name of its own first: only when it changed something does its manager get a new time.
  const current = { ...selfOf(request, "Update", manager), id: "current-operation" };
  const out = updateOwnership(contextOf(request), before, after, managers, current);
  stripUnowned(out, current.id);
  const changed = out.get(current.id);
  if (changed !== undefined) {
    out.delete(current.id);
    const id = managerId(current);
    const previous = out.get(id);
    const fields = previous === undefined ? changed.fields : union(changed.fields, previous.fields);
    out.set(id, { ...changed, fields, time: formatTime(request.now) });
  }
  capManagers(out, MAX_UPDATE_MANAGERS);
  return out;
}

/**
 * Applies a configuration. Throws `StatusError`: 409 with the conflicts when it would change what others own
 * and `force` is not set, 400 for a configuration of another kind or one that does not fit the schema (where
 * upstream answers 500, though the client is at fault).
 */
export function serverSideApply(request: ApplyRequest): { object: KubeObject } {
  checkApplied(request);
  const live = request.live === undefined ? emptyObject(request.applied) : request.live;
  const bare = withoutManagedFields(live);
  const managers = managersBeforeApply(request, bare);
  const result = applyOrAdopt(request, bare, managers);
  stripUnowned(result.managers, selfOf(request, "Apply").id);
  const object = withManagedFields(result.object, writeManagers(result.managers));
  const refreshed = request.manager === KUBECTL ? refreshLastApplied(object, request.applied) : object;
  return { object: keepTimes(request.live, refreshed) };
}

function checkApplied({ node, applied, apiVersion, live }: ApplyRequest): void {
  if (!isObject(applied) || !isObject(applied.metadata))
    throw badRequest("the applied configuration must be an object with metadata");
  const kind = live?.kind ?? applied.kind;
  if (applied.apiVersion !== apiVersion || applied.kind !== kind) {
    throw badRequest(`invalid object type: ${printKind(applied)}`);
  }
  const { managedFields } = applied.metadata;
  if (managedFields !== undefined && managedFields !== null) throw badRequest("metadata.managedFields must be nil");
  checkConfiguration(node, applied);
}

/** Whether what is applied fits its schema. Throws `StatusError` 500: upstream has no reason for it, either. */
export function checkConfiguration(node: StructNode, applied: KubeObject): void {
  const faults = typedFaults(node, applied);
  if (faults !== undefined)
    throw new StatusError(500, "", `failed to create typed patch object (${printApplied(applied)}): ${faults}`);
}

function printKind({ apiVersion, kind }: KubeObject): string {
  const { group, version } = parseApiVersion(String(apiVersion));
  return `${group}/${version}, Kind=${kind}`;
}

/** Which object a message is about, as it names itself. */
export function printApplied(object: KubeObject): string {
  const metadata: Readonly<Record<string, unknown>> = isObject(object.metadata) ? object.metadata : {};
  const part = (key: string): string => (typeof metadata[key] === "string" ? metadata[key] : "");
  return `${part("namespace")}/${part("name")}; ${printApiKind(object)}`;
}
/** As upstream prints a kind: the core group has an empty name before the slash. */
const printApiKind = ({ apiVersion, kind }: KubeObject): string =>
  `${String(apiVersion).includes("/") ? "" : "/"}${apiVersion}, Kind=${kind}`;

/** What stood in the object before anyone tracked it belongs to `before-first-apply`. */
function managersBeforeApply(request: ApplyRequest, live: KubeObject): Map<string, ManagerEntry> {
  let managers: Map<string, ManagerEntry>;
  try {
    managers = readManagers(request.live?.metadata.managedFields);
  } catch (error) {
    throw new StatusError(
      500,
      "",
      `failed to decode managed fields: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  if (managers.size > 0 || request.live === undefined) return managers;
  return guarded(request.node, live, () => track(request, emptyObject(live), live, managers, "before-first-apply"));
}

/** A live object that does not fit its schema is no fault of the request. */
function guarded<T>(node: StructNode, live: KubeObject, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof TypedError)) throw error;
    const faults = typedFaults(node, live) ?? error.message;
    throw new StatusError(500, "", `failed to create typed live object (${printApplied(live)}): ${faults}`);
  }
}

function applyOrAdopt(
  request: ApplyRequest,
  live: KubeObject,
  managers: ManagerTable,
): { object: KubeObject; managers: Map<string, ManagerEntry> } {
  try {
    return applyOnce(request, live, managers, request.force);
  } catch (error) {
    if (!(error instanceof ConflictError)) throw error;
    const conflicts = request.manager === KUBECTL ? notAdoptable(error.conflicts, request, live) : error.conflicts;
    if (conflicts.length === 0) return applyOnce(request, live, managers, true);
    throw conflictError(conflicts);
  }
}

function applyOnce(
  request: ApplyRequest,
  live: KubeObject,
  managers: ManagerTable,
  force: boolean,
): { object: KubeObject; managers: Map<string, ManagerEntry> } {
  return guarded(request.node, live, () => {
    const self = selfOf(request, "Apply");
    const { object, managers: out } = applyConfiguration(
      contextOf(request),
      live,
      request.applied,
      managers,
      self,
      force,
    );
    if (object === undefined) return { object: live, managers: out };
    const entry = out.get(self.id);
    if (entry !== undefined) out.set(self.id, { ...entry, time: formatTime(request.now) });
    // Of custom resources upstream keeps a null that was applied, for their schema to judge.
    const builtin = request.node.typeName !== undefined;
    return { object: builtin ? (withoutNulls(request.node, object) as KubeObject) : object, managers: out };
  });
}

/** Conflicts over fields that `kubectl apply` had set on the client's side are its own: they are taken over. */
function notAdoptable(conflicts: readonly Conflict[], request: ApplyRequest, live: KubeObject): readonly Conflict[] {
  const adoptable = adoptableFields(request.node, request.apiVersion, live);
  if (adoptable === undefined) return conflicts;
  return conflicts
    .map((conflict) => ({ ...conflict, fields: difference(conflict.fields, adoptable) }))
    .filter((conflict) => !isEmptySet(conflict.fields));
}

function conflictError(conflicts: readonly Conflict[]): StatusError {
  const sorted = [...conflicts].sort((a, b) => (a.id < b.id ? -1 : 1));
  const causes: StatusCause[] = [];
  const lines: string[] = [];
  for (const { entry, fields } of sorted) {
    const manager = printManager(entry);
    lines.push(`conflicts with ${manager}:`);
    for (const path of pathsOf(fields).map(printPath)) {
      causes.push({ reason: "FieldManagerConflict", message: `conflict with ${manager}`, field: path });
      lines.push(`- ${path}`);
    }
  }
  const [only] = causes;
  const message =
    causes.length === 1 && only !== undefined
      ? `Apply failed with 1 conflict: ${only.message ?? ""}: ${only.field ?? ""}`
      : `Apply failed with ${causes.length} conflicts: ${lines.join("\n")}`;
  return applyConflict(causes, message);
}

/**
 * A write that changes nothing keeps the managedFields it found, times included. To be asked again where the
 * object is changed after tracking (defaults, admission).
 */
export function keepTimes(before: KubeObject | undefined, after: KubeObject): KubeObject {
  const old = before?.metadata.managedFields;
  const written = after.metadata.managedFields;
  if (before === undefined || old === undefined || written === undefined || old === written) return after;
  if (!sameOwners(old, written)) return after;
  const unversioned = ({ managedFields: _m, resourceVersion: _v, ...metadata }: KubeObject["metadata"]): unknown =>
    metadata;
  const { metadata: metadataBefore, ...restBefore } = before;
  const { metadata: metadataAfter, ...restAfter } = after;
  if (!equalJson(restBefore, restAfter) || !equalJson(unversioned(metadataBefore), unversioned(metadataAfter)))
    return after;
  return withManagedFields(after, old);
}
