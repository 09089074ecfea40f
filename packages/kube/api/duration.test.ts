import { expect, it } from "vitest";
import { parseDuration, parseDurationOrSeconds } from "./duration.ts";

it.each([
  ["30s", 30_000],
  ["1m30s", 90_000],
  ["500ms", 500],
  ["1.5h", 5_400_000],
  ["5", undefined],
  ["5 s", undefined],
  ["s", undefined],
  ["", undefined],
  ["-5s", undefined],
])("reads %j", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

it("takes a plain number for seconds only where asked to", () => {
  expect(parseDurationOrSeconds("5")).toBe(5000);
  expect(parseDurationOrSeconds("2m")).toBe(120_000);
  expect(parseDurationOrSeconds(undefined)).toBeUndefined();
});
