import fc from "fast-check";
import { expect, test } from "vitest";
import { canonicalJson, fnv32a, jsonEqual, mergePatchBetween } from "./json.ts";

const value = fc.letrec((tie) => ({
  // A merge patch cannot set null: it means removal.
  node: fc.oneof({ maxDepth: 3 }, fc.constantFrom("a", 1, true), fc.array(fc.integer(), { maxLength: 2 }), tie("map")),
  map: fc.dictionary(fc.constantFrom("x", "y", "z"), tie("node"), { maxKeys: 3 }),
})).map as fc.Arbitrary<unknown>;

function applied(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const base = typeof target === "object" && target !== null && !Array.isArray(target) ? target : {};
  const out: Record<string, unknown> = { ...base };
  for (const [key, change] of Object.entries(patch)) {
    if (change === null) delete out[key];
    else out[key] = applied(out[key], change);
  }
  return out;
}

test("the patch between two values leads from one to the other, and is none between equals", () => {
  fc.assert(
    fc.property(value, value, (before, after) => {
      const patch = mergePatchBetween(before, after);
      expect(patch === undefined).toBe(jsonEqual(before, after));
      expect(jsonEqual(patch === undefined ? before : applied(before, patch), after)).toBe(true);
    }),
  );
});

test("canonical text ignores the order of keys and undefined fields", () => {
  expect(canonicalJson({ b: [{ d: 1, c: undefined }], a: 2 })).toBe('{"a":2,"b":[{"d":1}]}');
  expect(jsonEqual({ a: undefined }, {})).toBe(true);
  expect(fnv32a("a")).toBe(0xe40c292c);
});
