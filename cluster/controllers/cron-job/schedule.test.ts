/** Times as CronJobs write them on their Jobs: with the offset that the zone has then. */
import { expect, test } from "vitest";
import { timeIn } from "./schedule.ts";

test.each([
  [undefined, "2026-01-02T03:04:00Z"],
  ["Etc/UTC", "2026-01-02T03:04:00Z"],
  ["Europe/Zurich", "2026-01-02T04:04:00+01:00"],
  ["America/New_York", "2026-01-01T22:04:00-05:00"],
  ["Asia/Kolkata", "2026-01-02T08:34:00+05:30"],
])("in %s", (zone, expected) => {
  expect(timeIn(zone, Date.parse("2026-01-02T03:04:00Z"))).toBe(expected);
});
