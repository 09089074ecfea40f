import { expect, test } from "vitest";
import fc from "fast-check";
import {
  addQuantity,
  compareQuantity,
  formatQuantity,
  parseQuantity,
  quantityMilli,
  quantityValue,
  subQuantity,
} from "./quantity.ts";

test.each([
  ["0", "0"],
  ["100m", "100m"],
  ["1000m", "1"],
  ["1.5", "1500m"],
  ["0.5Gi", "512Mi"],
  ["1024Mi", "1Gi"],
  ["1536Mi", "1536Mi"],
  ["1500k", "1500k"],
  ["12e6", "12e6"],
  ["7E", "7E"],
  ["1e3", "1e3"],
  [".5", "500m"],
  ["5.", "5"],
  ["+7", "7"],
  ["-1.5", "-1500m"],
  ["1000000", "1M"],
  ["123", "123"],
  ["1Ki", "1Ki"],
  ["0.1Ki", "102400m"],
  ["512Ki", "512Ki"],
  ["1n", "1n"],
  ["0.1n", "1n"],
])("%s is written %s", (text, canonical) => {
  expect(formatQuantity(parseQuantity(text))).toBe(canonical);
});

test.each(["", "1x", "Gi", "1.2.3", "1 Gi", "--1", "1Gii", "e3", "0x10"])("%j is refused", (text) => {
  expect(() => parseQuantity(text)).toThrow(/no quantity/);
});

test("rounds up to what a scheduler counts", () => {
  expect(quantityMilli(parseQuantity("0.0001"))).toBe(1n);
  expect(quantityValue(parseQuantity("1500m"))).toBe(2n);
  expect(compareQuantity(parseQuantity("1Gi"), parseQuantity("1G"))).toBeGreaterThan(0);
});

test("format and parse are inverse, and sums are exact", () => {
  const suffix = fc.constantFrom("", "m", "k", "M", "G", "Ki", "Mi", "Gi", "e2");
  const quantity = fc
    .tuple(fc.integer({ min: -1_000_000, max: 1_000_000 }), suffix)
    .map(([n, s]) => parseQuantity(`${n}${s}`));
  fc.assert(
    fc.property(quantity, quantity, (a, b) => {
      expect(parseQuantity(formatQuantity(a)).nano).toBe(a.nano);
      expect(subQuantity(addQuantity(a, b), b).nano).toBe(a.nano);
    }),
  );
});
