import { expect, test } from "vitest";
import { fakeClock } from "../api/clock.ts";
import { conflict } from "../api/status-error.ts";
import { runController } from "./controller.ts";
import { WorkQueue } from "./work-queue.ts";

test("a key is handed out once, and again only when it was added meanwhile", async () => {
  const queue = new WorkQueue({ clock: fakeClock() });
  queue.add("a");
  queue.add("a");
  queue.add("b");
  expect(queue.length).toBe(2);
  expect(await queue.get()).toBe("a");
  queue.add("a");
  expect(await queue.get()).toBe("b");
  expect(queue.length).toBe(0);
  queue.done("a");
  expect(await queue.get()).toBe("a");
  queue.close();
  expect(await queue.get()).toBeUndefined();
});

test("keys come in the order in which they were added, however many wait", async () => {
  const queue = new WorkQueue({ clock: fakeClock() });
  const expected: string[] = [];
  for (let round = 0; round < 5; round++) {
    for (let n = 0; n < 40; n++) {
      queue.add(`${round}-${n}`);
      expected.push(`${round}-${n}`);
    }
    for (let n = 0; n < 30; n++) expect(await queue.get()).toBe(expected.shift());
  }
  expect(queue.length).toBe(expected.length);
  while (expected.length > 0) expect(await queue.get()).toBe(expected.shift());
  expect(queue.length).toBe(0);
});

test("failures back off by doubling, up to the cap, until forgotten", async () => {
  const clock = fakeClock();
  const queue = new WorkQueue({ clock, longestBackoffMs: 30 });
  const waits: (number | undefined)[] = [];
  for (let i = 0; i < 5; i++) {
    queue.addRateLimited("a");
    waits.push(clock.nextIn());
    clock.advance(1000);
    queue.done((await queue.get()) ?? "");
  }
  expect(waits).toEqual([5, 10, 20, 30, 30]);
  queue.forget("a");
  queue.addRateLimited("a");
  expect(clock.nextIn()).toBe(5);
});

test("of several later times the earliest counts, and closing ends them all", () => {
  const clock = fakeClock();
  const queue = new WorkQueue({ clock });
  queue.addAfter("a", 100);
  queue.addAfter("a", 50);
  queue.addAfter("a", 70);
  expect([clock.pending, clock.nextIn()]).toEqual([1, 50]);
  queue.close();
  expect(clock.pending).toBe(0);
});

test("a controller tries again what failed, never works twice on one key at once, and ends with its signal", async () => {
  const clock = fakeClock();
  const abort = new AbortController();
  const queue = new WorkQueue({ clock });
  let running = 0;
  let tries = 0;
  const done = Promise.withResolvers<void>();
  const controller = runController({
    name: "t",
    workers: 3,
    queue,
    clock,
    signal: abort.signal,
    sources: [],
    async reconcile() {
      expect(++running).toBe(1);
      await Promise.resolve();
      queue.add("k");
      running--;
      tries++;
      if (tries === 1) throw conflict({ group: "", resource: "x" }, "k", "stale");
      if (tries === 4) done.resolve();
      if (tries >= 4) await new Promise<void>((resolve) => abort.signal.addEventListener("abort", () => resolve()));
    },
  });
  queue.add("k");
  await done.promise;
  abort.abort();
  await controller;
  expect(tries).toBe(4);
});

test("keys that need nothing leave room for everyone else", async () => {
  const abort = new AbortController();
  const queue = new WorkQueue({ clock: fakeClock() });
  const count = 1_000;
  for (let n = 0; n < count; n++) queue.add(String(n));
  let done = 0;
  const { promise: all, resolve } = Promise.withResolvers<void>();
  const running = runController({
    name: "quick",
    queue,
    sources: [],
    signal: abort.signal,
    reconcile: async () => {
      if (++done === count) resolve();
    },
  });
  const doneForOthers = await new Promise<number>((tell) => setImmediate(() => tell(done)));
  await all;
  expect(doneForOthers).toBeLessThan(count);
  abort.abort();
  await running;
});
