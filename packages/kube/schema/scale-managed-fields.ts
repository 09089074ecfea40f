/** Ownership through `/scale`: the one field it has, `spec.replicas`, is another field of the object behind it. */
import type { ManagedFieldsEntry } from "../api/object.ts";
import { difference, fieldSetOf, hasPath, isEmptySet } from "./field-set.ts";
import { managerId, readManagers, writeManagers } from "./manager-table.ts";
import type { ManagerEntry } from "./manager-table.ts";

const SCALE_VERSION = "autoscaling/v1";
const IN_SCALE = ["spec", "replicas"];

const elements = (path: readonly string[]): string[] => path.map((field) => `f:${field}`);
const sameWriter = (a: ManagerEntry, b: ManagerEntry): boolean =>
  a.manager === b.manager && a.operation === b.operation && a.subresource === b.subresource;

/** The managedFields of the Scale object: whoever owns the replicas of the parent. `path`: where the parent has them. */
export function scaleManagedFields(
  parent: readonly ManagedFieldsEntry[] | undefined,
  path: readonly string[],
): ManagedFieldsEntry[] | undefined {
  const out = new Map<string, ManagerEntry>();
  for (const entry of readManagers(parent).values()) {
    if (!hasPath(entry.fields, elements(path))) continue;
    const { source: _, ...rest } = entry;
    const owner: ManagerEntry = { ...rest, apiVersion: SCALE_VERSION, fields: fieldSetOf(IN_SCALE) };
    out.set(managerId(owner), owner);
  }
  return writeManagers(out);
}

/** The parent's managedFields after a write through its Scale, given those of the Scale then. */
export function parentManagedFields(
  parent: readonly ManagedFieldsEntry[] | undefined,
  scale: readonly ManagedFieldsEntry[] | undefined,
  apiVersion: string,
  path: readonly string[],
): ManagedFieldsEntry[] | undefined {
  const owners = [...readManagers(scale).values()].filter((entry) => hasPath(entry.fields, elements(IN_SCALE)));
  const out = new Map<string, ManagerEntry>();
  for (const [id, entry] of readManagers(parent)) {
    const kept = !hasPath(entry.fields, elements(path)) || owners.some((owner) => sameWriter(owner, entry));
    const fields = kept ? entry.fields : difference(entry.fields, fieldSetOf(path));
    if (!isEmptySet(fields)) out.set(id, kept ? entry : { ...entry, fields });
  }
  for (const owner of owners) {
    if ([...out.values()].some((entry) => sameWriter(owner, entry) && hasPath(entry.fields, elements(path)))) continue;
    const { source: _, ...rest } = owner;
    const entry: ManagerEntry = { ...rest, apiVersion, fields: fieldSetOf(path), time: undefined };
    out.set(managerId(entry), entry);
  }
  return writeManagers(out);
}
