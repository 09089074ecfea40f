import fc from "fast-check";
import { expect, test } from "vitest";
import { systemClock, type Clock } from "@travelops/kube/api/clock";
import { handOf, PriorityLevel, type Leave } from "./priority-level.ts";

/** Time that stands still: what waits here is never answered, and nobody waits for it. */
const STILL: Clock = { ...systemClock, setTimeout: () => () => undefined };

const limits = { seats: 1, lendable: 0, borrowing: 0, queues: 16, handSize: 4, queueLength: 50 };
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Queues `count` requests of a flow; each notes its flow when it has its seat, and gives it back at once. */
function queue(level: PriorityLevel, flow: string, count: number, order: string[]): void {
  for (let i = 0; i < count; i++) {
    const entered = level.enter(flow, undefined);
    if (typeof entered === "function") throw new Error("there was a seat");
    void entered.then((leave) => {
      order.push(flow);
      setImmediate(leave);
    });
  }
}

test("as many as there are seats go on at once; those that wait follow when one leaves", async () => {
  const level = new PriorityLevel({ ...limits, seats: 2 }, systemClock);
  const first = level.enter("a", undefined) as Leave;
  expect(level.enter("a", undefined)).toBeTypeOf("function");
  let third: Leave | undefined;
  void (level.enter("a", undefined) as Promise<Leave>).then((leave) => (third = leave));
  await turn();
  expect(third).toBeUndefined();
  expect([level.executing, level.waiting]).toEqual([2, 1]);
  first();
  await turn();
  expect(third).toBeTypeOf("function");
  expect([level.executing, level.waiting]).toEqual([2, 0]);
});

test("a flow that floods the level does not push out another", async () => {
  const level = new PriorityLevel(limits, systemClock);
  const leave = level.enter("busy", undefined) as Leave;
  const order: string[] = [];
  queue(level, "flood", 40, order);
  queue(level, "quiet", 3, order);
  leave();
  await expect.poll(() => order.length).toBe(43);
  // The quiet flow's requests came last and stand among the first of each queue.
  expect(order.lastIndexOf("quiet")).toBeLessThan(20);
});

test("a full queue refuses with 429 and when to come again", () => {
  const level = new PriorityLevel({ ...limits, queues: 1, handSize: 1, queueLength: 1 }, STILL);
  void level.enter("a", undefined);
  void (level.enter("a", undefined) as Promise<Leave>);
  expect(() => void level.enter("a", undefined)).toThrow(
    expect.objectContaining({
      code: 429,
      status: expect.objectContaining({ details: { retryAfterSeconds: 1 } }),
    }) as Error,
  );
  expect(level.rejected).toBe(1);
});

test("without queues what finds no seat is refused", () => {
  const level = new PriorityLevel({ ...limits, queues: 0 }, systemClock);
  void level.enter("a", undefined);
  expect(() => void level.enter("a", undefined)).toThrow("Too many requests");
});

test("who goes away while waiting leaves the queue", async () => {
  const level = new PriorityLevel(limits, systemClock);
  const leave = level.enter("a", undefined) as Leave;
  const gone = new AbortController();
  const waiting = level.enter("a", gone) as Promise<Leave>;
  gone.abort();
  await expect(waiting).rejects.toMatchObject({ code: 429 });
  expect(level.waiting).toBe(0);
  leave();
  expect(level.executing).toBe(0);
});

test("more seats let those that wait go on", async () => {
  const level = new PriorityLevel(limits, systemClock);
  void level.enter("a", undefined);
  const waiting = level.enter("a", undefined) as Promise<Leave>;
  level.limit({ ...limits, seats: 2 });
  expect(await waiting).toBeTypeOf("function");
});

test("free seats that others lend are used up to the limit, and none by a level without any", () => {
  let spare = 2;
  const level = new PriorityLevel({ ...limits, borrowing: 1 }, STILL, () => spare);
  expect(level.enter("a", undefined)).toBeTypeOf("function");
  expect(level.enter("a", undefined)).toBeTypeOf("function");
  expect(level.borrowed).toBe(1);
  expect(level.enter("a", undefined)).toBeInstanceOf(Promise);
  const jail = new PriorityLevel({ ...limits, seats: 0, borrowing: Infinity, queues: 0 }, systemClock, () => spare);
  expect(() => void jail.enter("a", undefined)).toThrow("Too many requests");
  spare = 0;
  const poor = new PriorityLevel({ ...limits, borrowing: Infinity, queues: 0 }, systemClock, () => spare);
  void poor.enter("a", undefined);
  expect(() => void poor.enter("a", undefined)).toThrow("Too many requests");
});

test("a wide request waits for all its seats, and nobody passes it; alone it is served however wide", async () => {
  const level = new PriorityLevel({ ...limits, seats: 4, queues: 1, handSize: 1 }, STILL);
  const first = level.enter("a", undefined, 2) as Leave;
  expect([level.executing, level.seated]).toEqual([1, 2]);
  const wide = level.enter("b", undefined, 3) as Promise<Leave>;
  const narrow = level.enter("c", undefined) as Promise<Leave>;
  expect([level.seated, level.waiting]).toEqual([2, 2]);
  first();
  const leave = await wide;
  await narrow;
  expect([level.executing, level.seated, level.waiting]).toEqual([2, 4, 0]);
  leave();
  expect([level.executing, level.seated]).toEqual([1, 1]);
  const small = new PriorityLevel({ ...limits, seats: 2 }, STILL);
  expect(small.enter("a", undefined, 10)).toBeTypeOf("function");
});

test("what a level lends is what it does not use itself", () => {
  const level = new PriorityLevel({ ...limits, seats: 4, lendable: 3 }, systemClock);
  expect(level.lent).toBe(3);
  void level.enter("a", undefined);
  void level.enter("a", undefined);
  expect(level.lent).toBe(2);
});

test("a hand has different queues of the deck, the same ones for the same flow", () => {
  fc.assert(
    fc.property(fc.string(), fc.integer({ min: 1, max: 512 }), fc.integer({ min: 1, max: 12 }), (flow, deck, size) => {
      const hand = handOf(flow, deck, size);
      expect(new Set(hand).size).toBe(Math.min(deck, size));
      expect(hand.every((card) => card >= 0 && card < deck)).toBe(true);
      expect(handOf(flow, deck, size)).toEqual(hand);
    }),
  );
});
