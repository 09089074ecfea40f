/**
 * Fields that Go writes even when nobody set them and that then hold nothing: lists, times, optional values without
 * `omitempty`. The API shows them as null.
 */
import { isObject, type JsonObject } from "./json-value.ts";
import type { Field, SchemaNode, StructNode } from "./node.ts";

function holdsNull({ node, always, pointer }: Field): boolean {
  if (always !== true) return false;
  if (pointer === true) return true;
  const isTime = node.kind === "scalar" && (node.type === "time" || node.type === "micro-time");
  return isTime || node.kind === "list" || node.kind === "map" || node.kind === "any";
}

const known = new WeakMap<SchemaNode, boolean>();

/** Whether such a field stands anywhere below. A type that contains itself is asked once. */
function reaches(node: SchemaNode): boolean {
  const found = known.get(node);
  if (found !== undefined) return found;
  known.set(node, false);
  const below = (): boolean => {
    if (node.kind === "list") return reaches(node.items);
    if (node.kind === "map") return reaches(node.values);
    return node.kind === "struct" && [...node.fields.values()].some((field) => holdsNull(field) || reaches(field.node));
  };
  const answer = below();
  known.set(node, answer);
  return answer;
}

function inStruct(node: StructNode, value: JsonObject): JsonObject {
  let out: JsonObject | undefined;
  for (const [name, field] of node.fields) {
    const before = value[name];
    if (before === undefined || before === null) {
      if (before === undefined && holdsNull(field)) (out ??= { ...value })[name] = null;
    } else if (reaches(field.node)) {
      const after = withNulls(field.node, before);
      if (after !== before) (out ??= { ...value })[name] = after;
    }
  }
  return out ?? value;
}

/** The value with null where the API shows null. The same value when there is no such place. */
export function withNulls<T>(node: SchemaNode, value: T): T;
export function withNulls(node: SchemaNode, value: unknown): unknown {
  if (!reaches(node)) return value;
  if (node.kind === "list" && Array.isArray(value)) {
    const items = value.map((item: unknown) => withNulls(node.items, item));
    return items.some((item, i) => item !== value[i]) ? items : value;
  }
  if (!isObject(value)) return value;
  if (node.kind === "struct") return inStruct(node, value);
  if (node.kind !== "map") return value;
  const entries = Object.entries(value).map(([key, one]) => [key, withNulls(node.values, one)] as const);
  return entries.some(([key, one]) => one !== value[key]) ? Object.fromEntries(entries) : value;
}
