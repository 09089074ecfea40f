/** Cron expressions of five fields, in any time zone. Pure. */

export interface Schedule {
  /** The first time after `from` (both in milliseconds); undefined when there is none in five years. */
  next(from: number): number | undefined;
}

export class ScheduleError extends Error {
  constructor(text: string, why: string) {
    super(`${JSON.stringify(text)} is no schedule: ${why}`);
    this.name = "ScheduleError";
  }
}

const MACROS: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};
const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MINUTE_MS = 60_000;
const HORIZON_MS = 5 * 366 * 24 * 3600_000;

interface Field {
  readonly values: ReadonlySet<number>;
  readonly any: boolean;
}

function parseField(text: string, low: number, high: number, names: readonly string[], whole: string): Field {
  const values = new Set<number>();
  const number = (part: string): number => {
    const named = names.indexOf(part.toLowerCase().slice(0, 3));
    const value = named >= 0 ? named + (high === 12 ? 1 : 0) : Number(part);
    if (part === "" || !Number.isInteger(value) || value < low || value > high) {
      throw new ScheduleError(whole, `${JSON.stringify(part)} is not between ${low} and ${high}`);
    }
    return value;
  };
  for (const part of text.split(",")) {
    const [range = "", stepText] = part.split("/");
    const step = stepText === undefined ? 1 : Number(stepText);
    if (!Number.isInteger(step) || step < 1)
      throw new ScheduleError(whole, `${JSON.stringify(part)} has no valid step`);
    const [first = "", last] = range === "*" || range === "?" ? [String(low), String(high)] : range.split("-");
    const start = number(first);
    const end = last !== undefined ? number(last) : stepText === undefined ? start : high;
    if (end < start) throw new ScheduleError(whole, `${JSON.stringify(range)} runs backwards`);
    for (let value = start; value <= end; value += step) values.add(value);
  }
  return { values, any: text.startsWith("*") || text.startsWith("?") };
}

interface Parts {
  readonly minute: number;
  readonly hour: number;
  readonly day: number;
  readonly month: number;
  readonly weekday: number;
}

/** Reads an expression; throws `ScheduleError`. Without a time zone it is UTC. */
export function parseSchedule(text: string, timeZone = "UTC"): Schedule {
  const every = /^@every (\d+)(s|m|h)$/.exec(text);
  if (every !== null) return everySchedule(Number(every[1]), every[2] ?? "m");
  const fields = (MACROS[text] ?? text).trim().split(/\s+/);
  if (fields.length !== 5) throw new ScheduleError(text, `expected 5 fields, found ${fields.length}`);
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = fields;
  const minutes = parseField(minute, 0, 59, [], text);
  const hours = parseField(hour, 0, 23, [], text);
  const days = parseField(day, 1, 31, [], text);
  const months = parseField(month, 1, 12, MONTHS, text);
  const weekdays = parseField(weekday.replaceAll("7", "0"), 0, 6, DAYS, text);
  const partsOf = zoned(timeZone, text);
  const dayMatches = (parts: Parts): boolean => {
    const byDay = days.values.has(parts.day);
    const byWeekday = weekdays.values.has(parts.weekday);
    // As cron has it: when both are given, either will do.
    return days.any || weekdays.any ? byDay && byWeekday : byDay || byWeekday;
  };
  return {
    next(from) {
      const end = from + HORIZON_MS;
      let at = Math.floor(from / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
      while (at <= end) {
        const parts = partsOf(at);
        if (!months.values.has(parts.month) || !dayMatches(parts)) at = nextHour(at, parts, 23 - parts.hour);
        else if (!hours.values.has(parts.hour)) at = nextHour(at, parts, 0);
        else if (!minutes.values.has(parts.minute)) at += MINUTE_MS;
        else return at;
      }
      return undefined;
    },
  };
}

/** The start of the hour `skip` hours after the next; never past a change of the clocks by more than it shifts. */
const nextHour = (at: number, parts: Parts, skip: number): number =>
  at + (60 - parts.minute) * MINUTE_MS + Math.max(0, skip - 1) * 60 * MINUTE_MS;

function everySchedule(count: number, unit: string): Schedule {
  const period = count * (unit === "h" ? 3600_000 : unit === "m" ? MINUTE_MS : 1000);
  return { next: (from) => (period > 0 ? from + period : undefined) };
}

function zoned(timeZone: string, text: string): (at: number) => Parts {
  if (timeZone === "UTC" || timeZone === "Etc/UTC") {
    return (at) => {
      const date = new Date(at);
      return {
        minute: date.getUTCMinutes(),
        hour: date.getUTCHours(),
        day: date.getUTCDate(),
        month: date.getUTCMonth() + 1,
        weekday: date.getUTCDay(),
      };
    };
  }
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      minute: "numeric",
      hour: "numeric",
      day: "numeric",
      month: "numeric",
      weekday: "short",
    });
  } catch {
    throw new ScheduleError(text, `unknown time zone ${timeZone}`);
  }
  return (at) => {
    const found = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
    const number = (type: Intl.DateTimeFormatPartTypes): number => Number(found.get(type));
    const weekday = DAYS.indexOf((found.get("weekday") ?? "").toLowerCase());
    return {
      minute: number("minute"),
      hour: number("hour"),
      day: number("day"),
      month: number("month"),
      weekday,
    };
  };
}

/** The latest time that has passed since `since`, and how many there were (counted up to 101). */
export function missedTimes(
  schedule: Schedule,
  since: number,
  now: number,
): { last: number | undefined; count: number } {
  let last: number | undefined;
  let count = 0;
  for (let at = schedule.next(since); at !== undefined && at <= now; at = schedule.next(at)) {
    last = at;
    count++;
    if (count <= 100) continue;
    // Far behind: go on from an hour ago, if that has one, rather than through all of them.
    const recent = schedule.next(now - 3600_000);
    if (recent !== undefined && recent <= now && recent > at) at = recent - 1;
  }
  return { last, count };
}

/** A time as RFC 3339 writes it in a time zone: without one, or in UTC, with a `Z`. */
export function timeIn(timeZone: string | undefined, at: number): string {
  const plain = (milliseconds: number): string => new Date(milliseconds).toISOString().slice(0, 19);
  const format = new Intl.DateTimeFormat("en-US", { timeZone: timeZone ?? "UTC", timeZoneName: "longOffset" });
  const name = format.formatToParts(at).find(({ type }) => type === "timeZoneName")?.value ?? "GMT";
  const [, sign = "", hours = "0", minutes = "0"] = /^GMT([+-])(\d\d):(\d\d)/.exec(name) ?? [];
  const shift = (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes)) * MINUTE_MS;
  if (shift === 0) return `${plain(at)}Z`;
  return `${plain(at + shift)}${sign}${hours}:${minutes}`;
}
