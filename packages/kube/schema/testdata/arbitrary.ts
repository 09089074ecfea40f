/** Objects made at random from a schema node, for property tests. */
import fc from "fast-check";
import type { ScalarNode, SchemaNode, StructNode } from "../node.ts";

const hex = fc.string({ unit: fc.constantFrom(..."0123456789abcdef".split("")), maxLength: 6 });
const key = fc.oneof(hex, fc.constantFrom("a/b", "__proto__", "constructor", "ü", ""));

function scalar(node: ScalarNode): fc.Arbitrary<unknown> {
  switch (node.type) {
    case "integer":
      return node.format === "int32" ? fc.integer() : fc.maxSafeInteger();
    case "number":
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (Object.is(value, -0) ? 0 : value));
    case "boolean":
      return fc.boolean();
    case "int-or-string":
      return fc.oneof(fc.integer(), hex);
    case "quantity":
      return fc.constantFrom("0", "1", "100m", "1Gi", "1500m", "2k", "-3");
    case "time":
      return fc.constantFrom("2020-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z");
    case "micro-time":
      return fc.constantFrom("2020-01-01T00:00:00.000001Z", "1999-12-31T23:59:59.999999Z");
    case "bytes":
      return fc.uint8Array({ maxLength: 5 }).map((bytes) => Buffer.from(bytes).toString("base64"));
    default:
      return fc.oneof(hex, fc.string({ unit: "grapheme", maxLength: 4 }));
  }
}

function struct(node: StructNode, depth: number): fc.Arbitrary<unknown> {
  const fields = [...node.fields];
  if (depth <= 0 || fields.length === 0) return fc.constant({});
  return fc
    .subarray(fields, { maxLength: Math.min(5, fields.length) })
    .chain((chosen) =>
      fc.record(Object.fromEntries(chosen.map(([name, field]) => [name, arbitraryOf(field.node, depth - 1)]))),
    );
}

/** A value that `node` allows, a few levels deep. */
export function arbitraryOf(node: SchemaNode, depth = 4): fc.Arbitrary<unknown> {
  switch (node.kind) {
    case "scalar":
      return scalar(node);
    case "struct":
      return struct(node, depth);
    case "list":
      return depth <= 0 ? fc.constant([]) : fc.array(arbitraryOf(node.items, depth - 1), { maxLength: 3 });
    case "map":
      return depth <= 0 ? fc.constant({}) : fc.dictionary(key, arbitraryOf(node.values, depth - 1), { maxKeys: 3 });
    case "any":
      return node.wire === "schema-or-array" || node.wire === "schema-or-bool" || node.wire === "schema-or-strings"
        ? fc.constantFrom(
            ...(node.wire === "schema-or-bool"
              ? [true, false]
              : node.wire === "schema-or-array"
                ? [[], [{ type: "string" }]]
                : [["a"]]),
          )
        : fc.dictionary(hex, fc.oneof(fc.boolean(), hex, fc.integer()), { maxKeys: 2 });
  }
}

/** Freezes a value all the way down, so that a mutation throws. */
export function deepFreeze<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const item of Object.values(value)) deepFreeze(item);
  }
  return value;
}
