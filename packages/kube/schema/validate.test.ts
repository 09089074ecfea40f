import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkSchema } from "./check-schema.ts";
import { fromStructuralSchema } from "./structural.ts";
import { withoutNulls } from "./typed-nulls.ts";
import { validateSchema } from "./validate.ts";

const specOf = (properties: object, more: object = {}): object => ({
  type: "object",
  properties: { spec: { type: "object", properties, ...more } },
});
const faults = (property: object, value: unknown, old?: unknown): string[] =>
  validateSchema(
    fromStructuralSchema(specOf({ x: property })),
    { spec: { x: value } },
    "",
    old === undefined ? undefined : { spec: { x: old } },
  ).map(({ field, message }) => `${field}: ${message}`);
const listMap = {
  type: "array",
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["name"],
  items: {
    type: "object",
    required: ["name"],
    properties: { name: { type: "string" }, n: { type: "integer", minimum: 1 } },
  },
};

// Each line was seen from kube-apiserver 1.35.
describe("faults", () => {
  test.each<[object, unknown, string[]]>([
    [{ type: "integer" }, "a", ['spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"']],
    [{ type: "integer" }, 1.5, ['spec.x: Invalid value: "number": spec.x in body must be of type integer: "number"']],
    [{ type: "integer" }, null, ['spec.x: Invalid value: "null": spec.x in body must be of type integer: "null"']],
    [{ type: "string", nullable: true }, null, []],
    [
      { type: "integer", minimum: 0, maximum: 10 },
      11,
      ["spec.x: Invalid value: 11: spec.x in body should be less than or equal to 10"],
    ],
    [
      { type: "number", minimum: 0, exclusiveMinimum: true },
      0,
      ["spec.x: Invalid value: 0: spec.x in body should be greater than 0"],
    ],
    [
      { type: "string", minLength: 2, pattern: "^[a-z]+$" },
      "A",
      ['spec.x: Invalid value: "A": spec.x in body should be at least 2 chars long'],
    ],
    [
      { type: "string", pattern: "^[a-z]+$" },
      "A",
      ["spec.x: Invalid value: \"A\": spec.x in body should match '^[a-z]+$'"],
    ],
    [{ type: "string", maxLength: 2 }, "abc", ["spec.x: Too long: may not be more than 2 bytes"]],
    [{ type: "string", maxLength: 2 }, "\u{1F600}\u{1F600}", []],
    [{ type: "string", enum: ["A", "B"] }, "C", ['spec.x: Unsupported value: "C": supported values: "A", "B"']],
    [
      { type: "string", format: "date-time" },
      "soon",
      ['spec.x: Invalid value: "soon": spec.x in body must be of type date-time: "soon"'],
    ],
    [
      { type: "string", format: "date-time" },
      3,
      ['spec.x: Invalid value: "int64": spec.x in body must be of type date-time: "int64"'],
    ],
    [{ type: "string", format: "no-such-format" }, "a", []],
    [
      { type: "array", items: { type: "string" }, minItems: 1 },
      [],
      ["spec.x: Invalid value: 0: spec.x in body should have at least 1 items"],
    ],
    [
      { type: "array", items: { type: "integer" }, maxItems: 1 },
      [1, "a"],
      [
        'spec.x[1]: Invalid value: "string": spec.x[1] in body must be of type integer: "string"',
        "spec.x: Too many: 2: must have at most 1 item",
      ],
    ],
    [
      { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
      ["a", "a", "a"],
      ['spec.x[1]: Duplicate value: "a"'],
    ],
    [listMap, [{ name: "a" }, { name: "a" }], ['spec.x[1]: Duplicate value: {"name":"a"}']],
    [listMap, [{}], ["spec.x[0].name: Required value"]],
    [
      { type: "object", additionalProperties: { type: "string" }, maxProperties: 1 },
      { a: 1, b: "x" },
      [
        "spec.x: Too many: 2: must have at most 1 item",
        'spec.x.a: Invalid value: "integer": spec.x.a in body must be of type string: "integer"',
      ],
    ],
    [
      { type: "object", properties: { a: { type: "string" } }, minProperties: 1, required: ["a"] },
      {},
      ["spec.x: Invalid value: 0: spec.x in body should have at least 1 properties", "spec.x.a: Required value"],
    ],
    [
      { "x-kubernetes-int-or-string": true },
      true,
      ['spec.x: Invalid value: "boolean": spec.x in body must be of type integer,string: "boolean"'],
    ],
    [
      { "x-kubernetes-int-or-string": true, pattern: "^[0-9]+%$" },
      "5",
      ["spec.x: Invalid value: \"5\": spec.x in body should match '^[0-9]+%$'"],
    ],
    [
      {
        type: "object",
        properties: { a: { type: "string" }, b: { type: "integer" } },
        oneOf: [{ required: ["a"] }, { required: ["b"] }],
      },
      {},
      [
        '<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found none valid',
        "spec.x.a: Required value",
      ],
    ],
    [
      {
        type: "object",
        properties: { a: { type: "string" }, b: { type: "integer" } },
        oneOf: [{ required: ["a"] }, { required: ["b"] }],
      },
      { a: "x", b: 1 },
      ['<nil>: Invalid value: "": "spec.x" must validate one and only one schema (oneOf). Found 2 valid alternatives'],
    ],
    [
      { type: "object", properties: { a: { type: "string" } }, anyOf: [{ required: ["a"] }] },
      {},
      ['<nil>: Invalid value: "": "spec.x" must validate at least one schema (anyOf)', "spec.x.a: Required value"],
    ],
    [
      { type: "object", properties: { a: { type: "string" } }, allOf: [{ properties: { a: { minLength: 2 } } }] },
      { a: "x" },
      [
        'spec.x.a: Invalid value: "x": spec.x.a in body should be at least 2 chars long',
        '<nil>: Invalid value: "": "spec.x" must validate all the schemas (allOf). None validated',
      ],
    ],
    [
      { type: "object", properties: { a: { type: "string" } }, not: { required: ["a"] } },
      { a: "x" },
      ['<nil>: Invalid value: "": "spec.x" must not validate the schema (not)'],
    ],
    [
      { type: "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true },
      {},
      ["spec.x.apiVersion: Required value", "spec.x.kind: Required value"],
    ],
    [{ "x-kubernetes-preserve-unknown-fields": true }, { anything: [1, null] }, []],
  ])("%j: %j", (property, value, expected) => {
    expect(faults(property, value)).toEqual(expected);
  });

  test.each<[string, string[], string[]]>([
    ["ipv4", ["1.2.3.4"], ["1.2.3", "::1"]],
    ["cidr", ["10.0.0.0/8", "fd00::/8"], ["10.0.0.0", "10.0.0.0/33"]],
    ["uuid", ["123e4567-e89b-12d3-a456-426614174000"], ["x"]],
    ["email", ["a@b.c", "Foo <a@b.c>"], ["a b", "@b"]],
    ["uri", ["http://a/b", "/a", "urn:x"], ["a", "", "http://a b/"]],
    ["duration", ["1h30m", "2 weeks"], ["x"]],
    ["date", ["2020-02-29"], ["2021-02-29"]],
    ["mac", ["00:00:5e:00:53:01"], ["00:00"]],
    ["hostname", ["a.b.com"], ["-a"]],
    ["byte", ["YQ=="], ["YQ="]],
    ["k8s-short-name", ["abc"], ["A_b"]],
  ])("format %s", (format, good, bad) => {
    for (const value of good) expect(faults({ type: "string", format }, value)).toEqual([]);
    for (const value of bad) expect(faults({ type: "string", format }, value)).toHaveLength(1);
  });

  test("an update is not held to faults that were there before", () => {
    const schema = { type: "object", properties: { a: { type: "string", maxLength: 1 }, b: { type: "integer" } } };
    expect(faults(schema, { a: "long", b: 2 }, { a: "long", b: 1 })).toEqual([]);
    expect(faults(schema, { a: "longer" }, { a: "long" })).toHaveLength(1);
    expect(faults(listMap, [{ name: "new" }, { name: "a", n: 0 }], [{ name: "a", n: 0 }])).toEqual([]);
    expect(faults({ type: "array", items: { type: "integer", minimum: 1 } }, [0, 1], [0])).toHaveLength(1);
  });

  test("a prefix goes before the fields", () => {
    const node = fromStructuralSchema({ type: "object", properties: { ready: { type: "boolean" } } });
    expect(validateSchema(node, { ready: 1 }, "status").map((error) => error.field)).toEqual(["status.ready"]);
  });

  test("a pattern that would run for ever elsewhere is decided at once", () => {
    expect(faults({ type: "string", pattern: "^(a+)+$" }, `${"a".repeat(5000)}!`)).toHaveLength(1);
  });
});

describe("null", () => {
  test("goes where the schema has no null", () => {
    const node = fromStructuralSchema(
      specOf({
        a: { type: "string" },
        b: { type: "string", nullable: true },
        c: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
      }),
    );
    expect(withoutNulls(node, { spec: { a: null, b: null, c: { d: null } } })).toEqual({
      spec: { b: null, c: { d: null } },
    });
  });
});

describe("what upstream lets pass", () => {
  const faults = (property: object, a: unknown): string[] =>
    validateSchema(fromStructuralSchema(specOf({ a: property })), { spec: { a } }).map(({ message }) => message);

  test.each<[object, unknown, string[]]>([
    [{ type: "string", format: "date-time" }, [], []],
    [{ type: "string", format: "date-time" }, 5, [expect.stringContaining("must be of type date-time")]],
    [{ type: "string", format: "none" }, [], [expect.stringContaining("must be of type string")]],
    [{ type: "number", enum: [1, 2] }, 1.5, []],
    [{ type: "number", enum: [1, 2] }, 3.5, ['Unsupported value: 3.5: supported values: "1", "2"']],
    [
      { type: "string", nullable: true, enum: ["x", null] },
      null,
      ['Unsupported value: null: supported values: "x", "null"'],
    ],
  ])("%j of %j", (property, value, expected) => {
    expect(faults(property, value)).toEqual(expected);
  });
});

test("an update is excused for what it leaves as it was, but not in alternatives, which have to hold as a whole", () => {
  const low = { properties: { x: { minimum: 5 } } };
  const properties = { x: { type: "integer" }, y: { type: "integer" } };
  const after = (property: object): string[] =>
    validateSchema(
      fromStructuralSchema(specOf({ a: { type: "object", ...property } })),
      { spec: { a: { x: 1, y: 2 } } },
      "",
      { spec: { a: { x: 1, y: 1 } } },
    ).map(({ field, message }) => `${field}: ${message}`);
  const fault = "spec.a.x: Invalid value: 1: spec.a.x in body should be greater than or equal to 5";
  expect(after({ properties: { ...properties, x: { type: "integer", minimum: 5 } } })).toEqual([]);
  expect(after({ properties, allOf: [low] })).toContain(fault);
  expect(after({ properties, anyOf: [low] })).toContain(fault);
});

describe("structural schemas", () => {
  const rules = (rule: string): object => ({ "x-kubernetes-validations": [{ rule }] });
  const at = (schema: object): string[] => checkSchema(schema, "s").map(({ field, message }) => `${field}: ${message}`);

  test.each<[object, string[]]>([
    [{ type: "object" }, []],
    [{}, ["s.type: Required value: must not be empty at the root"]],
    [
      { type: "object", properties: { a: {} } },
      ["s.properties[a].type: Required value: must not be empty for specified object fields"],
    ],
    [
      { type: "object", properties: { a: { type: "array" } } },
      ["s.properties[a].items: Required value: must be specified"],
    ],
    [specOf({ a: { "x-kubernetes-int-or-string": true, anyOf: [{ type: "integer" }, { type: "string" }] } }), []],
    [
      specOf({ a: { type: "string", anyOf: [{ type: "string" }] } }),
      ["s.properties[spec].properties[a].anyOf[0].type: Forbidden: must be empty to be structural"],
    ],
    [
      { type: "object", properties: { a: { type: "string" } }, allOf: [{ properties: { q: { minLength: 1 } } }] },
      ["s.properties[q]: Required value: because it is defined in s.allOf[0].properties[q]"],
    ],
    [
      specOf({ a: { type: "integer", default: "x" } }),
      ['s.properties[spec].properties[a].default: Invalid value: "string":  in body must be of type integer: "string"'],
    ],
    [specOf({ a: { $ref: "#/x" } }), ["s.properties[spec].properties[a].$ref: Forbidden: $ref is not supported"]],
    [
      specOf({ a: { ...listMap, items: { type: "string" } } }),
      [
        's.properties[spec].properties[a].items.type: Invalid value: "string": must be object if parent array\'s x-kubernetes-list-type is map',
      ],
    ],
    [
      { type: "object", properties: { metadata: { type: "object", properties: { labels: { type: "object" } } } } },
      [
        "s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified",
      ],
    ],
    [
      specOf({ a: { ...listMap, items: { type: "object", properties: { name: { type: "string" } } } } }),
      [
        "s.properties[spec].properties[a].items.properties[name].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
      ],
    ],
    [
      specOf({ a: { type: "array", uniqueItems: true, items: { type: "string" } } }),
      [
        "s.properties[spec].properties[a].uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
      ],
    ],
    [
      specOf({ a: { type: "string", "x-kubernetes-validations": [{ rule: "" }] } }),
      ["s.properties[spec].properties[a].x-kubernetes-validations[0].rule: Required value: rule is not specified"],
    ],
    [
      specOf({ a: { type: "array", items: { type: "integer", ...rules("self == oldSelf") } } }),
      [
        's.properties[spec].properties[a].items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within s.properties[spec].properties[a]',
      ],
    ],
    [
      specOf({ a: { type: "object", default: { b: 1 }, properties: { c: { type: "string" } } } }),
      ['s.properties[spec].properties[a].default: Invalid value: {"b":1}: must not have unknown fields'],
    ],
    [
      specOf({ a: { type: "integer", default: 7, ...rules("self < 5") } }),
      ["s.properties[spec].properties[a].default: Invalid value: 7: failed rule: self < 5"],
    ],
    [
      specOf({
        a: { type: "object", properties: { b: { type: "string", nullable: true } }, additionalProperties: false },
      }),
      [
        "s.properties[spec].properties[a].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive",
      ],
    ],
    [
      specOf({
        a: {
          ...listMap,
          items: { type: "object", required: ["name"], properties: { name: { type: "string", nullable: true } } },
        },
      }),
      [
        "s.properties[spec].properties[a].items.properties[name].nullable: Forbidden: this property is in x-kubernetes-list-map-keys, so it cannot be nullable",
      ],
    ],
  ])("%j", (schema, expected) => {
    expect(at(schema)).toEqual(expected);
  });

  test("a pattern must be one", () => {
    expect(at(specOf({ a: { type: "string", pattern: "(" } }))[0]).toContain(
      's.properties[spec].properties[a].pattern: Invalid value: "(": must be a valid regular expression, but isn\'t',
    );
  });

  test("whatever a schema or a value is, it is answered", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (schema, value) => {
        const nested = specOf({ a: schema as object });
        expect(Array.isArray(checkSchema(schema, "s"))).toBe(true);
        expect(Array.isArray(checkSchema(nested, "s"))).toBe(true);
        expect(Array.isArray(validateSchema(fromStructuralSchema(nested), { spec: { a: value } }))).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
