/** FieldsV1 as it comes from outside: checked, and brought to the canonical form that `FieldSet` has. */
import { EMPTY_SET, LEAF, addChildren, addMember, isEmptySet, union } from "./field-set.ts";
import type { FieldSet, FieldSetBuilder } from "./field-set.ts";
import { elementText, parseElement } from "./path-element.ts";

/** What was read once is not read again: objects of the store are shared values. */
const known = new WeakMap<object, FieldSet>();

/** How deep a set may be; deeper than any object the API server takes. */
const MAX_DEPTH = 512;

/** Reads FieldsV1. Throws `Error` on malformed input; what a future version might know is dropped. */
export function parseFieldsV1(fields: unknown): FieldSet {
  if (fields === undefined || fields === null) return EMPTY_SET;
  if (typeof fields !== "object" || Array.isArray(fields)) throw new Error("fieldsV1 must be an object");
  const seen = known.get(fields);
  if (seen !== undefined) return seen;
  const set = readEntries(fields as Record<string, unknown>, 0);
  known.set(fields, set);
  return set;
}

/** Marks a set that we made ourselves, so that it need not be checked when it is read back. */
export function trustFieldsV1(set: FieldSet): FieldSet {
  known.set(set, set);
  return set;
}

function readEntries(fields: Readonly<Record<string, unknown>>, depth: number): FieldSet {
  if (depth > MAX_DEPTH) throw new Error("fieldsV1 is nested too deeply");
  const out: FieldSetBuilder = {};
  let same = true;
  for (const text of Object.keys(fields)) {
    if (text === ".") continue;
    const canonical = canonicalElement(text);
    if (canonical === undefined) {
      same = false;
      continue;
    }
    const value = fields[text];
    const entry = readEntry(value, depth);
    if (canonical !== text || entry !== value) same = false;
    insert(out, canonical, entry);
  }
  return same && !("." in fields) ? (fields as unknown as FieldSet) : out;
}

function readEntry(value: unknown, depth: number): FieldSet {
  if (value === null) return LEAF;
  if (typeof value !== "object" || Array.isArray(value)) throw new Error("an entry of fieldsV1 must be an object");
  const children = readEntries(value as Record<string, unknown>, depth + 1);
  if (!("." in value)) return children;
  if (isEmptySet(children)) return LEAF;
  if (onlyAddsSelf(value as Record<string, unknown>, children)) return value as unknown as FieldSet;
  return { ".": LEAF, ...children };
}

/** Whether `value` is already the canonical form of these children with the path itself. */
function onlyAddsSelf(value: Readonly<Record<string, unknown>>, children: FieldSet): boolean {
  const self = value["."];
  if (typeof self !== "object" || self === null || Array.isArray(self) || !isEmptySet(self as FieldSet)) return false;
  let count = 0;
  for (const element in children) {
    if (children[element] !== value[element]) return false;
    count++;
  }
  return Object.keys(value).length === count + 1;
}

function insert(out: FieldSetBuilder, element: string, entry: FieldSet): void {
  const before = out[element];
  if (before === undefined) out[element] = entry;
  else if (isEmptySet(entry)) addMember(out, element);
  else if (isEmptySet(before)) out[element] = union({ ".": LEAF }, entry);
  else addChildren(out, element, entry);
}

function canonicalElement(text: string): string | undefined {
  if (text.startsWith("f:")) return text;
  const element = parseElement(text);
  return element === undefined ? undefined : elementText(element);
}
