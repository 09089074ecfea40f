import { describe, expect, test } from "vitest";
import { metadataFault, normalizeMetadata } from "./embedded-metadata.ts";
import { fromStructuralSchema } from "./structural.ts";
import { validateSchema } from "./validate.ts";

const embedded = {
  type: "object",
  "x-kubernetes-embedded-resource": true,
  "x-kubernetes-preserve-unknown-fields": true,
};
const schema = fromStructuralSchema({
  type: "object",
  properties: {
    r: embedded,
    l: { type: "array", items: embedded },
    m: { type: "object", additionalProperties: embedded },
  },
});
const POD = { apiVersion: "v1", kind: "Pod" };

describe("metadata of custom resources, and of objects in them", () => {
  test.each<[object, string | undefined]>([
    [{ metadata: { labels: { a: "b" } }, r: { ...POD, metadata: null } }, undefined],
    [
      { metadata: { labels: { a: 5 } } },
      "json: cannot unmarshal number into Go struct field ObjectMeta.labels of type string",
    ],
    [{ metadata: [] }, "json: cannot unmarshal array into Go value of type v1.ObjectMeta"],
    [{ r: { ...POD, apiVersion: null } }, "r.apiVersion: Invalid value: null: must be a string"],
    [
      { l: [POD, { ...POD, metadata: [] }] },
      "l[1].metadata: Invalid value: []: json: cannot unmarshal array into Go value of type v1.ObjectMeta",
    ],
    [
      { m: { k: { ...POD, metadata: { name: 5 } } } },
      'm[k].metadata: Invalid value: {"name":5}: json: cannot unmarshal number into Go struct field ObjectMeta.name of type string',
    ],
  ])("%j is read as upstream reads it", (value, fault) => {
    expect(metadataFault(schema, value)).toBe(fault);
  });

  test("is written as that of built-in kinds", () => {
    const value = {
      metadata: { name: "a", labels: {}, annotations: { a: null } },
      r: { ...POD, metadata: null },
      l: [{ ...POD, metadata: { name: "", labels: {} } }],
    };
    expect(normalizeMetadata(schema, value)).toEqual({
      metadata: { name: "a", annotations: { a: "" } },
      r: { ...POD, metadata: {} },
      l: [{ ...POD, metadata: {} }],
    });
    const plain = { metadata: { name: "a" }, r: { ...POD, metadata: { name: "b" } } };
    expect(normalizeMetadata(schema, plain)).toBe(plain);
  });

  test("has to be valid in an object within", () => {
    const faults = validateSchema(schema, { r: { apiVersion: "v1", kind: "x".repeat(64), metadata: { name: "a/b" } } });
    expect(faults.map(({ field, message }) => `${field}: ${message}`)).toEqual([
      `r.kind: Invalid value: "${"x".repeat(64)}": may have mixed case, but should otherwise match: must be no more than 63 characters`,
      `r.metadata.name: Invalid value: "a/b": may not contain '/'`,
    ]);
  });
});
