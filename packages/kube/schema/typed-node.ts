/**
 * How a value takes part in apply under its schema: as one leaf, as a map of fields, or as a list of items
 * that have a name of their own. The rules are those of structured-merge-diff.
 */
import type { ListNode, SchemaNode } from "./node.ts";
import { isObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import { keyElement, valueElement } from "./path-element.ts";
import type { KeyValue } from "./path-element.ts";
import { zeroFields } from "./value-fields.ts";

/** What has no schema: maps are taken apart, lists and scalars are leaves. */
export const ANY: SchemaNode = { kind: "any" };

/** A value that does not fit its schema; `path` is as upstream prints it. */
export class TypedError extends Error {
  readonly path: string;
  readonly detail: string;
  constructor(path: string, detail: string) {
    super(path === "" ? detail : `${path}: ${detail}`);
    this.name = "TypedError";
    this.path = path;
    this.detail = detail;
  }
}

export type Shape = "leaf" | "map" | "list";

/** The shape of `value` under `node`. Only what has no schema depends on the value: null counts as a map there. */
export function shapeOf(node: SchemaNode, value: unknown): Shape {
  switch (node.kind) {
    case "scalar":
      return "leaf";
    case "struct":
    case "map":
      return node.mapType === "atomic" ? "leaf" : "map";
    case "list":
      return node.listType === "atomic" ? "leaf" : "list";
    case "any":
      return node.wire !== "raw-extension" && (value === null || isObject(value)) ? "map" : "leaf";
  }
}

/** The node under a key of a map or struct; undefined when the schema has no such field. */
export function childNode(node: SchemaNode, key: string): SchemaNode | undefined {
  switch (node.kind) {
    case "struct":
      return node.fields.get(key)?.node ?? (node.open || node.fields.size === 0 ? ANY : undefined);
    case "map":
      return node.values;
    default:
      return ANY;
  }
}

/** Whether the key is a field the schema names, rather than a key of a map. */
export const isNamedField = (node: SchemaNode, key: string): boolean => node.kind === "struct" && node.fields.has(key);

interface ListKey {
  readonly name: string;
  /** Stands for the key where an item leaves it out (`protocol: TCP`). */
  readonly default: unknown;
}

const listKeys = new WeakMap<ListNode, readonly ListKey[]>();

function keysOf(node: ListNode): readonly ListKey[] {
  const known = listKeys.get(node);
  if (known !== undefined) return known;
  const { items } = node;
  // A field that is always there has a default by that, too: the empty name, port 0.
  const byDefault = (name: string): unknown =>
    items.kind === "struct" ? (items.fields.get(name)?.node.default ?? zeroFields(items).get(name)) : undefined;
  const keys = [...node.listKeys].sort().map((name) => ({ name, default: byDefault(name) }));
  listKeys.set(node, keys);
  return keys;
}

/** The name of an item in a set or keyed list; throws `TypedError` when it has none. */
export function itemElement(node: ListNode, item: unknown, index: number): string {
  return node.listType === "map" ? keyedElement(node, item, index) : setElement(item, index);
}

function keyedElement(node: ListNode, item: unknown, index: number): string {
  if (item === null)
    throw new TypedError("", `element ${index}: associative list with keys may not have a null element`);
  if (!isObject(item))
    throw new TypedError("", `element ${index}: associative list with keys may not have non-map elements`);
  const found: KeyValue[] = [];
  for (const key of keysOf(node)) {
    const given = own(item, key.name);
    const value = given === undefined ? key.default : given;
    if (value !== undefined) found.push([key.name, value]);
  }
  if (found.length === 0) {
    const names = node.listKeys.map((name) => JSON.stringify(name)).join(" ");
    throw new TypedError(
      "",
      `element ${index}: associative list with keys has an element that omits all key fields [${names}] (and doesn't have default values for any key fields)`,
    );
  }
  return keyElement(found);
}

function setElement(item: unknown, index: number): string {
  if (item === null || item === undefined)
    throw new TypedError("", `element ${index}: associative list without keys has an element that's an explicit null`);
  if (Array.isArray(item))
    throw new TypedError("", `element ${index}: not supported: associative list with lists as elements`);
  if (typeof item === "object")
    throw new TypedError("", `element ${index}: associative list without keys has an element that's a map type`);
  return valueElement(item);
}

/** The names of all items, in order. */
export function itemElements(node: ListNode, items: readonly unknown[]): string[] {
  const out: string[] = [];
  for (let i = 0; i < items.length; i++) out.push(itemElement(node, items[i], i));
  return out;
}

/** The value as a map: anything else, null included, has no fields. */
export const asMap = (value: unknown): Readonly<JsonObject> | undefined => (isObject(value) ? value : undefined);

/** The value as a list: anything else, null included, has no items. */
export const asList = (value: unknown): readonly unknown[] | undefined => (Array.isArray(value) ? value : undefined);
