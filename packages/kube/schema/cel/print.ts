/** `format()` as the version of the library that Kubernetes pins has it: values as text, by the clauses of a template. */
import { compareTexts } from "./compare.ts";
import { type CelDuration, type CelTime, entriesOf, fault, kindOf, typeNameOf, type TypeValue, Uint } from "./kinds.ts";
import { doubleText } from "./standard.ts";
import { durationText, timeText } from "./time.ts";

const CLAUSE = /%(?:%|(?:\.(\d+))?([a-zA-Z]?))/g;

/** `"%s has %d".format([name, count])` */
export function format(template: string, values: readonly unknown[]): string {
  let next = 0;
  return template.replace(CLAUSE, (whole, precision: string | undefined, verb: string | undefined) => {
    if (whole === "%%") return "%";
    const print = CLAUSES[verb ?? ""];
    if (verb === undefined || verb === "") return fault("unexpected end of string");
    if (print === undefined)
      return fault(`could not parse formatting clause: unrecognized formatting clause "${verb}"`);
    if (next >= values.length) return fault(`index ${next} out of range`);
    return print(values[next++], precision === undefined ? 6 : Number(precision));
  });
}

const plain = (value: unknown): unknown => (value instanceof Uint ? value.value : value);

const refused = (clause: string, on: string, value: unknown): never =>
  fault(`error during formatting: ${clause} clause can only be used on ${on}, was given ${typeNameOf(value)}`);

const WORDS: Readonly<Record<string, number>> = { NaN: Number.NaN, Infinity, "-Infinity": -Infinity };

/** Doubles, and the words for those that no digits can tell. */
function doubleOf(clause: string, value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "string" && Object.hasOwn(WORDS, value)
    ? (WORDS[value] ?? 0)
    : refused(clause, "doubles", value);
}

const special = (value: number): string | undefined =>
  Number.isNaN(value) ? "NaN" : Number.isFinite(value) ? undefined : value > 0 ? "∞" : "-∞";

/** With a comma at every thousand. */
function fixed(given: unknown, precision: number): string {
  const value = doubleOf("fixed-point", given);
  if (precision > 100) return fault(`precision ${precision} is too large`);
  const [whole = "", fraction] = value.toFixed(precision).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return special(value) ?? (fraction === undefined ? grouped : `${grouped}.${fraction}`);
}

const RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹";

/** With six digits, whatever precision is asked for: that is taken for the width. */
function scientific(given: unknown, width: number): string {
  const value = doubleOf("scientific", given);
  const [digits = "", exponent = "0"] = value.toExponential(6).split("e");
  const raised = Array.from(String(Math.abs(Number(exponent))).padStart(2, "0"), (digit) => RAISED[Number(digit)]);
  const text = special(value) ?? `${digits}×10${Number(exponent) < 0 ? "⁻" : ""}${raised.join("")}`;
  return text.padStart(width);
}

const integerAs =
  (clause: string, on: string, radix: number) =>
  (given: unknown): string => {
    const value = plain(given);
    if (typeof value === "bigint") return value.toString(radix);
    return radix === 2 && typeof value === "boolean" ? String(Number(value)) : refused(clause, on, given);
  };

function hex(given: unknown): string {
  const value = plain(given);
  if (typeof value === "bigint") return value.toString(16);
  if (typeof value === "string" || value instanceof Uint8Array) return Buffer.from(value as string).toString("hex");
  return refused("hex", "integers, byte buffers, and strings", given);
}

const decimal = integerAs("decimal", "integers", 10);

const CLAUSES: Readonly<Record<string, (value: unknown, precision: number) => string>> = {
  s: text,
  d: decimal,
  f: fixed,
  e: scientific,
  x: hex,
  X: (value) => hex(value).toUpperCase(),
  o: integerAs("octal", "integers", 8),
  b: integerAs("binary", "integers and bools", 2),
};

const STRING_CLAUSE = "strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps";

/** A value as `%s` shows it. */
function text(value: unknown): string {
  switch (kindOf(value)) {
    case "string":
      return value as string;
    case "double":
      return doubleText(value as number);
    case "uint":
      return String((value as Uint).value);
    case "timestamp":
      return timeText(value as CelTime);
    case "duration":
      return durationText(value as CelDuration);
    case "type":
      return (value as TypeValue).name;
    case "bytes":
      return Buffer.from(value as Uint8Array).toString();
    case "list":
      return `[${(value as unknown[]).map(within).join(", ")}]`;
    case "map":
      return mapText(value);
    case "null":
    case "int":
    case "bool":
      return String(value);
    default:
      return refused("string", STRING_CLAUSE, value);
  }
}

/** A value as it shows in a list or map: as a literal that would make it. */
function within(value: unknown): string {
  switch (kindOf(value)) {
    case "string":
      return JSON.stringify(value);
    case "bytes":
      return `b${JSON.stringify(text(value))}`;
    case "double":
      return Number.isFinite(value) ? (value as number).toFixed(6) : JSON.stringify(doubleText(value as number));
    case "timestamp":
    case "duration":
      return `${kindOf(value)}(${JSON.stringify(text(value))})`;
    case "type":
    case "list":
    case "map":
    case "null":
    case "int":
    case "uint":
    case "bool":
      return text(value);
    default:
      return fault(`no formatting function for ${typeNameOf(value)}`);
  }
}

function mapText(map: unknown): string {
  const entries = [...entriesOf(map)].map(([key, value]) => [within(key), within(value)] as const);
  const sorted = entries.toSorted(([a], [b]) => compareTexts(a, b));
  return `{${sorted.map(([key, value]) => `${key}:${value}`).join(", ")}}`;
}
