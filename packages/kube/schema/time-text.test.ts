import { describe, expect, it } from "vitest";
import { canonicalTime, timeError } from "./time-text.ts";

const WHOLE = "2006-01-02T15:04:05Z07:00";
const MICRO = "2006-01-02T15:04:05.000000Z07:00";

/** What becomes of a time; both halves were compared with Go 1.26 over 60,000 mutated times. */
function read(text: string, micro: boolean): string {
  return timeError(text, micro) ?? canonicalTime(text, micro);
}

describe("times", () => {
  it.each([
    ["2020-02-29T23:59:59Z", "2020-02-29T23:59:59Z"],
    ["1999-12-31T00:00:00+01:00", "1999-12-30T23:00:00Z"],
    ["2020-06-15T12:30:45.1-05:30", "2020-06-15T18:00:45Z"],
    ["2020-06-15T12:30:45,123456789Z", "2020-06-15T12:30:45Z"],
    ["2020-06-15T12:30:00+24:60", "2020-06-14T11:30:00Z"],
    ["2020-06-15T2:30:45Z", "2020-06-15T02:30:45Z"],
    ["0050-06-15T12:30:45+01:00", "0050-06-15T11:30:45Z"],
  ])("stores %s as %s", (text, stored) => {
    expect(read(text, false)).toBe(stored);
  });

  it.each([
    ["2020-06-15T12:30:45.123456+24:60", "2020-06-14T11:30:45.123456Z"],
    ["2020-06-15T12:30:45.+12345Z", "2020-06-15T12:30:45.012345Z"],
  ])("stores %s as %s, to the microsecond", (text, stored) => {
    expect(read(text, true)).toBe(stored);
  });

  it.each([
    ["2021-02-29T23:59:59Z", `parsing time "2021-02-29T23:59:59Z": day out of range`],
    ["2020-13-01 00", `parsing time "2020-13-01 00": month out of range`],
    ["2020-01-01T24:00:00Z", `parsing time "2020-01-01T24:00:00Z": hour out of range`],
    ["2020-01-01T00:00:00+25:00", `parsing time "2020-01-01T00:00:00+25:00": time zone offset hour out of range`],
    ["2020-01-01T00:00:00+01:61", `parsing time "2020-01-01T00:00:00+01:61": time zone offset minute out of range`],
    ["2020-01-01T00:00:00Zé", `parsing time "2020-01-01T00:00:00Z\\xc3\\xa9": extra text: "\\xc3\\xa9"`],
    ["2020-01-01", `parsing time "2020-01-01" as "${WHOLE}": cannot parse "" as "T"`],
    ["2020-01-01T00:00:00", `parsing time "2020-01-01T00:00:00" as "${WHOLE}": cannot parse "" as "Z07:00"`],
    ["", `parsing time "" as "${WHOLE}": cannot parse "" as "2006"`],
    ["9999-12-31T23:59:59-00:01", `parsing time "9999-12-31T23:59:59-00:01": year out of range`],
    ["0000-01-01T00:00:00+00:01", `parsing time "0000-01-01T00:00:00+00:01": year out of range`],
  ])("refuses %s", (text, message) => {
    expect(read(text, false)).toBe(message);
  });

  it.each([
    ["2020-01-01T00:00:00Z", `parsing time "2020-01-01T00:00:00Z" as "${MICRO}": cannot parse "Z" as ".000000"`],
    ["2020-01-01T00:00:00.-12345Z", `parsing time "2020-01-01T00:00:00.-12345Z": fractional second out of range`],
  ])("refuses %s where microseconds are asked for", (text, message) => {
    expect(read(text, true)).toBe(message);
  });
});
