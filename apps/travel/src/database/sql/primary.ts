import { errors } from "../errors.ts";
import { charsetNamed } from "../wire/charset.ts";
import { parseCall } from "./call.ts";
import { fragment, literal, quoted, schemaName, type Fragment, type Translation } from "./translation.ts";
import type { Token } from "./tokenizer.ts";
import {
  BOOLEAN,
  BYTES,
  DATE,
  DATETIME,
  decimal,
  DOUBLE,
  INTEGER,
  merged,
  NULL_TYPE,
  text,
  TIME,
} from "./value-type.ts";

/** Words that cannot begin an expression and cannot be a column's name without backticks. */
const RESERVED = new Set(
  (
    "ADD ALL ALTER AND AS ASC BETWEEN BY CREATE CROSS DELETE DESC DESCRIBE DISTINCT DROP ELSE EXCEPT FOR FOREIGN FROM " +
    "FULLTEXT GRANT GROUP HAVING IN INDEX INNER INSERT INTERSECT INTO IS JOIN KEY KEYS LEFT LIKE LIMIT LOCK NATURAL ON OR " +
    "ORDER OUTER PRIMARY REFERENCES RENAME REPLACE REVOKE RIGHT SELECT SET SHOW TABLE THEN TO UNION UNIQUE UPDATE USE " +
    "USING VALUES WHEN WHERE WITH XOR"
  ).split(" "),
);

/** Reads what an operator can stand beside: a literal, a name, a call, something in parentheses. */
export function parsePrimary(translation: Translation): Fragment {
  const { cursor } = translation;
  const token = cursor.peek();
  switch (token.kind) {
    case "number":
      return numberLiteral(cursor.next());
    case "string":
      return stringLiteral(translation);
    case "bytes":
      return fragment(`x'${cursor.next().value}'`, BYTES);
    case "parameter":
      return parameter(translation);
    case "userVariable":
      return userVariable(translation);
    case "systemVariable":
      return systemVariable(translation);
    case "quoted":
      return columnReference(translation);
    case "word":
      return wordExpression(translation, token);
    case "operator":
      if (token.value === "(") return parenthesised(translation);
      throw cursor.error();
    default:
      throw cursor.error();
  }
}

function numberLiteral({ value }: Token): Fragment {
  if (/^\d+$/.test(value)) {
    const fits = BigInt(value) < 1n << 63n;
    return {
      sql: fits ? String(BigInt(value)) : `${value}.0`,
      type: () => (fits ? INTEGER : decimal(0)),
      literal: value,
    };
  }
  const [, fraction = ""] = value.split(".");
  const sql = value.startsWith(".") ? `0${value}` : value.endsWith(".") ? `${value}0` : value;
  return { sql, type: () => (/e/i.test(value) ? DOUBLE : decimal(fraction.length)), literal: value };
}

function stringLiteral(translation: Translation): Fragment {
  const { cursor } = translation;
  let value = cursor.next().value;
  while (cursor.peek().kind === "string") value += cursor.next().value;
  return { sql: literal(value), type: () => text(Math.max(value.length, 1)), literal: value };
}

function parameter(translation: Translation): Fragment {
  const { cursor, environment } = translation;
  if (!environment.prepared || translation.stored) throw cursor.error();
  cursor.next();
  translation.parameters++;
  return fragment(`?${translation.parameters}`, text());
}

function userVariable(translation: Translation): Fragment {
  const { cursor } = translation;
  if (translation.stored) throw errors.notSupported("a variable in a stored definition");
  const name = literal(cursor.next().value.toLowerCase());
  if (!cursor.take(":=")) return fragment(`my_user_variable(${name})`, text());
  const value = translation.expression(1);
  return fragment(`my_set_user_variable(${name}, ${value.sql})`, value.type);
}

function systemVariable(translation: Translation): Fragment {
  const { cursor, environment } = translation;
  if (translation.stored) throw errors.notSupported("a variable in a stored definition");
  const { value, type } = environment.systemVariable(cursor.next().value.toLowerCase());
  return fragment(typeof value === "number" ? String(value) : literal(value), type);
}

function wordExpression(translation: Translation, token: Token): Fragment {
  const { cursor } = translation;
  const after = cursor.peek(1);
  switch (token.upper) {
    case "NULL":
      cursor.next();
      return { sql: "NULL", type: () => NULL_TYPE, literal: "NULL" };
    case "TRUE":
    case "FALSE":
      cursor.next();
      return fragment(token.upper === "TRUE" ? "1" : "0", BOOLEAN);
    case "CASE":
      return caseExpression(translation);
    case "EXISTS":
      cursor.next();
      return fragment(`EXISTS (${subquery(translation)})`, BOOLEAN);
    case "ROW":
      if (after.upper !== "(") break;
      cursor.next();
      return parenthesised(translation);
    case "DATE":
    case "TIME":
    case "TIMESTAMP":
      if (after.kind !== "string") break;
      cursor.next();
      return fragment(literal(cursor.string()), { DATE, TIME, TIMESTAMP: DATETIME }[token.upper]);
    case "MATCH":
      if (after.upper === "(") throw errors.notSupported("MATCH … AGAINST (full-text search)");
      break;
    case "N":
      if (after.kind !== "string" || after.start !== token.end) break;
      cursor.next();
      return stringLiteral(translation);
    default:
      if (/^_[A-Z0-9]+$/.test(token.upper) && (after.kind === "string" || after.kind === "bytes")) {
        return introducedString(translation);
      }
  }
  const call = parseCall(translation);
  if (call) return call;
  if (RESERVED.has(token.upper)) throw cursor.error();
  return columnReference(translation);
}

/** `_utf8mb4'text'`. */
function introducedString(translation: Translation): Fragment {
  const { cursor } = translation;
  const name = cursor.peek().value.slice(1);
  if (!charsetNamed(name)) throw errors.notSupported(`character set ${name}`);
  cursor.next();
  if (cursor.peek().kind === "string") return stringLiteral(translation);
  const bytes = `x'${cursor.next().value}'`;
  return name.toLowerCase() === "binary" ? fragment(bytes, BYTES) : fragment(`CAST(${bytes} AS TEXT)`, text());
}

function subquery(translation: Translation): string {
  return translation.cursor.parenthesised(() => translation.nested(() => translation.query()).sql);
}

function parenthesised(translation: Translation): Fragment {
  const { cursor } = translation;
  if (cursor.at("(", "SELECT") || cursor.at("(", "WITH") || cursor.at("(", "VALUES")) {
    return cursor.parenthesised(() => {
      const query = translation.nested(() => translation.query());
      return fragment(`(${query.sql})`, () => query.columns[0]?.type() ?? text());
    });
  }
  return cursor.parenthesised(() => {
    const items = cursor.list(() => translation.expression());
    const [only] = items;
    const sql = `(${items.map((item) => item.sql).join(", ")})`;
    if (items.length > 1 || !only) return { sql, type: () => text(), literal: "row" };
    return fragment(sql, only.type);
  });
}

function caseExpression(translation: Translation): Fragment {
  const { cursor } = translation;
  cursor.expect("CASE");
  const subject = cursor.at("WHEN") ? "" : ` ${translation.expression().sql}`;
  const results: Fragment[] = [];
  let sql = `CASE${subject}`;
  while (cursor.take("WHEN")) {
    const condition = translation.expression();
    cursor.expect("THEN");
    const result = translation.expression();
    results.push(result);
    sql += ` WHEN ${condition.sql} THEN ${result.sql}`;
  }
  if (results.length === 0) throw cursor.error();
  if (cursor.take("ELSE")) {
    const otherwise = translation.expression();
    results.push(otherwise);
    sql += ` ELSE ${otherwise.sql}`;
  }
  cursor.expect("END");
  return fragment(`${sql} END`, () => merged(results.map((result) => result.type())));
}

/** `column`, `table.column` or `database.table.column`. */
function columnReference(translation: Translation): Fragment {
  const { cursor } = translation;
  const parts = [cursor.identifier()];
  while (parts.length < 3 && cursor.at(".") && cursor.peek(1).upper !== "*") {
    cursor.next();
    parts.push(cursor.identifier());
  }
  const column = parts.at(-1) ?? "";
  const table = parts.at(-2);
  const database = parts.at(-3);
  const shown = parts.join(".").toLowerCase();
  if (!translation.columnClauses.has(shown)) translation.columnClauses.set(shown, translation.clause);
  const { scope } = translation;
  const type = () => scope.typeOf(table, column);
  if (table !== undefined && table.toLowerCase() === translation.proposedRow?.toLowerCase()) {
    return fragment(`excluded.${quoted(column)}`, type);
  }
  const names = table === undefined ? [column] : [table, column];
  const owner = database === undefined ? "" : `${quoted(schemaName(database))}.`;
  return fragment(`${owner}${names.map(quoted).join(".")}`, type);
}
