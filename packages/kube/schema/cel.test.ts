import { describe, expect, test } from "vitest";
import { validateRules } from "./cel.ts";
import { integer, PROPERTIES, rule, SPEC, string } from "./testdata/cel-sample.ts";
import { fromStructuralSchema } from "./structural.ts";
import { validateSchema } from "./validate.ts";

const keyed = { type: "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"] };

/** The faults of `spec` under a schema, as kube-apiserver 1.35 tells them. */
function faults(properties: object, spec: object, old?: object, more: object = {}): string[] {
  const node = fromStructuralSchema({ type: "object", properties: { spec: { type: "object", properties, ...more } } });
  const value = { apiVersion: "x/v1", kind: "X", metadata: { name: "x" }, spec };
  const before = validateSchema(node, value);
  return validateRules(node, value, old === undefined ? undefined : { ...value, spec: old }, before).map(
    ({ reason, field, message }) => `${reason} ${field}: ${message}`,
  );
}

describe("expressions", () => {
  test.each([
    "self.a < self.b",
    "!has(self.zz)",
    "self.l.exists_one(x, x == 2)",
    "self.l.map(x, x * 2) == [2, 4, 6]",
    "self.l.sum() == 6",
    "self.l.isSorted()",
    "self.l.max() == 3",
    "self.m['k'] == 'v'",
    "self.d > duration('30m')",
    "self.ts < timestamp('2021-01-01T00:00:00Z')",
    "self.n == 1.5",
    "has([self.o][0].x__dash__y) && !has(self.m.other)",
    "[self.o].all(x, has(x.x__dash__y))",
    "1 / 0 == 1 || true",
    "!(1 / 0 == 1 && false)",
    "self.o.x__dash__y == 2 && self.o.__in__ == 3",
    "ip(self.t).family() == 4",
    "cidr('10.0.0.0/8').containsIP(self.t)",
    "ip.isCanonical('2001:db8::abcd')",
    "!isIP('::ffff:1.2.3.4')",
    "url('https://a.b:80/p?q=1').getHostname() == 'a.b'",
    "quantity('1Gi').isGreaterThan(quantity('1G'))",
    "quantity('100m').add(quantity('900m')) == quantity('1')",
    "!format.dns1123Label().validate(self.s).hasValue()",
    "self.s.find('l+') == 'll'",
    "self.s.replace('l', 'L') == 'heLLo'",
    "'%s-%d'.format([self.s, self.a]) == 'hello-1'",
    "sets.equivalent(self.l, [3, 2, 1])",
    "self.l.all(i, v, v == i + 1)",
    "self.?nope.orValue(9) == 9",
    "self.?a.optMap(x, x + 1).orValue(0) == 2",
    "semver('1.2.3').isLessThan(semver('1.10.0'))",
    "[3, 1].sortBy(x, x) == [1, 3]",
  ])("%s", (text) => {
    expect(faults(PROPERTIES, SPEC, undefined, rule(text))).toEqual([]);
  });

  test.each([
    ["self.a > self.b", ["FieldValueInvalid spec: Invalid value: failed rule: self.a > self.b"]],
    [
      "self.l[5] == 1",
      ['FieldValueInvalid spec: Invalid value: "object": index out of bounds: 5 evaluating rule: self.l[5] == 1'],
    ],
    [
      "self.a / (self.b - 2) == 1",
      ['FieldValueInvalid spec: Invalid value: "object": division by zero evaluating rule: self.a / (self.b - 2) == 1'],
    ],
    [
      "self.zz == 1",
      ['FieldValueInvalid spec: Invalid value: "object": no such key: zz evaluating rule: self.zz == 1'],
    ],
  ])("%s is told", (text, expected) => {
    expect(faults(PROPERTIES, SPEC, undefined, rule(text))).toEqual(expected);
  });
});

describe("rules", () => {
  test.each([
    ["self.m['x'] == '' || self.m['y'] == ''", "no such key: x"],
    ["self.m['x'] == '' && self.m['y'] == ''", "no such key: x"],
    ["duration(self.s) > duration('1s')", "type conversion error from 'string' to 'google.protobuf.Duration'"],
  ])("tells the left of two errors, in Go's words: %s", (text, said) => {
    expect(faults(PROPERTIES, SPEC, undefined, rule(text))).toEqual([
      `FieldValueInvalid spec: Invalid value: "object": ${said} evaluating rule: ${text}`,
    ]);
  });

  test("say message, reason and field", () => {
    expect(
      faults(
        { a: integer },
        { a: 5 },
        undefined,
        rule("self.a < 3", { message: " too big ", reason: "FieldValueForbidden", fieldPath: ".a" }),
      ),
    ).toEqual(["FieldValueForbidden spec.a: Forbidden: too big"]);
    expect(
      faults({ s: { ...string, ...rule("self.size() > 2", { messageExpression: "'only ' + self" }) } }, { s: "a" }),
    ).toEqual(['FieldValueInvalid spec.s: Invalid value: "a": only a']);
    expect(faults({ s: { ...string, ...rule("self != 'x'", { reason: "FieldValueDuplicate" }) } }, { s: "x" })).toEqual(
      ['FieldValueDuplicate spec.s: Duplicate value: "x"'],
    );
  });

  test("stand on items and values too", () => {
    expect(faults({ l: { type: "array", items: { ...integer, ...rule("self < 10") } } }, { l: [1, 20] })).toEqual([
      "FieldValueInvalid spec.l[1]: Invalid value: 20: failed rule: self < 10",
    ]);
    expect(
      faults({ m: { type: "object", additionalProperties: { ...string, ...rule("self != ''") } } }, { m: { k: "" } }),
    ).toEqual(["FieldValueInvalid spec.m[k]: Invalid value: \"\": failed rule: self != ''"]);
  });

  test("on transitions are asked only where there was a value; items of keyed lists are told apart by key", () => {
    const immutable = { s: { ...string, ...rule("self == oldSelf", { message: "is immutable" }) } };
    expect(faults(immutable, { s: "a" })).toEqual([]);
    expect(faults(immutable, { s: "a" }, {})).toEqual([]);
    expect(faults(immutable, { s: "b" }, { s: "a" })).toEqual([
      'FieldValueInvalid spec.s: Invalid value: "b": is immutable',
    ]);
    const growing = {
      l: {
        ...keyed,
        items: {
          type: "object",
          required: ["name"],
          properties: { name: string, v: { ...integer, ...rule("self >= oldSelf") } },
        },
      },
    };
    expect(
      faults(
        growing,
        {
          l: [
            { name: "b", v: 1 },
            { name: "a", v: 1 },
          ],
        },
        {
          l: [
            { name: "a", v: 5 },
            { name: "b", v: 0 },
          ],
        },
      ),
    ).toEqual(["FieldValueInvalid spec.l[1].v: Invalid value: 1: failed rule: self >= oldSelf"]);
    const optional = { s: { ...string, ...rule("oldSelf.hasValue() || self == 'first'", { optionalOldSelf: true }) } };
    expect(faults(optional, { s: "x" })).toHaveLength(1);
    expect(faults(optional, { s: "x" }, { s: "first" })).toEqual([]);
  });

  test("hold nothing against an update of something else", () => {
    const properties = { o: { type: "object", properties: { a: integer }, ...rule("self.a > 1") }, b: integer };
    expect(faults(properties, { o: { a: 0 }, b: 2 }, { o: { a: 0 }, b: 1 })).toEqual([]);
    expect(faults(properties, { o: { a: -1 } }, { o: { a: 0 } })).toHaveLength(1);
  });

  test("are not run on what the schema refuses", () => {
    expect(faults({ a: integer }, { a: "x" }, undefined, rule("self.a > 1"))).toEqual([
      "FieldValueInvalid <nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
    ]);
  });

  test("compare keyed lists and sets whatever their order, and add to them what is new", () => {
    const items = {
      type: "object",
      required: ["name"],
      properties: { name: string, v: integer },
    };
    const list = { l: { ...keyed, items, ...rule("self == oldSelf") } };
    const [a, b] = [{ name: "a", v: 1 }, { name: "b" }];
    expect(faults(list, { l: [a, b] }, { l: [b, a] })).toEqual([]);
    expect(faults(list, { l: [a, b] }, { l: [b, { ...a, v: 2 }] })).toHaveLength(1);
    const set = { type: "array", "x-kubernetes-list-type": "set", items: string };
    const text = "self == oldSelf && (self + ['a', 'c']).size() == 3";
    expect(faults({ l: { ...set, ...rule(text) } }, { l: ["a", "b"] }, { l: ["b", "a"] })).toEqual([]);
  });
});

describe("what rules may cost when they run", () => {
  const all = "self.all(a, self.all(b, self.all(c, a + b + c >= 0)))";
  const outOfBudget = "validation failed due to running out of cost budget, no further validation rules will be run";
  const ones = (count: number): number[] => Array.from({ length: count }, () => 1);
  const run = (count: number, rules: readonly object[]): string[] =>
    faults(
      { l: { type: "array", items: integer, "x-kubernetes-validations": rules }, m: { ...integer, ...rule("false") } },
      { l: ones(count), m: 1 },
    );
  const last = "FieldValueInvalid spec.m: Invalid value: 1: failed rule: false";

  test("each alone; what comes after one that is too dear is not run", () => {
    expect(run(47, [{ rule: all }])).toEqual([last]);
    expect(run(48, [{ rule: all, message: "deep" }, { rule: "false" }])).toEqual([
      `FieldValueInvalid spec.l: Invalid value: "array": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: deep`,
    ]);
  });

  test("no operator hides that", () => {
    expect(run(48, [{ rule: `${all} || true` }])).toEqual([expect.stringContaining("actual cost limit exceeded")]);
  });

  test("all of one object", () => {
    const eleven = Array.from({ length: 11 }, () => ({ rule: all }));
    expect(run(46, eleven)).toEqual([last]);
    expect(run(47, eleven)).toEqual([`FieldValueInvalid spec.l: Invalid value: "array": ${outOfBudget}`]);
  });

  test("messages", () => {
    const told = { rule: "self.size() < 10", message: "long", messageExpression: `${all} ? 'all' : ''` };
    expect(run(47, [told])).toEqual(["FieldValueInvalid spec.l: Invalid value: all", last]);
    expect(run(48, [told])).toEqual([
      `FieldValueInvalid spec.l: Invalid value: "array": no further validation rules will be run due to call cost exceeds limit for messageExpression: ${JSON.stringify(told.messageExpression)}`,
    ]);
  });

  test("a pattern that would go back and forth for ever elsewhere", () => {
    expect(
      faults({ s: string }, { s: `${"a".repeat(5000)}!` }, undefined, rule("self.s.matches('^(a+)+$')")),
    ).toHaveLength(1);
  });
});
