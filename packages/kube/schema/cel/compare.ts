/** Equality and order of values, as the Go engine has them: numbers of all types are compared by value. */
import {
  CelDuration,
  CelOptional,
  CelTime,
  entriesOf,
  fault,
  kindOf,
  listKeys,
  lookup,
  noOverload,
  sizeOfValue,
  TypeValue,
  Uint,
} from "./kinds.ts";
import type { ListKeys } from "./kinds.ts";

const isNumber = (value: unknown): value is bigint | number | Uint =>
  typeof value === "bigint" || typeof value === "number" || value instanceof Uint;
const plain = (value: bigint | number | Uint): bigint | number => (value instanceof Uint ? value.value : value);
const isNaN = (value: unknown): boolean => typeof value === "number" && Number.isNaN(value);
const order = (a: bigint | number, b: bigint | number): number => (a < b ? -1 : a > b ? 1 : 0);

/** A whole number beside a double is taken for one, as far as a double can tell. */
function compareNumbers(a: bigint | number | Uint, b: bigint | number | Uint): number {
  const [left, right] = [plain(a), plain(b)];
  return typeof left === typeof right ? order(left, right) : order(Number(left), Number(right));
}

/** Something that knows what it is equal to. */
interface Comparable {
  equals(other: unknown): boolean;
}
const isComparable = (value: object): value is Comparable => "equals" in value && typeof value.equals === "function";

/** Whether two values are equal; those of different kinds are not. */
export function equal(a: unknown, b: unknown): boolean {
  if (a === b) return !(typeof a === "number" && Number.isNaN(a));
  if (isNumber(a)) return isNumber(b) && !isNaN(a) && !isNaN(b) && compareNumbers(a, b) === 0;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a)) return Array.isArray(b) && equalLists(a, b);
  if (Array.isArray(b)) return false;
  if (a instanceof Uint8Array) return b instanceof Uint8Array && Buffer.compare(a, b) === 0;
  if (a instanceof CelTime) return b instanceof CelTime && a.nanos === b.nanos;
  if (a instanceof CelDuration) return b instanceof CelDuration && a.nanos === b.nanos;
  if (a instanceof TypeValue) return b instanceof TypeValue && a.name === b.name;
  if (a instanceof CelOptional) return b instanceof CelOptional && equalOptionals(a, b);
  if (kindOf(a) === "map") return kindOf(b) === "map" && equalMaps(a, b);
  return kindOf(a) === kindOf(b) && isComparable(a) && a.equals(b);
}

const equalOptionals = (a: CelOptional, b: CelOptional): boolean =>
  a.hasValue() === b.hasValue() && (!a.hasValue() || equal(a.value(), b.value()));

function equalMaps(a: object, b: object): boolean {
  if (sizeOfValue(a) !== sizeOfValue(b)) return false;
  for (const [key, value] of entriesOf(a)) {
    const other = lookup(b, key);
    if (other === undefined || !equal(value, other)) return false;
  }
  return true;
}

function equalLists(a: readonly unknown[], b: readonly unknown[]): boolean {
  if (a.length !== b.length) return false;
  const keys = listKeys(a);
  if (keys !== undefined) return b.every((item) => a.some((one) => sameItem(one, item, keys) && equal(one, item)));
  return a.every((item, i) => equal(item, b[i]));
}

/** Whether two items of a keyed list have the same keys; those of a set are the same if equal. */
function sameItem(a: unknown, b: unknown, keys: ListKeys): boolean {
  if (keys.kind === "set") return equal(a, b);
  if (kindOf(a) !== "map" || kindOf(b) !== "map") return false;
  return keys.keys.every((key) => equal(lookup(a, key) ?? null, lookup(b, key) ?? null));
}

/** `a + b` of lists: items of sets and keyed lists that are there already are not added again. */
export function joinLists(a: readonly unknown[], b: readonly unknown[]): unknown[] {
  const keys = listKeys(a);
  if (keys === undefined) return [...a, ...b];
  const out = [...a];
  for (const item of b) {
    const at = out.findIndex((one) => sameItem(one, item, keys));
    if (at === -1) out.push(item);
    else if (keys.kind === "map") out[at] = item;
  }
  return out;
}

/** By code points, as the bytes of UTF-8 are ordered. */
export function compareTexts(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  for (let i = 0; i < shorter; i++) {
    const [left, right] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (left === right) continue;
    const wide = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff;
    if (wide(left) !== wide(right)) return wide(left) ? 1 : -1;
    return left < right ? -1 : 1;
  }
  return Math.sign(a.length - b.length);
}

/** The order of two values of one kind, or of two numbers; others have none. */
export function compareValues(a: unknown, b: unknown): number {
  if (isNumber(a) && isNumber(b)) {
    return isNaN(a) || isNaN(b) ? fault("NaN values cannot be ordered") : compareNumbers(a, b);
  }
  if (typeof a === "string" && typeof b === "string") return compareTexts(a, b);
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  if (a instanceof CelTime && b instanceof CelTime) return order(a.nanos, b.nanos);
  if (a instanceof CelDuration && b instanceof CelDuration) return order(a.nanos, b.nanos);
  return noOverload();
}
