import { describeType, familyOf, valueTypeOf, type DataType } from "./data-type.ts";
import { FieldFlag } from "../wire/constants.ts";
import type { ValueType } from "./value-type.ts";

/** A default: a literal text, or an expression in MySQL's words with its SQLite translation. */
export type DefaultValue =
  | { readonly kind: "literal"; readonly text: string }
  | { readonly kind: "null" }
  | { readonly kind: "expression"; readonly text: string; readonly sqlite: string };

export interface ColumnDefinition {
  readonly name: string;
  readonly type: DataType;
  readonly nullable: boolean;
  readonly autoIncrement?: boolean;
  readonly default?: DefaultValue;
  /** ON UPDATE CURRENT_TIMESTAMP. */
  readonly onUpdateNow?: boolean;
  readonly comment?: string;
  readonly generated?: { readonly text: string; readonly sqlite: string; readonly stored: boolean };
}

export interface IndexDefinition {
  readonly name: string;
  readonly kind: "primary" | "unique" | "index";
  readonly columns: readonly string[];
}

export interface ForeignKeyDefinition {
  readonly name: string;
  readonly columns: readonly string[];
  readonly table: string;
  readonly references: readonly string[];
  readonly onDelete?: string;
  readonly onUpdate?: string;
}

export interface CheckDefinition {
  readonly name: string;
  readonly text: string;
  readonly sqlite: string;
}

/** A table as MySQL declares it; SQLite's table is made from it. */
export interface TableDefinition {
  readonly kind: "table";
  readonly name: string;
  readonly columns: readonly ColumnDefinition[];
  readonly indexes: readonly IndexDefinition[];
  readonly foreignKeys: readonly ForeignKeyDefinition[];
  readonly checks: readonly CheckDefinition[];
  readonly comment?: string;
}

export interface ViewDefinition {
  readonly kind: "view";
  readonly name: string;
  /** The SELECT in MySQL's words. */
  readonly text: string;
  readonly columns: readonly { readonly name: string; readonly valueType: ValueType }[];
}

export type RelationDefinition = TableDefinition | ViewDefinition;

/** A column by its name, in any case. */
export function columnNamed(table: TableDefinition, name: string): ColumnDefinition | undefined {
  const wanted = name.toLowerCase();
  return table.columns.find((column) => column.name.toLowerCase() === wanted);
}

/** PRI, UNI or MUL, as SHOW COLUMNS has it. */
export function keyOf(table: TableDefinition, column: string): "PRI" | "UNI" | "MUL" | "" {
  const first = table.indexes.filter((index) => index.columns[0] === column);
  if (table.indexes.some((index) => index.kind === "primary" && index.columns.includes(column))) return "PRI";
  if (first.some((index) => index.kind === "unique" && index.columns.length === 1)) return "UNI";
  return first.length > 0 ? "MUL" : "";
}

/** The type and flags of a table's column in a result. */
export function columnValueType(table: TableDefinition, column: ColumnDefinition): ValueType {
  const base = valueTypeOf(column.type);
  const key = keyOf(table, column.name);
  let { flags } = base;
  if (!column.nullable) flags |= FieldFlag.NOT_NULL;
  if (key === "PRI") flags |= FieldFlag.PRIMARY_KEY;
  if (key === "UNI") flags |= FieldFlag.UNIQUE_KEY;
  if (key === "MUL") flags |= FieldFlag.MULTIPLE_KEY;
  if (column.autoIncrement) flags |= FieldFlag.AUTO_INCREMENT;
  if (!column.nullable && !column.default && !column.autoIncrement) flags |= FieldFlag.NO_DEFAULT;
  return { ...base, flags };
}

/** A name as MySQL's own statements print it. */
export function backticked(name: string): string {
  return `\`${name.replaceAll("`", "``")}\``;
}

function quotedText(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "''")}'`;
}

function defaultClause(column: ColumnDefinition): string {
  const value = column.default;
  if (!value) {
    const blob = ["json"].includes(familyOf(column.type)) || /text|blob/.test(column.type.name);
    return column.nullable && !blob ? " DEFAULT NULL" : "";
  }
  if (value.kind === "null") return " DEFAULT NULL";
  return value.kind === "literal" ? ` DEFAULT ${quotedText(value.text)}` : ` DEFAULT ${value.text}`;
}

function columnClause(column: ColumnDefinition): string {
  const { generated, type } = column;
  const collation = type.collation === undefined ? "" : ` COLLATE ${type.collation}`;
  const parts = [
    `  ${backticked(column.name)} ${describeType(type)}${collation}`,
    generated ? ` GENERATED ALWAYS AS (${generated.text}) ${generated.stored ? "STORED" : "VIRTUAL"}` : "",
    column.nullable ? "" : " NOT NULL",
    generated || column.autoIncrement ? "" : defaultClause(column),
    column.onUpdateNow ? " ON UPDATE CURRENT_TIMESTAMP" : "",
    column.autoIncrement ? " AUTO_INCREMENT" : "",
    column.comment === undefined ? "" : ` COMMENT ${quotedText(column.comment)}`,
  ];
  return parts.join("");
}

function indexClause(index: IndexDefinition): string {
  const columns = index.columns.map(backticked).join(",");
  if (index.kind === "primary") return `  PRIMARY KEY (${columns})`;
  return `  ${index.kind === "unique" ? "UNIQUE KEY" : "KEY"} ${backticked(index.name)} (${columns})`;
}

function foreignKeyClause(key: ForeignKeyDefinition): string {
  const list = (names: readonly string[]): string => names.map(backticked).join(", ");
  const actions = [
    key.onDelete === undefined ? "" : ` ON DELETE ${key.onDelete}`,
    key.onUpdate === undefined ? "" : ` ON UPDATE ${key.onUpdate}`,
  ];
  const target = `${backticked(key.table)} (${list(key.references)})`;
  return `  CONSTRAINT ${backticked(key.name)} FOREIGN KEY (${list(key.columns)}) REFERENCES ${target}${actions.join("")}`;
}

/** What SHOW CREATE TABLE prints. */
export function describeTable(table: TableDefinition): string {
  const clauses = [
    ...table.columns.map(columnClause),
    ...table.indexes.map(indexClause),
    ...table.foreignKeys.map(foreignKeyClause),
    ...table.checks.map((check) => `  CONSTRAINT ${backticked(check.name)} CHECK (${check.text})`),
  ];
  const comment = table.comment === undefined ? "" : ` COMMENT=${quotedText(table.comment)}`;
  const options = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci";
  return `CREATE TABLE ${backticked(table.name)} (\n${clauses.join(",\n")}\n) ${options}${comment}`;
}
