/** Times and durations in expressions: to the nanosecond, within the years 1 to 9999 and what 64 bits hold. */
import { CelDuration, CelTime, fault } from "./kinds.ts";

const SECOND = 1_000_000_000n;
const INT64 = 1n << 63n;
const FIRST = -62_135_596_800n * SECOND;
const LAST = 253_402_300_800n * SECOND - 1n;

export const floorDiv = (a: bigint, b: bigint): bigint => a / b - (a % b < 0n ? 1n : 0n);

export const time = (nanos: bigint): CelTime =>
  nanos < FIRST || nanos > LAST ? fault("timestamp overflow") : new CelTime(nanos);
export const duration = (nanos: bigint): CelDuration =>
  nanos >= INT64 || nanos < -INT64 ? fault("integer overflow") : new CelDuration(nanos);

const RFC3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)$/;

/** Undefined for what is no time. */
export function parseTime(text: string): CelTime | undefined {
  const [, whole = "", fraction = "", zone = ""] = RFC3339.exec(text) ?? [];
  const milliseconds = Date.parse(`${whole}${zone}`);
  if (whole === "" || Number.isNaN(milliseconds) || !isCalendarDate(whole)) return undefined;
  const nanos = BigInt(milliseconds) * 1_000_000n + BigInt(fraction.slice(0, 9).padEnd(9, "0"));
  return nanos < FIRST || nanos > LAST ? undefined : new CelTime(nanos);
}

/** Dates that there are not, such as the 30th of February, would be taken for others. */
const isCalendarDate = (whole: string): boolean =>
  new Date(`${whole.slice(0, 10)}T00:00:00Z`).getUTCDate() === Number(whole.slice(8, 10)) && !whole.startsWith("0000");

export const dateOf = ({ nanos }: CelTime): Date => new Date(Number(floorDiv(nanos, 1_000_000n)));

const fractionText = (nanos: bigint): string => {
  const digits = String(nanos).padStart(9, "0").replace(/0+$/, "");
  return digits === "" ? "" : `.${digits}`;
};

/** RFC 3339 without needless digits. */
export function timeText(value: CelTime): string {
  const seconds = floorDiv(value.nanos, SECOND);
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  return `${whole}${fractionText(value.nanos - seconds * SECOND)}Z`;
}

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: SECOND,
  m: 60n * SECOND,
  h: 3600n * SECOND,
};
const PART = /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/y;

/** `1h30m`, `-1.5s`; undefined for what is no duration, or too long. */
export function parseDuration(text: string): CelDuration | undefined {
  const unsigned = text.replace(/^[+-]/, "");
  if (unsigned === "0") return new CelDuration(0n);
  let total = 0n;
  PART.lastIndex = 0;
  while (PART.lastIndex < unsigned.length || unsigned === "") {
    const [whole, amount = "", fraction = "", unit = ""] = PART.exec(unsigned) ?? [];
    if (whole === undefined || (amount === "" && fraction === "")) return undefined;
    const one = UNITS[unit] ?? 0n;
    total +=
      BigInt(amount === "" ? "0" : amount) * one + (BigInt(`0${fraction}`) * one) / 10n ** BigInt(fraction.length);
  }
  const nanos = text.startsWith("-") ? -total : total;
  return nanos >= INT64 || nanos < -INT64 ? undefined : new CelDuration(nanos);
}

/** Seconds with the fraction that there is, e.g. `90s`, `1.5s`. */
export function durationText({ nanos }: CelDuration): string {
  const size = nanos < 0n ? -nanos : nanos;
  return `${nanos < 0n ? "-" : ""}${size / SECOND}${fractionText(size % SECOND)}s`;
}

export const addToTime = (at: CelTime, by: CelDuration, sign: 1n | -1n): CelTime => time(at.nanos + sign * by.nanos);

const OFFSET = /^([+-])?(\d\d):(\d\d)$/;
const zones = new Map<string, Intl.DateTimeFormat>();

/** A time as the clocks of a zone show it, told in UTC's fields. */
function inZone(at: CelTime, zone: string): Date {
  const date = dateOf(at);
  const [, sign, hours, minutes] = OFFSET.exec(zone) ?? [];
  if (hours !== undefined) {
    const offset = (Number(hours) * 60 + Number(minutes)) * 60_000;
    return new Date(date.getTime() + (sign === "-" ? -offset : offset));
  }
  const fields = new Map(
    zoneFormat(zone)
      .formatToParts(date)
      .map(({ type, value }) => [type, Number(value)]),
  );
  const field = (name: Intl.DateTimeFormatPartTypes): number => fields.get(name) ?? 0;
  const shown = new Date(0);
  shown.setUTCFullYear(field("year"), field("month") - 1, field("day"));
  shown.setUTCHours(field("hour"), field("minute"), field("second"), date.getUTCMilliseconds());
  return shown;
}

function zoneFormat(zone: string): Intl.DateTimeFormat {
  const known = zones.get(zone);
  if (known !== undefined) return known;
  try {
    const made = new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    zones.set(zone, made);
    return made;
  } catch {
    return fault(`unknown time zone ${zone}`);
  }
}

const dayOfYear = (date: Date): number =>
  Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000);

/** What can be asked of a time, by the names of the functions. */
export const TIME_FIELDS: Readonly<Record<string, (date: Date) => number>> = {
  getFullYear: (date) => date.getUTCFullYear(),
  getMonth: (date) => date.getUTCMonth(),
  getDate: (date) => date.getUTCDate(),
  getDayOfMonth: (date) => date.getUTCDate() - 1,
  getDayOfWeek: (date) => date.getUTCDay(),
  getDayOfYear: dayOfYear,
  getHours: (date) => date.getUTCHours(),
  getMinutes: (date) => date.getUTCMinutes(),
  getSeconds: (date) => date.getUTCSeconds(),
  getMilliseconds: (date) => date.getUTCMilliseconds(),
};

export const timeField = (at: CelTime, name: string, zone?: string): bigint =>
  BigInt(TIME_FIELDS[name]?.(zone === undefined ? dateOf(at) : inZone(at, zone)) ?? 0);

/** What can be asked of a duration: how many whole ones there are in all. */
export const DURATION_FIELDS: Readonly<Record<string, bigint>> = {
  getHours: 3600n * SECOND,
  getMinutes: 60n * SECOND,
  getSeconds: SECOND,
  getMilliseconds: 1_000_000n,
};
