/** Arithmetic and conversions between numbers, texts and bytes, with the limits of 64 bits. */
import { compareValues, equal, joinLists } from "./compare.ts";
import { CelDuration, CelTime, fault, kindOf, lookup, noOverload, Uint } from "./kinds.ts";
import { addToTime, duration } from "./time.ts";

const INT64 = 1n << 63n;
const UINT64 = 1n << 64n;

export const int = (value: bigint): bigint => (value >= INT64 || value < -INT64 ? fault("integer overflow") : value);
export const uint = (value: bigint): Uint =>
  value < 0n || value >= UINT64 ? fault("unsigned integer overflow") : new Uint(value);

type Numbers = "int" | "uint" | "double";
interface Arithmetic {
  readonly whole: (a: bigint, b: bigint) => bigint;
  readonly double?: (a: number, b: number) => number;
}

const numbersOf = (a: unknown, b: unknown): Numbers | undefined => {
  if (typeof a === "bigint" && typeof b === "bigint") return "int";
  if (typeof a === "number" && typeof b === "number") return "double";
  return a instanceof Uint && b instanceof Uint ? "uint" : undefined;
};

const arithmetic =
  ({ whole, double }: Arithmetic, other: (a: unknown, b: unknown) => unknown = noOverload) =>
  (a: unknown, b: unknown): unknown => {
    switch (numbersOf(a, b)) {
      case "int":
        return int(whole(a as bigint, b as bigint));
      case "uint":
        return uint(whole((a as Uint).value, (b as Uint).value));
      case "double":
        return double === undefined ? noOverload() : double(a as number, b as number);
      default:
        return other(a, b);
    }
  };

function addOthers(a: unknown, b: unknown): unknown {
  if (typeof a === "string" && typeof b === "string") return a + b;
  if (Array.isArray(a) && Array.isArray(b)) return joinLists(a, b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return new Uint8Array(Buffer.concat([a, b]));
  if (a instanceof CelTime && b instanceof CelDuration) return addToTime(a, b, 1n);
  if (a instanceof CelDuration && b instanceof CelTime) return addToTime(b, a, 1n);
  if (a instanceof CelDuration && b instanceof CelDuration) return duration(a.nanos + b.nanos);
  return noOverload();
}

function subtractOthers(a: unknown, b: unknown): unknown {
  if (a instanceof CelTime && b instanceof CelTime) return duration(a.nanos - b.nanos);
  if (a instanceof CelTime && b instanceof CelDuration) return addToTime(a, b, -1n);
  if (a instanceof CelDuration && b instanceof CelDuration) return duration(a.nanos - b.nanos);
  return noOverload();
}

const divide = (a: bigint, b: bigint): bigint => (b === 0n ? fault("division by zero") : a / b);
/** The smallest whole number has no remainder by -1, as in Go. */
const modulo = (a: bigint, b: bigint): bigint =>
  b === 0n ? fault("modulus by zero") : a === -INT64 && b === -1n ? fault("integer overflow") : a % b;

const ordered =
  (holds: (order: number) => boolean) =>
  (a: unknown, b: unknown): boolean =>
    holds(compareValues(a, b));

function isIn(value: unknown, container: unknown): boolean {
  if (Array.isArray(container)) return container.some((item) => equal(value, item));
  return kindOf(container) === "map" ? lookup(container, value) !== undefined : noOverload();
}

/** Operators with two operands that are both evaluated. */
export const BINARY: Readonly<Record<string, (a: unknown, b: unknown) => unknown>> = {
  "+": arithmetic({ whole: (a, b) => a + b, double: (a, b) => a + b }, addOthers),
  "-": arithmetic({ whole: (a, b) => a - b, double: (a, b) => a - b }, subtractOthers),
  "*": arithmetic({ whole: (a, b) => a * b, double: (a, b) => a * b }),
  "/": arithmetic({ whole: divide, double: (a, b) => a / b }),
  "%": arithmetic({ whole: modulo }),
  "==": equal,
  "!=": (a, b) => !equal(a, b),
  "<": ordered((order) => order < 0),
  "<=": ordered((order) => order <= 0),
  ">": ordered((order) => order > 0),
  ">=": ordered((order) => order >= 0),
  in: isIn,
};

export function negate(value: unknown): unknown {
  if (typeof value === "bigint") return int(-value);
  if (typeof value === "number") return -value;
  return value instanceof CelDuration ? duration(-value.nanos) : noOverload();
}

export const not = (value: unknown): boolean => (typeof value === "boolean" ? !value : noOverload());
