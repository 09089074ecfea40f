import { createHash, randomUUID } from "node:crypto";
import { crc32 } from "node:zlib";
import { errors } from "../errors.ts";
import { BOOLEAN, BYTES, INTEGER, LONG_TEXT, text } from "../sql/value-type.ts";
import { overTexts, toInteger, toNumber, toText, truth, type FunctionTable, type SqlValue } from "./definition.ts";
import { matchesLike, regularExpression } from "./patterns.ts";

const T = text();
const FOLDING = { sensitivity: "accent" } as const;

function bytesOf(value: SqlValue | undefined): Buffer | null {
  if (value === null || value === undefined) return null;
  return value instanceof Uint8Array ? Buffer.from(value) : Buffer.from(toText(value) ?? "");
}

function digest(algorithm: string) {
  return (_state: unknown, ...args: SqlValue[]): SqlValue => {
    const bytes = bytesOf(args[0]);
    return bytes && createHash(algorithm).update(bytes).digest("hex");
  };
}

/** The position, from 1, or 0; letters match in any case. */
function locate(needle: string, hay: string, from = 1): bigint {
  if (from < 1) return 0n;
  const start = Array.from(hay)
    .slice(0, from - 1)
    .join("").length;
  const at = hay.toLowerCase().indexOf(needle.toLowerCase(), start);
  return at < 0 ? 0n : BigInt(Array.from(hay.slice(0, at)).length + 1);
}

function substring(value: string, from: number, length = Infinity): string {
  const characters = Array.from(value);
  const start = from > 0 ? from - 1 : characters.length + from;
  if (from === 0 || start < 0 || length <= 0) return "";
  return characters.slice(start, start + length).join("");
}

function pad(value: string, length: number, filler: string, left: boolean): SqlValue {
  const characters = Array.from(value);
  if (length < 0 || length > 1 << 24) return null;
  if (characters.length >= length) return characters.slice(0, length).join("");
  if (filler === "") return "";
  const missing = length - characters.length;
  const extra = Array.from(filler.repeat(Math.ceil(missing / Array.from(filler).length)))
    .slice(0, missing)
    .join("");
  return left ? extra + value : value + extra;
}

function trim(value: string, what: string, leading: boolean, trailing: boolean): string {
  let [from, to] = [0, value.length];
  if (what === "") return value;
  while (leading && value.startsWith(what, from) && from + what.length <= to) from += what.length;
  while (trailing && to - what.length >= from && value.endsWith(what, to)) to -= what.length;
  return value.slice(from, to);
}

function substringIndex(value: string, delimiter: string, count: number): string {
  if (delimiter === "" || count === 0) return "";
  const parts = value.split(delimiter);
  return (count > 0 ? parts.slice(0, count) : parts.slice(count)).join(delimiter);
}

function repeated(value: string, count: number): SqlValue {
  return count * value.length > 1 << 26 ? null : value.repeat(Math.max(0, count));
}

/** Functions over texts. */
export const TEXT_FUNCTIONS: FunctionTable = {
  CONCAT: { arguments: [1, Infinity], type: LONG_TEXT, apply: overTexts((...texts) => texts.join("")) },
  CONCAT_WS: {
    arguments: [2, Infinity],
    type: LONG_TEXT,
    apply: (_state, separator, ...values) => {
      const between = toText(separator);
      return between === null
        ? null
        : values
            .filter((value) => value !== null)
            .map(toText)
            .join(between);
    },
  },
  LENGTH: { arguments: [1, 1], type: INTEGER, apply: (_s, value) => lengthOf(bytesOf(value)) },
  OCTET_LENGTH: { arguments: [1, 1], type: INTEGER, apply: (_s, value) => lengthOf(bytesOf(value)) },
  CHAR_LENGTH: { arguments: [1, 1], type: INTEGER, apply: overTexts((a) => BigInt(Array.from(a).length)) },
  CHARACTER_LENGTH: { arguments: [1, 1], type: INTEGER, apply: overTexts((a) => BigInt(Array.from(a).length)) },
  UPPER: { arguments: [1, 1], type: T, apply: overTexts((a) => a.toUpperCase()) },
  UCASE: { arguments: [1, 1], type: T, apply: overTexts((a) => a.toUpperCase()) },
  LOWER: { arguments: [1, 1], type: T, apply: overTexts((a) => a.toLowerCase()) },
  LCASE: { arguments: [1, 1], type: T, apply: overTexts((a) => a.toLowerCase()) },
  SUBSTRING: {
    arguments: [2, 3],
    type: T,
    apply: overTexts((a, from, length) =>
      substring(a, Math.round(Number(from)), length === undefined ? undefined : Math.round(Number(length))),
    ),
  },
  SUBSTRING_INDEX: {
    arguments: [3, 3],
    type: T,
    apply: overTexts((a, delimiter = "", count) => substringIndex(a, delimiter, Math.round(Number(count)))),
  },
  LEFT: {
    arguments: [2, 2],
    type: T,
    apply: overTexts((a, count) =>
      Array.from(a)
        .slice(0, Math.max(0, Number(count)))
        .join(""),
    ),
  },
  RIGHT: {
    arguments: [2, 2],
    type: T,
    apply: overTexts((a, count) => (Number(count) <= 0 ? "" : Array.from(a).slice(-Number(count)).join(""))),
  },
  TRIM: {
    arguments: [1, 3],
    type: T,
    apply: overTexts((a, what = " ", side = "BOTH") => trim(a, what, side !== "TRAILING", side !== "LEADING")),
  },
  LTRIM: { arguments: [1, 1], type: T, apply: overTexts((a) => trim(a, " ", true, false)) },
  RTRIM: { arguments: [1, 1], type: T, apply: overTexts((a) => trim(a, " ", false, true)) },
  REPLACE: {
    arguments: [3, 3],
    type: T,
    apply: overTexts((a, from = "", to = "") => (from === "" ? a : a.replaceAll(from, () => to))),
  },
  REVERSE: { arguments: [1, 1], type: T, apply: overTexts((a) => Array.from(a).toReversed().join("")) },
  REPEAT: { arguments: [2, 2], type: LONG_TEXT, apply: overTexts((a, count) => repeated(a, Number(count))) },
  SPACE: { arguments: [1, 1], type: T, apply: overTexts((count) => repeated(" ", Number(count))) },
  LPAD: {
    arguments: [3, 3],
    type: T,
    apply: overTexts((a, length, filler = "") => pad(a, Number(length), filler, true)),
  },
  RPAD: {
    arguments: [3, 3],
    type: T,
    apply: overTexts((a, length, filler = "") => pad(a, Number(length), filler, false)),
  },
  LOCATE: {
    arguments: [2, 3],
    type: INTEGER,
    apply: overTexts((needle, hay = "", from) => locate(needle, hay, from === undefined ? 1 : Number(from))),
  },
  INSTR: { arguments: [2, 2], type: INTEGER, apply: overTexts((hay, needle = "") => locate(needle, hay)) },
  ASCII: { arguments: [1, 1], type: INTEGER, apply: (_s, value) => firstByte(bytesOf(value)) },
  HEX: {
    arguments: [1, 1],
    type: T,
    apply: (_state, value) => {
      if (typeof value === "bigint") return BigInt.asUintN(64, value).toString(16).toUpperCase();
      if (typeof value === "number") return BigInt(Math.round(value)).toString(16).toUpperCase();
      return bytesOf(value)?.toString("hex").toUpperCase() ?? null;
    },
  },
  UNHEX: {
    arguments: [1, 1],
    type: BYTES,
    apply: overTexts((a) => (/^(?:[0-9a-f]{2})*$/i.test(a) ? Buffer.from(a, "hex") : null)),
  },
  FIELD: {
    arguments: [2, Infinity],
    type: INTEGER,
    apply: (_state, wanted, ...list) => {
      const at = list.findIndex((each) => wanted !== null && each !== null && equalTexts(wanted, each));
      return BigInt(at + 1);
    },
  },
  ELT: {
    arguments: [2, Infinity],
    type: T,
    apply: (_state, index, ...list) => list[(toInteger(index) ?? 0) - 1] ?? null,
  },
  FIND_IN_SET: {
    arguments: [2, 2],
    type: INTEGER,
    apply: overTexts((wanted, list = "") => BigInt(list.split(",").findIndex((each) => equalTexts(each, wanted)) + 1)),
  },
  INSERT: {
    arguments: [4, 4],
    type: T,
    apply: overTexts((a, position, length, replacement = "") => {
      const characters = Array.from(a);
      const at = Number(position) - 1;
      if (at < 0 || at >= characters.length) return a;
      const count = Number(length) < 0 ? Infinity : Number(length);
      return characters.slice(0, at).join("") + replacement + characters.slice(at + count).join("");
    }),
  },
  FORMAT: {
    arguments: [2, 2],
    type: T,
    apply: (_state, value, digits) => {
      const number = toNumber(value);
      if (number === null) return null;
      const [whole = "", fraction] = number.toFixed(Math.max(0, Math.min(30, toInteger(digits) ?? 0))).split(".");
      const grouped = whole.replaceAll(/\B(?=(?:\d{3})+$)/g, ",");
      return fraction === undefined ? grouped : `${grouped}.${fraction}`;
    },
  },
  STRCMP: {
    arguments: [2, 2],
    type: INTEGER,
    apply: overTexts((a, b = "") => BigInt(Math.sign(a.localeCompare(b, "en", FOLDING)))),
  },
  MD5: { arguments: [1, 1], type: text(32), apply: digest("md5") },
  SHA: { arguments: [1, 1], type: text(40), apply: digest("sha1") },
  SHA1: { arguments: [1, 1], type: text(40), apply: digest("sha1") },
  SHA2: {
    arguments: [2, 2],
    type: text(128),
    apply: (state, value, bits) => {
      const size = toInteger(bits) || 256;
      return [224, 256, 384, 512].includes(size) ? digest(`sha${size}`)(state, value ?? null) : null;
    },
  },
  CRC32: {
    arguments: [1, 1],
    type: INTEGER,
    apply: (_state, value) => {
      const bytes = bytesOf(value);
      return bytes && BigInt(crc32(bytes));
    },
  },
  TO_BASE64: { arguments: [1, 1], type: T, apply: (_s, value) => bytesOf(value)?.toString("base64") ?? null },
  FROM_BASE64: { arguments: [1, 1], type: BYTES, apply: overTexts((a) => Buffer.from(a, "base64")) },
  QUOTE: {
    arguments: [1, 1],
    type: T,
    apply: (_state, value) => {
      const plain = toText(value);
      return plain === null ? "NULL" : `'${plain.replaceAll(/['\\]/g, String.raw`\$&`).replaceAll("\0", "\\0")}'`;
    },
  },
  UUID: { arguments: [0, 0], type: text(36), volatile: true, apply: () => randomUUID() },
  LIKE: {
    arguments: [2, 3],
    type: BOOLEAN,
    apply: overTexts((value, pattern = "", escape = "\\") => truth(matchesLike(value, pattern, escape))),
  },
  REGEXP_LIKE: {
    arguments: [2, 3],
    type: BOOLEAN,
    apply: overTexts((value, pattern = "", flags = "") => truth(regularExpression(pattern, flags).test(value))),
  },
  REGEXP_REPLACE: {
    arguments: [3, 3],
    type: LONG_TEXT,
    apply: overTexts((value, pattern = "", to = "") => value.replaceAll(regularExpression(pattern, "", "g"), to)),
  },
  REGEXP_SUBSTR: {
    arguments: [2, 2],
    type: T,
    apply: overTexts((value, pattern = "") => regularExpression(pattern, "").exec(value)?.[0] ?? null),
  },
  REGEXP_INSTR: {
    arguments: [2, 2],
    type: INTEGER,
    apply: overTexts((value, pattern = "") => BigInt((regularExpression(pattern, "").exec(value)?.index ?? -1) + 1)),
  },
  CONV: {
    arguments: [3, 3],
    type: T,
    apply: overTexts((value, from, to) => {
      const number = Number.parseInt(value, Number(from));
      if (!(Number(to) >= 2 && Number(to) <= 36)) throw errors.notSupported("CONV to a signed base");
      return Number.isNaN(number) ? "0" : number.toString(Number(to)).toUpperCase();
    }),
  },
  BIN: { arguments: [1, 1], type: T, apply: (_s, value) => toInteger(value)?.toString(2) ?? null },
  OCT: { arguments: [1, 1], type: T, apply: (_s, value) => toInteger(value)?.toString(8) ?? null },
  BIN_TO_UUID: {
    arguments: [1, 1],
    type: text(36),
    apply: (_state, value) =>
      bytesOf(value)
        ?.toString("hex")
        .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5") ?? null,
  },
  UUID_TO_BIN: { arguments: [1, 1], type: BYTES, apply: overTexts((a) => Buffer.from(a.replaceAll("-", ""), "hex")) },
};

function lengthOf(bytes: Buffer | null): SqlValue {
  return bytes && BigInt(bytes.length);
}

function firstByte(bytes: Buffer | null): SqlValue {
  return bytes && BigInt(bytes[0] ?? 0);
}

function equalTexts(a: SqlValue, b: SqlValue): boolean {
  return (toText(a) ?? "").toLowerCase() === (toText(b) ?? "").toLowerCase();
}
