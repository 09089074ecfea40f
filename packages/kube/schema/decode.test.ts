import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StatusError } from "../api/status-error.ts";
import { decodeJson, strictFaults } from "./decode.ts";
import { decodeYaml } from "./decode-yaml.ts";
import { kindNode } from "./table.ts";

const pod = kindNode("", "v1", "Pod");
const configMap = kindNode("", "v1", "ConfigMap");
if (pod === undefined || configMap === undefined) throw new Error("the table has lost its pods");

/** The value, or 400 for what is refused as it should be. */
function outcome(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    return error instanceof SyntaxError || (error instanceof StatusError && error.code === 400) ? "400" : error;
  }
}

describe("JSON bodies", () => {
  it("become one value where objects stand under one key twice, if that is asked for", () => {
    const text = '{"a":{"x":"1","l":[1]},"s":"\\u007b","a":{"y":{"z":2},"l":[2,{"k":1,"k":2}]},"n":[],"s":null}';
    expect(decodeJson(text, { duplicates: true, merge: true })).toEqual({
      value: { a: { x: "1", y: { z: 2 }, l: [2, { k: 2 }] }, s: null, n: [] },
      duplicates: ["a", "a.l[1].k", "s"],
    });
    expect(decodeJson(text, { duplicates: true }).value).not.toHaveProperty("a.x");
  });

  // The texts on the right are what kube-apiserver 1.35 answers.
  it.each([
    [
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a","foo":1},"data":{"a":"b","a":"c"},"bar":{"x":1}}',
      configMap,
      ['unknown field "metadata.foo"', 'duplicate field "data.a"', 'unknown field "bar"'],
    ],
    [
      '{"spec":{"foo":1,"containers":[{"name":"x","image":"y","bar":1,"env":[{"name":"a","value":"b","zip":1}],"name":"x","resources":{"limits":{"cpu":"1","cpu":"1"}}}]}}',
      pod,
      [
        'unknown field "spec.foo"',
        'unknown field "spec.containers[0].bar"',
        'unknown field "spec.containers[0].env[0].zip"',
        'duplicate field "spec.containers[0].name"',
        'duplicate field "spec.containers[0].resources.limits.cpu"',
      ],
    ],
    [
      '{"spec":{"containers":[{"name":"x"},{"name":"y","name":"z"}]}}',
      pod,
      ['duplicate field "spec.containers[1].name"'],
    ],
    [
      '{ "metadata" : { "n\\u0061me" : "\\"}" , "name":"b" } , "x\\"y" : [ {} , [ "]" ] ] }',
      pod,
      ['duplicate field "metadata.name"', 'unknown field "x\\"y"'],
    ],
  ])("finds unknown and duplicate fields in the order of the text: %s", (text, node, faults) => {
    expect(strictFaults(node, text)).toEqual(faults);
  });

  it("finds duplicates without a schema, when asked", () => {
    expect(decodeJson('{"a":{"b":1,"b":2},"a":1}', { duplicates: true })).toEqual({
      value: { a: 1 },
      duplicates: ["a.b", "a"],
    });
    expect(decodeJson('{"a":1,"a":2}').duplicates).toEqual([]);
  });

  it.each([
    ["", "unexpected end of JSON input"],
    ['{"apiVersion":"v1","kind":"ConfigMap",', "unexpected end of JSON input"],
    ["nonsense", "invalid character 'o' in literal null (expecting 'u')"],
    ["{a:1}", "invalid character 'a' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b"}', "invalid character '\"' after object key:value pair"],
    ["[1 2]", "invalid character '2' after array element"],
    ["{} x", "invalid character 'x' after top-level value"],
    ['"a\nb"', "invalid character '\\n' in string literal"],
    ["<xml>", "invalid character '<' looking for beginning of value"],
    ["01", "invalid character '1' after top-level value"],
  ])("says what is wrong with %j", (text, message) => {
    expect(() => decodeJson(text)).toThrow(message);
    expect(() => decodeJson(Buffer.from(text))).toThrow(StatusError);
  });

  it("refuses bodies that nest too deep to walk", () => {
    expect(() => decodeJson("[".repeat(5000) + "]".repeat(5000))).toThrow("exceeded max depth");
  });

  it("takes any text as a value or as 400, and walks every value", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.json(),
          fc.json().map((text) => text.slice(0, -1)),
        ),
        (text) => {
          const read = (): unknown => {
            strictFaults(pod, JSON.stringify(decodeJson(text, { duplicates: true }).value));
            return decodeJson(text).value;
          };
          expect(outcome(read)).toEqual(outcome(() => JSON.parse(text) as unknown));
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe("YAML bodies", () => {
  it("reads scalars as the server does", () => {
    const text =
      "mode: 0644\nhex: 0x1F\nbig: 1_000\nyes1: yes\noff1: off\nword: 'yes'\nport: 1:30\ndate: 2001-01-01\nnone: ~\n80: eighty\n";
    expect(decodeYaml(text).value).toEqual({
      mode: 0o644,
      hex: 31,
      big: 1000,
      yes1: true,
      off1: false,
      word: "yes",
      port: "1:30",
      date: "2001-01-01",
      none: null,
      "80": "eighty",
    });
  });

  it("resolves anchors and merge keys", () => {
    expect(decodeYaml("a: &x {b: 1}\nc: {<<: *x, d: 2}").value).toEqual({ a: { b: 1 }, c: { b: 1, d: 2 } });
  });

  it("names the line of a duplicate key, and keeps the last value", () => {
    expect(decodeYaml("kind: ConfigMap\ndata:\n  a: b\n  a: c\n")).toEqual({
      value: { kind: "ConfigMap", data: { a: "c" } },
      duplicates: ['line 4: key "a" already set in map'],
    });
  });

  it("names the line of a syntax fault", () => {
    expect(() => decodeYaml("a: b\n\tc: d")).toThrow(/^yaml: line 2: /);
    expect(() => decodeYaml("a: *nope")).toThrow(/nope/);
    expect(() => decodeYaml("a: .inf")).toThrow("unsupported value: +Inf");
  });

  it("refuses a bomb of aliases", () => {
    const bomb = [
      "a: &a [x,x,x,x,x,x,x,x,x]",
      ..."bcdefghi".split("").map((c, i) => `${c}: &${c} [${Array(9).fill(`*${"abcdefgh"[i]}`).join(",")}]`),
    ].join("\n");
    expect(() => decodeYaml(bomb)).toThrow(StatusError);
  });

  it("takes any text as a value or as 400", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."ab: -[]{}*&!|>\n\t\"'#%@?,1".split("")) })),
        (text) => {
          expect(outcome(() => typeof decodeYaml(text))).toMatch(/^(object|400)$/);
        },
      ),
      { numRuns: 500 },
    );
  });
});
