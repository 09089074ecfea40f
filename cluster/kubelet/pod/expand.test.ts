import { expect, test } from "vitest";
import { expand } from "./expand.ts";

test.each([
  ["plain", "plain"],
  ["$(A)", "1"],
  ["$(A)$(B)-$(A)", "12-1"],
  ["$(C)", "$(C)"],
  ["$$(A)", "$(A)"],
  ["$A", "$A"],
  ["$(A", "$(A"],
  ["a$", "a$"],
  ["$$$(A)", "$1"],
  ["$($(A))", "$($(A))"],
])("%s", (text, wanted) => {
  const values: Record<string, string> = { A: "1", B: "2" };
  expect(expand(text, (name) => values[name])).toBe(wanted);
});
