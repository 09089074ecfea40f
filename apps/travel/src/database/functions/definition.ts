import type { Fragment } from "../sql/translation.ts";
import type { ValueType } from "../sql/value-type.ts";

/** A value as SQLite hands it to a function and takes it back: integers are bigint, reals are number. */
export type SqlValue = null | bigint | number | string | Uint8Array;

/** What functions may ask of the session that runs them. */
export interface FunctionState {
  /** The statement's time: milliseconds since 1970. */
  readonly now: number;
  readonly database: string | undefined;
  /** `user@host` as connected, and as matched with an account. */
  readonly user: string;
  readonly account: string;
  readonly connectionId: number;
  lastInsertId: bigint;
  readonly rowCount: bigint;
  readonly userVariables: Map<string, SqlValue>;
  virtualRows(database: string, table: string): readonly (readonly SqlValue[])[];
}

/** One function of MySQL: its type, and either its SQLite form or our own code. */
export interface FunctionDefinition {
  readonly arguments: readonly [minimum: number, maximum: number];
  readonly type: ValueType | ((types: readonly ValueType[], fragments: readonly Fragment[]) => ValueType);
  readonly emit?: (args: readonly string[]) => string;
  readonly apply?: (state: FunctionState, ...args: SqlValue[]) => SqlValue;
  /** Gives different results for the same arguments. */
  readonly volatile?: boolean;
  readonly aggregate?: AggregateDefinition;
  /** May stand before OVER, or must. */
  readonly window?: boolean;
}

export interface AggregateDefinition {
  start(): SqlValue[];
  finish(values: readonly SqlValue[]): SqlValue;
}

export type FunctionTable = Readonly<Record<string, FunctionDefinition>>;

/** A value as MySQL prints it; null stays null. */
export function toText(value: SqlValue | undefined): string | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "string") return value;
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  return String(value);
}

/** A value as a number; text counts as far as it begins like one. */
export function toNumber(value: SqlValue | undefined): number | null {
  if (value === null || value === undefined) return null;
  if (typeof value === "number") return value;
  if (typeof value === "bigint") return Number(value);
  const text = toText(value) ?? "";
  return Number(/^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?/i.exec(text)?.[0] ?? 0);
}

/** A value as a whole number, rounded. */
export function toInteger(value: SqlValue | undefined): number | null {
  const number = toNumber(value);
  return number === null ? null : Math.round(number);
}

export function truth(value: boolean): bigint {
  return value ? 1n : 0n;
}

type TextFunction = (...texts: string[]) => SqlValue;

/** Code over texts: null as soon as one argument is null. */
export function overTexts(code: TextFunction): (state: FunctionState, ...args: SqlValue[]) => SqlValue {
  return (_state, ...args) => {
    const texts: string[] = [];
    for (const arg of args) {
      const text = toText(arg);
      if (text === null) return null;
      texts.push(text);
    }
    return code(...texts);
  };
}
