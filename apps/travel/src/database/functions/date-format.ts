import type { DateValue } from "./date-value.ts";

export const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
export const MONTH_NAMES = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];

const DAY = 86_400_000;

/** The week of the year, and the year it belongs to, in one of MySQL's eight modes. */
export function weekOf(date: Date, mode: number): { week: number; year: number } {
  const monday = (mode & 1) === 1;
  const fromOne = (mode & 2) === 2;
  // Modes 1, 3, 4 and 6 count a week that has four days in the year.
  const fourDays = [1, 3, 4, 6].includes(mode & 7);
  const firstWeek = (year: number): number => {
    const first = new Date(Date.UTC(year, 0, 1));
    const weekday = monday ? (first.getUTCDay() + 6) % 7 : first.getUTCDay();
    const startsBefore = fourDays ? weekday <= 3 : weekday === 0;
    return first.getTime() + (startsBefore ? -weekday : 7 - weekday) * DAY;
  };
  const year = date.getUTCFullYear();
  const day = Math.floor(date.getTime() / DAY) * DAY;
  const start = firstWeek(year);
  if (day < start) {
    if (!fromOne) return { week: 0, year };
    return { week: Math.floor((day - firstWeek(year - 1)) / (7 * DAY)) + 1, year: year - 1 };
  }
  if (fromOne && day >= firstWeek(year + 1)) return { week: 1, year: year + 1 };
  return { week: Math.floor((day - start) / (7 * DAY)) + 1, year };
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

function ordinal(day: number): string {
  const suffix = day >= 11 && day <= 13 ? "th" : (["th", "st", "nd", "rd"][day % 10] ?? "th");
  return `${day}${suffix}`;
}

type Directive = (value: DateValue) => string;

const DIRECTIVES: Readonly<Record<string, Directive>> = {
  a: ({ date }) => (DAYS[date.getUTCDay()] ?? "").slice(0, 3),
  b: ({ date }) => (MONTH_NAMES[date.getUTCMonth()] ?? "").slice(0, 3),
  c: ({ date }) => String(date.getUTCMonth() + 1),
  D: ({ date }) => ordinal(date.getUTCDate()),
  d: ({ date }) => two(date.getUTCDate()),
  e: ({ date }) => String(date.getUTCDate()),
  f: ({ microseconds }) => String(microseconds).padStart(6, "0"),
  H: ({ date }) => two(date.getUTCHours()),
  h: ({ date }) => two(date.getUTCHours() % 12 || 12),
  I: ({ date }) => two(date.getUTCHours() % 12 || 12),
  i: ({ date }) => two(date.getUTCMinutes()),
  j: ({ date }) =>
    String(Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / DAY) + 1).padStart(3, "0"),
  k: ({ date }) => String(date.getUTCHours()),
  l: ({ date }) => String(date.getUTCHours() % 12 || 12),
  M: ({ date }) => MONTH_NAMES[date.getUTCMonth()] ?? "",
  m: ({ date }) => two(date.getUTCMonth() + 1),
  p: ({ date }) => (date.getUTCHours() < 12 ? "AM" : "PM"),
  r: (value) => formatDate(value, "%h:%i:%s %p"),
  S: ({ date }) => two(date.getUTCSeconds()),
  s: ({ date }) => two(date.getUTCSeconds()),
  T: (value) => formatDate(value, "%H:%i:%s"),
  U: ({ date }) => two(weekOf(date, 0).week),
  u: ({ date }) => two(weekOf(date, 1).week),
  V: ({ date }) => two(weekOf(date, 2).week),
  v: ({ date }) => two(weekOf(date, 3).week),
  W: ({ date }) => DAYS[date.getUTCDay()] ?? "",
  w: ({ date }) => String(date.getUTCDay()),
  X: ({ date }) => String(weekOf(date, 2).year),
  x: ({ date }) => String(weekOf(date, 3).year),
  Y: ({ date }) => String(date.getUTCFullYear()).padStart(4, "0"),
  y: ({ date }) => two(date.getUTCFullYear() % 100),
};

/** DATE_FORMAT. */
export function formatDate(value: DateValue, pattern: string): string {
  return pattern.replaceAll(/%(.)/gs, (_all, letter: string) => DIRECTIVES[letter]?.(value) ?? letter);
}

interface Parts {
  year: number;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  microseconds: number;
  afternoon: boolean | undefined;
  hasTime: boolean;
}

type Reader = readonly [RegExp, (parts: Parts, text: string) => void];

const number = /^\d{1,2}/;
const READERS: Readonly<Record<string, Reader>> = {
  Y: [/^\d{4}/, (parts, text) => (parts.year = Number(text))],
  y: [/^\d{2}/, (parts, text) => (parts.year = Number(text) + (Number(text) < 70 ? 2000 : 1900))],
  m: [number, (parts, text) => (parts.month = Number(text))],
  c: [number, (parts, text) => (parts.month = Number(text))],
  M: [/^[a-z]+/i, (parts, text) => (parts.month = monthNumber(text))],
  b: [/^[a-z]{3}/i, (parts, text) => (parts.month = monthNumber(text))],
  d: [number, (parts, text) => (parts.day = Number(text))],
  e: [number, (parts, text) => (parts.day = Number(text))],
  H: [number, (parts, text) => timed(parts, { hour: Number(text) })],
  k: [number, (parts, text) => timed(parts, { hour: Number(text) })],
  h: [number, (parts, text) => timed(parts, { hour: Number(text) })],
  I: [number, (parts, text) => timed(parts, { hour: Number(text) })],
  i: [number, (parts, text) => timed(parts, { minute: Number(text) })],
  s: [number, (parts, text) => timed(parts, { second: Number(text) })],
  S: [number, (parts, text) => timed(parts, { second: Number(text) })],
  f: [/^\d{1,6}/, (parts, text) => timed(parts, { microseconds: Number(text.padEnd(6, "0")) })],
  p: [/^[ap]m/i, (parts, text) => timed(parts, { afternoon: /^p/i.test(text) })],
};

function timed(parts: Parts, values: Partial<Parts>): void {
  Object.assign(parts, values, { hasTime: true });
}

function monthNumber(text: string): number {
  const wanted = text.toLowerCase().slice(0, 3);
  return MONTH_NAMES.findIndex((name) => name.toLowerCase().startsWith(wanted)) + 1;
}

/** STR_TO_DATE; null where the text does not follow the pattern. */
export function parseFormatted(text: string, pattern: string): DateValue | null {
  const parts: Parts = {
    year: 0,
    month: 0,
    day: 0,
    hour: 0,
    minute: 0,
    second: 0,
    microseconds: 0,
    afternoon: undefined,
    hasTime: false,
  };
  const expanded = pattern.replaceAll("%T", "%H:%i:%s").replaceAll("%r", "%h:%i:%s %p");
  let rest = text;
  for (const [piece] of expanded.matchAll(/%.|\s+|[^%\s]/gs)) {
    if (/^\s/.test(piece)) {
      rest = rest.trimStart();
      continue;
    }
    const reader = piece.startsWith("%") ? READERS[piece.charAt(1)] : undefined;
    const found = reader ? reader[0].exec(rest)?.[0] : rest.startsWith(piece) ? piece : undefined;
    if (found === undefined) return null;
    reader?.[1](parts, found);
    rest = rest.slice(found.length);
  }
  if (parts.afternoon !== undefined) parts.hour = (parts.hour % 12) + (parts.afternoon ? 12 : 0);
  const date = new Date(Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second));
  const real = date.getUTCDate() === parts.day && date.getUTCMonth() === parts.month - 1 && parts.hour < 24;
  return real ? { date, microseconds: parts.microseconds, hasTime: parts.hasTime } : null;
}
