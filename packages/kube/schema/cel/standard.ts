/** The functions of CEL itself: sizes, conversions, texts, times, optionals. */
import {
  CelDuration,
  CelOptional,
  type CelTime,
  fault,
  lengthOf,
  sizeOfValue,
  TypeValue,
  typeNameOf,
  Uint,
} from "./kinds.ts";
import type { Registry } from "./functions.ts";
import { int, uint } from "./operators.ts";
import {
  DURATION_FIELDS,
  durationText,
  floorDiv,
  parseDuration,
  parseTime,
  time,
  TIME_FIELDS,
  timeField,
  timeText,
} from "./time.ts";

const wrong = (from: string, to: string): never => fault(`type conversion error from '${from}' to '${to}'`);
const same = <T>(value: T): T => value;

const TRUE: ReadonlySet<string> = new Set(["1", "t", "T", "true", "TRUE", "True"]);
const FALSE: ReadonlySet<string> = new Set(["0", "f", "F", "false", "FALSE", "False"]);
const toBool = (text: string): boolean => (TRUE.has(text) ? true : FALSE.has(text) ? false : wrong("string", "bool"));

const inRange = (value: bigint, bits: 63n | 64n): boolean =>
  bits === 63n ? value < 1n << 63n && value >= -(1n << 63n) : value >= 0n && value < 1n << 64n;
const toInt = (text: string): bigint =>
  /^[+-]?\d+$/.test(text) && inRange(BigInt(text.replace("+", "")), 63n)
    ? BigInt(text.replace("+", ""))
    : wrong("string", "int");
const toUint = (text: string): Uint =>
  /^\d+$/.test(text) && inRange(BigInt(text), 64n) ? new Uint(BigInt(text)) : wrong("string", "uint");

/** Neither end of what 64 bits hold can be told by a double. */
const wholeOf = (value: number): bigint =>
  Number.isFinite(value) && Math.abs(value) < 2 ** 63 ? BigInt(Math.trunc(value)) : fault("integer overflow");
const unsignedOf = (value: number): Uint =>
  Number.isFinite(value) && value >= 0 && value < 2 ** 64
    ? new Uint(BigInt(Math.trunc(value)))
    : fault("unsigned integer overflow");

const INFINITE = /^([+-]?)inf(?:inity)?$/i;
function toDouble(text: string): number {
  const infinite = INFINITE.exec(text);
  if (infinite !== null) return infinite[1] === "-" ? -Infinity : Infinity;
  if (/^[+-]?nan$/i.test(text)) return Number.NaN;
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : wrong("string", "double");
}

/** As Go's `%g` prints a double: with an exponent of two digits below 0.0001 and from a million. */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "+Inf" : "-Inf";
  if (Object.is(value, -0)) return "-0";
  const size = Math.abs(value);
  const plain = size === 0 || (size >= 1e-4 && size < 1e6);
  return plain ? String(value) : value.toExponential().replace(/e([+-])(\d)$/, "e$10$2");
}

const utf8 = new TextDecoder("utf8", { fatal: true, ignoreBOM: true });
function textOfBytes(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return fault("invalid UTF-8 in bytes, cannot convert to string");
  }
}

const SECOND = 1_000_000_000n;
const TIME = "google.protobuf.Timestamp";
const DURATION = "google.protobuf.Duration";

function addConversions(to: Registry): void {
  to.registerFunction("dyn(A): dyn", same);
  to.registerFunction("type(A): type", (value: unknown) => new TypeValue(typeNameOf(value)));
  to.registerFunction("bool(bool): bool", same);
  to.registerFunction("bool(string): bool", toBool);
  to.registerFunction("int(int): int", same);
  to.registerFunction("int(uint): int", ({ value }: Uint) => int(value));
  to.registerFunction("int(double): int", wholeOf);
  to.registerFunction("int(string): int", toInt);
  to.registerFunction(`int(${TIME}): int`, ({ nanos }: CelTime) => floorDiv(nanos, SECOND));
  to.registerFunction(`int(${DURATION}): int`, ({ nanos }: CelDuration) => nanos);
  to.registerFunction("uint(uint): uint", same);
  to.registerFunction("uint(int): uint", uint);
  to.registerFunction("uint(double): uint", unsignedOf);
  to.registerFunction("uint(string): uint", toUint);
  to.registerFunction("double(double): double", same);
  to.registerFunction("double(int): double", Number);
  to.registerFunction("double(uint): double", ({ value }: Uint) => Number(value));
  to.registerFunction("double(string): double", toDouble);
  to.registerFunction("bytes(bytes): bytes", same);
  to.registerFunction("bytes(string): bytes", (text: string) => new Uint8Array(Buffer.from(text)));
  to.registerFunction("string(string): string", same);
  to.registerFunction("string(bool): string", String);
  to.registerFunction("string(int): string", String);
  to.registerFunction("string(uint): string", ({ value }: Uint) => String(value));
  to.registerFunction("string(double): string", doubleText);
  to.registerFunction("string(bytes): string", textOfBytes);
  to.registerFunction(`string(${TIME}): string`, timeText);
  to.registerFunction(`string(${DURATION}): string`, durationText);
  to.registerFunction(`timestamp(${TIME}): ${TIME}`, same);
  to.registerFunction(`timestamp(int): ${TIME}`, (seconds: bigint) => time(seconds * SECOND));
  to.registerFunction(`timestamp(string): ${TIME}`, (text: string) => parseTime(text) ?? wrong("string", TIME));
  to.registerFunction(`duration(${DURATION}): ${DURATION}`, same);
  to.registerFunction(`duration(int): ${DURATION}`, (nanos: bigint) => new CelDuration(nanos));
  to.registerFunction(
    `duration(string): ${DURATION}`,
    (text: string) => parseDuration(text) ?? wrong("string", DURATION),
  );
}

function addTimes(to: Registry): void {
  for (const name of Object.keys(TIME_FIELDS)) {
    to.registerFunction(`${TIME}.${name}(): int`, (at: CelTime) => timeField(at, name));
    to.registerFunction(`${TIME}.${name}(string): int`, (at: CelTime, zone: string) => timeField(at, name, zone));
  }
  for (const [name, unit] of Object.entries(DURATION_FIELDS))
    to.registerFunction(`${DURATION}.${name}(): int`, ({ nanos }: CelDuration) => nanos / unit);
}

/** What is as good as nothing: zero, empty, null. */
function isZero(value: unknown): boolean {
  if (value === null || value === false || value === 0 || value === 0n || value === "") return true;
  if (value instanceof Uint) return value.value === 0n;
  if (value instanceof CelDuration) return value.nanos === 0n;
  if (value instanceof CelOptional) return !value.hasValue() || isZero(value.value());
  return (Array.isArray(value) || typeof value === "object") && hasSize(value) && sizeOfValue(value) === 0;
}
const hasSize = (value: object): boolean =>
  Array.isArray(value) || value instanceof Uint8Array || value instanceof Map || value.constructor === Object;

class OptionalSpace {}

function addOptionals(to: Registry): void {
  to.registerConstant("optional", "OptionalSpace", new OptionalSpace());
  to.registerFunction("OptionalSpace.of(A): optional<A>", (_: unknown, value: unknown) => CelOptional.of(value));
  to.registerFunction("OptionalSpace.none(): optional<A>", () => CelOptional.none());
  to.registerFunction("OptionalSpace.ofNonZeroValue(A): optional<A>", (_: unknown, value: unknown) =>
    isZero(value) ? CelOptional.none() : CelOptional.of(value),
  );
  to.registerFunction("optional.hasValue(): bool", (one: CelOptional) => one.hasValue());
  to.registerFunction("optional.value(): dyn", (one: CelOptional) => one.value());
  const unwrap = (list: readonly unknown[]): unknown[] =>
    list.flatMap((one) => (one instanceof CelOptional && one.hasValue() ? [one.value()] : []));
  to.registerFunction("list.unwrapOpt(): list", unwrap);
  to.registerFunction("OptionalSpace.unwrap(list): list", (_: unknown, list: readonly unknown[]) => unwrap(list));
}

/** Registers them where there are none yet. */
export function addStandard(to: Registry): void {
  addConversions(to);
  addTimes(to);
  addOptionals(to);
  for (const kind of ["string", "bytes", "list", "map"]) {
    const size = (value: unknown): bigint => BigInt(typeof value === "string" ? lengthOf(value) : sizeOfValue(value));
    to.registerFunction(`size(${kind}): int`, size);
    to.registerFunction(`${kind}.size(): int`, size);
  }
  to.registerFunction("string.contains(string): bool", (text: string, part: string) => text.includes(part));
  to.registerFunction("string.startsWith(string): bool", (text: string, part: string) => text.startsWith(part));
  to.registerFunction("string.endsWith(string): bool", (text: string, part: string) => text.endsWith(part));
}
