import { errors } from "../errors.ts";
import { columnValueType, type RelationDefinition, type TableDefinition } from "./table-definition.ts";
import {
  literal,
  quoted,
  schemaName,
  type ColumnOrigin,
  type Privilege,
  type ScopeTable,
  type Translation,
} from "./translation.ts";
import type { ValueType } from "./value-type.ts";

export interface TableName {
  /** Undefined where neither the statement nor the session names one. */
  readonly database: string | undefined;
  readonly name: string;
}

/** `table` or `database.table`. */
export function parseTableName(translation: Translation): TableName {
  const { cursor } = translation;
  const first = cursor.identifier();
  if (!cursor.take(".")) return { database: translation.environment.database, name: first };
  return { database: first, name: cursor.identifier() };
}

export interface ResolvedTable {
  readonly database: string;
  readonly name: string;
  /** How SQLite names it. */
  readonly sql: string;
  readonly relation: RelationDefinition;
}

/** The table or view of this name, with the access noted. */
export function resolveTable(translation: Translation, table: TableName, privilege: Privilege): ResolvedTable {
  const { environment } = translation;
  const temporary = environment.temporary(table.name);
  if (temporary && (table.database === undefined || table.database === environment.database)) {
    return { database: "", name: temporary.name, sql: `temp.${quoted(temporary.name)}`, relation: temporary };
  }
  const { database } = table;
  if (database === undefined) throw errors.noDatabase();
  translation.accesses.push({ privilege, database, table: table.name });
  if (!environment.databaseExists(database)) throw errors.unknownDatabase(database);
  const relation = environment.relation(database, table.name);
  if (!relation) throw errors.noSuchTable(database, table.name);
  translation.databases.add(database);
  return { database, name: relation.name, sql: `${quoted(schemaName(database))}.${quoted(relation.name)}`, relation };
}

/** Like resolveTable, but only a table that can be written. */
export function resolveWritable(
  translation: Translation,
  table: TableName,
  privilege: Privilege,
): ResolvedTable & { relation: TableDefinition } {
  if (isVirtual(translation, table)) {
    throw errors.notSupported(`writing to ${table.database}.${table.name}`);
  }
  const resolved = resolveTable(translation, table, privilege);
  const { relation } = resolved;
  if (relation.kind === "view") throw errors.notSupported(`writing to the view ${relation.name}`);
  return { ...resolved, relation };
}

function isVirtual(translation: Translation, table: TableName): boolean {
  return table.database !== undefined && translation.environment.virtual(table.database, table.name) !== undefined;
}

export interface SourceTable {
  readonly sql: string;
  readonly scope: ScopeTable & { readonly origin?: (column: string) => ColumnOrigin };
}

/** A table named in a FROM clause, under its alias. */
export function sourceTable(translation: Translation, table: TableName, alias: string | undefined): SourceTable {
  const common =
    table.database === translation.environment.database && translation.commonTables.get(table.name.toLowerCase());
  if (common) {
    const name = alias ?? table.name;
    return { sql: `${quoted(table.name)} AS ${quoted(name)}`, scope: { alias: name, columns: common.columns } };
  }
  const virtual =
    table.database === undefined ? undefined : translation.environment.virtual(table.database, table.name);
  if (virtual && table.database !== undefined) {
    const columns = virtual.columns.map(({ name }, index) => `j.value ->> ${index} AS ${quoted(name)}`);
    const rows = `json_each(my_virtual_rows(${literal(table.database)}, ${literal(virtual.name)})) AS j`;
    const name = alias ?? table.name;
    return {
      sql: `(SELECT ${columns.join(", ")} FROM ${rows}) AS ${quoted(name)}`,
      scope: { alias: name, columns: virtual.columns.map((each) => ({ name: each.name, type: () => each.type })) },
    };
  }
  const resolved = resolveTable(translation, table, "SELECT");
  const name = alias ?? table.name;
  const { database } = resolved;
  return {
    sql: `${resolved.sql} AS ${quoted(name)}`,
    scope: {
      alias: name,
      columns: relationColumns(resolved.relation),
      origin: (column) => ({ database, table: resolved.name, alias: name, column }),
    },
  };
}

/** The names and types of a table's or a view's columns. */
export function relationColumns(relation: RelationDefinition): { name: string; type: () => ValueType }[] {
  if (relation.kind === "view") {
    return relation.columns.map(({ name, valueType }) => ({ name, type: () => valueType }));
  }
  return relation.columns.map((column) => ({
    name: column.name,
    type: () => columnValueType(relation, column),
  }));
}
