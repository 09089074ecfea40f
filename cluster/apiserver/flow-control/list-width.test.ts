import { expect, test } from "vitest";
import type { Store } from "../../store/store.ts";
import { listWidth, mostSeats } from "./list-width.ts";

/** A table of so many objects of so many bytes. */
const store = (count: number, bytes: number): Store =>
  ({
    count: () => count,
    list: () => ({ items: count === 0 ? [] : [{ bytes: Buffer.alloc(bytes) }] }),
  }) as unknown as Store;

const width = (query: string, verb: "list" | "watch" = "list", count = 1000, bytes = 1000): number =>
  listWidth(store(count, bytes), { verb, table: "pods.", query: new URLSearchParams(query) }, 100);

test.each([
  ["", 10],
  ["limit=250", 3],
  ["resourceVersion=0", 10],
  ["fieldSelector=metadata.name%3Da", 1],
  ["labelSelector=a%3Db&limit=10", 1],
  ["labelSelector=a%3Db&limit=10&continue=x", 5],
  ["resourceVersion=5&resourceVersionMatch=Exact", 10],
])("a list of 1,000 objects of 1 KB, %s, takes %i seats", (query, seats) => {
  expect(width(query)).toBe(seats);
});

test("what comes from memory takes ten at most, what does not a hundred, and nothing less than one", () => {
  expect(width("", "list", 100_000)).toBe(10);
  expect(width("continue=x", "list", 100_000)).toBe(100);
  expect(width("", "list", 0)).toBe(1);
});

test("a watch is as wide as the list it begins with", () => {
  expect(width("", "watch")).toBe(10);
  expect(width("resourceVersion=7", "watch")).toBe(1);
  expect(width("resourceVersion=7&sendInitialEvents=true", "watch")).toBe(10);
});

test("one request takes a small share of its level", () => {
  expect([mostSeats(600, 6), mostSeats(20, 8), mostSeats(2, 1), mostSeats(10_000, 6)]).toEqual([90, 2, 1, 100]);
});
