import { expect, test } from "vitest";
import fc from "fast-check";
import {
  formatFieldSelector,
  formatLabelSelector,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  selects,
  selectsMap,
} from "./selectors.ts";

test.each([
  ["a=b", { a: "b" }, true],
  ["a==b", { a: "c" }, false],
  ["a!=b", {}, true],
  ["a!=b", { a: "b" }, false],
  ["a in (b,c)", { a: "c" }, true],
  ["a notin (b, c)", { a: "c" }, false],
  ["a notin (b)", {}, true],
  ["a", { a: "" }, true],
  ["!a", { a: "" }, false],
  ["! a", {}, true],
  ["a>3", { a: "4" }, true],
  ["a<3", { a: "4" }, false],
  ["x.io/a=b,c", { "x.io/a": "b", c: "1" }, true],
  ["", { a: "b" }, true],
  ["a=", { a: "" }, true],
  ["a in ()", { a: "" }, true],
])("%j on %j is %s", (text, labels, expected) => {
  expect(matchesLabels(parseLabelSelector(text), labels)).toBe(expected);
});

// In apimachinery's words.
test.each([
  ["a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
  ["a in b", "unable to parse requirement: found 'b' expected: '('"],
  ["=b", "found '=', expected: !, identifier, or 'end of string'"],
  ["a=b=c", "found '=', expected: ',' or 'end of string'"],
  ["a,,b", "found ',', expected: identifier after ','"],
  ["a in (b", "unable to parse requirement: found '', expected: ',' or ')'"],
  ["a===b", "unable to parse requirement: found '=', expected: identifier"],
  [
    "a>x",
    `unable to parse requirement: values[0]: Invalid value: "x": for 'Gt', 'Lt' operators, the value must be an integer`,
  ],
])("%j is refused: %s", (text, why) => {
  expect(() => parseLabelSelector(text)).toThrow(why);
});

test.each(["-a=b", "a=*"])("%j is refused for its name or value", (text) => {
  expect(() => parseLabelSelector(text)).toThrow(/^unable to parse requirement: .*Invalid value: /);
});

test("in and notin are names, too, and lists may have gaps", () => {
  expect(parseLabelSelector("in in (in,,notin),!notin")).toEqual([
    { key: "in", operator: "In", values: ["", "in", "notin"] },
    { key: "notin", operator: "DoesNotExist", values: [] },
  ]);
});

test("objects: none selects nothing, an empty one everything", () => {
  expect(selects(undefined, { a: "b" })).toBe(false);
  expect(selects({}, { a: "b" })).toBe(true);
  expect(selectsMap({}, { a: "b" })).toBe(false);
  expect(
    formatLabelSelector({
      matchLabels: { b: "1" },
      matchExpressions: [{ key: "a", operator: "In", values: ["y", "x"] }],
    }),
  ).toBe("a in (x,y),b=1");
});

test("field selectors escape", () => {
  const parsed = parseFieldSelector("metadata.name=a\\,b,status.phase!=Running");
  expect(parsed).toEqual([
    { field: "metadata.name", operator: "=", value: "a,b" },
    { field: "status.phase", operator: "!=", value: "Running" },
  ]);
  expect(formatFieldSelector(parsed)).toBe("metadata.name=a\\,b,status.phase!=Running");
  expect(matchesFields(parsed, (field) => (field === "metadata.name" ? "a,b" : "Pending"))).toBe(true);
  expect(() => parseFieldSelector("nothing")).toThrow(/can't understand/);
});

test("what is formatted parses to the same", () => {
  const key = fc.constantFrom("a", "app.kubernetes.io/name", "x-1");
  const value = fc.constantFrom("", "v1", "V.2_x");
  const requirement = fc.oneof(
    fc.record({
      key,
      operator: fc.constantFrom("In" as const, "NotIn" as const),
      values: fc.uniqueArray(value, { minLength: 1 }),
    }),
    fc.record({
      key,
      operator: fc.constantFrom("Exists" as const, "DoesNotExist" as const),
      values: fc.constant([]),
    }),
  );
  fc.assert(
    fc.property(fc.array(requirement), fc.dictionary(key, value), (requirements, labels) => {
      const again = parseLabelSelector(formatLabelSelector(requirements));
      expect(matchesLabels(again, labels)).toBe(matchesLabels(requirements, labels));
    }),
  );
});
