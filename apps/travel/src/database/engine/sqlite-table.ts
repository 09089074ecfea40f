import { errors } from "../errors.ts";
import { familyOf, ignoresCase, integerRange, maximumLength, sqliteType } from "../sql/data-type.ts";
import type {
  ColumnDefinition,
  ForeignKeyDefinition,
  IndexDefinition,
  TableDefinition,
} from "../sql/table-definition.ts";
import { literal, quoted } from "../sql/translation.ts";

/** A CHECK whose name carries the MySQL error to give when it fails. */
function guard(code: number, column: string, condition: string): string {
  return ` CONSTRAINT ${quoted(`mysql ${code} ${column}`)} CHECK (${condition})`;
}

/** What MySQL's types refuse and SQLite's do not. */
function typeGuards(column: ColumnDefinition): string {
  const name = quoted(column.name);
  const { type } = column;
  const family = familyOf(type);
  switch (family) {
    case "integer":
    case "bit":
    case "decimal":
    case "real": {
      const number = guard(1366, column.name, `typeof(${name}) IN ('integer', 'real', 'null')`);
      return number + rangeGuard(column, name);
    }
    case "text":
    case "bytes": {
      const most = maximumLength(type) ?? 0;
      const unit =
        type.length === undefined || family === "bytes" ? `length(CAST(${name} AS BLOB))` : `length(${name})`;
      return guard(1406, column.name, `${unit} <= ${most}`);
    }
    case "choice": {
      const values = (type.values ?? []).map(literal).join(", ");
      return type.name === "enum" ? guard(1265, column.name, `${name} IN (${values})`) : "";
    }
    case "json":
      return guard(3140, column.name, `json_valid(${name})`);
    case "temporal": {
      const reader = { date: "my_date", time: "my_time" }[type.name] ?? "my_timestamp";
      return guard(1292, column.name, `${name} IS NULL OR ${reader}(${name}) IS NOT NULL`);
    }
  }
}

function rangeGuard(column: ColumnDefinition, name: string): string {
  const { type } = column;
  const range = integerRange(type);
  if (range) {
    const [low, high] = range;
    // SQLite cannot write the least 64-bit integer as a literal; it is no limit anyway.
    const lowest = low === -(1n << 63n) ? "" : `${name} >= ${low} AND `;
    return guard(1264, column.name, `${lowest}${name} <= ${high}`);
  }
  const limits = type.unsigned ? [`${name} >= 0`] : [];
  if (type.name === "decimal") {
    const digits = (type.length ?? 10) - (type.scale ?? 0);
    limits.push(`abs(${name}) < 1e${digits}`);
  }
  return limits.length === 0 ? "" : guard(1264, column.name, limits.join(" AND "));
}

function defaultClause(column: ColumnDefinition): string {
  const value = column.default;
  if (!value || value.kind === "null") return "";
  return value.kind === "literal" ? ` DEFAULT ${literal(value.text)}` : ` DEFAULT (${value.sqlite})`;
}

function columnClause(table: TableDefinition, column: ColumnDefinition, rowKey: string | undefined): string {
  const name = quoted(column.name);
  if (column.name === rowKey) return `${name} INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL`;
  // Only the exact word INTEGER makes a primary key fill itself, which MySQL's does not.
  const affinity = sqliteType(column.type);
  const collation = ignoresCase(column.type) ? " COLLATE NOCASE" : "";
  const computed = column.generated;
  const generated = computed
    ? ` GENERATED ALWAYS AS (${computed.sqlite}) ${computed.stored ? "STORED" : "VIRTUAL"}`
    : "";
  const notNull = column.nullable ? "" : " NOT NULL";
  return `${name} ${affinity === "INTEGER" ? "INT" : affinity}${collation}${generated}${notNull}${defaultClause(column)}${typeGuards(column)}`;
}

/** The AUTO_INCREMENT column, which must be SQLite's row id. */
function rowKeyOf(table: TableDefinition): string | undefined {
  const auto = table.columns.find((column) => column.autoIncrement);
  if (!auto) return undefined;
  const primary = table.indexes.find((index) => index.kind === "primary");
  const same = primary?.columns.length === 1 && primary.columns[0]?.toLowerCase() === auto.name.toLowerCase();
  if (primary && !same) throw errors.notSupported("AUTO_INCREMENT on another column than the primary key");
  return auto.name;
}

function foreignKeyClause(key: ForeignKeyDefinition): string {
  const actions = [
    key.onDelete === undefined ? "" : ` ON DELETE ${key.onDelete}`,
    key.onUpdate === undefined ? "" : ` ON UPDATE ${key.onUpdate}`,
  ];
  const list = (names: readonly string[]): string => names.map(quoted).join(", ");
  return `FOREIGN KEY (${list(key.columns)}) REFERENCES ${quoted(key.table)} (${list(key.references)})${actions.join("")}`;
}

/** SQLite's CREATE TABLE for a definition; `name` may differ while a table is rebuilt. */
export function createTableSql(schema: string, table: TableDefinition, name = table.name): string {
  const rowKey = rowKeyOf(table);
  const primary = table.indexes.find((index) => index.kind === "primary");
  const clauses = [
    ...table.columns.map((column) => columnClause(table, column, rowKey)),
    ...(primary && rowKey === undefined ? [`PRIMARY KEY (${primary.columns.map(quoted).join(", ")})`] : []),
    ...table.checks.map((check) => `CONSTRAINT ${quoted(check.name)} CHECK (${check.sqlite})`),
    ...table.foreignKeys.map(foreignKeyClause),
  ];
  return `CREATE TABLE ${schema}.${quoted(name)} (${clauses.join(", ")})`;
}

/** SQLite's indexes live in one name space a database, so they carry their table's name. */
function createIndexSql(schema: string, table: string, index: IndexDefinition): string {
  const unique = index.kind === "unique" ? "UNIQUE " : "";
  const columns = index.columns.map(quoted).join(", ");
  return `CREATE ${unique}INDEX ${schema}.${quoted(`${table}.${index.name}`)} ON ${quoted(table)} (${columns})`;
}

/** All the statements that make a table. */
export function tableStatements(schema: string, table: TableDefinition): string[] {
  const indexes = table.indexes.filter((index) => index.kind !== "primary");
  return [createTableSql(schema, table), ...indexes.map((index) => createIndexSql(schema, table.name, index))];
}
