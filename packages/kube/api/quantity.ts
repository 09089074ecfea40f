/**
 * Kubernetes quantities (`100m`, `1.5Gi`, `12e6`), exact: a BigInt of nano-units and the family of suffixes
 * that the text came in, which its canonical form keeps.
 */

export type QuantityFormat = "DecimalSI" | "BinarySI" | "DecimalExponent";

export interface Quantity {
  /** Value times 10^9; upstream rounds up what is finer. */
  readonly nano: bigint;
  readonly format: QuantityFormat;
}

const NANO = 1_000_000_000n;
const DECIMAL: ReadonlyMap<string, number> = new Map([
  ["n", -9],
  ["u", -6],
  ["m", -3],
  ["", 0],
  ["k", 3],
  ["M", 6],
  ["G", 9],
  ["T", 12],
  ["P", 15],
  ["E", 18],
]);
const BINARY: ReadonlyMap<string, bigint> = new Map([
  ["Ki", 1n << 10n],
  ["Mi", 1n << 20n],
  ["Gi", 1n << 30n],
  ["Ti", 1n << 40n],
  ["Pi", 1n << 50n],
  ["Ei", 1n << 60n],
]);
const DECIMAL_BY_SIZE = [...DECIMAL].toReversed();
const BINARY_BY_SIZE = [...BINARY].toReversed();
const SYNTAX = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)([A-Za-z]{0,2}|[eE][+-]?\d+)$/;
const MAX = 2n ** 63n - 1n;

export class QuantityError extends Error {
  constructor(text: string) {
    super(
      `${JSON.stringify(text)} is no quantity: expected a number with one of the suffixes n u m k M G T P E Ki Mi Gi Ti Pi Ei or an exponent`,
    );
    this.name = "QuantityError";
  }
}

export const ZERO: Quantity = { nano: 0n, format: "DecimalSI" };

function ceilDiv(value: bigint, by: bigint): bigint {
  return value % by === 0n ? value / by : value / by + 1n;
}

function scaleOf(suffix: string): { numerator: bigint; denominator: bigint; format: QuantityFormat } | undefined {
  const binary = BINARY.get(suffix);
  if (binary !== undefined) return { numerator: binary, denominator: 1n, format: "BinarySI" };
  const decimal = DECIMAL.get(suffix);
  const exponent = decimal ?? (/^[eE][+-]?\d{1,4}$/.test(suffix) ? Number(suffix.slice(1)) : undefined);
  if (exponent === undefined) return undefined;
  const format = decimal === undefined ? "DecimalExponent" : "DecimalSI";
  return exponent >= 0
    ? { numerator: 10n ** BigInt(exponent), denominator: 1n, format }
    : { numerator: 1n, denominator: 10n ** BigInt(-exponent), format };
}

/** Reads a quantity; numbers are taken as their decimal text. Throws `QuantityError`. */
export function parseQuantity(input: string | number): Quantity {
  const text = String(input);
  const match = SYNTAX.exec(text);
  const scale = match === null ? undefined : scaleOf(match[3] ?? "");
  if (match === null || scale === undefined) throw new QuantityError(text);
  const [whole = "", fraction = ""] = (match[2] ?? "").split(".");
  const digits = BigInt(whole + fraction || "0");
  const magnitude = ceilDiv(digits * scale.numerator * NANO, scale.denominator * 10n ** BigInt(fraction.length));
  const capped = magnitude > MAX * NANO ? MAX * NANO : magnitude;
  return { nano: match[1] === "-" ? -capped : capped, format: scale.format };
}

/** As `parseQuantity`, with undefined for what is none. */
export function tryParseQuantity(input: unknown): Quantity | undefined {
  if (typeof input !== "string" && typeof input !== "number") return undefined;
  try {
    return parseQuantity(input);
  } catch {
    return undefined;
  }
}

/** The canonical text: no fraction, the largest suffix that fits. */
export function formatQuantity(quantity: Quantity): string {
  const { nano } = quantity;
  if (nano === 0n) return "0";
  const sign = nano < 0n ? "-" : "";
  const size = nano < 0n ? -nano : nano;
  // Upstream falls back to decimal for binary values that are small or not whole.
  if (quantity.format === "BinarySI" && size >= 1024n * NANO && size % NANO === 0n) {
    const value = size / NANO;
    for (const [suffix, unit] of BINARY_BY_SIZE) if (value % unit === 0n) return `${sign}${value / unit}${suffix}`;
    return `${sign}${value}`;
  }
  for (const [suffix, exponent] of DECIMAL_BY_SIZE) {
    const unit = 10n ** BigInt(exponent + 9);
    if (size % unit !== 0n) continue;
    const tail = quantity.format === "DecimalExponent" ? (exponent === 0 ? "" : `e${exponent}`) : suffix;
    return `${sign}${size / unit}${tail}`;
  }
  return `${sign}${size / NANO}`;
}

/** Less than 0, 0 or more, as sort wants it. */
export function compareQuantity(a: Quantity, b: Quantity): number {
  return a.nano < b.nano ? -1 : a.nano > b.nano ? 1 : 0;
}

/** The format is the left one's, unless that is zero. */
export function addQuantity(a: Quantity, b: Quantity): Quantity {
  return { nano: a.nano + b.nano, format: a.nano === 0n ? b.format : a.format };
}

export function subQuantity(a: Quantity, b: Quantity): Quantity {
  return { nano: a.nano - b.nano, format: a.nano === 0n ? b.format : a.format };
}

/** Whole units, rounded up (bytes, pods). */
export const quantityValue = (quantity: Quantity): bigint =>
  quantity.nano >= 0n ? ceilDiv(quantity.nano, NANO) : quantity.nano / NANO;

/** Thousandths, rounded up (CPU). */
export const quantityMilli = (quantity: Quantity): bigint =>
  quantity.nano >= 0n ? ceilDiv(quantity.nano, 1_000_000n) : quantity.nano / 1_000_000n;
