import { toText, type SqlValue } from "./definition.ts";

/** A point in time without a zone; the server's zone is UTC. */
export interface DateValue {
  readonly date: Date;
  readonly microseconds: number;
  readonly hasTime: boolean;
}

const DATE_TIME =
  /^\s*(\d{4}|\d{2})[-/.](\d{1,2})[-/.](\d{1,2})(?:[T ]+(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:\.(\d{1,6}))?)?)?(?:Z|\s*)$/;
const COMPACT = /^(\d{4})(\d{2})(\d{2})(?:(\d{2})(\d{2})(\d{2}))?$/;

function utc(parts: readonly number[]): Date | null {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = parts;
  if (month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 || second > 59) return null;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second, 0);
  return date.getUTCDate() === day ? date : null;
}

/** Reads a date or a date and time; null for what is none. */
export function parseDate(value: SqlValue | undefined): DateValue | null {
  const text = toText(value);
  if (text === null) return null;
  const match = DATE_TIME.exec(text) ?? COMPACT.exec(text);
  if (!match) return null;
  const [, year = "", ...rest] = match;
  const fullYear = year.length === 2 ? (Number(year) < 70 ? 2000 : 1900) + Number(year) : Number(year);
  const date = utc([fullYear, ...rest.slice(0, 5).map((part) => Number(part ?? 0))]);
  if (!date) return null;
  return { date, microseconds: Number((rest[5] ?? "").padEnd(6, "0")), hasTime: rest[2] !== undefined };
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

export function dateText(date: Date): string {
  return `${String(date.getUTCFullYear()).padStart(4, "0")}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
}

export function timeText(date: Date): string {
  return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
}

/** `2026-11-22 18:00:00`, with a fraction only where there is one. */
export function dateTimeText(value: DateValue): string {
  const fraction = value.microseconds > 0 ? `.${String(value.microseconds).padStart(6, "0")}` : "";
  return `${dateText(value.date)} ${timeText(value.date)}${fraction}`;
}

/** A time of day, or a length of time of up to 838 hours, in seconds. */
export function parseTime(value: SqlValue | undefined): number | null {
  const text = toText(value);
  if (text === null) return null;
  const stamp = parseDate(text);
  if (stamp?.hasTime) return Math.floor((stamp.date.getTime() % 86_400_000) / 1000);
  const match = /^\s*(-?)(\d{1,3}):(\d{1,2})(?::(\d{1,2})(?:\.\d+)?)?\s*$/.exec(text);
  if (!match) return null;
  const seconds = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
  return match[1] === "-" ? -seconds : seconds;
}

export function secondsToTime(seconds: number): string {
  const size = Math.min(Math.abs(Math.trunc(seconds)), 838 * 3600 + 59 * 60 + 59);
  const text = `${two(Math.floor(size / 3600))}:${two(Math.floor(size / 60) % 60)}:${two(size % 60)}`;
  return seconds < 0 ? `-${text}` : text;
}

const SECONDS: Readonly<Record<string, number>> = { SECOND: 1, MINUTE: 60, HOUR: 3600, DAY: 86_400, WEEK: 604_800 };
const MONTHS: Readonly<Record<string, number>> = { MONTH: 1, QUARTER: 3, YEAR: 12 };

/** Moves a point in time; the day is cut to the month's length, as MySQL does. */
export function addUnits(value: DateValue, amount: number, unit: string): DateValue | null {
  if (unit === "MICROSECOND") {
    const micros = value.microseconds + amount;
    const seconds = Math.floor(micros / 1e6);
    return {
      date: new Date(value.date.getTime() + seconds * 1000),
      microseconds: micros - seconds * 1e6,
      hasTime: true,
    };
  }
  const months = MONTHS[unit];
  const seconds = SECONDS[unit];
  const date = new Date(value.date);
  if (months !== undefined) {
    const day = date.getUTCDate();
    date.setUTCDate(1);
    date.setUTCMonth(date.getUTCMonth() + Math.round(amount) * months);
    const last = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
    date.setUTCDate(Math.min(day, last));
  } else if (seconds !== undefined) date.setTime(date.getTime() + Math.round(amount * seconds * 1000));
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() > 9999 || date.getUTCFullYear() < 0) return null;
  const wholeDays = unit === "DAY" || unit === "WEEK" || months !== undefined;
  return { ...value, date, hasTime: value.hasTime || !wholeDays };
}

/** Whole units between two points in time. */
export function unitsBetween(from: DateValue, to: DateValue, unit: string): number {
  const months = MONTHS[unit];
  if (months === undefined) {
    const seconds = SECONDS[unit];
    const distance = to.date.getTime() - from.date.getTime();
    return seconds === undefined
      ? distance * 1000 + to.microseconds - from.microseconds
      : Math.trunc(distance / 1000 / seconds);
  }
  const [early, late, sign] = from.date <= to.date ? [from.date, to.date, 1] : [to.date, from.date, -1];
  let count = (late.getUTCFullYear() - early.getUTCFullYear()) * 12 + late.getUTCMonth() - early.getUTCMonth();
  const rest = (date: Date): number => date.getUTCDate() * 86_400_000 + (date.getTime() % 86_400_000);
  if (rest(late) < rest(early)) count--;
  return sign * Math.trunc(count / months);
}
