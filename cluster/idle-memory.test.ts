import { cachedDataVersionTag } from "node:v8";
import { expect, it } from "vitest";
import { idleCollector, returnMemoryWhenIdle } from "./idle-memory.ts";

const MB = 1 << 20;

it("collects in the first idle time, then where the heap is larger than that left it, and never in busy ones", () => {
  let cpu = 0;
  let heap = 10 * MB;
  let collections = 0;
  const collect = (): void => {
    collections++;
    heap = 8 * MB;
  };
  const look = idleCollector({ cpuMicroseconds: () => cpu, heapBytes: () => heap, collect });
  const after = (microseconds: number, sinceMs = 5_000): number => {
    cpu += microseconds;
    look(sinceMs);
    return collections;
  };
  expect(after(2_000_000)).toBe(0);
  // A second's work may be a fifth of that of five.
  expect(after(50_000, 1_000)).toBe(0);
  expect(after(1_000, 1_000)).toBe(1);
  expect(after(1_000)).toBe(1);
  heap = 15 * MB;
  expect(after(1_000)).toBe(1);
  heap = 60 * MB;
  expect(after(500_000)).toBe(1);
  expect(after(50_000)).toBe(2);
});

it("looks sooner until it has collected once", () => {
  let cpu = 0;
  const look = idleCollector({ cpuMicroseconds: () => cpu, heapBytes: () => MB, collect: () => {} });
  cpu = 1_000_000;
  const busy = look(1_000);
  const idle = look(busy);
  expect(busy).toBeLessThan(idle);
  cpu += 1_000_000;
  expect(look(idle)).toBe(idle);
});

it("leaves the code cache of the process as it is", () => {
  const tag = cachedDataVersionTag();
  returnMemoryWhenIdle().close();
  expect(cachedDataVersionTag()).toBe(tag);
});
