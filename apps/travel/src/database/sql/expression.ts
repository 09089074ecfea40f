import { errors } from "../errors.ts";
import { parsePrimary } from "./primary.ts";
import { fragment, type Fragment, type Translation } from "./translation.ts";
import { intervalAdd, parseInterval } from "./interval.ts";
import { arithmetic, BOOLEAN, INTEGER, text } from "./value-type.ts";

/** How tightly operators bind, loosest first, as MySQL's manual lists them. */
export const Binding = {
  ASSIGN: 1,
  OR: 2,
  XOR: 3,
  AND: 4,
  NOT: 5,
  COMPARE: 7,
  BIT_OR: 8,
  BIT_AND: 9,
  SHIFT: 10,
  ADD: 11,
  MULTIPLY: 12,
  BIT_XOR: 13,
  UNARY: 14,
  BANG: 15,
  COLLATE: 16,
} as const;

const COMPARISONS: Readonly<Record<string, string>> = {
  "=": "=",
  "<=>": "IS",
  ">=": ">=",
  ">": ">",
  "<=": "<=",
  "<": "<",
  "<>": "<>",
  "!=": "<>",
};

/** Reads an expression whose operators bind at least so tightly. */
export function parseExpression(translation: Translation, minimum = 0): Fragment {
  let left = parsePrefix(translation);
  for (;;) {
    const extended = parseInfix(translation, left, minimum);
    if (!extended) return left;
    left = extended;
  }
}

function parsePrefix(translation: Translation): Fragment {
  const { cursor } = translation;
  if (cursor.take("NOT")) {
    return fragment(`(NOT ${translation.expression(Binding.NOT).sql})`, BOOLEAN);
  }
  if (cursor.take("!")) return fragment(`(NOT ${translation.expression(Binding.BANG).sql})`, BOOLEAN);
  if (cursor.take("-")) {
    const operand = translation.expression(Binding.UNARY);
    if (operand.literal !== undefined) {
      return { sql: `(-${operand.sql})`, type: operand.type, literal: `-${operand.literal}` };
    }
    return fragment(`(-${operand.sql})`, () => arithmetic("-", INTEGER, operand.type()));
  }
  if (cursor.take("+")) return translation.expression(Binding.UNARY);
  if (cursor.take("~")) return fragment(`(~${translation.expression(Binding.UNARY).sql})`, INTEGER);
  if (cursor.at("BINARY") && !cursor.at("BINARY", "(")) {
    cursor.next();
    const operand = translation.expression(Binding.COLLATE);
    return fragment(`(${operand.sql} COLLATE BINARY)`, operand.type);
  }
  if (cursor.at("INTERVAL") && !cursor.at("INTERVAL", "(")) {
    const interval = parseInterval(translation);
    cursor.expect("+");
    return intervalAdd(translation.expression(Binding.ADD + 1), interval, 1);
  }
  return parsePrimary(translation);
}

/** The operator that follows, applied; undefined where none follows that binds tightly enough. */
function parseInfix(translation: Translation, left: Fragment, minimum: number): Fragment | undefined {
  const { cursor, environment } = translation;
  const token = cursor.peek();
  const operator = token.upper;
  if (operator === "") return undefined;
  const binary = (binding: number, build: (right: Fragment) => Fragment): Fragment | undefined => {
    if (binding < minimum) return undefined;
    cursor.next();
    return build(translation.expression(binding + 1));
  };
  const logical = (word: string) => (right: Fragment) => fragment(`(${left.sql} ${word} ${right.sql})`, BOOLEAN);
  const bits = (right: Fragment): Fragment => fragment(`(${left.sql} ${operator} ${right.sql})`, INTEGER);
  switch (operator) {
    case "||":
      if (environment.pipesAsConcat) {
        return binary(Binding.BIT_XOR, (right) => fragment(`my_concat(${left.sql}, ${right.sql})`, text()));
      }
      return binary(Binding.OR, logical("OR"));
    case "OR":
      return binary(Binding.OR, logical("OR"));
    case "XOR":
      return binary(Binding.XOR, (right) => fragment(`((NOT ${left.sql}) <> (NOT ${right.sql}))`, BOOLEAN));
    case "AND":
    case "&&":
      return binary(Binding.AND, logical("AND"));
    case "|":
      return binary(Binding.BIT_OR, bits);
    case "&":
      return binary(Binding.BIT_AND, bits);
    case "<<":
    case ">>":
      return binary(Binding.SHIFT, bits);
    case "^":
      return binary(Binding.BIT_XOR, (right) =>
        fragment(`((${left.sql} | ${right.sql}) - (${left.sql} & ${right.sql}))`, INTEGER),
      );
    case "COLLATE":
      return Binding.COLLATE < minimum ? undefined : parseCollate(translation, left);
    case "->":
    case "->>": {
      cursor.next();
      const path = translation.expression(Binding.COLLATE + 1);
      return fragment(`(${left.sql} ${operator} ${path.sql})`, text());
    }
    default:
      return parseArithmetic(translation, left, minimum) ?? parseComparison(translation, left, minimum);
  }
}

function parseCollate(translation: Translation, left: Fragment): Fragment {
  translation.cursor.next();
  const name = translation.cursor.nameOrString().toLowerCase();
  const collation = name.endsWith("_bin") || name === "binary" ? "BINARY" : "NOCASE";
  return fragment(`(${left.sql} COLLATE ${collation})`, left.type);
}

function parseArithmetic(translation: Translation, left: Fragment, minimum: number): Fragment | undefined {
  const { cursor } = translation;
  const operator = cursor.peek().upper;
  const adds = operator === "+" || operator === "-";
  if (!adds && !["*", "/", "%", "MOD", "DIV"].includes(operator)) return undefined;
  const binding = adds ? Binding.ADD : Binding.MULTIPLY;
  if (binding < minimum) return undefined;
  cursor.next();
  if (adds && cursor.at("INTERVAL")) {
    return intervalAdd(left, parseInterval(translation), operator === "+" ? 1 : -1);
  }
  const right = translation.expression(binding + 1);
  const type = () => arithmetic(operator, left.type(), right.type());
  switch (operator) {
    case "/":
      return fragment(`(CAST(${left.sql} AS REAL) / ${right.sql})`, type);
    case "DIV":
      return fragment(`CAST((CAST(${left.sql} AS REAL) / ${right.sql}) AS INTEGER)`, INTEGER);
    case "%":
    case "MOD":
      return fragment(`my_mod(${left.sql}, ${right.sql})`, type);
    default:
      return fragment(`(${left.sql} ${operator} ${right.sql})`, type);
  }
}

function parseComparison(translation: Translation, left: Fragment, minimum: number): Fragment | undefined {
  const { cursor } = translation;
  if (Binding.COMPARE < minimum) return undefined;
  const comparison = COMPARISONS[cursor.peek().upper];
  if (comparison !== undefined) {
    cursor.next();
    if (cursor.atAny("ALL", "ANY", "SOME") && cursor.peek(1).upper === "(") {
      throw errors.notSupported(`${cursor.peek().upper} (subquery)`);
    }
    const right = translation.expression(Binding.COMPARE + 1);
    return fragment(`(${left.sql} ${comparison} ${right.sql})`, BOOLEAN);
  }
  if (cursor.at("IS")) return parseIs(translation, left);
  const negated = cursor.at("NOT") && ["IN", "LIKE", "BETWEEN", "REGEXP", "RLIKE"].includes(cursor.peek(1).upper);
  if (negated) cursor.next();
  const test = parseTest(translation, left);
  if (!test) return undefined;
  return negated ? fragment(`(NOT ${test.sql})`, BOOLEAN) : test;
}

function parseIs(translation: Translation, left: Fragment): Fragment {
  const { cursor } = translation;
  cursor.expect("IS");
  const not = cursor.take("NOT") ? "NOT " : "";
  const word = cursor.takeAny("NULL", "TRUE", "FALSE", "UNKNOWN");
  if (word === undefined) throw cursor.error();
  return fragment(`(${left.sql} IS ${not}${word === "UNKNOWN" ? "NULL" : word})`, BOOLEAN);
}

/** IN, BETWEEN, LIKE and REGEXP. */
function parseTest(translation: Translation, left: Fragment): Fragment | undefined {
  const { cursor } = translation;
  switch (cursor.peek().upper) {
    case "IN": {
      cursor.next();
      return fragment(`(${left.sql} IN ${parseInList(translation)})`, BOOLEAN);
    }
    case "BETWEEN": {
      cursor.next();
      const low = translation.expression(Binding.BIT_OR);
      cursor.expect("AND");
      const high = translation.expression(Binding.BIT_OR);
      return fragment(`(${left.sql} BETWEEN ${low.sql} AND ${high.sql})`, BOOLEAN);
    }
    case "LIKE": {
      cursor.next();
      const pattern = translation.expression(Binding.BIT_OR);
      const escape = cursor.take("ESCAPE") ? `, ${translation.expression(Binding.BIT_OR).sql}` : "";
      return fragment(`my_like(${left.sql}, ${pattern.sql}${escape})`, BOOLEAN);
    }
    case "REGEXP":
    case "RLIKE": {
      cursor.next();
      const pattern = translation.expression(Binding.BIT_OR);
      return fragment(`my_regexp_like(${left.sql}, ${pattern.sql})`, BOOLEAN);
    }
    case "SOUNDS":
      throw errors.notSupported("SOUNDS LIKE");
    case "MEMBER":
      throw errors.notSupported("MEMBER OF");
    default:
      return undefined;
  }
}

function parseInList(translation: Translation): string {
  const { cursor } = translation;
  if (cursor.at("(", "SELECT") || cursor.at("(", "WITH") || cursor.at("(", "VALUES")) {
    return cursor.parenthesised(() => `(${translation.nested(() => translation.query()).sql})`);
  }
  const items = cursor.parenthesised(() => cursor.list(() => translation.expression()));
  // A list of rows must be a table for SQLite.
  const rows = items.every((item) => item.literal === "row");
  return `(${rows ? "VALUES " : ""}${items.map((item) => item.sql).join(", ")})`;
}
