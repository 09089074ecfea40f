import {
  BOOLEAN,
  DOUBLE,
  decimal,
  INTEGER,
  isDecimal,
  isInteger,
  LONG_TEXT,
  merged,
  type ValueType,
} from "../sql/value-type.ts";
import { toNumber, type FunctionDefinition, type FunctionTable, type SqlValue } from "./definition.ts";

/** A function SQLite has too, over doubles. */
function math(name: string, count = 1): FunctionDefinition {
  return { arguments: [count, count], type: DOUBLE, emit: (args) => `${name}(${args.join(", ")})` };
}

const same = (types: readonly ValueType[]): ValueType => types[0] ?? INTEGER;
const wide = (types: readonly ValueType[]): ValueType => merged(types);

function whole(type: ValueType): ValueType {
  return isInteger(type) || isDecimal(type) ? INTEGER : DOUBLE;
}

/** What ROUND and TRUNCATE give: as many digits as a literal second argument asks for. */
function roundedType(types: readonly ValueType[], digits: string | undefined): ValueType {
  const [type = INTEGER] = types;
  if (!isDecimal(type)) return type;
  if (types.length === 1) return decimal(0);
  return digits === undefined ? type : decimal(Math.max(0, Math.min(type.decimals, Number(digits))));
}

function sumType(types: readonly ValueType[]): ValueType {
  const [type = INTEGER] = types;
  if (isInteger(type)) return decimal(0);
  return isDecimal(type) ? decimal(type.decimals) : DOUBLE;
}

function averageType(types: readonly ValueType[]): ValueType {
  const sum = sumType(types);
  return isDecimal(sum) ? decimal(sum.decimals + 4) : DOUBLE;
}

function numbers(values: readonly SqlValue[]): number[] {
  return values.flatMap((value) => toNumber(value) ?? []);
}

function variance(values: readonly SqlValue[], sample: boolean): number | null {
  const all = numbers(values);
  const divisor = sample ? all.length - 1 : all.length;
  if (divisor <= 0) return null;
  const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
  return all.reduce((sum, value) => sum + (value - mean) ** 2, 0) / divisor;
}

function collected(finish: (values: readonly SqlValue[]) => SqlValue, type = DOUBLE): FunctionDefinition {
  return { arguments: [1, 1], type, aggregate: { start: () => [], finish } };
}

function deviation(sample: boolean): FunctionDefinition {
  return collected((values) => {
    const found = variance(values, sample);
    return found === null ? null : Math.sqrt(found);
  });
}

function bitAggregate(start: bigint, combine: (all: bigint, one: bigint) => bigint): FunctionDefinition {
  return collected(
    (values) =>
      BigInt.asIntN(
        64,
        numbers(values).reduce((all, one) => combine(all, BigInt(Math.round(one))), start),
      ),
    INTEGER,
  );
}

function truncated(value: SqlValue | undefined, digits: SqlValue | undefined): SqlValue {
  const number = toNumber(value);
  const places = toNumber(digits ?? 0n);
  if (number === null || places === null) return null;
  const scale = 10 ** places;
  return Math.trunc(number * scale) / scale;
}

/** Functions over numbers, choices among values, and aggregates. */
export const NUMBER_FUNCTIONS: FunctionTable = {
  ABS: { arguments: [1, 1], type: same, emit: ([a]) => `abs(${a})` },
  CEIL: { arguments: [1, 1], type: (types) => whole(same(types)), emit: ([a]) => `ceil(${a})` },
  CEILING: { arguments: [1, 1], type: (types) => whole(same(types)), emit: ([a]) => `ceil(${a})` },
  FLOOR: { arguments: [1, 1], type: (types) => whole(same(types)), emit: ([a]) => `floor(${a})` },
  ROUND: {
    arguments: [1, 2],
    type: (types, fragments) => roundedType(types, fragments[1]?.literal),
    apply: (_state, value, digits) => {
      const number = toNumber(value);
      const places = toNumber(digits ?? 0n);
      if (number === null || places === null) return null;
      const scale = 10 ** places;
      return (Math.sign(number) * Math.round(Math.abs(number) * scale + 1e-9)) / scale;
    },
  },
  TRUNCATE: {
    arguments: [2, 2],
    type: (types, fragments) => roundedType(types, fragments[1]?.literal),
    apply: (_state, value, digits) => truncated(value, digits),
  },
  MOD: {
    arguments: [2, 2],
    type: wide,
    apply: (_state, a, b) => {
      if (typeof a === "bigint" && typeof b === "bigint") return b === 0n ? null : a % b;
      const [left, right] = [toNumber(a), toNumber(b)];
      return left === null || right === null || right === 0 ? null : left % right;
    },
  },
  POW: math("pow", 2),
  POWER: math("pow", 2),
  SQRT: math("sqrt"),
  EXP: math("exp"),
  LN: math("ln"),
  LOG: {
    arguments: [1, 2],
    type: DOUBLE,
    emit: (args) => (args.length === 1 ? `ln(${args[0]})` : `log(${args.join(", ")})`),
  },
  LOG10: math("log10"),
  LOG2: math("log2"),
  SIN: math("sin"),
  COS: math("cos"),
  TAN: math("tan"),
  ASIN: math("asin"),
  ACOS: math("acos"),
  ATAN: math("atan"),
  ATAN2: math("atan2", 2),
  RADIANS: math("radians"),
  DEGREES: math("degrees"),
  PI: math("pi", 0),
  SIGN: { arguments: [1, 1], type: INTEGER, emit: ([a]) => `sign(${a})` },
  RAND: { arguments: [0, 1], type: DOUBLE, volatile: true, apply: () => Math.random() },
  GREATEST: { arguments: [2, Infinity], type: wide, emit: (args) => `max(${args.join(", ")})` },
  LEAST: { arguments: [2, Infinity], type: wide, emit: (args) => `min(${args.join(", ")})` },
  IF: { arguments: [3, 3], type: (types) => merged(types.slice(1)), emit: ([a, b, c]) => `iif(${a}, ${b}, ${c})` },
  IFNULL: { arguments: [2, 2], type: wide, emit: (args) => `ifnull(${args.join(", ")})` },
  NULLIF: { arguments: [2, 2], type: same, emit: (args) => `nullif(${args.join(", ")})` },
  COALESCE: {
    arguments: [1, Infinity],
    type: wide,
    emit: (args) => (args.length === 1 ? (args[0] ?? "NULL") : `coalesce(${args.join(", ")})`),
  },
  ISNULL: { arguments: [1, 1], type: BOOLEAN, emit: ([a]) => `(${a} IS NULL)` },
  ANY_VALUE: { arguments: [1, 1], type: same, emit: ([a]) => a ?? "NULL" },
  COUNT: { arguments: [1, Infinity], type: INTEGER, window: true, emit: ([a]) => `count(${a})` },
  SUM: { arguments: [1, 1], type: sumType, window: true, emit: ([a]) => `sum(${a})` },
  AVG: { arguments: [1, 1], type: averageType, window: true, emit: ([a]) => `avg(${a})` },
  MIN: { arguments: [1, 1], type: same, window: true, emit: ([a]) => `min(${a})` },
  MAX: { arguments: [1, 1], type: same, window: true, emit: ([a]) => `max(${a})` },
  STD: deviation(false),
  STDDEV: deviation(false),
  STDDEV_POP: deviation(false),
  STDDEV_SAMP: deviation(true),
  VARIANCE: collected((values) => variance(values, false)),
  VAR_POP: collected((values) => variance(values, false)),
  VAR_SAMP: collected((values) => variance(values, true)),
  BIT_AND: bitAggregate(-1n, (all, one) => all & one),
  BIT_OR: bitAggregate(0n, (all, one) => all | one),
  BIT_XOR: bitAggregate(0n, (all, one) => all ^ one),
  ROW_NUMBER: { arguments: [0, 0], type: INTEGER, window: true, emit: () => "row_number()" },
  RANK: { arguments: [0, 0], type: INTEGER, window: true, emit: () => "rank()" },
  DENSE_RANK: { arguments: [0, 0], type: INTEGER, window: true, emit: () => "dense_rank()" },
  PERCENT_RANK: { arguments: [0, 0], type: DOUBLE, window: true, emit: () => "percent_rank()" },
  CUME_DIST: { arguments: [0, 0], type: DOUBLE, window: true, emit: () => "cume_dist()" },
  NTILE: { arguments: [1, 1], type: INTEGER, window: true, emit: ([a]) => `ntile(${a})` },
  LAG: { arguments: [1, 3], type: same, window: true, emit: (args) => `lag(${args.join(", ")})` },
  LEAD: { arguments: [1, 3], type: same, window: true, emit: (args) => `lead(${args.join(", ")})` },
  FIRST_VALUE: { arguments: [1, 1], type: same, window: true, emit: ([a]) => `first_value(${a})` },
  LAST_VALUE: { arguments: [1, 1], type: same, window: true, emit: ([a]) => `last_value(${a})` },
  NTH_VALUE: { arguments: [2, 2], type: same, window: true, emit: (args) => `nth_value(${args.join(", ")})` },
  JSON_EXTRACT: { arguments: [2, 2], type: LONG_TEXT, emit: ([a, path]) => `(${a} -> ${path})` },
  JSON_VALID: { arguments: [1, 1], type: BOOLEAN, emit: ([a]) => `json_valid(${a})` },
  JSON_OBJECT: { arguments: [0, Infinity], type: LONG_TEXT, emit: (args) => `json_object(${args.join(", ")})` },
  JSON_ARRAY: { arguments: [0, Infinity], type: LONG_TEXT, emit: (args) => `json_array(${args.join(", ")})` },
  JSON_SET: { arguments: [3, Infinity], type: LONG_TEXT, emit: (args) => `json_set(${args.join(", ")})` },
  JSON_INSERT: { arguments: [3, Infinity], type: LONG_TEXT, emit: (args) => `json_insert(${args.join(", ")})` },
  JSON_REPLACE: { arguments: [3, Infinity], type: LONG_TEXT, emit: (args) => `json_replace(${args.join(", ")})` },
  JSON_REMOVE: { arguments: [2, Infinity], type: LONG_TEXT, emit: (args) => `json_remove(${args.join(", ")})` },
  JSON_ARRAYAGG: { arguments: [1, 1], type: LONG_TEXT, emit: ([a]) => `json_group_array(${a})` },
  JSON_OBJECTAGG: { arguments: [2, 2], type: LONG_TEXT, emit: (args) => `json_group_object(${args.join(", ")})` },
  JSON_UNQUOTE: {
    arguments: [1, 1],
    type: LONG_TEXT,
    apply: (_state, value) => {
      if (typeof value !== "string" || !value.startsWith('"')) return value ?? null;
      try {
        return String(JSON.parse(value));
      } catch {
        return value;
      }
    },
  },
};
