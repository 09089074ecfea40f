import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkRules } from "./check.ts";
import { validateRules } from "../cel.ts";
import type { SchemaNode } from "../node.ts";
import { fromStructuralSchema } from "../structural.ts";
import { PROPERTIES, rule, SPEC } from "../testdata/cel-sample.ts";

describe("what a rule of a CRD may cost", () => {
  const text = (maxLength?: number): object => ({ type: "string", ...(maxLength === undefined ? {} : { maxLength }) });
  const list = (items: object, maxItems?: number): object => ({
    type: "array",
    items,
    ...(maxItems === undefined ? {} : { maxItems }),
  });
  const costs = (property: object, rules: object, unchanged = false): string[] =>
    checkRules({ type: "object", properties: { x: { ...property, ...rules } } }, "s", { unchanged }).map(
      ({ field, message }) => `${field}: ${message.replace(/ \(try.*/, "")}`,
    );
  const at = "s.properties[x].x-kubernetes-validations[0].rule";
  const all = "self.all(a, self.all(b, a != b))";

  test.each([
    [list(text(10), 100), all, undefined],
    [list(text(), 100), all, "more than 100x"],
    [list(text(10)), all, "more than 100x"],
    [list({ type: "integer" }), "self.all(a, a > 1)", undefined],
    [list({ type: "integer" }, 2000), all, "2.0x"],
    [text(100), "self.contains(self)", undefined],
    [text(), "self.contains(self)", "more than 100x"],
    [text(), "self.matches('^a*$')", undefined],
  ])("%j with %s", (property, expression, factor) => {
    expect(costs(property, rule(expression))).toEqual(
      factor === undefined
        ? []
        : expect.arrayContaining([`${at}: Forbidden: estimated rule cost exceeds budget by factor of ${factor}`]),
    );
  });

  test("all rules together have a limit too, which holds for a schema that stays as it was", () => {
    const many = (count: number): object => ({
      "x-kubernetes-validations": Array.from({ length: count }, () => ({ rule: all })),
    });
    const whole = [
      ...[0, 1, 2, 3].map((i) => expect.stringContaining(`validations[${i}].rule: Forbidden: contributed to`)),
      expect.stringContaining("s: Forbidden: x-kubernetes-validations estimated rule cost total"),
    ];
    expect(costs(list({ type: "integer" }, 1390), many(10))).toEqual([]);
    expect(costs(list({ type: "integer" }, 1390), many(12))).toEqual(whole);
    expect(costs(list({ type: "integer" }, 2000), many(12), true)).toEqual(whole);
    expect(costs(list({ type: "integer" }, 2000), rule(all), true)).toEqual([]);
  });
});

describe("rules of a CRD", () => {
  const at = (text: string, more: object = {}): string[] =>
    checkRules(
      { type: "object", properties: { spec: { type: "object", properties: PROPERTIES, ...rule(text, more) } } },
      "s",
    ).map(({ field, message }) => `${field}: ${message}`);

  test("that can be read are fine", () => {
    expect(at("self.a < self.b", { messageExpression: "'s is ' + self.s" })).toEqual([]);
    expect(at("self.a > 1.5 && self.n > 1 && self.d > duration('1s') && self == oldSelf")).toEqual([]);
    expect(at("oldSelf.hasValue() && oldSelf.value().a < self.a", { optionalOldSelf: true })).toEqual([]);
    expect(at("self.s.matches('a') && self.l.all(i, x, x > i)")).toEqual([]);
    expect(checkRules({ type: "object", ...rule("self.metadata.name.size() < 10") }, "s")).toEqual([]);
  });

  test.each([
    ["self.a +", "compilation failed"],
    ["nobody == 1", "compilation failed: ERROR: <input>:1:1: undeclared reference to 'nobody' (in container '')"],
    ["cel.bind(a, self.a, a > 1)", "ERROR: <input>:1:1: undeclared reference to 'cel' (in container '')"],
    ["self.nope == 1", "compilation failed: ERROR: <input>:1:5: undefined field 'nope'"],
    ["has(self.nope)", "undefined field 'nope'"],
    ["self.l.all(x, x == 'a')", "found no matching overload for '_==_' applied to '(int, string)'"],
    ["self.m['k'] == 1", "found no matching overload for '_==_' applied to '(string, int)'"],
    ["[self.o].all(x, x.nope == 1)", "undefined field 'nope'"],
    ["1", "cel expression must evaluate to a bool"],
    ["self.a", "cel expression must evaluate to a bool"],
    ["self.m", "cel expression must evaluate to a bool"],
  ])("%j is refused", (text, why) => {
    const [fault = ""] = at(text);
    expect(fault).toContain("s.properties[spec].x-kubernetes-validations[0].rule: ");
    expect(fault).toContain(why);
  });

  test.each([
    ["self.a.startsWith('a')", 17, "found no matching overload for 'startsWith' applied to 'int.(string)'"],
    ["self.s.nope()", 11, "undeclared reference to 'nope' (in container '')"],
    ["nope(self.s)", 4, "undeclared reference to 'nope' (in container '')"],
    ["size(self.a) > 1", 4, "found no matching overload for 'size' applied to '(int)'"],
    ["!self.s", 0, "found no matching overload for '!_' applied to '(string)'"],
    ["-self.s == 1", 0, "found no matching overload for '-_' applied to '(string)'"],
    ["self.s in self.s", 7, "found no matching overload for '@in' applied to '(string, string)'"],
    ["'a' in self.l", 4, "found no matching overload for '@in' applied to '(string, list(int))'"],
    ["self.n == 1", 7, "found no matching overload for '_==_' applied to '(double, int)'"],
    ["self.n * 2 > 1.0", 7, "found no matching overload for '_*_' applied to '(double, int)'"],
    ["self.a == 1.5", 7, "found no matching overload for '_==_' applied to '(int, double)'"],
    ["self.s == null", 7, "found no matching overload for '_==_' applied to '(string, null)'"],
    ["self.ts > '2020-01-01T00:00:00Z'", 8, "found no matching overload for '_>_' applied to '(timestamp, string)'"],
    ["self.a > 1 ? self.a : self.s", 11, "found no matching overload for '_?_:_' applied to '(bool, int, string)'"],
    ["self.s.foo == 1", 6, "type 'string' does not support field selection"],
    ["self.m.foo.bar == 1", 10, "type 'string' does not support field selection"],
    ["has(self.s.a)", 3, "type 'string' does not support field selection"],
    ["self.l.foo == 1", 6, "type 'list(int)' does not support field selection"],
  ])("%s asks of a type what it has not", (text, column, why) => {
    expect(at(text)[0]).toContain(
      `compilation failed: ERROR: <input>:1:${column + 1}: ${why}\n | ${text}\n | ${".".repeat(column)}^`,
    );
  });

  test("numbers of different types are ordered, and what is open is asked nothing", () => {
    expect(at("self.n > 1 && self.a < 1.5 && self.a >= self.n && self.o != null")).toEqual([]);
  });

  test.each([
    ["duration('x') > self.d", 9, "invalid duration argument"],
    ["timestamp('x') > self.ts", 10, "invalid timestamp argument"],
    ["self.s.matches('(')", 15, "invalid matches argument"],
    ["[1, 2.0] == [1]", 4, "expected type 'int' but found 'double'"],
    ["[[1], ['a']] == []", 6, "expected type 'list(int)' but found 'list(string)'"],
    ["{'a': 1, 'b': 'x'} == {}", 14, "expected type 'int' but found 'string'"],
    ["self.l.all(e, e in [1, 'a'])", 23, "expected type 'int' but found 'string'"],
    [
      "'%d'.format(['a']) == ''",
      13,
      "error during formatting: decimal clause can only be used on integers, was given string",
    ],
    [
      "'%d'.format([double('NaN')]) == ''",
      19,
      "error during formatting: decimal clause can only be used on integers, was given double",
    ],
    ["'%s'.format([]) == ''", 11, "index 0 out of range"],
    ["'%s'.format([1, 2]) == ''", 11, "too many arguments supplied to string.format (expected 1, got 2)"],
  ])("%s has a literal at fault", (text, column, why) => {
    const [fault = ""] = at(text);
    const shown = `ERROR: <input>:1:${column + 1}: ${why}\n | ${text}\n | ${".".repeat(column)}^`;
    expect(fault).toContain(`compilation failed: ${shown}`);
  });

  test.each([
    ["int('x') == 1", "type conversion error from 'string' to 'int'"],
    ["self.s.find('(') == ''", "error parsing regexp: missing closing ): `(`"],
  ])("%s cannot be made ready", (text, why) => {
    expect(at(text)).toEqual([expect.stringContaining(`: program instantiation failed: ${why}`)]);
  });

  test.each([
    "'%s %d'.format(['a', 1]) == ''",
    "[[], [1]] == []",
    "[self.s, self.o].size() == 2 || [null].size() == 1",
  ])("%s is none", (text) => {
    expect(at(text).filter((fault) => fault.includes("literal"))).toEqual([]);
  });

  test("messages are strings", () => {
    expect(at("self.a > 1", { messageExpression: "self.a" })).toEqual([
      's.properties[spec].x-kubernetes-validations[0].messageExpression: Invalid value: {"Rule":"self.a \\u003e 1","Message":"","MessageExpression":"self.a","Reason":null,"FieldPath":"","OptionalOldSelf":null}: messageExpression must evaluate to a string',
    ]);
  });

  test("whatever a rule says, it is answered", () => {
    const word = fc.constantFrom(
      "self",
      ".a",
      "oldSelf",
      ".all(x, ",
      ")",
      "(",
      "==",
      "1",
      "'s'",
      "[",
      "]",
      "{",
      "}",
      "?",
      ":",
      ".l",
      "has(",
      "matches",
      ".",
      ",",
      "in",
      "ip(",
      "null",
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(word, { maxLength: 12 }).map((words) => words.join("")),
          fc.string(),
        ),
        fc.jsonValue(),
        (text, value) => {
          const typed = (one: string): SchemaNode =>
            fromStructuralSchema({
              type: "object",
              properties: { spec: { type: "object", properties: PROPERTIES, ...rule(one) } },
            });
          const free = fromStructuralSchema({
            type: "object",
            properties: { spec: { "x-kubernetes-preserve-unknown-fields": true, ...rule(text) } },
          });
          for (const answer of [
            at(text),
            validateRules(typed(text), { spec: SPEC }, undefined, []),
            validateRules(free, { spec: value }, undefined, []),
          ])
            expect(Array.isArray(answer)).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });
});
