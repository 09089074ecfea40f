/**
 * Who owns what after a write: the updater of structured-merge-diff. Tables handed in are not changed;
 * the answer is a new table.
 */
import type { KubeObject } from "../api/object.ts";
import { EMPTY_SET, difference, equalSets, intersection, isEmptySet, recursiveDifference, union } from "./field-set.ts";
import type { FieldSet } from "./field-set.ts";
import { equalJson } from "./json-value.ts";
import type { ManagerEntry, ManagerTable } from "./manager-table.ts";
import type { StructNode } from "./node.ts";
import { compareTyped } from "./typed-compare.ts";
import type { Comparison } from "./typed-compare.ts";
import { fieldsOf, mergeTyped, removeFields, withNamedFields } from "./typed-merge.ts";
import { reconcileSet } from "./typed-reconcile.ts";

/** An object under the schema of its version. */
export interface Typed {
  readonly node: StructNode;
  readonly object: KubeObject;
}

/** The object in another version; undefined when that version is no longer served, which ends what was owned in it. */
export type Convert = (object: KubeObject, apiVersion: string) => Typed | undefined;

export interface UpdaterContext {
  readonly node: StructNode;
  readonly apiVersion: string;
  /** Absent: all versions have the same shape. */
  readonly convert: Convert | undefined;
  /** Fields this endpoint does not write (`status` on the main one): they are never owned through it. */
  readonly resetFields: FieldSet | undefined;
}

export interface Conflict {
  readonly id: string;
  readonly entry: ManagerEntry;
  readonly fields: FieldSet;
}

/** The write would change fields of others and was not forced. */
export class ConflictError extends Error {
  readonly conflicts: readonly Conflict[];
  constructor(conflicts: readonly Conflict[]) {
    super("conflicts with other managers");
    this.name = "ConflictError";
    this.conflicts = conflicts;
  }
}

export interface Updated {
  readonly managers: Map<string, ManagerEntry>;
  readonly comparison: Comparison;
}

function at(context: UpdaterContext, object: KubeObject, apiVersion: string): Typed | undefined {
  if (apiVersion === context.apiVersion || context.convert === undefined) return { node: context.node, object };
  return context.convert(object, apiVersion);
}

const withFields = (entry: ManagerEntry, fields: FieldSet): ManagerEntry =>
  fields === entry.fields ? entry : { ...entry, fields };

/** Brings what was owned under older schemas in line with today's; drops versions that are no longer served. */
function reconcileManagers(
  context: UpdaterContext,
  live: KubeObject,
  managers: ManagerTable,
): Map<string, ManagerEntry> {
  const out = new Map<string, ManagerEntry>();
  for (const [id, entry] of managers) {
    const typed = at(context, live, entry.apiVersion);
    if (typed !== undefined) out.set(id, withFields(entry, reconcileSet(typed.node, entry.fields)));
  }
  return out;
}

const without = (set: FieldSet, reset: FieldSet | undefined): FieldSet =>
  reset === undefined ? set : recursiveDifference(set, reset);

function compareAt(
  context: UpdaterContext,
  before: KubeObject,
  after: KubeObject,
  apiVersion: string,
): Comparison | undefined {
  const left = at(context, before, apiVersion);
  const right = at(context, after, apiVersion);
  if (left === undefined || right === undefined) return undefined;
  const { added, modified, removed } = compareTyped(left.node, left.object, right.object);
  const { resetFields } = context;
  return {
    added: without(added, resetFields),
    modified: without(modified, resetFields),
    removed: without(removed, resetFields),
  };
}

/**
 * Takes from every manager but `self` what the write changed or removed.
 * Without `force` a change of what others own throws `ConflictError`.
 */
function moveOwnership(
  context: UpdaterContext,
  before: KubeObject,
  after: KubeObject,
  managers: ManagerTable,
  self: string,
  force: boolean,
): Updated {
  const own = compareAt(context, before, after, context.apiVersion);
  if (own === undefined) throw new Error(`the version ${context.apiVersion} is not served`);
  const comparisons = new Map<string, Comparison | undefined>([[context.apiVersion, own]]);
  const out = new Map<string, ManagerEntry>();
  const conflicts: Conflict[] = [];
  for (const [id, entry] of managers) {
    if (id === self) {
      out.set(id, entry);
      continue;
    }
    if (!comparisons.has(entry.apiVersion))
      comparisons.set(entry.apiVersion, compareAt(context, before, after, entry.apiVersion));
    const comparison = comparisons.get(entry.apiVersion);
    if (comparison === undefined) continue;
    const lost = union(intersection(entry.fields, comparison.modified), intersection(entry.fields, comparison.added));
    if (!isEmptySet(lost)) conflicts.push({ id, entry, fields: lost });
    out.set(id, withFields(entry, difference(difference(entry.fields, lost), comparison.removed)));
  }
  if (!force && conflicts.length > 0) throw new ConflictError(conflicts);
  for (const [id, entry] of out) if (isEmptySet(entry.fields)) out.delete(id);
  return { managers: out, comparison: own };
}

/** Ownership after a write that is no apply: what changed or came is now `self`'s. */
export function updateOwnership(
  context: UpdaterContext,
  before: KubeObject,
  after: KubeObject,
  managers: ManagerTable,
  self: ManagerEntry & { readonly id: string },
): Map<string, ManagerEntry> {
  const reconciled = reconcileManagers(context, before, managers);
  const { managers: out, comparison } = moveOwnership(context, before, after, reconciled, self.id, true);
  const previous = out.get(self.id)?.fields ?? EMPTY_SET;
  const fields = without(
    union(union(difference(previous, comparison.removed), comparison.modified), comparison.added),
    context.resetFields,
  );
  if (isEmptySet(fields)) out.delete(self.id);
  else {
    const { id, ...entry } = self;
    out.set(id, { ...entry, fields });
  }
  return out;
}

export interface Applied {
  /** Undefined when the object stays as it is. */
  readonly object: KubeObject | undefined;
  readonly managers: Map<string, ManagerEntry>;
}

/** The live object with the configuration applied, and who owns what then. */
export function applyConfiguration(
  context: UpdaterContext,
  live: KubeObject,
  config: KubeObject,
  managers: ManagerTable,
  self: ManagerEntry & { readonly id: string },
  force: boolean,
): Applied {
  const reconciled = reconcileManagers(context, live, managers);
  const last = reconciled.get(self.id);
  const fields = without(fieldsOf(context.node, config), context.resetFields);
  const { id, ...entry } = self;
  const unchanged = last !== undefined && last.apiVersion === entry.apiVersion && equalSets(last.fields, fields);
  reconciled.set(id, unchanged ? last : { ...entry, fields, time: last?.time });
  const merged = mergeTyped(context.node, live, config) as KubeObject;
  const object = prune(context, merged, reconciled, fields, last);
  const { managers: out } = moveOwnership(context, live, object, reconciled, id, force);
  return { object: equalJson(live, object) ? undefined : object, managers: out };
}

/** Removes what `self` applied last time, does not apply now, and nobody else owns. */
function prune(
  context: UpdaterContext,
  merged: KubeObject,
  managers: ManagerTable,
  applied: FieldSet,
  last: ManagerEntry | undefined,
): KubeObject {
  // Whoever applies all that it applied before takes nothing away.
  if (last === undefined || isEmptySet(difference(last.fields, applied))) return merged;
  const typed = at(context, merged, last.apiVersion);
  if (typed === undefined) return merged;
  const lastSet = withNamedFields(typed.node, last.fields);
  const pruned = removeFields(typed.node, typed.object, lastSet) as KubeObject;
  const kept = addBackOwned(context, typed, pruned, last.apiVersion, managers);
  const out = addBackDangling(context, typed, kept, last.apiVersion, lastSet);
  return at(context, out, context.apiVersion)?.object ?? out;
}

/** Puts back what any manager owns, the applier's new configuration included. */
function addBackOwned(
  context: UpdaterContext,
  merged: Typed,
  pruned: KubeObject,
  apiVersion: string,
  managers: ManagerTable,
): KubeObject {
  const owned = new Map<string, FieldSet>([[apiVersion, EMPTY_SET]]);
  for (const entry of managers.values())
    owned.set(entry.apiVersion, union(owned.get(entry.apiVersion) ?? EMPTY_SET, entry.fields));
  let out = pruned;
  for (const [version, set] of owned) {
    const whole = at(context, merged.object, version);
    const part = at(context, out, version);
    if (whole === undefined || part === undefined) continue;
    const stays = union(namedFieldsOf(part), withNamedFields(whole.node, set));
    const gone = difference(namedFieldsOf(whole), stays);
    const restored = removeFields(whole.node, whole.object, gone) as KubeObject;
    out = at(context, restored, apiVersion)?.object ?? restored;
  }
  return out;
}

const namedFieldsOf = ({ node, object }: Typed): FieldSet => withNamedFields(node, fieldsOf(node, object));

/** Puts back what went only because something above it went: nobody, or an updater, had set it. */
function addBackDangling(
  context: UpdaterContext,
  merged: Typed,
  pruned: KubeObject,
  apiVersion: string,
  last: FieldSet,
): KubeObject {
  const part = at(context, pruned, apiVersion);
  if (part === undefined) return merged.object;
  const gone = intersection(difference(namedFieldsOf(merged), namedFieldsOf(part)), last);
  return removeFields(merged.node, merged.object, gone) as KubeObject;
}
