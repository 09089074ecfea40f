import { CHARSET_BINARY, CHARSET_UTF8MB4, FieldFlag, FieldType } from "../wire/constants.ts";

/** The type of a result's column, as the protocol describes it. */
export interface ValueType {
  readonly code: number;
  readonly length: number;
  readonly decimals: number;
  readonly flags: number;
  /** The id of a collation; CHARSET_BINARY for everything that is not text. */
  readonly collation: number;
}

const numeric = FieldFlag.NUMERIC | FieldFlag.BINARY;

/** A 64-bit integer. */
export const INTEGER: ValueType = {
  code: FieldType.LONGLONG,
  length: 21,
  decimals: 0,
  flags: numeric,
  collation: CHARSET_BINARY,
};

/** What comparisons give: 0 or 1. */
export const BOOLEAN: ValueType = { ...INTEGER, length: 1 };

export const DOUBLE: ValueType = {
  code: FieldType.DOUBLE,
  length: 23,
  decimals: 31,
  flags: numeric,
  collation: CHARSET_BINARY,
};

export const NULL_TYPE: ValueType = {
  code: FieldType.NULL,
  length: 0,
  decimals: 0,
  flags: FieldFlag.BINARY,
  collation: CHARSET_BINARY,
};

export const BYTES: ValueType = {
  code: FieldType.VAR_STRING,
  length: 65535,
  decimals: 31,
  flags: FieldFlag.BINARY,
  collation: CHARSET_BINARY,
};

export const DATE: ValueType = temporal(FieldType.DATE, 10);
export const TIME: ValueType = temporal(FieldType.TIME, 10);
export const DATETIME: ValueType = temporal(FieldType.DATETIME, 19);
export const JSON_TYPE: ValueType = { ...BYTES, code: FieldType.JSON, length: 0xffffffff, decimals: 0 };

function temporal(code: number, length: number): ValueType {
  return { code, length, decimals: 0, flags: FieldFlag.BINARY, collation: CHARSET_BINARY };
}

/** A decimal number with so many digits after the point. */
export function decimal(scale: number, precision = 65): ValueType {
  const decimals = Math.min(scale, 30);
  return {
    code: FieldType.NEWDECIMAL,
    length: precision + 2,
    decimals,
    flags: numeric,
    collation: CHARSET_BINARY,
  };
}

/** Text of up to so many characters. */
export function text(characters = 1024): ValueType {
  return {
    code: FieldType.VAR_STRING,
    length: characters * 4,
    decimals: 31,
    flags: 0,
    collation: CHARSET_UTF8MB4,
  };
}

/** Text whose length has no near limit. */
export const LONG_TEXT: ValueType = { ...text(), code: FieldType.LONG_BLOB, length: 0xffffffff };

export function isDecimal(type: ValueType): boolean {
  return type.code === FieldType.NEWDECIMAL;
}

export function isInteger(type: ValueType): boolean {
  const { TINY, SHORT, INT24, LONG, LONGLONG, YEAR, BIT } = FieldType;
  return ([TINY, SHORT, INT24, LONG, LONGLONG, YEAR, BIT] as number[]).includes(type.code);
}

/** The type both operands of an arithmetic operation lead to. */
export function arithmetic(operator: string, first: ValueType, second: ValueType): ValueType {
  const [left, right] = [first, second].map((type) => (type.code === FieldType.NULL ? INTEGER : type)) as [
    ValueType,
    ValueType,
  ];
  const exact = (type: ValueType): boolean => isInteger(type) || isDecimal(type);
  if (!exact(left) || !exact(right)) return DOUBLE;
  const [a, b] = [left, right].map((type) => (isDecimal(type) ? type.decimals : 0));
  if (operator === "/") return decimal((a ?? 0) + 4);
  if (isInteger(left) && isInteger(right)) return INTEGER;
  return decimal(operator === "*" ? (a ?? 0) + (b ?? 0) : Math.max(a ?? 0, b ?? 0));
}

/** The type that can hold any of these (CASE, IF, COALESCE, UNION). */
export function merged(types: readonly ValueType[]): ValueType {
  const known = types.filter((type) => type.code !== FieldType.NULL);
  const [first] = known;
  if (!first) return types[0] ?? NULL_TYPE;
  const plain = { ...first, flags: first.flags & ~(FieldFlag.PRIMARY_KEY | FieldFlag.NOT_NULL) };
  if (known.every((type) => type.code === first.code)) {
    const length = Math.max(...known.map((type) => type.length));
    return { ...plain, length, decimals: Math.max(...known.map((type) => type.decimals)) };
  }
  if (known.every(isInteger)) return INTEGER;
  if (known.every((type) => isInteger(type) || isDecimal(type))) {
    return decimal(Math.max(...known.map((type) => (isDecimal(type) ? type.decimals : 0))));
  }
  const numbers = [FieldType.DOUBLE, FieldType.FLOAT] as number[];
  if (known.every((type) => isInteger(type) || isDecimal(type) || numbers.includes(type.code))) return DOUBLE;
  return text(Math.max(...known.map((type) => Math.ceil(Math.min(type.length, 65535) / 4)), 16));
}
