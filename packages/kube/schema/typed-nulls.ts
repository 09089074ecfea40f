/** Built-in kinds have no nulls: their decoder takes null for "not set". Custom resources keep them. */
import { isObject, setKey } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import type { SchemaNode } from "./node.ts";
import { ANY, childNode } from "./typed-node.ts";

/** The value without null fields in structs of built-in types; the same value when there are none. */
export function withoutNulls(node: SchemaNode, value: unknown): unknown {
  if (Array.isArray(value)) {
    if (node.kind !== "list") return value;
    const items = value.map((item) => withoutNulls(node.items, item));
    return items.some((item, i) => item !== value[i]) ? items : value;
  }
  if (!isObject(value) || (node.kind !== "struct" && node.kind !== "map")) return value;
  return dropKeys(node, value, node.kind === "struct" && node.typeName !== undefined);
}

function dropKeys(node: SchemaNode, value: JsonObject, builtin: boolean): JsonObject {
  let changed = false;
  const out: JsonObject = {};
  for (const key in value) {
    const before = value[key];
    if (builtin && (before === null || before === undefined)) {
      changed = true;
      continue;
    }
    const after = withoutNulls(childNode(node, key) ?? ANY, before);
    if (after !== before) changed = true;
    setKey(out, key, after);
  }
  return changed ? out : value;
}
