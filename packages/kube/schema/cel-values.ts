/** JSON as the rules of custom resources see it: whole numbers are integers, and strings with a format are what they mean. */
import { isDate, isDateTime } from "./formats.ts";
import { isObject } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import type { ScalarNode, SchemaNode, StructNode } from "./node.ts";

/** Words that cannot be field names in an expression. */
const RESERVED: ReadonlySet<string> = new Set([
  "true",
  "false",
  "null",
  "in",
  "as",
  "break",
  "const",
  "continue",
  "else",
  "for",
  "function",
  "if",
  "import",
  "let",
  "loop",
  "package",
  "namespace",
  "return",
  "var",
  "void",
  "while",
]);
const ESCAPES: readonly (readonly [RegExp, string])[] = [
  [/__/g, "__underscores__"],
  [/\./g, "__dot__"],
  [/-/g, "__dash__"],
  [/\//g, "__slash__"],
];

/** The name of a field in expressions: what is no identifier is spelt out (`x-y` → `x__dash__y`). */
export function celName(name: string): string {
  if (RESERVED.has(name)) return `__${name}__`;
  return ESCAPES.reduce((text, [pattern, word]) => text.replace(pattern, word), name);
}

/** Makes durations; the engine has a class of its own for them. */
export type MakeDuration = (nanoseconds: bigint) => unknown;

const HAS_DURATION = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g;
const NANOSECONDS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

function durationOf(text: string): bigint | undefined {
  let total = 0;
  let length = 0;
  for (const [whole, amount = "0", unit = ""] of text.matchAll(HAS_DURATION)) {
    total += Number(amount) * (NANOSECONDS[unit] ?? 0);
    length += whole.length;
  }
  const sign = /^[+-]/.exec(text)?.[0] ?? "";
  if (length === 0 || length + sign.length !== text.length) return undefined;
  return BigInt(Math.round(sign === "-" ? -total : total));
}

/** The value under its schema. What the schema does not name cannot be seen by rules, and is left out. */
export function toCel(node: SchemaNode, value: unknown, duration: MakeDuration): unknown {
  if (value === null || value === undefined) return null;
  switch (node.kind) {
    case "scalar":
      return scalarValue(node, value, duration);
    case "list":
      return Array.isArray(value) ? value.map((item) => toCel(node.items, item, duration)) : value;
    case "map":
      return isObject(value) ? mapValue(node.values, value, duration) : value;
    case "struct":
      return isObject(value) ? structValue(node, value, duration) : value;
    case "any":
      return plainValue(value);
  }
}

function mapValue(values: SchemaNode, map: Readonly<JsonObject>, duration: MakeDuration): Map<string, unknown> {
  return new Map(Object.keys(map).map((key) => [key, toCel(values, map[key], duration)]));
}

const SEEN_META: ReadonlySet<string> = new Set(["name", "generateName"]);

function structValue(node: StructNode, struct: Readonly<JsonObject>, duration: MakeDuration): JsonObject {
  const out: JsonObject = Object.create(null) as JsonObject;
  for (const [name, field] of node.fields) {
    const value = struct[name];
    if (!Object.hasOwn(struct, name) || (value === null && field.node.nullable !== true)) continue;
    if (node.embedded === true && name === "metadata") out[name] = metadataValue(value);
    else out[celName(name)] = toCel(field.node, value, duration);
  }
  return { ...out };
}

/** Of metadata only the names are open to rules. */
const metadataValue = (metadata: unknown): JsonObject =>
  isObject(metadata) ? Object.fromEntries(Object.entries(metadata).filter(([key]) => SEEN_META.has(key))) : {};

function scalarValue(node: ScalarNode, value: unknown, duration: MakeDuration): unknown {
  if (typeof value === "number") {
    if (node.type === "number") return value;
    return Number.isInteger(value) ? BigInt(value) : value;
  }
  if (typeof value !== "string") return value;
  switch (node.format) {
    case "date-time":
    case "datetime":
      return isDateTime(value) ? new Date(value) : value;
    case "date":
      return isDate(value) ? new Date(`${value}T00:00:00Z`) : value;
    case "duration": {
      const nanoseconds = durationOf(value);
      return nanoseconds === undefined ? value : duration(nanoseconds);
    }
    case "byte":
      return new Uint8Array(Buffer.from(value, "base64"));
    default:
      return value;
  }
}

function plainValue(value: unknown): unknown {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(plainValue);
  return isObject(value) ? new Map(Object.keys(value).map((key) => [key, plainValue(value[key])])) : value;
}
