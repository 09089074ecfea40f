/** Rules over a custom resource cost and say what they do upstream (`testdata/cel-rule-costs.json`). */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compile } from "./rules.ts";
import { celTypeOf } from "./schema-types.ts";
import { toCel } from "./values.ts";
import { validateRules } from "../cel.ts";
import type { JsonObject } from "../json-value.ts";
import { fromStructuralSchema } from "../structural.ts";

interface Table {
  readonly schema: JsonObject;
  readonly object: JsonObject;
  readonly old: JsonObject;
  readonly rules: Readonly<Record<string, { readonly c: number; readonly x?: string }>>;
}

const { schema, object, old, rules } = JSON.parse(
  readFileSync(new URL("../testdata/cel-rule-costs.json", import.meta.url), "utf8"),
) as Table;

describe("rules over typed values", () => {
  test.each(Object.entries(rules))("%s", (rule, { c, x }) => {
    const node = fromStructuralSchema({ ...schema, "x-kubernetes-validations": [{ rule }] });
    const { program } = compile(rule, "bool", celTypeOf(node));
    if (typeof program === "string") throw new Error(program);
    const { cost } = program.evaluate({ self: toCel(node, object), oldSelf: toCel(node, old) });
    const faults = validateRules(node, object, old, []).map(({ field, message }) => `${field}: ${message}`);
    expect({ cost, faults }).toEqual({ cost: c, faults: x === undefined ? [] : [x] });
  });
});
