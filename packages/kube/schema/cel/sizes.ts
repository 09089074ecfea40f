/** How large what a CRD's schema describes can become: from its bounds, or else from what fits into one request. */
import { celName } from "./values.ts";
import { isObject, own } from "../json-value.ts";
import type { JsonObject } from "../json-value.ts";

const REQUEST_BYTES = 3 * 1024 * 1024;

export type ScalarKind =
  | "dyn"
  | "string"
  | "bytes"
  | "int"
  | "uint"
  | "double"
  | "bool"
  | "timestamp"
  | "duration"
  | "null"
  | "type"
  | "quantity"
  | "url"
  | "ip"
  | "cidr"
  | "semver"
  | "format"
  | "authorizer";

/** What is known of an expression's type. */
export type CelType =
  | { readonly kind: ScalarKind }
  | { readonly kind: "list"; readonly element: CelType }
  | { readonly kind: "map"; readonly key: CelType; readonly element: CelType }
  | { readonly kind: "struct"; readonly fields: ReadonlyMap<string, CelType> }
  | { readonly kind: "optional"; readonly of: CelType };

interface Bounds {
  /** Most items, entries or characters; 0 for what has no size. */
  readonly maxElements: number;
  /** Fewest bytes that one takes in JSON. */
  readonly minBytes: number;
}

/** A type of a schema, with its bounds. */
export type SizedType = Bounds &
  (
    | { readonly kind: ScalarKind }
    | { readonly kind: "list"; readonly element: SizedType }
    | { readonly kind: "map"; readonly key: SizedType; readonly element: SizedType }
    | { readonly kind: "struct"; readonly fields: ReadonlyMap<string, SizedType> }
  );

const scalar = (kind: ScalarKind, minBytes: number, maxElements = 0): SizedType => ({ kind, minBytes, maxElements });
const KEY = scalar("string", 2);

const isTrue = (schema: JsonObject, key: string): boolean => own(schema, key) === true;
const bound = (schema: JsonObject, key: string): number | undefined => {
  const value = own(schema, key);
  return typeof value === "number" ? Math.max(value, 0) : undefined;
};

const IDENTITY: JsonObject = {
  apiVersion: { type: "string" },
  kind: { type: "string" },
  metadata: { type: "object", properties: { name: { type: "string" }, generateName: { type: "string" } } },
};

/** The bounds of a schema; undefined for what expressions do not see. */
export function sizedType(schema: unknown): SizedType | undefined {
  if (!isObject(schema)) return undefined;
  if (isTrue(schema, "x-kubernetes-int-or-string")) return scalar("dyn", 1, longestText(schema));
  switch (schema["type"]) {
    case "array":
      return listOf(schema);
    case "object":
      return objectOf(schema);
    case "string":
      return textOf(schema);
    case "boolean":
      return scalar("bool", 4);
    case "number":
      return scalar("double", 1);
    case "integer":
      return scalar("int", 1);
    default:
      return undefined;
  }
}

function listOf(schema: JsonObject): SizedType | undefined {
  const element = sizedType(schema["items"]);
  if (element === undefined) return undefined;
  const fits = Math.floor((REQUEST_BYTES - 2) / (element.minBytes + 1));
  return { kind: "list", element, minBytes: 2, maxElements: bound(schema, "maxItems") ?? fits };
}

function objectOf(schema: JsonObject): SizedType | undefined {
  const values = own(schema, "additionalProperties");
  if (isObject(values)) {
    const element = sizedType(values);
    if (element === undefined) return undefined;
    const fits = Math.floor((REQUEST_BYTES - 2) / (element.minBytes + 6));
    return { kind: "map", key: KEY, element, minBytes: 2, maxElements: bound(schema, "maxProperties") ?? fits };
  }
  const stated = own(schema, "properties");
  const properties = {
    ...(isObject(stated) ? stated : {}),
    ...(isTrue(schema, "x-kubernetes-embedded-resource") ? IDENTITY : {}),
  };
  const required: readonly unknown[] = Array.isArray(schema["required"]) ? schema["required"] : [];
  const fields = new Map<string, SizedType>();
  let minBytes = 2;
  for (const [name, property] of Object.entries(properties)) {
    const type = sizedType(property);
    if (type === undefined) continue;
    fields.set(celName(name), type);
    const given = required.includes(name) && isObject(property) && (property["default"] ?? null) === null;
    if (given) minBytes += Buffer.byteLength(name) + type.minBytes + 4;
  }
  return { kind: "struct", fields, minBytes, maxElements: 0 };
}

function textOf(schema: JsonObject): SizedType {
  switch (schema["format"]) {
    case "byte":
      return scalar("bytes", 2, bound(schema, "maxLength") ?? REQUEST_BYTES - 2);
    case "duration":
      return scalar("duration", 3, 32);
    case "date":
      return scalar("timestamp", 12, 12);
    case "date-time":
      return scalar("timestamp", 21, 32);
    default:
      return scalar("string", 2, longestText(schema));
  }
}

/** In bytes: a character may take four. */
function longestText(schema: JsonObject): number {
  const most = bound(schema, "maxLength");
  if (most !== undefined) return most * 4;
  const values = own(schema, "enum");
  const choices = Array.isArray(values) && schema["type"] === "string" ? values : [];
  if (choices.length === 0 || isTrue(schema, "x-kubernetes-int-or-string")) return REQUEST_BYTES - 2;
  return Math.max(0, ...choices.map((value) => (typeof value === "string" ? Buffer.byteLength(value) : 0)));
}

/** How often a value can stand in one object of a kind, if no list or map around it is bounded. */
export const mostInOneRequest = (minBytes: number): number => Math.floor(REQUEST_BYTES / (minBytes + 1));

/** How many children each value of a schema has room for; undefined for any number. */
export function mostChildren(schema: JsonObject): number | undefined {
  if (schema["type"] === "array") return bound(schema, "maxItems");
  const isMap = schema["type"] === "object" && (own(schema, "additionalProperties") ?? false) !== false;
  return isMap ? bound(schema, "maxProperties") : 1;
}
