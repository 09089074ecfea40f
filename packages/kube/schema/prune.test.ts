import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { StructNode } from "./node.ts";
import { prune } from "./prune.ts";
import { builtinRows, kindNode } from "./table.ts";
import { arbitraryOf, deepFreeze } from "./testdata/arbitrary.ts";

const node = (group: string, kind: string): StructNode => {
  const found = kindNode(group, "v1", kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
};

describe("prune", () => {
  it("drops unknown fields and names where they stood", () => {
    const input = deepFreeze({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "a", foo: 1, labels: { any: "thing" } },
      spec: { nope: {}, containers: [{ name: "x" }, { name: "y", bar: 1, env: [{ name: "E", zip: 2 }] }] },
    });
    const { value, unknown } = prune(node("", "Pod"), input);
    expect(unknown).toEqual(["metadata.foo", "spec.nope", "spec.containers[1].bar", "spec.containers[1].env[0].zip"]);
    expect(value).toEqual({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "a", labels: { any: "thing" } },
      spec: { containers: [{ name: "x" }, { name: "y", env: [{ name: "E" }] }] },
    });
  });

  it("knows no field of a list where a custom resource has an object", () => {
    const spec: StructNode = { kind: "struct", fields: new Map(), open: false, mapType: "granular" };
    const root: StructNode = { ...spec, fields: new Map([["spec", { node: spec, required: false }]]) };
    expect(prune(root, { spec: [{ a: 1, b: 2 }, 3] })).toEqual({
      value: { spec: [{}, 3] },
      unknown: ["spec[0].a", "spec[0].b"],
    });
  });

  it("shares what it does not change", () => {
    const input = { spec: { containers: [{ name: "x" }] }, foo: 1 };
    expect((prune(node("", "Pod"), input).value as typeof input).spec).toBe(input.spec);
    expect(prune(node("", "Pod"), input.spec).unknown).toEqual(["containers"]);
  });

  it("leaves embedded objects and open structs alone", () => {
    const open: StructNode = { kind: "struct", fields: new Map(), open: true, mapType: "granular" };
    expect(prune(open, { a: { b: 1 } }).unknown).toEqual([]);
    expect(prune(node("apps", "ControllerRevision"), { data: { anything: [1] } }).unknown).toEqual([]);
  });

  it("takes keys like __proto__ for what they are", () => {
    const body = JSON.parse('{"metadata":{"labels":{"__proto__":"x"}},"__proto__":{"a":1}}') as object;
    const { value, unknown } = prune(node("", "ConfigMap"), body);
    expect(unknown).toEqual(["__proto__"]);
    expect(JSON.stringify(value)).toBe('{"metadata":{"labels":{"__proto__":"x"}}}');
  });

  it("gives back the same object when nothing is unknown, and finds nothing the second time", () => {
    for (const row of builtinRows()) {
      fc.assert(
        fc.property(arbitraryOf(row.schema), (value) => {
          expect(prune(row.schema, deepFreeze(value)).value).toBe(value);
        }),
        { numRuns: 10 },
      );
    }
    fc.assert(
      fc.property(
        fc.json().map((text) => JSON.parse(text) as unknown),
        (value) => {
          const once = prune(node("", "Pod"), deepFreeze(value));
          expect(prune(node("", "Pod"), once.value)).toEqual({ value: once.value, unknown: [] });
        },
      ),
    );
  });
});
