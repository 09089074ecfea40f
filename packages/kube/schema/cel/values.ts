/** JSON as the rules of custom resources see it: whole numbers are integers, and strings with a format are what they mean. */
import { CelTime, keyList } from "./kinds.ts";
import { parseDuration, parseTime } from "./time.ts";
import { isDate, isDateTime } from "../formats.ts";
import { isObject } from "../json-value.ts";
import type { JsonObject } from "../json-value.ts";
import type { ListNode, ScalarNode, SchemaNode, StructNode } from "../node.ts";

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

/** The value under its schema. What the schema does not name cannot be seen by rules, and is left out. */
export function toCel(node: SchemaNode, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  switch (node.kind) {
    case "scalar":
      return scalarValue(node, value);
    case "list":
      return Array.isArray(value) ? listValue(node, value) : value;
    case "map":
      return isObject(value) ? mapValue(node.values, value) : value;
    case "struct":
      return isObject(value) ? structValue(node, value) : value;
    case "any":
      return plainValue(value);
  }
}

function listValue(node: ListNode, list: readonly unknown[]): unknown[] {
  const out = list.map((item) => toCel(node.items, item));
  if (node.listType === "set") keyList(out, { kind: "set" });
  else if (node.listType === "map") keyList(out, { kind: "map", keys: node.listKeys.map(celName) });
  return out;
}

function mapValue(values: SchemaNode, map: Readonly<JsonObject>): Map<string, unknown> {
  return new Map(Object.keys(map).map((key) => [key, toCel(values, map[key])]));
}

const SEEN_META: ReadonlySet<string> = new Set(["name", "generateName"]);

function structValue(node: StructNode, struct: Readonly<JsonObject>): JsonObject {
  const out: JsonObject = {};
  const names = namesOf(node);
  for (const [name, value] of Object.entries(struct)) {
    const field = node.fields.get(name);
    // A field that is null is not there, even where it may be null.
    if (field === undefined || value === null) continue;
    if (node.embedded === true && name === "metadata") out[name] = metadataValue(value);
    else set(out, names.get(name) ?? name, toCel(field.node, value));
  }
  return out;
}

/** Also `__proto__` is a name like any other. */
function set(out: JsonObject, name: string, value: unknown): void {
  if (name in Object.prototype) Object.defineProperty(out, name, { value, enumerable: true });
  else out[name] = value;
}

const escaped = new WeakMap<StructNode, ReadonlyMap<string, string>>();

/** The names of fields that expressions know by others. */
function namesOf(node: StructNode): ReadonlyMap<string, string> {
  const known = escaped.get(node);
  if (known !== undefined) return known;
  const made = new Map(
    [...node.fields.keys()].map((name) => [name, celName(name)] as const).filter(([a, b]) => a !== b),
  );
  escaped.set(node, made);
  return made;
}

/** Of metadata only the names are open to rules. */
const metadataValue = (metadata: unknown): JsonObject =>
  isObject(metadata) ? Object.fromEntries(Object.entries(metadata).filter(([key]) => SEEN_META.has(key))) : {};

function scalarValue(node: ScalarNode, value: unknown): unknown {
  if (typeof value === "number") {
    if (node.type === "number") return value;
    return Number.isInteger(value) ? BigInt(value) : value;
  }
  if (typeof value !== "string") return value;
  switch (node.format) {
    case "date-time":
    case "datetime":
      return isDateTime(value) ? timeOf(value) : value;
    case "date":
      return isDate(value) ? timeOf(`${value}T00:00:00Z`) : value;
    case "duration":
      return parseDuration(value) ?? value;
    case "byte":
      return new Uint8Array(Buffer.from(value, "base64"));
    default:
      return value;
  }
}

const timeOf = (text: string): CelTime => parseTime(text) ?? new CelTime(BigInt(Date.parse(text)) * 1_000_000n);

function plainValue(value: unknown): unknown {
  if (typeof value === "number") return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(plainValue);
  return isObject(value) ? new Map(Object.keys(value).map((key) => [key, plainValue(value[key])])) : value;
}
