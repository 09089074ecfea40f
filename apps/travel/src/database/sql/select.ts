import { errors } from "../errors.ts";
import { orderItems, windowSpecification } from "./call.ts";
import { parseTableName, sourceTable } from "./table-reference.ts";
import {
  quoted,
  type ColumnOrigin,
  type QueryFragment,
  type Scope,
  type ScopeTable,
  type Translation,
} from "./translation.ts";
import { merged, NULL_TYPE, text } from "./value-type.ts";

type OutputColumn = QueryFragment["columns"][number];
type SourceScope = ScopeTable & { readonly origin?: (column: string) => ColumnOrigin };

/** Reads a query: SELECTs with what joins them, and WITH before them. */
export function parseQuery(translation: Translation): QueryFragment {
  const { cursor } = translation;
  const prefix = cursor.take("WITH") ? commonTables(translation) : "";
  let query = term(translation);
  let compound = false;
  for (;;) {
    const operator = cursor.takeAny("UNION", "INTERSECT", "EXCEPT");
    if (operator === undefined) break;
    const all = cursor.takeAny("ALL", "DISTINCT") === "ALL";
    if (all && operator !== "UNION") throw errors.notSupported(`${operator} ALL`);
    const next = term(translation);
    query = {
      sql: `${query.sql} ${operator}${all ? " ALL" : ""} ${next.sql}`,
      columns: query.columns.map((column, index) => ({
        name: column.name,
        type: () => merged([column.type(), next.columns[index]?.type() ?? text()]),
      })),
    };
    compound = true;
  }
  if (compound) query = { ...query, sql: query.sql + tail(translation) };
  return { ...query, sql: prefix + query.sql };
}

function commonTables(translation: Translation): string {
  const { cursor } = translation;
  const recursive = cursor.take("RECURSIVE");
  const tables = cursor.list(() => {
    const name = cursor.identifier();
    const names = cursor.at("(") ? cursor.parenthesised(() => cursor.list(() => cursor.identifier())) : undefined;
    cursor.expect("AS");
    const own: { columns?: readonly OutputColumn[] } = {};
    if (recursive)
      translation.commonTables.set(name.toLowerCase(), { alias: name, columns: recursiveColumns(names ?? [], own) });
    const query = cursor.parenthesised(() => translation.nested(() => translation.query()));
    const columns = query.columns.map((column, index) => ({ name: names?.[index] ?? column.name, type: column.type }));
    own.columns = query.columns;
    translation.commonTables.set(name.toLowerCase(), { alias: name, columns });
    const list = names ? ` (${names.map(quoted).join(", ")})` : "";
    return `${quoted(name)}${list} AS (${query.sql})`;
  });
  return `WITH ${recursive ? "RECURSIVE " : ""}${tables.join(", ")} `;
}

/** The columns a recursive table has inside its own query: typed by that query, as far as that is not circular. */
function recursiveColumns(names: readonly string[], own: { columns?: readonly OutputColumn[] }): ScopeTable["columns"] {
  return names.map((name, index) => {
    let asking = false;
    return {
      name,
      type: () => {
        if (asking) return NULL_TYPE;
        asking = true;
        const type = own.columns?.[index]?.type() ?? text();
        asking = false;
        return type;
      },
    };
  });
}

/** One SELECT, or a query in parentheses. */
function term(translation: Translation): QueryFragment {
  const { cursor } = translation;
  if (cursor.at("(")) {
    const inner = cursor.parenthesised(() => translation.nested(() => translation.query()));
    return {
      sql: `SELECT * FROM (${inner.sql})${cursor.atAny("ORDER", "LIMIT") ? tail(translation) : ""}`,
      columns: inner.columns,
    };
  }
  if (cursor.at("VALUES")) throw errors.notSupported("VALUES as a statement");
  if (cursor.at("TABLE")) throw errors.notSupported("TABLE as a statement");
  return translation.nested(() => select(translation));
}

function select(translation: Translation): QueryFragment {
  const { cursor, scope } = translation;
  cursor.expect("SELECT");
  const distinct = selectOptions(translation);
  const columns: OutputColumn[] = [];
  const stars: { index: number; table: string | undefined }[] = [];
  const items = translation.within("field list", () =>
    cursor.list(() => {
      const star = starItem(translation);
      if (star) {
        stars.push({ index: columns.length, table: star.table });
        return star.sql;
      }
      const item = selectItem(translation);
      columns.push(item.column);
      return item.sql;
    }),
  );
  refuseInto(translation);
  const from = cursor.take("FROM") ? fromClause(translation) : "";
  for (const star of stars.toReversed()) columns.splice(star.index, 0, ...starColumns(scope, star.table));
  let sql = `SELECT ${distinct}${items.join(", ")}${from}`;
  if (cursor.take("WHERE")) sql += ` WHERE ${translation.within("where clause", () => translation.expression()).sql}`;
  sql += grouping(translation);
  return { sql: sql + tail(translation), columns };
}

function selectOptions(translation: Translation): string {
  const { cursor } = translation;
  let distinct = "";
  for (;;) {
    const word = cursor.takeAny(
      "ALL",
      "DISTINCT",
      "DISTINCTROW",
      "HIGH_PRIORITY",
      "STRAIGHT_JOIN",
      "SQL_SMALL_RESULT",
      "SQL_BIG_RESULT",
      "SQL_BUFFER_RESULT",
      "SQL_NO_CACHE",
    );
    if (word === undefined) break;
    if (word.startsWith("DISTINCT")) distinct = "DISTINCT ";
  }
  if (cursor.at("SQL_CALC_FOUND_ROWS")) throw errors.notSupported("SQL_CALC_FOUND_ROWS");
  return distinct;
}

function refuseInto(translation: Translation): void {
  const { cursor } = translation;
  if (!cursor.at("INTO")) return;
  const target = cursor.peek(1).upper;
  throw errors.notSupported(`SELECT … INTO ${target === "" ? "@variable" : target}`);
}

/** `*` or `table.*`. */
function starItem(translation: Translation): { sql: string; table: string | undefined } | undefined {
  const { cursor } = translation;
  if (cursor.take("*")) return { sql: "*", table: undefined };
  const simple = cursor.peek(1).upper === "." && cursor.peek(2).upper === "*";
  const full = cursor.peek(1).upper === "." && cursor.peek(3).upper === "." && cursor.peek(4).upper === "*";
  if (!simple && !full) return undefined;
  if (full) {
    cursor.identifier();
    cursor.expect(".");
  }
  const table = cursor.identifier();
  cursor.expect(".", "*");
  return { sql: `${quoted(table)}.*`, table };
}

function starColumns(scope: Scope, table: string | undefined): OutputColumn[] {
  const wanted = table?.toLowerCase();
  const tables = scope.tables.filter((each) => wanted === undefined || each.alias.toLowerCase() === wanted);
  return tables.flatMap((each: SourceScope) =>
    each.columns.map((column) => ({ name: column.name, type: column.type, ...origin(each, column.name) })),
  );
}

function origin(table: SourceScope, column: string): { from?: ColumnOrigin } {
  return table.origin ? { from: table.origin(column) } : {};
}

/** One expression of the select list; without an alias it is named by its own text. */
function selectItem(translation: Translation): { sql: string; column: OutputColumn } {
  const { cursor, scope } = translation;
  const first = cursor.peek();
  const value = translation.expression();
  const written = cursor.sql.slice(first.start, cursor.lastEnd);
  const reference = columnOf(value.sql);
  const alias = itemAlias(translation);
  const name =
    alias ?? reference?.column ?? (first.kind === "string" && first.end === cursor.lastEnd ? first.value : written);
  const find = (): ColumnOrigin | undefined => reference && originIn(scope, reference);
  const column: OutputColumn = {
    name,
    type: value.type,
    get from() {
      return find();
    },
  } as OutputColumn;
  return { sql: `${value.sql} AS ${quoted(name)}`, column };
}

function columnOf(sql: string): { table: string | undefined; column: string } | undefined {
  const match = /^(?:"(?:[^"]|"")*"\.)?(?:"((?:[^"]|"")*)"\.)?"((?:[^"]|"")*)"$/.exec(sql);
  return match ? { table: match[1]?.replaceAll('""', '"'), column: (match[2] ?? "").replaceAll('""', '"') } : undefined;
}

function originIn(scope: Scope, reference: { table: string | undefined; column: string }): ColumnOrigin | undefined {
  for (const table of scope.tables as SourceScope[]) {
    if (reference.table !== undefined && reference.table.toLowerCase() !== table.alias.toLowerCase()) continue;
    const column = table.columns.find((each) => each.name.toLowerCase() === reference.column.toLowerCase());
    if (column) return table.origin?.(column.name);
  }
  return undefined;
}

function itemAlias(translation: Translation): string | undefined {
  const { cursor } = translation;
  if (cursor.take("AS")) return cursor.nameOrString();
  const token = cursor.peek();
  if (token.kind === "quoted" || token.kind === "string") return cursor.next().value;
  if (token.kind !== "word" || AFTER_ITEM.has(token.upper)) return undefined;
  return cursor.next().value;
}

/** Words that end a select item or a table reference, and so are no alias. */
const AFTER_ITEM = new Set(
  (
    "FROM WHERE GROUP HAVING ORDER LIMIT UNION INTERSECT EXCEPT INTO FOR LOCK ON USING JOIN INNER CROSS LEFT RIGHT NATURAL " +
    "STRAIGHT_JOIN USE IGNORE FORCE SET VALUES WINDOW AS PARTITION PROCEDURE"
  ).split(" "),
);

function fromClause(translation: Translation): string {
  const { cursor } = translation;
  if (cursor.take("DUAL")) return "";
  return ` FROM ${translation.within("from clause", () => tableReferences(translation))}`;
}

/** `table JOIN table, table`. */
export function tableReferences(translation: Translation): string {
  return translation.cursor.list(() => joined(translation)).join(", ");
}

function joined(translation: Translation): string {
  const { cursor } = translation;
  let sql = tableFactor(translation);
  for (;;) {
    const join = joinOperator(translation);
    if (join === undefined) return sql;
    sql += ` ${join} ${tableFactor(translation)}`;
    if (cursor.take("ON")) sql += ` ON ${translation.within("on clause", () => translation.expression()).sql}`;
    else if (cursor.take("USING")) {
      const names = cursor.parenthesised(() => cursor.list(() => cursor.identifier()));
      sql += ` USING (${names.map(quoted).join(", ")})`;
    }
  }
}

function joinOperator(translation: Translation): string | undefined {
  const { cursor } = translation;
  if (cursor.take("STRAIGHT_JOIN") || cursor.take("JOIN")) return "JOIN";
  if (cursor.take("INNER", "JOIN")) return "INNER JOIN";
  if (cursor.take("CROSS", "JOIN")) return "JOIN";
  const natural = cursor.take("NATURAL") ? "NATURAL " : "";
  const side = cursor.takeAny("LEFT", "RIGHT");
  if (side !== undefined) {
    cursor.take("OUTER");
    cursor.expect("JOIN");
    return `${natural}${side} JOIN`;
  }
  if (natural === "") return undefined;
  cursor.take("INNER");
  cursor.expect("JOIN");
  return "NATURAL JOIN";
}

function tableFactor(translation: Translation): string {
  const { cursor, scope } = translation;
  cursor.take("LATERAL");
  if (cursor.at("(", "SELECT") || cursor.at("(", "WITH") || cursor.at("(", "(")) return derivedTable(translation);
  if (cursor.at("(")) return `(${cursor.parenthesised(() => tableReferences(translation))})`;
  if (cursor.at("JSON_TABLE", "(")) throw errors.notSupported("JSON_TABLE()");
  const name = parseTableName(translation);
  if (cursor.at("PARTITION")) throw errors.notSupported("PARTITION selection");
  const alias = tableAlias(translation);
  indexHints(translation);
  const source = sourceTable(translation, name, alias);
  scope.add(source.scope);
  return source.sql;
}

function derivedTable(translation: Translation): string {
  const { cursor, scope } = translation;
  const query = cursor.parenthesised(() => translation.nested(() => translation.query()));
  const alias = tableAlias(translation);
  if (alias === undefined) throw errors.notSupported("a derived table without an alias");
  const names = cursor.at("(") ? cursor.parenthesised(() => cursor.list(() => cursor.identifier())) : undefined;
  scope.add({
    alias,
    columns: query.columns.map((column, index) => ({ name: names?.[index] ?? column.name, type: column.type })),
  });
  if (!names) return `(${query.sql}) AS ${quoted(alias)}`;
  const inner = quoted(`${alias} rows`);
  const list = names.map(quoted).join(", ");
  return `(WITH ${inner} (${list}) AS (${query.sql}) SELECT * FROM ${inner}) AS ${quoted(alias)}`;
}

/** The alias after a table, if there is one. */
export function tableAlias(translation: Translation): string | undefined {
  const { cursor } = translation;
  if (cursor.take("AS")) return cursor.identifier();
  const token = cursor.peek();
  if (token.kind === "quoted") return cursor.next().value;
  return token.kind === "word" && !AFTER_ITEM.has(token.upper) ? cursor.next().value : undefined;
}

function indexHints(translation: Translation): void {
  const { cursor } = translation;
  while (cursor.atAny("USE", "IGNORE", "FORCE") && ["INDEX", "KEY"].includes(cursor.peek(1).upper)) {
    cursor.next();
    cursor.next();
    if (cursor.take("FOR") && !cursor.take("JOIN")) {
      cursor.takeAny("ORDER", "GROUP");
      cursor.expect("BY");
    }
    cursor.parenthesised(() => (cursor.at(")") ? [] : cursor.list(() => cursor.identifier())));
  }
}

function grouping(translation: Translation): string {
  const { cursor } = translation;
  let sql = "";
  if (cursor.take("GROUP", "BY")) {
    sql += ` GROUP BY ${translation.within("group statement", () => orderItems(translation)).replaceAll(/ (?:ASC|DESC)(?=,|$)/g, "")}`;
    if (cursor.at("WITH", "ROLLUP")) throw errors.notSupported("WITH ROLLUP");
  }
  if (cursor.take("HAVING"))
    sql += ` HAVING ${translation.within("having clause", () => translation.expression()).sql}`;
  if (cursor.take("WINDOW")) {
    const windows = cursor.list(() => {
      const name = cursor.identifier();
      cursor.expect("AS");
      return `${quoted(name)} AS (${cursor.parenthesised(() => windowSpecification(translation))})`;
    });
    sql += ` WINDOW ${windows.join(", ")}`;
  }
  return sql;
}

/** ORDER BY, LIMIT and the locking clauses, which SQLite's own locks make needless. */
function tail(translation: Translation): string {
  const { cursor } = translation;
  let sql = "";
  if (cursor.take("ORDER", "BY"))
    sql += ` ORDER BY ${translation.within("order clause", () => orderItems(translation))}`;
  sql += limitClause(translation);
  refuseInto(translation);
  if (cursor.take("LOCK")) cursor.expect("IN", "SHARE", "MODE");
  while (cursor.take("FOR")) {
    if (cursor.takeAny("UPDATE", "SHARE") === undefined) throw cursor.error();
    if (cursor.take("OF")) cursor.list(() => cursor.identifier());
    if (!cursor.take("NOWAIT")) cursor.take("SKIP", "LOCKED");
  }
  return sql;
}

/** `LIMIT n`, `LIMIT offset, n` or `LIMIT n OFFSET offset`. */
export function limitClause(translation: Translation): string {
  const { cursor } = translation;
  if (!cursor.take("LIMIT")) return "";
  const first = limitValue(translation);
  if (cursor.take(",")) return ` LIMIT ${limitValue(translation)} OFFSET ${first}`;
  return ` LIMIT ${first}${cursor.take("OFFSET") ? ` OFFSET ${limitValue(translation)}` : ""}`;
}

function limitValue(translation: Translation): string {
  const { cursor } = translation;
  const token = cursor.peek();
  if (token.kind === "number" && /^\d+$/.test(token.value)) {
    cursor.next();
    // MySQL's idiom for "all the rest" is the greatest unsigned number.
    return BigInt(token.value) < 1n << 63n ? token.value : "-1";
  }
  if (token.kind === "parameter") return translation.expression(99).sql;
  throw cursor.error();
}
