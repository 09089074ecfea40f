/** Defaults that the schema itself states. Shares everything it does not change. */
import { isObject, type JsonObject, setKey } from "./json-value.ts";
import type { SchemaNode, StructNode } from "./node.ts";

function defaultStruct(node: StructNode, value: JsonObject): JsonObject {
  let out: JsonObject | undefined;
  for (const [key, field] of node.fields) {
    const given = Object.hasOwn(value, key) ? value[key] : undefined;
    // A null where null is no value counts as absent, so that it takes the default (or goes).
    const before =
      given === null && field.node.nullable !== true && field.node.default !== undefined ? undefined : given;
    const start = before === undefined ? field.node.default : before;
    if (start === undefined) continue;
    const after = applyDefaults(field.node, start);
    if (after !== given) setKey((out ??= { ...value }), key, after);
  }
  return out ?? value;
}

/** `value` with the defaults of `node` where it says nothing. */
export function applyDefaults<T>(node: SchemaNode, value: T): T {
  return defaultAt(node, value) as T;
}

function defaultAt(node: SchemaNode, value: unknown): unknown {
  if (node.kind === "struct" && isObject(value)) return defaultStruct(node, value);
  if (node.kind === "map" && isObject(value)) {
    let out: JsonObject | undefined;
    for (const key of Object.keys(value)) {
      const after = defaultAt(node.values, value[key]);
      if (after !== value[key]) setKey((out ??= { ...value }), key, after);
    }
    return out ?? value;
  }
  if (node.kind === "list" && Array.isArray(value)) {
    let out: unknown[] | undefined;
    for (let i = 0; i < value.length; i++) {
      const after = defaultAt(node.items, value[i]);
      if (after !== value[i]) (out ??= [...(value as unknown[])])[i] = after;
    }
    return out ?? value;
  }
  return value;
}
