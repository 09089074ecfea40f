import { expect, it } from "vitest";
import { idleCollector } from "./idle-memory.ts";

const MB = 1 << 20;

it("collects after idle times in which the heap is larger than the last collection left it, and never in busy ones", () => {
  let cpu = 0;
  let heap = 50 * MB;
  let collections = 0;
  const collect = (): void => {
    collections++;
    heap = 20 * MB;
  };
  const look = idleCollector({ cpuMicroseconds: () => cpu, heapBytes: () => heap, collect }, 5_000);
  const after = (microseconds: number): number => {
    cpu += microseconds;
    look();
    return collections;
  };
  expect(after(2_000_000)).toBe(0);
  expect(after(1_000)).toBe(1);
  expect(after(1_000)).toBe(1);
  heap = 25 * MB;
  expect(after(1_000)).toBe(1);
  heap = 60 * MB;
  expect(after(500_000)).toBe(1);
  expect(after(1_000)).toBe(2);
});
