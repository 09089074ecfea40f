/** Field sets that were written under an older schema: where a value has become atomic since, it is owned as a whole. */
import { LEAF, isEmptySet } from "./field-set.ts";
import type { FieldSet, FieldSetBuilder } from "./field-set.ts";
import type { SchemaNode } from "./node.ts";
import { childNode } from "./typed-node.ts";

/** Sets that were seen to fit a node: nearly all do, and a set is looked at on every write. */
const fits = new WeakMap<FieldSet, SchemaNode>();

/** The set as it stands under this schema; the same set when nothing changed. */
export function reconcileSet(node: SchemaNode, set: FieldSet): FieldSet {
  if (fits.get(set) === node) return set;
  const out = reconcile(node, set);
  fits.set(out, node);
  return out;
}

function reconcile(node: SchemaNode, set: FieldSet): FieldSet {
  if (isEmptySet(set)) return set;
  if (node.kind === "scalar" || isUntypedMap(node)) return set;
  if (isAtomic(node)) return LEAF;
  let out: FieldSetBuilder | undefined;
  for (const element in set) {
    if (element === ".") continue;
    const child = nodeUnder(node, element);
    if (child === undefined) continue;
    const before = set[element] as FieldSet;
    const after = reconcile(child, before);
    if (after !== before) (out ??= { ...set })[element] = after;
  }
  return out ?? set;
}

/** Maps whose values have no schema are left alone: for them atomic and granular cannot be told. */
const isUntypedMap = (node: SchemaNode): boolean =>
  (node.kind === "any" && node.wire !== "raw-extension") ||
  (node.kind === "map" && node.values.kind === "any") ||
  (node.kind === "struct" && node.fields.size === 0);

const isAtomic = (node: SchemaNode): boolean =>
  node.kind === "any" ||
  (node.kind === "list" ? node.listType === "atomic" : node.kind !== "scalar" && node.mapType === "atomic");

function nodeUnder(node: SchemaNode, element: string): SchemaNode | undefined {
  if (node.kind === "list") return node.items;
  return element.startsWith("f:") ? childNode(node, element.slice(2)) : undefined;
}
