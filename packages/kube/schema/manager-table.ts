/** `metadata.managedFields` as a table: who owns which fields, by manager, operation, version and subresource. */
import type { ManagedFieldsEntry } from "../api/object.ts";
import { equalSets, sortSet, union } from "./field-set.ts";
import type { FieldSet } from "./field-set.ts";
import { parseFieldsV1, trustFieldsV1 } from "./fields-v1.ts";
import { isObject } from "./json-value.ts";

export interface ManagerEntry {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly subresource: string;
  readonly fields: FieldSet;
  readonly time: string | undefined;
  /** The entry this was read from; it is written back as it is while nothing of it changes. */
  readonly source?: ManagedFieldsEntry;
}

/** By `managerId`. */
export type ManagerTable = ReadonlyMap<string, ManagerEntry>;

/** Appliers are the same across versions, updaters are not. The text is upstream's, since it also orders managers. */
export function managerId(entry: Pick<ManagerEntry, "manager" | "operation" | "apiVersion" | "subresource">): string {
  return JSON.stringify({
    ...(entry.manager === "" ? {} : { manager: entry.manager }),
    operation: entry.operation,
    ...(entry.operation === "Apply" ? {} : { apiVersion: entry.apiVersion }),
    ...(entry.subresource === "" ? {} : { subresource: entry.subresource }),
  });
}

/** As conflicts name it: `"kubectl-edit" using apps/v1`. */
export function printManager(entry: ManagerEntry): string {
  const name =
    JSON.stringify(entry.manager) +
    (entry.subresource === "" ? "" : ` with subresource ${JSON.stringify(entry.subresource)}`);
  return entry.operation === "Update" ? `${name} using ${entry.apiVersion}` : name;
}

/** Reads managedFields; throws `Error` when an entry is malformed. */
export function readManagers(entries: unknown): Map<string, ManagerEntry> {
  const table = new Map<string, ManagerEntry>();
  if (entries === undefined || entries === null) return table;
  if (!Array.isArray(entries)) throw new Error("managedFields must be a list");
  entries.forEach((entry: unknown, index) => {
    const read = readEntry(entry, index);
    table.set(managerId(read), read);
  });
  return table;
}

const text = (value: unknown): string => (typeof value === "string" ? value : "");

function readEntry(entry: unknown, index: number): ManagerEntry {
  if (!isObject(entry)) throw new Error(`managed fields entry ${index} must be an object`);
  const { operation, apiVersion, fieldsType } = entry;
  if (operation !== "Apply" && operation !== "Update") throw new Error("operation must be `Apply` or `Update`");
  if (text(apiVersion) === "") throw new Error("apiVersion must not be empty");
  if (text(fieldsType) === "") throw new Error(`missing fieldsType in managed fields entry ${index}`);
  if (fieldsType !== "FieldsV1")
    throw new Error(`invalid fieldsType ${JSON.stringify(fieldsType)} in managed fields entry ${index}`);
  return {
    manager: text(entry["manager"]),
    operation,
    apiVersion: text(apiVersion),
    subresource: text(entry["subresource"]),
    fields: parseFieldsV1(entry["fieldsV1"]),
    time: typeof entry["time"] === "string" ? entry["time"] : undefined,
    source: entry as ManagedFieldsEntry,
  };
}

/** Writes managedFields, in upstream's order; undefined when nobody manages anything. */
export function writeManagers(table: ManagerTable): ManagedFieldsEntry[] | undefined {
  if (table.size === 0) return undefined;
  return [...table.values()].sort(compareEntries).map(writeEntry);
}

function writeEntry(entry: ManagerEntry): ManagedFieldsEntry {
  const { source } = entry;
  if (
    source !== undefined &&
    source.time === entry.time &&
    source.fieldsV1 === entry.fields &&
    source.apiVersion === entry.apiVersion
  )
    return source;
  return {
    ...(entry.manager === "" ? {} : { manager: entry.manager }),
    operation: entry.operation,
    apiVersion: entry.apiVersion,
    ...(entry.time === undefined ? {} : { time: entry.time }),
    fieldsType: "FieldsV1",
    fieldsV1: trustFieldsV1(sortSet(entry.fields)) as Record<string, unknown>,
    ...(entry.subresource === "" ? {} : { subresource: entry.subresource }),
  };
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function seconds(time: string | undefined): number {
  const ms = time === undefined ? 0 : Date.parse(time);
  return Number.isNaN(ms) ? 0 : Math.floor(ms / 1000);
}

const compareEntries = (a: ManagerEntry, b: ManagerEntry): number =>
  compareText(a.operation, b.operation) ||
  seconds(a.time) - seconds(b.time) ||
  compareText(a.manager, b.manager) ||
  compareText(a.apiVersion, b.apiVersion) ||
  compareText(a.subresource, b.subresource);

/** Whether two managedFields say the same, times aside. */
export function sameOwners(
  a: readonly ManagedFieldsEntry[] | undefined,
  b: readonly ManagedFieldsEntry[] | undefined,
): boolean {
  if (a === b) return true;
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
  try {
    const left = readManagers(a);
    const right = readManagers(b);
    if (left.size !== right.size) return false;
    for (const [id, entry] of left) {
      const other = right.get(id);
      if (other === undefined || other.apiVersion !== entry.apiVersion || !equalSets(entry.fields, other.fields))
        return false;
    }
    return true;
  } catch {
    return false;
  }
}

const ANCIENT = "ancient-changes";

/** Keeps the number of updaters under `max` by joining the oldest of each version into one entry. */
export function capManagers(table: Map<string, ManagerEntry>, max: number): void {
  const updaters = [...table].filter(([, entry]) => entry.operation === "Update");
  if (updaters.length <= max) return;
  updaters.sort(([idA, a], [idB, b]) => seconds(a.time) - seconds(b.time) || compareText(idA, idB));
  const firstOfVersion = new Map<string, string>();
  let left = updaters.length;
  for (const [id, entry] of updaters) {
    if (left <= max) return;
    const first = firstOfVersion.get(entry.apiVersion);
    if (first === undefined) {
      firstOfVersion.set(entry.apiVersion, id);
      continue;
    }
    joinIntoBucket(table, first, id, entry);
    left--;
  }
}

function joinIntoBucket(table: Map<string, ManagerEntry>, first: string, id: string, entry: ManagerEntry): void {
  const bucket: Omit<ManagerEntry, "fields" | "time"> = {
    manager: ANCIENT,
    operation: "Update",
    apiVersion: entry.apiVersion,
    subresource: "",
  };
  const bucketId = managerId(bucket);
  let known = table.get(bucketId);
  if (known === undefined) {
    known = table.get(first);
    table.delete(first);
  }
  table.delete(id);
  table.set(bucketId, { ...bucket, fields: union(entry.fields, known?.fields ?? {}), time: entry.time });
}
