import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { requesterChaos, quoteChaos, type ChaosRequest } from "./chaos.ts";
import { parseHostPort, parseListenAddress } from "./env.ts";
import { discountedPrice, shortestFloat32 } from "./float32.ts";

describe("prices", () => {
  test("are 32-bit floats with their shortest digits", () => {
    expect([
      discountedPrice(302, 0.25),
      discountedPrice(302, 0.1),
      discountedPrice(101, 0.1),
      shortestFloat32(0.1),
    ]).toEqual([226.5, 271.8, 90.899994, 0.1]);
  });

  test("mean the same 32-bit float, and never take more digits than it needs", () => {
    fc.assert(
      fc.property(fc.float({ min: 0, noNaN: true, noDefaultInfinity: true }).map(Math.abs), (value) => {
        const short = shortestFloat32(value);
        expect(Math.fround(short)).toBe(value);
        expect(String(short).length).toBeLessThanOrEqual(String(value).length);
      }),
    );
  });
});

describe("addresses", () => {
  test.each([
    [":8000", { host: undefined, port: 8000 }],
    ["127.0.0.1:0", { host: "127.0.0.1", port: 0 }],
    ["[::1]:80", { host: "::1", port: 80 }],
  ])("%s", (text, expected) => {
    expect(parseListenAddress(text)).toEqual(expected);
  });

  test.each(["8000", ":99999", "a:b", ""])("%j is refused with what it should be", (text) => {
    expect(() => parseListenAddress(text)).toThrow(/HOST:PORT/);
  });

  test("a database's port may be left out", () => {
    expect(parseHostPort("mysqldb.travel-agency", 3306)).toEqual({ host: "mysqldb.travel-agency", port: 3306 });
  });
});

type Chaos = typeof requesterChaos;

/** How long the monkey holds the request up. */
async function held(chaos: Chaos, env: Record<string, string>, request: Partial<ChaosRequest>): Promise<number[]> {
  const waits: number[] = [];
  const monkey = chaos(env, (milliseconds) => Promise.resolve(void waits.push(milliseconds)));
  await monkey.disturb({ headers: {}, city: "", ...request }, new AbortController().signal);
  return waits;
}

describe("the chaos monkey", () => {
  const env = { CHAOS_MONKEY: "true", CHAOS_MONKEY_SLEEP: "30" };
  const who = { portal: "p", device: "web", user: "new" };

  test.each([
    [{}, {}, true],
    [{}, who, false],
    [{ CHAOS_MONKEY_DEVICE: "web" }, who, true],
    [{ CHAOS_MONKEY_DEVICE: "mobile" }, who, false],
    [{ CHAOS_MONKEY_PORTAL: "p", CHAOS_MONKEY_USER: "other" }, who, true],
    [{ CHAOS_MONKEY_USER: "x" }, { portal: "p" }, false],
  ])("with %j and headers %j", async (filters, headers, expected) => {
    expect(await held(requesterChaos, { ...env, ...filters }, { headers })).toEqual(expected ? [30] : []);
  });

  test("sleeps half a second unless told otherwise, and not at all unless it is exactly true", async () => {
    expect(await held(requesterChaos, { CHAOS_MONKEY: "true" }, {})).toEqual([500]);
    expect(await held(requesterChaos, { CHAOS_MONKEY: "TRUE" }, {})).toEqual([]);
  });

  test.each([
    [{}, "Rome", true],
    [{ CHAOS_MONKEY_CITY: "Rome" }, "Rome", true],
    [{ CHAOS_MONKEY_CITY: "Rome" }, "Paris", false],
    [{ CHAOS_MONKEY_USER: "new" }, "Paris", true],
  ])("of quotes with %j for %s", async (filters, city, expected) => {
    expect(await held(quoteChaos, { ...env, ...filters }, { city, headers: who })).toEqual(expected ? [30] : []);
  });
});
