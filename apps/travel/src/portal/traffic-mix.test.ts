import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DEFAULT_SETTINGS, parseSettings, roundInterval, type Settings } from "./settings.ts";
import { TrafficMix, type Visitor } from "./traffic-mix.ts";

function draw(settings: Settings, rounds: number): Visitor[] {
  const mix = new TrafficMix(settings);
  return Array.from({ length: rounds }, (_none, index) => mix.next(index + 1));
}

function share(visitors: readonly Visitor[], key: keyof Visitor, value: string): number {
  return visitors.filter((visitor) => visitor[key] === value).length;
}

describe("visitors", () => {
  test("alternate as the demo's do while their shares last", () => {
    expect(draw(DEFAULT_SETTINGS, 4)).toEqual([
      { device: "web", user: "new", travel: "t2" },
      { device: "mobile", user: "registered", travel: "t3" },
      { device: "web", user: "new", travel: "t1" },
      { device: "mobile", user: "registered", travel: "t2" },
    ]);
  });

  test("follow their shares exactly over a full round, and fractions over two", () => {
    const settings = {
      ...DEFAULT_SETTINGS,
      devices: { web: 25, mobile: 75 },
      travel_type: { t1: 14.5, t2: 14.5, t3: 71 },
    };
    expect(share(draw(settings, 100), "device", "mobile")).toBe(75);
    const two = draw(settings, 200);
    expect([share(two, "travel", "t1"), share(two, "travel", "t2"), share(two, "travel", "t3")]).toEqual([29, 29, 142]);
  });

  test("are drawn in their proportions whatever the shares", () => {
    const part = fc.integer({ min: 0, max: 200 }).map((half) => half / 2);
    fc.assert(
      fc.property(part, part, (web, mobile) => {
        const visitors = draw({ ...DEFAULT_SETTINGS, devices: { web, mobile } }, 1000);
        if (web + mobile === 0) return;
        const expected = (1000 * web) / (web + mobile);
        expect(Math.abs(share(visitors, "device", "web") - expected)).toBeLessThanOrEqual(Math.max(web, mobile) + 2);
      }),
    );
  });
});

describe("settings", () => {
  test("lack nothing: what is missing is 0, what is unknown is ignored", () => {
    expect(parseSettings('{"request_ratio": 7, "devices": {"web": 1.5}, "more": true}')).toEqual({
      request_ratio: 7,
      devices: { web: 1.5, mobile: 0 },
      users: { registered: 0, new: 0 },
      travel_type: { t1: 0, t2: 0, t3: 0 },
    });
  });

  test.each([
    "[",
    "7",
    '{"users": []}',
    '{"travel_type": {"t1": "x"}}',
    '{"request_ratio": null, "devices": {"web": -1}}',
  ])("%s is refused", (text) => {
    expect(() => parseSettings(text)).toThrow(/must be|JSON/);
  });

  test("pace the rounds between 0.75 and 15 seconds", () => {
    expect([0, 50, 95, 100, 400].map(roundInterval)).toEqual([15_000, 7500, 750, 750, 750]);
  });
});
