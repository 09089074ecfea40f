import { errors } from "../errors.ts";
import { orderItems } from "./call.ts";
import { limitClause, tableAlias, tableReferences } from "./select.ts";
import { columnNamed, type ColumnDefinition, type TableDefinition } from "./table-definition.ts";
import { parseTableName, relationColumns, resolveWritable, type ResolvedTable } from "./table-reference.ts";
import { literal, quoted, type Translation } from "./translation.ts";

/** A statement that changes rows, translated. */
export interface WriteStatement {
  readonly kind: "write";
  readonly verb: "insert" | "replace" | "update" | "delete";
  readonly sql: string;
  readonly table: { readonly database: string; readonly sql: string; readonly definition: TableDefinition };
  readonly ignore: boolean;
  /** ON DUPLICATE KEY UPDATE is there. */
  readonly upserts: boolean;
  /** INSERT … VALUES: each row's expressions by column, to name the duplicate in an error. */
  readonly rows?: readonly ReadonlyMap<string, string>[];
  /** The columns given by INSERT. */
  readonly columns?: readonly string[];
}

type Writable = ResolvedTable & { relation: TableDefinition };

function target(translation: Translation, privilege: "INSERT" | "UPDATE" | "DELETE"): Writable {
  return resolveWritable(translation, parseTableName(translation), privilege);
}

function written(table: Writable): WriteStatement["table"] {
  return { database: table.database, sql: table.sql, definition: table.relation };
}

/** INSERT and REPLACE. */
export function parseInsert(translation: Translation): WriteStatement {
  const { cursor, scope } = translation;
  const replaces = cursor.next().upper === "REPLACE";
  cursor.takeAny("LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY");
  const ignore = cursor.take("IGNORE");
  cursor.take("INTO");
  const table = target(translation, "INSERT");
  if (replaces) translation.accesses.push({ privilege: "DELETE", database: table.database, table: table.name });
  const { relation } = table;
  const verb = replaces ? "INSERT OR REPLACE" : ignore ? "INSERT OR IGNORE" : "INSERT";
  const base = { kind: "write", verb: replaces ? "replace" : "insert", table: written(table), ignore } as const;
  if (cursor.take("SET")) {
    const assignments = cursor.list(() => assignment(translation, relation));
    const names = assignments.map(({ column }) => column.name);
    const sql = `${verb} INTO ${table.sql} (${names.map(quoted).join(", ")}) VALUES (${assignments.map(({ value }) => value).join(", ")})`;
    const rows = [new Map(assignments.map(({ column, value }) => [column.name.toLowerCase(), value]))];
    const upsert = duplicateClause(translation, table);
    return { ...base, sql: sql + upsert, upserts: upsert !== "", rows, columns: names };
  }
  const names = startsColumnList(translation) ? columnList(translation, relation) : undefined;
  const columns = names ?? relation.columns.filter((column) => !column.generated).map((column) => column.name);
  const into = columns.length === 0 ? "" : ` (${columns.map(quoted).join(", ")})`;
  if (cursor.takeAny("VALUES", "VALUE") !== undefined) {
    const rows = cursor.list(() => valueRow(translation, relation, columns));
    rowAlias(translation, relation);
    const upsert = duplicateClause(translation, table);
    const onlyDefaults = columns.length === 0 || rows.every((row) => row.length === 0);
    const values = onlyDefaults ? "DEFAULT VALUES" : `VALUES ${rows.map((row) => `(${row.join(", ")})`).join(", ")}`;
    return {
      ...base,
      sql: `${verb} INTO ${table.sql}${onlyDefaults ? "" : into} ${values}${upsert}`,
      upserts: upsert !== "",
      rows: rows.map((row) => new Map(row.map((value, index) => [columns[index]?.toLowerCase() ?? "", value]))),
      columns,
    };
  }
  const query = translation.nested(() => translation.query());
  scope.tables.push({ alias: relation.name, columns: relationColumns(relation) });
  const upsert = duplicateClause(translation, table);
  // SQLite needs a WHERE before ON CONFLICT to tell it from a join's ON.
  const source = upsert === "" ? query.sql : `SELECT * FROM (${query.sql}) WHERE true`;
  return { ...base, sql: `${verb} INTO ${table.sql}${into} ${source}${upsert}`, upserts: upsert !== "", columns };
}

function startsColumnList(translation: Translation): boolean {
  const { cursor } = translation;
  return cursor.at("(") && !cursor.at("(", "SELECT") && !cursor.at("(", "WITH") && !cursor.at("(", "(");
}

function columnList(translation: Translation, table: TableDefinition): string[] {
  const { cursor } = translation;
  return cursor.parenthesised(() => (cursor.at(")") ? [] : cursor.list(() => writtenColumn(translation, table).name)));
}

/** A column that is assigned to, perhaps behind its table's name. */
function writtenColumn(translation: Translation, table: TableDefinition): ColumnDefinition {
  const { cursor } = translation;
  let name = cursor.identifier();
  while (cursor.take(".")) name = cursor.identifier();
  const column = columnNamed(table, name);
  if (!column) throw errors.unknownColumn(name, "field list");
  return column;
}

function valueRow(translation: Translation, table: TableDefinition, columns: readonly string[]): string[] {
  const { cursor } = translation;
  cursor.take("ROW");
  const row = cursor.parenthesised(() => {
    if (cursor.at(")")) return [];
    let index = 0;
    return cursor.list(() => {
      const column = columnNamed(table, columns[index++] ?? "");
      return column ? assignedValue(translation, column) : translation.expression().sql;
    });
  });
  if (row.length !== columns.length && row.length > 0) throw errors.columnCount();
  return row;
}

/** A value for a column; DEFAULT is replaced by what it stands for. */
function assignedValue(translation: Translation, column: ColumnDefinition): string {
  const { cursor } = translation;
  if (cursor.at("DEFAULT") && cursor.peek(1).upper !== "(") {
    cursor.next();
    return defaultSql(column);
  }
  const { sql } = translation.expression();
  // Zero asks for the next number, as NULL does.
  return column.autoIncrement && sql === "0" ? "NULL" : sql;
}

function defaultSql(column: ColumnDefinition): string {
  const value = column.default;
  if (column.autoIncrement || value?.kind === "null") return "NULL";
  if (!value) {
    if (column.nullable) return "NULL";
    throw errors.fieldNoDefault(column.name);
  }
  return value.kind === "literal" ? literal(value.text) : `(${value.sqlite})`;
}

function assignment(translation: Translation, table: TableDefinition) {
  const column = writtenColumn(translation, table);
  const { cursor } = translation;
  if (cursor.takeAny("=", ":=") === undefined) throw cursor.error();
  return { column, value: assignedValue(translation, column) };
}

function rowAlias(translation: Translation, table: TableDefinition): void {
  const { cursor } = translation;
  if (!cursor.take("AS")) return;
  translation.proposedRow = cursor.identifier();
  if (cursor.at("(")) throw errors.notSupported(`column aliases for the new row of ${table.name}`);
}

function duplicateClause(translation: Translation, table: Writable): string {
  const { cursor, scope } = translation;
  if (!cursor.take("ON", "DUPLICATE", "KEY", "UPDATE")) return "";
  translation.accesses.push({ privilege: "UPDATE", database: table.database, table: table.name });
  if (scope.tables.length === 0) scope.add({ alias: table.name, columns: relationColumns(table.relation) });
  const parts = cursor.list(() => assignment(translation, table.relation));
  return ` ON CONFLICT DO UPDATE SET ${setList(table.relation, parts)}`;
}

function setList(table: TableDefinition, parts: readonly { column: ColumnDefinition; value: string }[]): string {
  const assigned = new Set(parts.map(({ column }) => column.name));
  const stamps = table.columns.filter((column) => column.onUpdateNow && !assigned.has(column.name));
  return [
    ...parts.map(({ column, value }) => `${quoted(column.name)} = ${value}`),
    ...stamps.map((column) => `${quoted(column.name)} = my_now()`),
  ].join(", ");
}

/** UPDATE of one table. */
export function parseUpdate(translation: Translation): WriteStatement {
  const { cursor, scope } = translation;
  cursor.expect("UPDATE");
  cursor.take("LOW_PRIORITY");
  const ignore = cursor.take("IGNORE");
  const table = target(translation, "UPDATE");
  const alias = tableAlias(translation) ?? table.name;
  if (!cursor.at("SET")) throw errors.notSupported("UPDATE of several tables");
  scope.add({ alias, columns: relationColumns(table.relation) });
  cursor.expect("SET");
  const parts = cursor.list(() => assignment(translation, table.relation));
  const head = `UPDATE ${ignore ? "OR IGNORE " : ""}${table.sql} AS ${quoted(alias)} SET ${setList(table.relation, parts)}`;
  return {
    kind: "write",
    verb: "update",
    sql: head + rowChoice(translation, table, alias),
    table: written(table),
    ignore,
    upserts: false,
  };
}

/** WHERE, and ORDER BY with LIMIT, which SQLite only knows in a SELECT. */
function rowChoice(translation: Translation, table: Writable, alias: string): string {
  const { cursor } = translation;
  const where = cursor.take("WHERE")
    ? ` WHERE ${translation.within("where clause", () => translation.expression()).sql}`
    : "";
  const order = cursor.take("ORDER", "BY")
    ? ` ORDER BY ${translation.within("order clause", () => orderItems(translation))}`
    : "";
  const limit = limitClause(translation);
  if (limit === "") return where;
  const name = quoted(alias);
  return ` WHERE ${name}.rowid IN (SELECT ${name}.rowid FROM ${table.sql} AS ${name}${where}${order}${limit})`;
}

/** DELETE from one table, which others may be joined to. */
export function parseDelete(translation: Translation): WriteStatement {
  const { cursor, scope } = translation;
  cursor.expect("DELETE");
  cursor.takeAny("LOW_PRIORITY");
  cursor.take("QUICK");
  const ignore = cursor.take("IGNORE");
  if (!cursor.take("FROM")) return joinedDelete(translation, ignore);
  const table = target(translation, "DELETE");
  const alias = tableAlias(translation) ?? table.name;
  if (cursor.at(",") || cursor.at("USING")) throw errors.notSupported("DELETE from several tables");
  scope.add({ alias, columns: relationColumns(table.relation) });
  const sql = `DELETE FROM ${table.sql} AS ${quoted(alias)}${rowChoice(translation, table, alias)}`;
  return { kind: "write", verb: "delete", sql, table: written(table), ignore, upserts: false };
}

/** `DELETE t FROM t JOIN …`. */
function joinedDelete(translation: Translation, ignore: boolean): WriteStatement {
  const { cursor } = translation;
  const wanted = parseTableName(translation);
  if (cursor.take(".")) cursor.expect("*");
  if (cursor.at(",")) throw errors.notSupported("DELETE from several tables");
  cursor.expect("FROM");
  const from = tableReferences(translation);
  const found = translation.scope.tables.find((each) => each.alias === wanted.name) as
    | { origin?: (column: string) => { database: string; table: string } }
    | undefined;
  const origin = found?.origin?.("");
  if (!origin) throw errors.unknownTable(wanted.name);
  const table = resolveWritable(translation, { database: origin.database, name: origin.table }, "DELETE");
  const where = cursor.take("WHERE")
    ? ` WHERE ${translation.within("where clause", () => translation.expression()).sql}`
    : "";
  const rows = `SELECT ${quoted(wanted.name)}.rowid FROM ${from}${where}`;
  const sql = `DELETE FROM ${table.sql} WHERE rowid IN (${rows})`;
  return { kind: "write", verb: "delete", sql, table: written(table), ignore, upserts: false };
}
