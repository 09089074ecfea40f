/** Drops what the schema does not know, and says what that was. Shares everything it does not change. */
import { isObject, type JsonObject, setKey } from "./json-value.ts";
import type { ListNode, MapNode, SchemaNode, StructNode } from "./node.ts";

export interface Pruned<T> {
  readonly value: T;
  /** Paths of the dropped fields, as upstream prints them: `spec.foo`, `spec.containers[0].bar`. */
  readonly unknown: readonly string[];
}

/** The same object without or with other fields: a copy made on the first change. */
class Rewrite {
  readonly #from: JsonObject;
  #to: JsonObject | undefined;

  constructor(from: JsonObject) {
    this.#from = from;
  }

  #copy(): JsonObject {
    if (this.#to === undefined) {
      this.#to = {};
      for (const key of Object.keys(this.#from)) setKey(this.#to, key, this.#from[key]);
    }
    return this.#to;
  }

  drop(key: string): void {
    delete this.#copy()[key];
  }

  put(key: string, value: unknown): void {
    setKey(this.#copy(), key, value);
  }

  get result(): JsonObject {
    return this.#to ?? this.#from;
  }
}

/** An embedded object always keeps these, whatever its schema says. */
const EMBEDDED_KEYS: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"]);

function pruneStruct(node: StructNode, value: JsonObject, path: string, unknown: string[]): JsonObject {
  const out = new Rewrite(value);
  for (const key of Object.keys(value)) {
    const field = node.fields.get(key);
    const at = path === "" ? key : `${path}.${key}`;
    if (field === undefined) {
      if (node.open || (node.embedded === true && EMBEDDED_KEYS.has(key))) continue;
      unknown.push(at);
      out.drop(key);
      continue;
    }
    const before = value[key];
    const after = pruneAt(field.node, before, at, unknown);
    if (after !== before) out.put(key, after);
  }
  return out.result;
}

function pruneMap(node: MapNode, value: JsonObject, path: string, unknown: string[]): JsonObject {
  if (node.values.kind === "scalar" || node.values.kind === "any") return value;
  const out = new Rewrite(value);
  for (const key of Object.keys(value)) {
    const before = value[key];
    const after = pruneAt(node.values, before, `${path}.${key}`, unknown);
    if (after !== before) out.put(key, after);
  }
  return out.result;
}

function pruneList(node: ListNode, value: readonly unknown[], path: string, unknown: string[]): readonly unknown[] {
  if (node.items.kind === "scalar" || node.items.kind === "any") return value;
  let out: unknown[] | undefined;
  for (let i = 0; i < value.length; i++) {
    const before = value[i];
    const after = pruneAt(node.items, before, `${path}[${i}]`, unknown);
    if (after !== before) (out ??= [...value])[i] = after;
  }
  return out ?? value;
}

/** A list where a custom resource has an object: no field of its items is known, as upstream. */
function pruneMisplaced(value: readonly unknown[], path: string, unknown: string[]): readonly unknown[] {
  return value.map((item, i) => {
    if (!isObject(item)) return item;
    for (const key of Object.keys(item)) unknown.push(`${path}[${i}].${key}`);
    return {};
  });
}

function pruneAt(node: SchemaNode, value: unknown, path: string, unknown: string[]): unknown {
  if (node.kind === "struct") {
    if (isObject(value)) return pruneStruct(node, value, path, unknown);
    const misplaced = Array.isArray(value) && node.typeName === undefined && !node.open && value.some(isObject);
    return misplaced ? pruneMisplaced(value, path, unknown) : value;
  }
  if (node.kind === "map") return isObject(value) ? pruneMap(node, value, path, unknown) : value;
  if (node.kind === "list") return Array.isArray(value) ? pruneList(node, value, path, unknown) : value;
  return value;
}

/**
 * `value` without the fields that `node` does not know. Values of a wrong type are left for the type check.
 * The same value comes back, not a copy, when nothing is dropped.
 */
export function prune<T>(node: SchemaNode, value: T, path = ""): Pruned<T> {
  const unknown: string[] = [];
  return { value: pruneAt(node, value, path, unknown) as T, unknown };
}
