/**
 * CEL's own conformance data (`testdata/cel-spec.json`: expressions, bindings and results of cel.dev/expr v0.24.0, what needs
 * protobuf messages left out) against the engine with Kubernetes' libraries. What is known to differ stands in
 * `testdata/cel-spec-differences.txt`; a case that no longer differs fails until its line goes.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { Environment } from "@marcbachmann/cel-js";
import type { EngineNode } from "./evaluation.ts";
import { kindOf, type TypeValue, Uint } from "./kinds.ts";
import { parseExpression } from "./parse.ts";
import { allFunctions, planProgram } from "./program.ts";
import type { CelType } from "./sizes.ts";

type Value =
  | { readonly i: string }
  | { readonly u: string }
  | { readonly d: number | string }
  | { readonly s: string }
  | { readonly y: string }
  | { readonly b: boolean }
  | { readonly z: 0 }
  | { readonly t: string }
  | { readonly l: readonly Value[] }
  | { readonly m: readonly (readonly [Value, Value])[] };

interface Case {
  readonly e: string;
  readonly b?: Readonly<Record<string, Value>>;
  /** The result; absent where there is an error (`x`). */
  readonly v?: Value;
  readonly x?: 1;
}

const read = (name: string): string => readFileSync(new URL(`../testdata/${name}`, import.meta.url), "utf8");
const cases = Object.entries(JSON.parse(read("cel-spec.json")) as Record<string, Case>);
const known = new Set(
  read("cel-spec-differences.txt")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#")),
);

/** A value as the engine takes it. */
function given(value: Value): unknown {
  if ("i" in value) return BigInt(value.i);
  if ("d" in value) return Number(value.d);
  if ("s" in value) return value.s;
  if ("y" in value) return new Uint8Array(Buffer.from(value.y, "base64"));
  if ("b" in value) return value.b;
  if ("z" in value) return null;
  if ("l" in value) return value.l.map(given);
  if ("m" in value) return new Map(value.m.map(([key, one]) => [given(key), given(one)]));
  if ("u" in value) return new Uint(BigInt(value.u));
  throw new Error("not given to any case");
}

/** A value as text, so that 1, 1u, 1.0 and "1" differ and maps have an order. */
function expected(value: Value): string {
  if ("i" in value) return value.i;
  if ("u" in value) return `${value.u}u`;
  if ("d" in value) return `double ${Number(value.d)}`;
  if ("s" in value) return JSON.stringify(value.s);
  if ("y" in value) return `bytes ${value.y}`;
  if ("b" in value) return String(value.b);
  if ("z" in value) return "null";
  if ("t" in value) return `type ${value.t}`;
  if ("l" in value) return `[${value.l.map(expected).join(", ")}]`;
  return `{${value.m
    .map(([key, one]) => `${expected(key)}: ${expected(one)}`)
    .toSorted()
    .join(", ")}}`;
}

function shown(value: unknown): string {
  switch (kindOf(value)) {
    case "int":
    case "bool":
    case "null":
      return String(value);
    case "double":
      return `double ${String(value)}`;
    case "string":
      return JSON.stringify(value);
    case "uint":
      return `${(value as Uint).value}u`;
    case "bytes":
      return `bytes ${Buffer.from(value as Uint8Array).toString("base64")}`;
    case "list":
      return `[${(value as unknown[]).map(shown).join(", ")}]`;
    case "type":
      return `type ${(value as TypeValue).name}`;
    case "map":
      return `{${[...(value as Map<unknown, unknown>)]
        .map(([key, one]) => `${shown(key)}: ${shown(one)}`)
        .toSorted()
        .join(", ")}}`;
    default:
      return kindOf(value);
  }
}

const parser = new Environment({ enableOptionalTypes: true });
const functions = allFunctions();
const DYN: CelType = { kind: "dyn" };

function outcome({ e, b = {} }: Case): string {
  const names = Object.keys(b);
  try {
    const ast = parseExpression(parser, e).ast as unknown as EngineNode;
    const program = planProgram(ast, functions, new Map(names.map((name) => [name, DYN])));
    const result = program.evaluate(Object.fromEntries(Object.entries(b).map(([name, value]) => [name, given(value)])));
    return "error" in result ? "error" : shown(result.value);
  } catch {
    return "error";
  }
}

const holds = (one: Case): boolean => outcome(one) === (one.v === undefined ? "error" : expected(one.v));

describe("CEL's conformance data", () => {
  test.each(cases.filter(([name]) => !known.has(name)))("%s", (_name, one) => {
    expect(outcome(one)).toBe(one.v === undefined ? "error" : expected(one.v));
  });

  test("what is known to differ still does", () => {
    const all = new Map(cases);
    expect([...known].filter((name) => !all.has(name))).toEqual([]);
    expect(cases.filter(([name, one]) => known.has(name) && holds(one)).map(([name]) => name)).toEqual([]);
  });
});
