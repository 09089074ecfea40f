/** What differs between two objects, as sets of field paths. What is the same value is not looked into. */
import { LEAF, addChildren, addMember } from "./field-set.ts";
import type { FieldSet, FieldSetBuilder } from "./field-set.ts";
import { equalJson, isEmptyObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import type { ListNode, SchemaNode } from "./node.ts";
import { ANY, TypedError, asList, asMap, childNode, itemElements, shapeOf } from "./typed-node.ts";
import { zeroFields } from "./value-fields.ts";

export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** Written to while two levels are compared; a set is made when the first difference is met. */
interface Sink {
  added: FieldSetBuilder | undefined;
  modified: FieldSetBuilder | undefined;
  removed: FieldSetBuilder | undefined;
}
type Side = "added" | "modified" | "removed";
const SIDES: readonly Side[] = ["added", "modified", "removed"];

/** Compares two objects of one type. Throws `TypedError` when an item of a list has no name. */
export function compareTyped(node: SchemaNode, before: unknown, after: unknown): Comparison {
  const sink: Sink = { added: undefined, modified: undefined, removed: undefined };
  if (before !== after) compareMaps(sink, node, asMap(before), asMap(after));
  return { added: sink.added ?? LEAF, modified: sink.modified ?? LEAF, removed: sink.removed ?? LEAF };
}

const mark = (sink: Sink, side: Side, element: string): void => addMember((sink[side] ??= {}), element);

function attach(sink: Sink, element: string, below: Sink): void {
  for (const side of SIDES) {
    const set = below[side];
    if (set !== undefined) addChildren((sink[side] ??= {}), element, set);
  }
}

/** `undefined` on a side: it is not there. */
function compareEntry(sink: Sink, element: string, node: SchemaNode, before: unknown, after: unknown): void {
  if (before === after) return;
  const shapeBefore = before === undefined ? shapeOf(node, after) : shapeOf(node, before);
  const shapeAfter = after === undefined ? shapeBefore : shapeOf(node, after);
  if (shapeBefore === "leaf" && shapeAfter === "leaf") {
    compareLeaf(sink, element, before, after);
    return;
  }
  // A value without schema that turned from map to leaf or back: its fields come or go, and it is modified.
  if (shapeBefore !== shapeAfter) mark(sink, "modified", element);
  const below: Sink = { added: undefined, modified: undefined, removed: undefined };
  const leaf =
    node.kind === "list"
      ? compareLists(below, node, asList(before), asList(after))
      : compareMaps(below, node, asMap(before), asMap(after));
  if (leaf) {
    if (shapeBefore === shapeAfter) compareLeaf(sink, element, before, after);
    return;
  }
  attach(sink, element, below);
  if (before === undefined) mark(sink, "added", element);
  else if (after === undefined) mark(sink, "removed", element);
}

function compareLeaf(sink: Sink, element: string, before: unknown, after: unknown): void {
  if (before === undefined) mark(sink, "added", element);
  else if (after === undefined) mark(sink, "removed", element);
  else if (!equalJson(before, after)) mark(sink, "modified", element);
}

/** Answers true when neither side has anything in it, so that the two count as leaves. */
function compareMaps(
  sink: Sink,
  node: SchemaNode,
  before: Readonly<JsonObject> | undefined,
  after: Readonly<JsonObject> | undefined,
): boolean {
  const emptyBefore = before === undefined || isEmptyObject(before);
  const emptyAfter = after === undefined || isEmptyObject(after);
  if (emptyBefore && emptyAfter) return true;
  if (before !== undefined) {
    for (const key in before)
      compareKey(sink, node, key, before[key], after === undefined ? undefined : present(node, after, key));
  }
  if (after !== undefined) {
    for (const key in after) {
      if (before !== undefined && Object.hasOwn(before, key)) continue;
      compareKey(sink, node, key, before === undefined ? undefined : present(node, before, key), after[key]);
    }
  }
  return false;
}

/** The value of a key, or what a struct holds in its stead. */
function present(node: SchemaNode, map: Readonly<JsonObject>, key: string): unknown {
  const value = own(map, key);
  return value === undefined && node.kind === "struct" ? zeroFields(node).get(key) : value;
}

function compareKey(sink: Sink, node: SchemaNode, key: string, before: unknown, after: unknown): void {
  if (before === after) return;
  try {
    compareEntry(sink, `f:${key}`, childNode(node, key) ?? ANY, before, after);
  } catch (error) {
    throw under(`.${key}`, error);
  }
}

const under = (path: string, error: unknown): unknown =>
  error instanceof TypedError ? new TypedError(path + error.path, error.detail) : error;

function compareLists(
  sink: Sink,
  node: ListNode,
  before: readonly unknown[] | undefined,
  after: readonly unknown[] | undefined,
): boolean {
  if ((before?.length ?? 0) === 0 && (after?.length ?? 0) === 0) return true;
  const left = groupItems(node, before ?? []);
  const right = groupItems(node, after ?? []);
  for (const [element, items] of left) compareItems(sink, node.items, element, items, right.get(element) ?? NONE);
  for (const [element, items] of right) if (!left.has(element)) compareItems(sink, node.items, element, NONE, items);
  return false;
}

const NONE: readonly unknown[] = [];

/** Items by name; more than one of a name are duplicates, which are owned as one. */
function groupItems(node: ListNode, items: readonly unknown[]): Map<string, unknown[]> {
  const groups = new Map<string, unknown[]>();
  const elements = itemElements(node, items);
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i] as string;
    const group = groups.get(element);
    if (group === undefined) groups.set(element, [items[i]]);
    else group.push(items[i]);
  }
  return groups;
}

function compareItems(
  sink: Sink,
  node: SchemaNode,
  element: string,
  before: readonly unknown[],
  after: readonly unknown[],
): void {
  if (before.length <= 1 && after.length <= 1) {
    compareEntry(sink, element, node, before[0], after[0]);
  } else if (before.length > 1 && after.length > 1) {
    if (!equalJson(before, after)) mark(sink, "modified", element);
  } else if (before.length > 1) {
    if (after.length === 1) compareEntry(sink, element, node, undefined, after[0]);
    mark(sink, "removed", element);
  } else {
    if (before.length === 1) compareEntry(sink, element, node, before[0], undefined);
    mark(sink, "added", element);
  }
}
