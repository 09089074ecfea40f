/** The times of the API as text: what Go's `time.Parse` accepts, why it does not, and how a time is written back. */

/** What nearly every time looks like; its parts still have to be in range. */
const PLAIN = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?Z$/;
const DAY_MS = 86_400_000;
/** The years that RFC 3339 can write. */
const FIRST_MS = -62_167_219_200_000;
const LAST_MS = 253_402_300_799_999;

interface Instant {
  /** Whole seconds, in milliseconds since 1970. */
  readonly ms: number;
  readonly micros: number;
}

/** Text that is no time: `message` as Go writes it. */
class TimeFault {
  readonly message: string;
  constructor(message: string) {
    this.message = message;
  }
}

/** Go's quoting: every byte that is not printable ASCII is `\xNN`. */
function quote(text: string): string {
  let out = "";
  for (const byte of Buffer.from(text)) {
    const char = String.fromCharCode(byte);
    if (char === '"' || char === "\\") out += `\\${char}`;
    else out += byte < 0x20 || byte >= 0x80 ? `\\x${byte.toString(16).padStart(2, "0")}` : char;
  }
  return `"${out}"`;
}

/** Reads `text` part by part, as the layout has them. */
class TimeReader {
  readonly #text: string;
  readonly #layout: string;
  #at = 0;

  constructor(text: string, layout: string) {
    this.#text = text;
    this.#layout = layout;
  }

  fail(part: string): TimeFault {
    const rest = this.#text.slice(this.#at);
    return new TimeFault(
      `parsing time ${quote(this.#text)} as ${quote(this.#layout)}: cannot parse ${quote(rest)} as ${quote(part)}`,
    );
  }

  outOfRange(what: string): TimeFault {
    return new TimeFault(`parsing time ${quote(this.#text)}: ${what} out of range`);
  }

  /** What `pattern` (sticky) finds here, which is then read. */
  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  number(part: string, pattern: RegExp): number {
    const found = this.take(pattern);
    if (found === undefined) throw this.fail(part);
    return Number(found);
  }

  inRange(part: string, pattern: RegExp, what: string, from: number, to: number): number {
    const value = this.number(part, pattern);
    if (value < from || value > to) throw this.outOfRange(what);
    return value;
  }

  skip(mark: string): void {
    if (this.#text[this.#at] !== mark) throw this.fail(mark);
    this.#at++;
  }

  end(): void {
    if (this.#at < this.#text.length)
      throw new TimeFault(`parsing time ${quote(this.#text)}: extra text: ${quote(this.#text.slice(this.#at))}`);
  }
}

const TWO = /\d\d/y;

/** Microseconds. A time of whole seconds may have any fraction; Go reads a sign in the six digits of the other. */
function readFraction(reader: TimeReader, micro: boolean): number {
  if (!micro) {
    reader.take(/[.,]\d+/y);
    return 0;
  }
  const digits = reader.take(/[.,](?:\d{6}|[+-]\d{5})/y);
  if (digits === undefined) throw reader.fail(".000000");
  const value = Number(digits.slice(1));
  if (value < 0) throw reader.outOfRange("fractional second");
  return value;
}

/** Minutes east of UTC; Go takes offsets of 24 hours and of 60 minutes. */
function readZone(reader: TimeReader): number {
  if (reader.take(/Z/y) !== undefined) return 0;
  const zone = reader.take(/[+-]\d\d:\d\d/y);
  if (zone === undefined) throw reader.fail("Z07:00");
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(4));
  if (minutes > 60) throw reader.outOfRange("time zone offset minute");
  if (hours > 24) throw reader.outOfRange("time zone offset hour");
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes);
}

/** The start of a day; `month` is 1 to 12, `day` may lie outside of the month. */
function dayStart(year: number, month: number, day: number): number {
  return new Date(0).setUTCFullYear(year, month - 1, day);
}

function parse(text: string, micro: boolean): Instant {
  const layout = micro ? "2006-01-02T15:04:05.000000Z07:00" : "2006-01-02T15:04:05Z07:00";
  const reader = new TimeReader(text, layout);
  const year = reader.number("2006", /\d{4}/y);
  reader.skip("-");
  const month = reader.inRange("01", TWO, "month", 1, 12);
  reader.skip("-");
  const day = reader.number("02", TWO);
  reader.skip("T");
  const hour = reader.inRange("15", /\d\d?/y, "hour", 0, 23);
  reader.skip(":");
  const minute = reader.inRange("04", TWO, "minute", 0, 59);
  reader.skip(":");
  const second = reader.inRange("05", TWO, "second", 0, 59);
  const micros = readFraction(reader, micro);
  const zone = readZone(reader);
  reader.end();
  const daysInMonth = (dayStart(year, month + 1, 1) - dayStart(year, month, 1)) / DAY_MS;
  if (day < 1 || day > daysInMonth) throw reader.outOfRange("day");
  const ms = dayStart(year, month, day) + ((hour * 60 + minute - zone) * 60 + second) * 1000;
  if (ms < FIRST_MS || ms > LAST_MS) throw reader.outOfRange("year");
  return { ms, micros };
}

function isPlain(text: string, micro: boolean): boolean {
  if (text.length !== (micro ? 27 : 20) || !PLAIN.test(text)) return false;
  const at = (from: number): number => Number(text.slice(from, from + 2));
  const [month, day] = [at(5), at(8)];
  // The last days of a month are left to the whole parser.
  return month >= 1 && month <= 12 && day >= 1 && day <= 28 && at(11) <= 23 && at(14) <= 59 && at(17) <= 59;
}

/** Why `text` is no time of the API, in the words of Go's `time.Parse`; undefined when it is one. */
export function timeError(text: string, micro: boolean): string | undefined {
  if (isPlain(text, micro)) return undefined;
  try {
    parse(text, micro);
    return undefined;
  } catch (error) {
    if (error instanceof TimeFault) return error.message;
    throw error;
  }
}

/** A valid time (`timeError` found nothing) as it is stored: UTC, whole seconds or (micro) six digits. */
export function canonicalTime(text: string, micro: boolean): string {
  if (text.length === (micro ? 27 : 20) && PLAIN.test(text)) return text;
  const { ms, micros } = parse(text, micro);
  const seconds = new Date(ms).toISOString().slice(0, 19);
  return micro ? `${seconds}.${String(micros).padStart(6, "0")}Z` : `${seconds}Z`;
}
