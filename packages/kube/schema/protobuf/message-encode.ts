/** JSON values into protobuf messages, driven by the schema; fields in the order and form in which Go writes them. */
import { isObject, type JsonObject } from "../json-value.ts";
import type { AnyNode, ListNode, MapNode, ScalarNode, SchemaNode, StructNode } from "../node.ts";
import { typeNode } from "../table.ts";
import { messagePlan } from "./message-plan.ts";
import type { WireWriter } from "./wire-writer.ts";

const SCHEMA_PROPS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

function writeTime(value: unknown, micro: boolean, number: number, out: WireWriter): void {
  const before = out.length;
  if (typeof value === "string") {
    const nanos = micro ? Number(/\.(\d{6})/.exec(value)?.[1] ?? "0") * 1000 : 0;
    out.integer(nanos);
    out.tag(2, 0);
    const seconds = Math.floor(Date.parse(value.replace(/\.\d+/, "")) / 1000);
    out.integer(Number.isFinite(seconds) ? seconds : 0);
    out.tag(1, 0);
  }
  out.close(number, before);
}

function writeIntOrString(value: unknown, number: number, out: WireWriter): void {
  const before = out.length;
  const text = typeof value === "string";
  out.text(3, text ? value : "");
  out.integer(typeof value === "number" ? value : 0);
  out.tag(2, 0);
  out.integer(text ? 1 : 0);
  out.tag(1, 0);
  out.close(number, before);
}

function writeInteger(value: number, number: number, out: WireWriter): void {
  out.integer(value);
  out.tag(number, 0);
}

function writeScalar(node: ScalarNode, value: unknown, number: number, out: WireWriter): void {
  switch (node.type) {
    case "string":
    case "duration":
      return out.text(number, typeof value === "string" ? value : "");
    case "integer":
      return writeInteger(typeof value === "number" ? value : 0, number, out);
    case "boolean":
      return writeInteger(value === true ? 1 : 0, number, out);
    case "number":
      out.double(typeof value === "number" ? value : 0);
      return out.tag(number, 1);
    case "bytes": {
      const before = out.length;
      if (typeof value === "string") out.raw(Buffer.from(value, "base64"));
      return out.close(number, before);
    }
    case "time":
    case "micro-time":
      return writeTime(value, node.type === "micro-time", number, out);
    case "int-or-string":
      return writeIntOrString(value, number, out);
    case "quantity": {
      const before = out.length;
      out.text(1, typeof value === "number" ? String(value) : typeof value === "string" ? value : "0");
      return out.close(number, before);
    }
  }
}

function writeSchemaOr(node: AnyNode, value: unknown, out: WireWriter): void {
  const schema = typeNode(SCHEMA_PROPS);
  if (node.wire === "schema-or-bool") {
    if (isObject(value)) writeValue(schema, value, 2, out);
    return writeInteger(value !== false ? 1 : 0, 1, out);
  }
  if (!Array.isArray(value)) return writeValue(schema, value, 1, out);
  for (const item of value.toReversed() as unknown[]) {
    if (node.wire === "schema-or-array") writeValue(schema, item, 2, out);
    else out.text(2, String(item));
  }
}

function writeAny(node: AnyNode, value: unknown, number: number, out: WireWriter): void {
  const before = out.length;
  if (node.wire?.startsWith("schema-or-") === true) writeSchemaOr(node, value, out);
  else if (value !== null && value !== undefined) out.text(1, JSON.stringify(value));
  out.close(number, before);
}

function writeList(node: ListNode, value: readonly unknown[], number: number, out: WireWriter): void {
  for (let i = value.length - 1; i >= 0; i--) writeValue(node.items, value[i], number, out);
}

const ASCII = /^[\u0020-\u007e]*$/;

/** The order of their UTF-8: that of the text itself wherever it is plain. */
function byteOrder(a: string, b: string): number {
  if (ASCII.test(a) && ASCII.test(b)) return a < b ? -1 : a > b ? 1 : 0;
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function writeMap(node: MapNode, value: JsonObject, number: number, out: WireWriter): void {
  const keys = Object.keys(value);
  if (keys.length > 1) keys.sort(byteOrder).reverse();
  for (const key of keys) {
    const before = out.length;
    writeValue(node.values, value[key], 2, out);
    out.text(1, key);
    out.close(number, before);
  }
}

function writeValue(node: SchemaNode, value: unknown, number: number, out: WireWriter): void {
  switch (node.kind) {
    case "scalar":
      return writeScalar(node, value, number, out);
    case "any":
      return writeAny(node, value, number, out);
    case "map":
      return writeMap(node, isObject(value) ? value : {}, number, out);
    case "list": {
      const items = Array.isArray(value) ? (value as unknown[]) : [];
      if (node.wrapped !== true) return writeList(node, items, number, out);
      const before = out.length;
      writeList(node, items, 1, out);
      return out.close(number, before);
    }
    case "struct": {
      const before = out.length;
      writeStruct(node, isObject(value) ? value : {}, out);
      return out.close(number, before);
    }
  }
}

/** Writes the fields of a message of `node`. */
export function writeStruct(node: StructNode, value: JsonObject, out: WireWriter): void {
  for (const step of messagePlan(node).descending) {
    if (step.kind === "inline") {
      const before = out.length;
      writeStruct(step.struct, value, out);
      out.close(step.number, before);
      continue;
    }
    const item = Object.hasOwn(value, step.name) ? value[step.name] : undefined;
    if (item !== undefined && item !== null) writeValue(step.field.node, item, step.number, out);
    else if (step.whenAbsent) writeValue(step.field.node, null, step.number, out);
  }
}
