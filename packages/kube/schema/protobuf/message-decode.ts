/** Protobuf messages into JSON values, driven by the schema. */
import { tryParseQuantity } from "../../api/quantity.ts";
import { type JsonObject, setKey } from "../json-value.ts";
import type { AnyNode, ListNode, MapNode, ScalarNode, SchemaNode, StructNode } from "../node.ts";
import { normalize, zero } from "../normalize.ts";
import { typeNode } from "../table.ts";
import { messagePlan } from "./message-plan.ts";
import { BYTES, FIXED64, VARINT, WireError, type WireReader } from "./wire-reader.ts";

/** Only schemas of custom resources nest without end. */
const MAX_DEPTH = 1000;
const SCHEMA_PROPS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

function wireType(node: SchemaNode): number {
  if (node.kind !== "scalar") return BYTES;
  switch (node.type) {
    case "integer":
    case "boolean":
      return VARINT;
    case "number":
      return FIXED64;
    default:
      return BYTES;
  }
}

function expectWire(name: string, type: number, wanted: number): void {
  if (type !== wanted) throw new WireError(`proto: wrong wireType = ${type} for field ${name}`);
}

/** Calls `each` for every field of a message. */
function fields(reader: WireReader, each: (number: number, type: number) => boolean): void {
  while (!reader.done) {
    const { number, type } = reader.tag();
    if (type === 4) throw new WireError("proto: wiretype end group for non-group");
    if (!each(number, type)) reader.skip(type);
  }
}

const pad = (value: number, width: number): string => String(value).padStart(width, "0");

function readTime(reader: WireReader, micro: boolean): string | null {
  if (reader.done) return null;
  let seconds = 0;
  let nanos = 0;
  fields(reader, (number, type) => {
    if (type !== VARINT || number > 2) return false;
    if (number === 1) seconds = reader.int64();
    else nanos = reader.int32();
    return true;
  });
  // The years 0 to 9999, as RFC 3339 can write them.
  if (seconds < -62_167_219_200 || seconds > 253_402_300_799)
    throw new WireError("Time out of range: year outside of [0,9999]");
  const iso = new Date(seconds * 1000).toISOString().slice(0, 19);
  return micro ? `${iso}.${pad(Math.min(999_999, Math.max(0, Math.trunc(nanos / 1000))), 6)}Z` : `${iso}Z`;
}

function readQuantity(reader: WireReader): string {
  let text = "";
  fields(reader, (number, type) => {
    if (number !== 1 || type !== BYTES) return false;
    text = reader.string();
    return true;
  });
  if (text === "") return "0";
  if (tryParseQuantity(text) === undefined) {
    throw new WireError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'");
  }
  return text;
}

function readIntOrString(reader: WireReader): number | string {
  let isString = false;
  let int = 0;
  let string = "";
  fields(reader, (number, type) => {
    if (number === 1 && type === VARINT) isString = reader.int64() === 1;
    else if (number === 2 && type === VARINT) int = reader.int32();
    else if (number === 3 && type === BYTES) string = reader.string();
    else return false;
    return true;
  });
  return isString ? string : int;
}

function readScalar(node: ScalarNode, reader: WireReader): unknown {
  switch (node.type) {
    case "string":
    case "duration":
      return reader.string();
    case "integer":
      return node.format === "int32" ? reader.int32() : reader.int64();
    case "number":
      return finite(reader.double());
    case "boolean":
      return reader.bool();
    case "bytes":
      return reader.bytes().toString("base64");
    case "time":
    case "micro-time":
      return readTime(reader.message(), node.type === "micro-time");
    case "quantity":
      return readQuantity(reader.message());
    case "int-or-string":
      return readIntOrString(reader.message());
  }
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw new WireError("json: unsupported value: not a finite number");
  return value;
}

/** JSON text carried as bytes. */
function readRaw(reader: WireReader): unknown {
  let raw: Buffer | undefined;
  fields(reader, (number, type) => {
    if (number !== 1 || type !== BYTES) return false;
    raw = reader.bytes();
    return true;
  });
  if (raw === undefined || raw.length === 0) return null;
  try {
    return JSON.parse(raw.toString("utf8")) as unknown;
  } catch {
    throw new WireError("an embedded object is not JSON; the server takes embedded objects as JSON only");
  }
}

/** `items`, `additionalProperties` and `dependencies` of a schema: one of two forms. */
function readSchemaOr(
  reader: WireReader,
  wire: "schema-or-array" | "schema-or-bool" | "schema-or-strings",
  depth: number,
): unknown {
  const schema = typeNode(SCHEMA_PROPS);
  const numbers = wire === "schema-or-bool" ? { schema: 2, other: 1 } : { schema: 1, other: 2 };
  let one: unknown;
  let allows = false;
  const many: unknown[] = [];
  fields(reader, (number, type) => {
    if (number === numbers.schema && type === BYTES) one = normalize(schema, readValue(schema, reader, depth));
    else if (number !== numbers.other) return false;
    else if (wire === "schema-or-bool" && type === VARINT) allows = reader.bool();
    else if (wire === "schema-or-array" && type === BYTES)
      many.push(normalize(schema, readValue(schema, reader, depth)));
    else if (wire === "schema-or-strings" && type === BYTES) many.push(reader.string());
    else return false;
    return true;
  });
  if (one !== undefined) return one;
  return wire === "schema-or-bool" ? allows : many;
}

function readAny(node: AnyNode, reader: WireReader, depth: number): unknown {
  const { wire } = node;
  if (wire === "schema-or-array" || wire === "schema-or-bool" || wire === "schema-or-strings") {
    return readSchemaOr(reader.message(), wire, depth);
  }
  return readRaw(reader.message());
}

/** One value of `node`; for lists and maps use `readField`. */
function readValue(node: SchemaNode, reader: WireReader, depth: number): unknown {
  if (depth > MAX_DEPTH) throw new WireError("exceeded max depth");
  switch (node.kind) {
    case "scalar":
      return readScalar(node, reader);
    case "any":
      return readAny(node, reader, depth + 1);
    case "struct":
      return readStruct(node, reader.message(), {}, depth + 1);
    case "list":
      return readWrappedList(node, reader.message(), depth + 1);
    case "map":
      throw new WireError("a map stands where protobuf has none");
  }
}

/** A message whose only field is the list. */
function readWrappedList(node: ListNode, reader: WireReader, depth: number): unknown[] {
  const items: unknown[] = [];
  fields(reader, (number, type) => {
    if (number !== 1) return false;
    appendItems(node, reader, type, "items", items, depth);
    return true;
  });
  return items;
}

function appendItems(
  node: ListNode,
  reader: WireReader,
  type: number,
  name: string,
  items: unknown[],
  depth: number,
): void {
  const wanted = wireType(node.items);
  if (type === BYTES && wanted !== BYTES) {
    for (const packed = reader.message(); !packed.done;) items.push(readValue(node.items, packed, depth));
    return;
  }
  expectWire(name, type, wanted);
  items.push(readValue(node.items, reader, depth));
}

/** A map's value that was not sent. */
function unsetValue(node: SchemaNode): unknown {
  return node.kind === "list" ? [] : zero(node);
}

function readEntry(node: MapNode, reader: WireReader, into: JsonObject, depth: number): void {
  let key = "";
  let value: unknown;
  fields(reader, (number, type) => {
    if (number === 1 && type === BYTES) key = reader.string();
    else if (number === 2) {
      expectWire("value", type, wireType(node.values));
      value = readValue(node.values, reader, depth);
    } else return false;
    return true;
  });
  setKey(into, key, value === undefined ? unsetValue(node.values) : value);
}

function readField(
  node: SchemaNode,
  name: string,
  reader: WireReader,
  type: number,
  out: JsonObject,
  depth: number,
): void {
  if (node.kind === "map") {
    expectWire(name, type, BYTES);
    readEntry(node, reader.message(), (out[name] ??= {}) as JsonObject, depth);
  } else if (node.kind === "list" && node.wrapped !== true) {
    appendItems(node, reader, type, name, (out[name] ??= []) as unknown[], depth);
  } else if (node.kind === "struct") {
    expectWire(name, type, BYTES);
    // A message given in parts is merged.
    out[name] = readStruct(node, reader.message(), (out[name] ?? {}) as JsonObject, depth + 1);
  } else {
    expectWire(name, type, wireType(node));
    out[name] = readValue(node, reader, depth);
  }
}

/** Reads a message of `node` into `out`, values as they stand (zero values included). */
export function readStruct(node: StructNode, reader: WireReader, out: JsonObject, depth = 0): JsonObject {
  if (depth > MAX_DEPTH) throw new WireError("exceeded max depth");
  const { byNumber } = messagePlan(node);
  fields(reader, (number, type) => {
    const step = byNumber.get(number);
    if (step === undefined) return false;
    if (step.kind === "field") readField(step.field.node, step.name, reader, type, out, depth);
    else {
      expectWire(step.struct.typeName ?? "inline", type, BYTES);
      readStruct(step.struct, reader.message(), out, depth + 1);
    }
    return true;
  });
  return out;
}
