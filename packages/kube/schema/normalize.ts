/**
 * Brings a built-in object into the form in which the API always answers: unset and empty optional fields are absent,
 * fields that are always written are there (`status: {}`, `resources: {}`), quantities and times are canonical.
 * Shares everything it does not change. The object must have passed the type check.
 */
import { formatQuantity, tryParseQuantity } from "../api/quantity.ts";
import { isEmptyObject, isObject, type JsonObject, setKey } from "./json-value.ts";
import { prune } from "./prune.ts";
import { holdsSchema, nodeUnder, simpleForm } from "./schema-or.ts";
import type { AnyNode, Field, ListNode, MapNode, ScalarNode, SchemaNode, StructNode } from "./node.ts";
import { canonicalTime } from "./time-text.ts";

/** What an element of a list or a value of a map becomes when it was null. */
export function zero(node: SchemaNode): unknown {
  switch (node.kind) {
    case "struct":
      return emptyStruct(node);
    case "list":
    case "map":
    case "any":
      return null;
    case "scalar":
      return zeroScalar(node);
  }
}

function zeroScalar(node: ScalarNode): unknown {
  switch (node.type) {
    case "integer":
    case "number":
    case "int-or-string":
      return 0;
    case "boolean":
      return false;
    case "quantity":
      return "0";
    case "time":
    case "micro-time":
      return null;
    default:
      return "";
  }
}

const alwaysOf = new WeakMap<StructNode, readonly (readonly [string, unknown])[]>();
const emptyOf = new WeakMap<StructNode, JsonObject>();

/** Fields of a struct that are written even when nobody set them, with the value they then have. */
function always(node: StructNode): readonly (readonly [string, unknown])[] {
  const known = alwaysOf.get(node);
  if (known !== undefined) return known;
  const found: [string, unknown][] = [];
  for (const [name, field] of node.fields) {
    if (field.always !== true) continue;
    // Pointers, times, lists and maps without a value are written as null; only a time of creation is left out.
    if (name !== "creationTimestamp") found.push([name, field.pointer === true ? null : zero(field.node)]);
  }
  alwaysOf.set(node, found);
  return found;
}

const isNullWritten = (node: StructNode, name: string): boolean =>
  always(node).some(([always, value]) => always === name && value === null);

function emptyStruct(node: StructNode): JsonObject {
  const known = emptyOf.get(node);
  if (known !== undefined) return known;
  const made = Object.freeze(Object.fromEntries(always(node)));
  emptyOf.set(node, made);
  return made;
}

function scalar(node: ScalarNode, value: unknown): unknown {
  switch (node.type) {
    case "quantity": {
      const parsed = tryParseQuantity(value);
      return parsed === undefined ? value : formatQuantity(parsed);
    }
    case "time":
    case "micro-time":
      return typeof value === "string" ? canonicalTime(value, node.type === "micro-time") : value;
    case "bytes":
      return typeof value === "string" ? canonicalBase64(value) : value;
    default:
      return value;
  }
}

/** Without line ends, and with nothing in the bits that only fill up the last character. */
function canonicalBase64(value: string): string {
  if (/[\r\n]/.test(value)) return canonicalBase64(value.replaceAll(/[\r\n]/g, ""));
  return value.endsWith("=") ? value.slice(0, -4) + Buffer.from(value.slice(-4), "base64").toString("base64") : value;
}

/** True when a field with this (normalized) value is not written at all. */
function omitted(field: Field, value: unknown): boolean {
  if (value === null || value === undefined) return true;
  const { node } = field;
  switch (node.kind) {
    case "list":
      return Array.isArray(value) && value.length === 0;
    case "map":
      return isObject(value) && isEmptyObject(value);
    case "scalar":
      if (field.pointer === true || field.always === true) return false;
      return node.type === "quantity" || node.type === "int-or-string"
        ? false
        : value === "" || value === 0 || value === false;
    default:
      return false;
  }
}

function struct(node: StructNode, value: JsonObject): JsonObject {
  let out: JsonObject | undefined;
  const copy = (): JsonObject => (out ??= { ...value });
  for (const key of Object.keys(value)) {
    const field = node.fields.get(key);
    if (field === undefined) continue;
    const before = value[key];
    const after = before === null ? null : normalizeAt(field.node, before);
    if (omitted(field, after)) {
      if (before !== null || !isNullWritten(node, key)) delete copy()[key];
    } else if (after !== before) copy()[key] = after;
  }
  for (const [key, empty] of always(node)) {
    if (!Object.hasOwn(out ?? value, key)) copy()[key] = empty;
  }
  return out ?? value;
}

function map(node: MapNode, value: JsonObject): JsonObject {
  let out: JsonObject | undefined;
  for (const key of Object.keys(value)) {
    const before = value[key];
    const after = before === null ? zero(node.values) : normalizeAt(node.values, before);
    if (after !== before) setKey((out ??= { ...value }), key, after);
  }
  return out ?? value;
}

function list(node: ListNode, value: readonly unknown[]): readonly unknown[] {
  let out: unknown[] | undefined;
  for (let i = 0; i < value.length; i++) {
    const before = value[i];
    const after = before === null ? zero(node.items) : normalizeAt(node.items, before);
    if (after !== before) (out ??= [...value])[i] = after;
  }
  return out ?? value;
}

/** What is not known in a schema within a schema is dropped, and nobody told of it. */
function schemaOr(node: AnyNode, value: unknown): unknown {
  const under = nodeUnder(node, value);
  return under === undefined ? simpleForm(node, value) : normalizeAt(under, prune(under, value).value);
}

function normalizeAt(node: SchemaNode, value: unknown): unknown {
  switch (node.kind) {
    case "any":
      return holdsSchema(node) ? schemaOr(node, value) : value;
    case "scalar":
      return scalar(node, value);
    case "struct":
      return isObject(value) ? struct(node, value) : value;
    case "map":
      return isObject(value) ? map(node, value) : value;
    case "list":
      return Array.isArray(value) ? list(node, value) : value;
  }
}

/** The object as a server of built-in kinds writes it. */
export function normalize<T>(node: SchemaNode, value: T): T {
  return normalizeAt(node, value) as T;
}
