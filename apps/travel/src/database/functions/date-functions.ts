import { DATE, DATETIME, INTEGER, text, TIME } from "../sql/value-type.ts";
import {
  addUnits,
  dateText,
  dateTimeText,
  parseDate,
  parseTime,
  secondsToTime,
  timeText,
  unitsBetween,
  type DateValue,
} from "./date-value.ts";
import { toNumber, toText, type FunctionDefinition, type FunctionTable, type SqlValue } from "./definition.ts";
import { DAYS, formatDate, MONTH_NAMES, parseFormatted, weekOf } from "./date-format.ts";

/** A function of one date; null for what is no date. */
function ofDate(type: FunctionDefinition["type"], code: (value: DateValue) => SqlValue): FunctionDefinition {
  return {
    arguments: [1, 1],
    type,
    apply: (_state, value) => {
      const date = parseDate(value);
      return date && code(date);
    },
  };
}

function part(code: (date: Date) => number): FunctionDefinition {
  return ofDate(INTEGER, ({ date }) => BigInt(code(date)));
}

function timePart(code: (seconds: number) => number): FunctionDefinition {
  return {
    arguments: [1, 1],
    type: INTEGER,
    apply: (_state, value) => {
      const seconds = parseTime(value) ?? (parseDate(value) ? 0 : null);
      return seconds === null ? null : BigInt(code(Math.abs(seconds)));
    },
  };
}

const now: FunctionDefinition = {
  arguments: [0, 1],
  type: DATETIME,
  volatile: true,
  apply: (state) => dateTimeText({ date: new Date(state.now), microseconds: 0, hasTime: true }),
};
const today: FunctionDefinition = {
  arguments: [0, 0],
  type: DATE,
  volatile: true,
  apply: (state) => dateText(new Date(state.now)),
};
const clock: FunctionDefinition = {
  arguments: [0, 1],
  type: TIME,
  volatile: true,
  apply: (state) => timeText(new Date(state.now)),
};

const isoWeekday = (date: Date): number => (date.getUTCDay() + 6) % 7;
const dayOfYear = (date: Date): number =>
  Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / 86_400_000) + 1;

function shown(value: DateValue | null): SqlValue {
  if (!value) return null;
  return value.hasTime ? dateTimeText(value) : dateText(value.date);
}

function dayNumber(value: DateValue): number {
  return Math.floor(value.date.getTime() / 86_400_000);
}

const fromUnix: FunctionDefinition = {
  arguments: [1, 2],
  type: (types) => (types.length === 1 ? DATETIME : text(64)),
  apply: (_state, value, format) => {
    const seconds = toNumber(value);
    if (seconds === null || seconds < 0) return null;
    const whole = Math.floor(seconds);
    const stamp = { date: new Date(whole * 1000), microseconds: Math.round((seconds - whole) * 1e6), hasTime: true };
    const pattern = toText(format);
    return pattern === null ? dateTimeText(stamp) : formatDate(stamp, pattern);
  },
};

/** Functions over dates and times; the server's time zone is UTC. */
export const DATE_FUNCTIONS: FunctionTable = {
  NOW: now,
  CURRENT_TIMESTAMP: now,
  LOCALTIME: now,
  LOCALTIMESTAMP: now,
  SYSDATE: now,
  UTC_TIMESTAMP: now,
  CURDATE: today,
  CURRENT_DATE: today,
  UTC_DATE: today,
  CURTIME: clock,
  CURRENT_TIME: clock,
  UTC_TIME: clock,
  DATE: ofDate(DATE, ({ date }) => dateText(date)),
  TIME: {
    arguments: [1, 1],
    type: TIME,
    apply: (_state, value) => {
      const seconds = parseTime(value);
      return seconds === null ? null : secondsToTime(seconds);
    },
  },
  TIMESTAMP: ofDate(DATETIME, (value) => dateTimeText(value)),
  YEAR: part((date) => date.getUTCFullYear()),
  QUARTER: part((date) => Math.floor(date.getUTCMonth() / 3) + 1),
  MONTH: part((date) => date.getUTCMonth() + 1),
  WEEK: {
    arguments: [1, 2],
    type: INTEGER,
    apply: (_state, value, mode) => {
      const date = parseDate(value);
      return date && BigInt(weekOf(date.date, toNumber(mode ?? 0n) ?? 0).week);
    },
  },
  WEEKOFYEAR: part((date) => weekOf(date, 3).week),
  DAY: part((date) => date.getUTCDate()),
  DAYOFMONTH: part((date) => date.getUTCDate()),
  DAYOFWEEK: part((date) => date.getUTCDay() + 1),
  DAYOFYEAR: part(dayOfYear),
  WEEKDAY: part(isoWeekday),
  HOUR: timePart((seconds) => Math.floor(seconds / 3600)),
  MINUTE: timePart((seconds) => Math.floor(seconds / 60) % 60),
  SECOND: timePart((seconds) => seconds % 60),
  MICROSECOND: ofDate(INTEGER, (value) => BigInt(value.microseconds)),
  DAYNAME: ofDate(text(9), ({ date }) => DAYS[date.getUTCDay()] ?? null),
  MONTHNAME: ofDate(text(9), ({ date }) => MONTH_NAMES[date.getUTCMonth()] ?? null),
  LAST_DAY: ofDate(DATE, ({ date }) => dateText(new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)))),
  TO_DAYS: ofDate(INTEGER, (value) => BigInt(dayNumber(value) + 719_528)),
  FROM_DAYS: {
    arguments: [1, 1],
    type: DATE,
    apply: (_state, days) => {
      const number = toNumber(days);
      return number === null ? null : dateText(new Date((number - 719_528) * 86_400_000));
    },
  },
  DATEDIFF: {
    arguments: [2, 2],
    type: INTEGER,
    apply: (_state, a, b) => {
      const [left, right] = [parseDate(a), parseDate(b)];
      return left && right && BigInt(dayNumber(left) - dayNumber(right));
    },
  },
  DATE_ADD_UNIT: {
    arguments: [3, 3],
    type: DATETIME,
    apply: (_state, value, amount, unit) => {
      const date = parseDate(value);
      const count = toNumber(amount);
      return date && count !== null ? shown(addUnits(date, count, toText(unit) ?? "")) : null;
    },
  },
  TIMESTAMPDIFF_UNIT: {
    arguments: [3, 3],
    type: INTEGER,
    apply: (_state, unit, from, to) => {
      const [left, right] = [parseDate(from), parseDate(to)];
      return left && right && BigInt(unitsBetween(left, right, toText(unit) ?? ""));
    },
  },
  DATE_FORMAT: {
    arguments: [2, 2],
    type: text(128),
    apply: (_state, value, format) => {
      const [date, pattern] = [parseDate(value), toText(format)];
      return date && pattern !== null ? formatDate(date, pattern) : null;
    },
  },
  STR_TO_DATE: {
    arguments: [2, 2],
    type: DATETIME,
    apply: (_state, value, format) => {
      const [given, pattern] = [toText(value), toText(format)];
      return given === null || pattern === null ? null : shown(parseFormatted(given, pattern));
    },
  },
  UNIX_TIMESTAMP: {
    arguments: [0, 1],
    type: INTEGER,
    volatile: true,
    apply: (state, ...args) => {
      if (args.length === 0) return BigInt(Math.floor(state.now / 1000));
      const date = parseDate(args[0]);
      return date && BigInt(Math.floor(date.date.getTime() / 1000));
    },
  },
  FROM_UNIXTIME: fromUnix,
  TIME_TO_SEC: {
    arguments: [1, 1],
    type: INTEGER,
    apply: (_state, value) => {
      const seconds = parseTime(value);
      return seconds === null ? null : BigInt(seconds);
    },
  },
  SEC_TO_TIME: {
    arguments: [1, 1],
    type: TIME,
    apply: (_state, value) => {
      const seconds = toNumber(value);
      return seconds === null ? null : secondsToTime(seconds);
    },
  },
  MAKEDATE: {
    arguments: [2, 2],
    type: DATE,
    apply: (_state, year, day) => {
      const [y, d] = [toNumber(year), toNumber(day)];
      return y === null || d === null || d < 1 ? null : dateText(new Date(Date.UTC(y, 0, d)));
    },
  },
};
