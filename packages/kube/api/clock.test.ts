import { expect, test } from "vitest";
import { fakeClock, formatMicroTime, formatTime, sleep } from "./clock.ts";
import { createLogger } from "./logger.ts";
import { generateName, isDns1035Label, isDns1123Label, isDns1123Subdomain, isQualifiedName } from "./names.ts";

test("a fake clock runs timers in order of their deadline, also those made meanwhile", () => {
  const clock = fakeClock(0);
  const seen: string[] = [];
  clock.setTimeout(() => seen.push(`b${clock.now()}`), 20);
  clock.setTimeout(() => {
    seen.push(`a${clock.now()}`);
    clock.setTimeout(() => seen.push(`c${clock.now()}`), 5);
  }, 10);
  const cancel = clock.setTimeout(() => seen.push("never"), 12);
  cancel();
  expect(clock.nextIn()).toBe(10);
  clock.advance(30);
  expect(seen).toEqual(["a10", "c15", "b20"]);
  expect(clock.pending).toBe(0);
});

test("sleep ends when its signal aborts", async () => {
  const clock = fakeClock();
  const abort = new AbortController();
  const slept = sleep(clock, 1000, abort.signal);
  abort.abort(new Error("stop"));
  await expect(slept).rejects.toThrow("stop");
  expect(clock.pending).toBe(0);
});

test("times as the API writes them", () => {
  expect(formatTime(Date.UTC(2026, 0, 2, 3, 4, 5, 678))).toBe("2026-01-02T03:04:05Z");
  expect(formatMicroTime(Date.UTC(2026, 0, 2, 3, 4, 5, 678))).toBe("2026-01-02T03:04:05.678000Z");
});

test("a log line has pino's fields and shows an error's cause", () => {
  const lines: string[] = [];
  const log = createLogger({ name: "x", write: (line) => lines.push(line), now: () => 7 }).child({
    pod: "a",
  });
  log.debug("hidden");
  log.error("broke", { err: new Error("outer", { cause: new TypeError("inner") }) });
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    level: 50,
    time: 7,
    name: "x",
    pod: "a",
    msg: "broke",
    err: { type: "Error", message: "outer", cause: { type: "TypeError", message: "inner" } },
  });
});

test("names", () => {
  expect(isDns1123Label("a-1")).toBe(true);
  expect(isDns1123Label("a.b")).toBe(false);
  expect(isDns1035Label("1a")).toBe(false);
  expect(isDns1123Subdomain("a.b-c.d")).toBe(true);
  expect(isDns1123Subdomain("a..b")).toBe(false);
  expect(isQualifiedName("x.io/A_b")).toBe(true);
  expect(isQualifiedName("X.io/a")).toBe(false);
  expect(generateName("x".repeat(70), () => 0)).toBe("x".repeat(58) + "bbbbb");
});
