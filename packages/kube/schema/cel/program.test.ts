/**
 * Expressions with what they cost, give or end with where the Go engine runs them, as Kubernetes 1.35 sets it up
 * (`testdata/cel-costs.json`, printed by a program of ours that asks k8s.io/apiserver v0.35.4).
 */
import { readFileSync } from "node:fs";
import { Environment } from "@marcbachmann/cel-js";
import { describe, expect, test } from "vitest";
import type { EngineNode } from "./evaluation.ts";
import { kindOf, typeNameOf, Uint } from "./kinds.ts";
import { parseExpression } from "./parse.ts";
import { allFunctions, planProgram, type Program } from "./program.ts";
import type { CelType } from "./sizes.ts";
import { duration, parseTime } from "./time.ts";

interface Row {
  readonly c?: number;
  /** Refused before it runs. */
  readonly p?: string;
  readonly v?: string;
  readonly x?: string;
}

const rows = JSON.parse(readFileSync(new URL("../testdata/cel-costs.json", import.meta.url), "utf8")) as Record<
  string,
  Row
>;
const text: CelType = { kind: "string" };
const int: CelType = { kind: "int" };
const list = (element: CelType): CelType => ({ kind: "list", element });
const map = (element: CelType): CelType => ({ kind: "map", key: text, element });

const VARIABLES: readonly (readonly [string, CelType, unknown])[] = [
  ["b", { kind: "bool" }, true],
  ["i", int, 7n],
  ["j", int, 3n],
  ["u", { kind: "uint" }, new Uint(5n)],
  ["x", { kind: "double" }, 2.5],
  ["s", text, "hello, wörld! the quick brown fox jumps over the lazy dog"],
  ["t", text, "quick"],
  ["by", { kind: "bytes" }, new Uint8Array(Buffer.from("some bytes that are longer than ten"))],
  ["li", list(int), [5n, 3n, 8n, 1n, 9n, 2n, 7n]],
  ["ls", list(text), ["pear", "apple", "fig", "a much longer piece of fruit text"]],
  ["ll", list(list(int)), [[1n, 2n], [3n], []]],
  [
    "lm",
    list(map(text)),
    ["a", "b"].map(
      (name, i) =>
        new Map([
          ["name", name],
          ["v", String(i + 1)],
        ]),
    ),
  ],
  [
    "m",
    map(text),
    new Map([
      ["k", "v"],
      ["key2", "a value that is longer"],
    ]),
  ],
  [
    "mi",
    map(int),
    new Map([
      ["one", 1n],
      ["two", 2n],
    ]),
  ],
  [
    "d",
    { kind: "dyn" },
    new Map<string, unknown>([
      ["str", "dynamic string text here"],
      ["num", 4n],
      ["list", ["a", "b", "c"]],
      [
        "obj",
        new Map<string, unknown>([
          ["in", "x"],
          ["n", 1n],
        ]),
      ],
    ]),
  ],
  ["ts", { kind: "timestamp" }, parseTime("2024-02-29T12:34:56.789Z")],
  ["du", { kind: "duration" }, duration(5_400_000_000_000n)],
];

const parser = new Environment({ enableOptionalTypes: true });
const functions = allFunctions();
const types = new Map(VARIABLES.map(([name, type]) => [name, type]));
const values = Object.fromEntries(VARIABLES.map(([name, , value]) => [name, value]));

function shown(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value instanceof Uint) return String(value.value);
  return ["bool", "int", "double"].includes(kindOf(value)) ? String(value) : typeNameOf(value);
}

const KUBE_TYPES: Readonly<Record<string, string>> = { "net.URL": "kubernetes.URL" };

describe("costs and results are those of the Go engine", () => {
  test.each(Object.entries(rows))("%s", (expression, { c, v, x, p }) => {
    const plan = (): Program =>
      planProgram(parseExpression(parser, expression).ast as unknown as EngineNode, functions, types);
    if (p !== undefined) {
      expect(plan).toThrow(p);
      return;
    }
    const program = plan();
    const outcome = program.evaluate(values);
    const told =
      "error" in outcome
        ? { x: outcome.error instanceof Error ? outcome.error.message : "" }
        : { v: KUBE_TYPES[shown(outcome.value)] ?? shown(outcome.value) };
    expect({ c: outcome.cost, ...told }).toEqual({ c, ...(x === undefined ? { v } : { x }) });
  });
});
