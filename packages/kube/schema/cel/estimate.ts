/** Sizes and costs of expressions, as Go's engine reckons them: from least to most, and never past what 64 bits hold. */
import type { CelType } from "./sizes.ts";

export const MOST = 2 ** 64;
export const TEXT_FACTOR = 0.1;
export const REGEX_FACTOR = 0.25;
export const LIST_COST = 10;
export const MAP_COST = 30;
export const STRUCT_COST = 40;

export interface Size {
  readonly min: number;
  readonly max: number;
}

/** The sizes of what a list or map holds. */
export interface EntrySize {
  readonly container: "list" | "map";
  readonly key: Size;
  readonly value: Size;
}

/** What is known of a part of an expression. Costs are the most that it may cost. */
export interface Estimate {
  readonly cost: number;
  readonly type: CelType;
  /** The way to it from a variable; empty for what is made on the way. */
  readonly path: readonly string[];
  readonly size: Size | undefined;
  readonly entry: EntrySize | undefined;
  readonly literal?: unknown;
}

export const UNKNOWN_SIZE: Size = { min: 0, max: MOST };
export const fixed = (size: number): Size => ({ min: size, max: size });
export const upTo = (max: number): Size => ({ min: 0, max });

export const plus = (...terms: readonly number[]): number =>
  Math.min(
    MOST,
    terms.reduce((sum, term) => sum + term, 0),
  );
export const times = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : Math.min(MOST, a * b));
export const byFactor = (size: number, factor: number): number => Math.min(MOST, Math.ceil(size * factor));

export const addSizes = (a: Size, b: Size): Size => ({ min: plus(a.min, b.min), max: plus(a.max, b.max) });
export const multiplySizes = (a: Size, b: Size): Size => ({ min: times(a.min, b.min), max: times(a.max, b.max) });
export const unite = (a: Size, b: Size): Size => ({ min: Math.min(a.min, b.min), max: Math.max(a.max, b.max) });

export const sizeOf = (estimate: Estimate): Size => estimate.size ?? UNKNOWN_SIZE;

export function uniteEntries(a: EntrySize | undefined, b: EntrySize | undefined): EntrySize | undefined {
  if (a === undefined || b === undefined) return undefined;
  return { container: a.container, key: unite(a.key, b.key), value: unite(a.value, b.value) };
}

/** What always takes as much room. */
export function isScalar(type: CelType): boolean {
  switch (type.kind) {
    case "bool":
    case "double":
    case "duration":
    case "int":
    case "timestamp":
    case "uint":
      return true;
    case "optional":
      return isScalar(type.of);
    default:
      return false;
  }
}
