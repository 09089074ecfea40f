/**
 * Values of the wrong type where upstream does not decode JSON but converts what a strategic merge patch made: it names
 * Go's types and no field.
 */
import { scalarError } from "./coerce.ts";
import { isObject } from "./json-value.ts";
import type { ScalarNode, SchemaNode } from "./node.ts";

/** The Go kind of a JSON value. */
function kindOf(value: unknown): string {
  if (Array.isArray(value)) return "slice";
  if (isObject(value)) return "map";
  if (typeof value === "number") return Number.isInteger(value) ? "int64" : "float64";
  return typeof value === "boolean" ? "bool" : "string";
}

/** Simple types, and which of them Go would convert to one another, if the converter let it. */
function simpleError(type: "string" | "bool" | "int32" | "int64" | "float64", value: unknown): string | undefined {
  const kind = kindOf(value);
  const isNumber = kind === "int64" || kind === "float64";
  if (type === "string" ? kind === "string" : type === "bool" ? kind === "bool" : isNumber) {
    const fits = type !== "int32" && type !== "int64" ? true : kind === "int64";
    return fits ? undefined : `cannot convert ${kind} to ${type}`;
  }
  return type === "string" && kind === "int64" ? "cannot convert int64 to string" : `unrecognized type: ${type}`;
}

function convertScalarError(node: ScalarNode, value: unknown): string | undefined {
  switch (node.type) {
    case "string":
      return simpleError("string", value);
    case "boolean":
      return simpleError("bool", value);
    case "number":
      return simpleError("float64", value);
    case "integer":
      return simpleError(node.format === "int32" ? "int32" : "int64", value);
    case "bytes":
      return typeof value === "string"
        ? prefixed(scalarError(node, value, undefined))
        : `cannot restore slice from ${kindOf(value)}`;
    // Types that decode themselves.
    default:
      return scalarError(node, value, undefined);
  }
}

const prefixed = (fault: string | undefined): string | undefined =>
  fault === undefined ? undefined : `error decoding from json: ${fault}`;

/** What is wrong with a value, in the words of upstream's converter; undefined when nothing is. */
export function convertTypeError(node: SchemaNode, value: unknown): string | undefined {
  if (value === null || value === undefined) return undefined;
  switch (node.kind) {
    case "any":
      return undefined;
    case "scalar":
      return convertScalarError(node, value);
    case "struct":
      if (!isObject(value)) return `cannot restore struct from: ${kindOf(value)}`;
      return firstOf(Object.keys(value), (key) => {
        const field = node.fields.get(key);
        return field === undefined ? undefined : convertTypeError(field.node, value[key]);
      });
    case "map":
      if (!isObject(value)) return `cannot restore map from ${kindOf(value)}`;
      return firstOf(Object.values(value), (item) => convertTypeError(node.values, item));
    case "list":
      if (!Array.isArray(value)) return `cannot restore slice from ${kindOf(value)}`;
      return firstOf(value, (item) => convertTypeError(node.items, item));
  }
}

function firstOf<T>(items: readonly T[], find: (item: T) => string | undefined): string | undefined {
  for (const item of items) {
    const found = find(item);
    if (found !== undefined) return found;
  }
  return undefined;
}
