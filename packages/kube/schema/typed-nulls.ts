/** Null for "not set": decoders of built-in kinds know no other null, and custom resources only where it is allowed. */
import { isObject, setKey } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import type { SchemaNode } from "./node.ts";
import { ANY } from "./typed-node.ts";

/**
 * The value without nulls where the schema has no null: all fields of built-in types; fields and map values of
 * custom resources that are not `nullable`. Null values of a built-in type's map stay: Go reads a zero value there. The same value when there are none. To be run after defaulting, since
 * a null takes a default.
 */
export function withoutNulls(node: SchemaNode, value: unknown): unknown {
  return strip(node, value, isBuiltin(node));
}

const isBuiltin = (node: SchemaNode): boolean => node.kind === "struct" && node.typeName !== undefined;

function strip(node: SchemaNode, value: unknown, builtin: boolean): unknown {
  if (Array.isArray(value)) {
    if (node.kind !== "list") return value;
    const items = value.map((item) => strip(node.items, item, builtin));
    return items.some((item, i) => item !== value[i]) ? items : value;
  }
  if (!isObject(value) || (node.kind !== "struct" && node.kind !== "map")) return value;
  let changed = false;
  const out: JsonObject = {};
  for (const key in value) {
    const child = childOf(node, key);
    const before = value[key];
    const after =
      child === undefined || before === null || before === undefined ? before : strip(child, before, builtin);
    if (after !== before) changed = true;
    if ((after === null || after === undefined) && dropsNull(node, child, builtin)) changed = true;
    else setKey(out, key, after);
  }
  return changed ? out : value;
}

/** Undefined: the schema says nothing of this key. */
function childOf(node: SchemaNode, key: string): SchemaNode | undefined {
  if (node.kind === "struct") return node.fields.get(key)?.node;
  return node.kind === "map" ? node.values : ANY;
}

function dropsNull(node: SchemaNode, child: SchemaNode | undefined, builtin: boolean): boolean {
  if (builtin && node.kind === "map") return false;
  if (isBuiltin(node)) return true;
  return child !== undefined && child.nullable !== true;
}
