import type { StatementSync } from "node:sqlite";
import { toText, type SqlValue } from "../functions/definition.ts";
import type { ParsedStatement } from "../sql/statement.ts";
import { columnNamed, columnValueType } from "../sql/table-definition.ts";
import { quoted, type QueryFragment } from "../sql/translation.ts";
import { text } from "../sql/value-type.ts";
import type { WriteStatement } from "../sql/write-statements.ts";
import type { ResultColumn } from "../wire/result-packets.ts";
import { done, type Outcome } from "./outcome.ts";
import type { Session } from "./session.ts";
import { isBusy, translateSqliteError } from "./sqlite-errors.ts";

/** A result's columns: where SQLite knows the table's column, its declared type; else the expression's. */
export function queryColumns(session: Session, statement: StatementSync, query: QueryFragment): ResultColumn[] {
  const own = statement.columns();
  const sameCount = own.length === query.columns.length;
  return own.map((column, index) => {
    const known = sameCount ? query.columns[index] : query.columns.find((each) => each.name === column.name);
    const source = column.database?.startsWith("db_") ? column.database.slice("db_".length) : undefined;
    const relation = source === undefined ? undefined : session.engine.schemas.relation(source, column.table ?? "");
    const definition = relation?.kind === "table" ? columnNamed(relation, column.column ?? "") : undefined;
    if (!definition || relation?.kind !== "table" || source === undefined) {
      return { name: column.name, type: known?.type() ?? text(), from: known?.from };
    }
    const from = {
      database: source,
      table: relation.name,
      alias: known?.from?.alias ?? relation.name,
      column: definition.name,
    };
    return { name: column.name, type: columnValueType(relation, definition), from };
  });
}

/** Runs a SELECT. The first row is read at once, so that a lock shows before anything is sent. */
export function runQuery(session: Session, query: QueryFragment, values: readonly SqlValue[]): Outcome {
  const statement = session.store.prepare(query.sql);
  const columns = queryColumns(session, statement, query);
  const iterator = session.store.rows(statement, values);
  const first = iterator.next();
  function* rows(): Generator<readonly SqlValue[]> {
    try {
      for (let row = first; row.done !== true; row = iterator.next()) yield row.value;
    } catch (error) {
      throw translateSqliteError(session.store.takeFunctionError() ?? error, { columnClauses: new Map() });
    } finally {
      iterator.return?.();
    }
  }
  return { kind: "rows", columns, rows: rows() };
}

/** Runs INSERT, REPLACE, UPDATE or DELETE. */
export function runWrite(
  session: Session,
  write: WriteStatement,
  parsed: ParsedStatement,
  values: readonly SqlValue[],
): Outcome {
  const { store } = session;
  const counts = write.upserts || write.verb === "replace";
  const countSql = `SELECT count(*) FROM ${write.table.sql}`;
  // Row counts before and after tell apart rows that were added and rows that were changed.
  const before = counts ? Number(store.value(countSql)) : 0;
  let result: { changes: number | bigint; lastInsertRowid: number | bigint };
  try {
    result = store.prepare(write.sql).run(...values);
  } catch (error) {
    if (isBusy(error)) throw error;
    throw translateSqliteError(store.takeFunctionError() ?? error, {
      columnClauses: parsed.columnClauses,
      write: { verb: write.verb, table: write.table.definition, columns: write.columns },
      duplicate: (columns) => duplicateValues(session, write, columns, values),
    });
  }
  const changes = Number(result.changes);
  const added = counts ? Number(store.value(countSql)) - before : changes;
  const affected = affectedRows(write, changes, added);
  if (write.verb === "update") return done(affected, 0n, `Rows matched: ${changes}  Changed: ${changes}  Warnings: 0`);
  if (write.verb === "delete") return done(affected);
  const id = changes > 0 ? insertedId(session, write, changes, BigInt(result.lastInsertRowid)) : 0n;
  const rows = write.rows?.length ?? changes;
  const duplicates = write.ignore ? rows - changes : affected - rows;
  const info = rows > 1 || !write.rows ? `Records: ${rows}  Duplicates: ${Math.max(0, duplicates)}  Warnings: 0` : "";
  return done(affected, id, info);
}

/** A row that replaces or updates another counts twice, as in MySQL. */
function affectedRows(write: WriteStatement, changes: number, added: number): number {
  if (write.upserts) return added + 2 * (changes - added);
  return write.verb === "replace" ? changes + (changes - added) : changes;
}

/** The first number an INSERT made; LAST_INSERT_ID() keeps only numbers that were made. */
function insertedId(session: Session, write: WriteStatement, changes: number, last: bigint): bigint {
  const auto = write.table.definition.columns.find((column) => column.autoIncrement);
  if (!auto) return 0n;
  const key = auto.name.toLowerCase();
  const given =
    write.rows?.every((row) => (row.get(key) ?? "NULL") !== "NULL") ?? write.columns?.includes(auto.name) ?? false;
  if (given) return last;
  const first = write.rows && !write.upserts ? last - BigInt(changes - 1) : last;
  session.lastInsertId = first;
  return first;
}

/** The values of the row that was there already, as the error names them; "" where they cannot be told. */
function duplicateValues(
  session: Session,
  write: WriteStatement,
  columns: readonly string[],
  values: readonly SqlValue[],
): string {
  const condition = columns.map((column, index) => `${quoted(column)} = ?${index + 1}`).join(" AND ");
  const seen = new Set<string>();
  for (const row of write.rows ?? []) {
    const expressions = columns.map((column) => row.get(column.toLowerCase()));
    if (expressions.some((expression) => expression === undefined)) return "";
    try {
      const statement = session.store.prepare(`SELECT ${expressions.join(", ")}`);
      statement.setAllowUnknownNamedParameters(true);
      const used = numberedParameters(expressions.join(" "));
      const key = statement.get(...values.slice(0, used)) as unknown as SqlValue[];
      const shown = key.map((value) => toText(value) ?? "NULL").join("-");
      const found = session.store.value(`SELECT 1 FROM ${write.table.sql} WHERE ${condition}`, key);
      if (found !== null || seen.has(shown)) return shown;
      seen.add(shown);
    } catch {
      return "";
    }
  }
  return "";
}

/** The greatest N of `?N`, which is how many values SQLite expects. */
function numberedParameters(sql: string): number {
  return Math.max(0, ...[...sql.matchAll(/\?(\d+)/g)].map((match) => Number(match[1])));
}
