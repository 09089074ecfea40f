import { describe, expect, it } from "vitest";
import { healDelay, retryDelay } from "./retry.ts";

describe("retries", () => {
  it.each([
    [undefined, true, 0, 5000],
    [undefined, true, 1, 10_000],
    [undefined, true, 4, 80_000],
    [undefined, true, 5, undefined],
    [undefined, false, 0, undefined],
    [{ limit: -1 }, false, 50, 180_000],
    [{ limit: 2, backoff: { duration: "1s", factor: 3, maxDuration: "2s" } }, false, 1, 2000],
  ])("waits for %j (automated %s, after %i) %s ms", (retry, automated, count, ms) => {
    expect(retryDelay(retry, automated, count)).toBe(ms);
  });

  it("heals at once, then with growing pauses", () => {
    expect([0, 1, 2, 3, 6, 7, 99].map(healDelay)).toEqual([0, 500, 2000, 6000, 162_000, 300_000, 300_000]);
  });
});
