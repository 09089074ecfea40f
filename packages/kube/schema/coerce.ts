/** Values of the wrong JSON type, in a decoder's words. */
import { tryParseQuantity } from "../api/quantity.ts";
import { base64Error } from "./base64-text.ts";
import { namedType } from "./go-types.ts";
import { isObject, type JsonObject } from "./json-value.ts";
import type { ScalarNode, SchemaNode, StructNode } from "./node.ts";
import { nodeUnder, simpleFault } from "./schema-or.ts";
import { timeError } from "./time-text.ts";

const QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

/** Where the decoder stands: Go names the innermost struct and the path of field names, without indexes. */
interface Place {
  readonly parent: Place | undefined;
  readonly node: StructNode;
  /** The Go structs that hold the field, where the JSON shows them inline: `RuleWithOperations.Rule.`. */
  readonly inline: string;
  readonly key: string;
}

function pathTo(place: Place): string {
  const own = `${place.inline}${place.key}`;
  return place.parent === undefined ? own : `${pathTo(place.parent)}.${own}`;
}

const jsonType = (value: unknown): string =>
  Array.isArray(value)
    ? "array"
    : typeof value === "object"
      ? "object"
      : typeof value === "boolean"
        ? "bool"
        : typeof value;

const goStruct = (node: StructNode): string => node.typeName?.split(".").at(-1) ?? "Object";

/** The name Go gives the type of a node. */
function goType(node: SchemaNode): string {
  switch (node.kind) {
    case "struct":
      return node.typeName?.split(".").slice(-2).join(".") ?? "map[string]interface {}";
    case "list":
      return `[]${goType(node.items)}`;
    case "map":
      return `map[string]${goType(node.values)}`;
    case "any":
      return "interface {}";
    case "scalar":
      return goScalar(node);
  }
}

function goScalar(node: ScalarNode): string {
  switch (node.type) {
    case "integer":
    case "number":
      return node.format === "double" ? "float64" : (node.format ?? "int64");
    case "boolean":
      return "bool";
    case "bytes":
      return "[]uint8";
    case "int-or-string":
      return "int32";
    case "quantity":
      return "resource.Quantity";
    default:
      return "string";
  }
}

function mismatch(node: SchemaNode, value: unknown, place: Place | undefined, detail = ""): string {
  const where = place === undefined ? "Go value" : `Go struct field ${goStruct(place.node)}.${pathTo(place)}`;
  const named = place === undefined ? undefined : namedType(place.node, place.key, node);
  return `json: cannot unmarshal ${jsonType(value)}${detail} into ${where} of type ${named ?? goType(node)}`;
}

function integerError(node: SchemaNode, value: unknown, place: Place | undefined, bits: number): string | undefined {
  if (typeof value !== "number") return mismatch(node, value, place);
  const fits =
    Number.isInteger(value) && value >= -(2 ** (bits - 1)) && value <= 2 ** (bits - 1) - (bits === 32 ? 1 : 0);
  return fits ? undefined : mismatch(node, value, place, ` ${value}`);
}

export function scalarError(node: ScalarNode, value: unknown, place: Place | undefined): string | undefined {
  switch (node.type) {
    case "string":
    case "duration":
      return typeof value === "string" ? undefined : mismatch(node, value, place);
    case "boolean":
      return typeof value === "boolean" ? undefined : mismatch(node, value, place);
    case "integer":
      return integerError(node, value, place, node.format === "int32" ? 32 : 64);
    case "number":
      return typeof value === "number" ? undefined : mismatch(node, value, place);
    case "int-or-string":
      return typeof value === "string" ? undefined : integerError(node, value, place, 32);
    case "quantity":
      return tryParseQuantity(value) === undefined ? QUANTITY : undefined;
    case "time":
    case "micro-time":
      return typeof value === "string" ? timeError(value, node.type === "micro-time") : mismatch(node, value, place);
    case "bytes": {
      if (typeof value !== "string") return mismatch(node, value, place);
      const at = base64Error(value);
      return at === undefined ? undefined : `illegal base64 data at input byte ${at}`;
    }
  }
}

/** The structs that hold `key` in Go, of those that the JSON shows inline, each with a dot; undefined where none does. */
function inlinePath(node: StructNode, key: string): string | undefined {
  for (const inner of node.inline?.values() ?? []) {
    if (inner.kind !== "struct" || !inner.fields.has(key)) continue;
    const own = inner.fields.get(key)?.pb === undefined ? inlinePath(inner, key) : "";
    if (own !== undefined) return `${goStruct(inner)}.${own}`;
  }
  return undefined;
}

function structError(node: StructNode, value: JsonObject, place: Place | undefined): string | undefined {
  for (const key of Object.keys(value)) {
    const field = node.fields.get(key);
    const item = value[key];
    if (field === undefined || item === null || item === undefined) continue;
    const inline = field.pb === undefined ? (inlinePath(node, key) ?? "") : "";
    const error = decodeError(field.node, item, { parent: place, node, inline, key });
    if (error !== undefined) return error;
  }
  return undefined;
}

function decodeError(node: SchemaNode, value: unknown, place: Place | undefined): string | undefined {
  if (value === null || value === undefined) return undefined;
  switch (node.kind) {
    case "any": {
      const under = nodeUnder(node, value);
      return under === undefined ? simpleFault(node, value) : decodeError(under, value, place);
    }
    case "scalar":
      return scalarError(node, value, place);
    case "struct":
      return isObject(value) ? structError(node, value, place) : mismatch(node, value, place);
    case "map": {
      if (!isObject(value)) return mismatch(node, value, place);
      return first(Object.values(value), (item) => decodeError(node.values, item, place));
    }
    case "list":
      if (!Array.isArray(value)) return mismatch(node, value, place);
      return first(value, (item) => decodeError(node.items, item, place));
  }
}

function first<T>(items: readonly T[], find: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}

/**
 * Why a value cannot be decoded as a built-in type, in the words of upstream's decoder
 * (`json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32`);
 * undefined when it can.
 */
export function decodeTypeError(node: StructNode, value: unknown): string | undefined {
  return decodeError(node, value, undefined);
}
