import { mayEnter } from "../auth/account.ts";
import type { SqlValue } from "../functions/definition.ts";
import { describeType, familyOf } from "../sql/data-type.ts";
import {
  describeTable,
  keyOf,
  type ColumnDefinition,
  type RelationDefinition,
  type TableDefinition,
} from "../sql/table-definition.ts";
import { quoted, schemaName } from "../sql/translation.ts";
import { FieldType } from "../wire/constants.ts";
import { SYSTEM_DATABASES } from "./schema-store.ts";
import type { Session } from "./session.ts";

/** The databases the account may see. */
export function visibleDatabases(session: Session): string[] {
  const { actor, engine } = session;
  const own = engine.schemas.names().filter((name) => mayEnter(actor, name));
  return ["information_schema", ...own, ...SYSTEM_DATABASES.filter((name) => name !== "information_schema")].toSorted();
}

/** The relations of a database the account may see. */
export function visibleRelations(session: Session, database: string): RelationDefinition[] {
  return mayEnter(session.actor, database) ? session.engine.schemas.relations(database) : [];
}

export interface ColumnListing {
  readonly name: string;
  readonly type: string;
  readonly collation: string | null;
  readonly nullable: "YES" | "NO";
  readonly key: string;
  readonly default: string | null;
  readonly extra: string;
  readonly comment: string;
}

const CODE_NAMES: Readonly<Record<number, string>> = {
  [FieldType.LONGLONG]: "bigint",
  [FieldType.LONG]: "int",
  [FieldType.NEWDECIMAL]: "decimal(65,0)",
  [FieldType.DOUBLE]: "double",
  [FieldType.DATE]: "date",
  [FieldType.TIME]: "time",
  [FieldType.DATETIME]: "datetime",
  [FieldType.BLOB]: "text",
};

/** A column that has a type and nothing else to tell. */
export const bareColumn = (name: string, type: string): ColumnListing => ({
  name,
  type,
  collation: null,
  nullable: "YES",
  key: "",
  default: null,
  extra: "",
  comment: "",
});

/** The columns of a table or view, as SHOW COLUMNS has them. */
export function columnListings(relation: RelationDefinition): ColumnListing[] {
  if (relation.kind === "table") return relation.columns.map((column) => columnListing(relation, column));
  return relation.columns.map(({ name, valueType }) =>
    bareColumn(
      name,
      CODE_NAMES[valueType.code] ?? `varchar(${Math.max(1, Math.min(65535, Math.floor(valueType.length / 4)))})`,
    ),
  );
}

function columnListing(table: TableDefinition, column: ColumnDefinition): ColumnListing {
  const family = familyOf(column.type);
  const value = column.default;
  const extras = [
    column.autoIncrement ? "auto_increment" : "",
    value?.kind === "expression" ? "DEFAULT_GENERATED" : "",
    column.onUpdateNow ? "on update CURRENT_TIMESTAMP" : "",
    column.generated ? `${column.generated.stored ? "STORED" : "VIRTUAL"} GENERATED` : "",
  ];
  return {
    name: column.name,
    type: describeType(column.type),
    collation: family === "text" || family === "choice" ? (column.type.collation ?? "utf8mb4_0900_ai_ci") : null,
    nullable: column.nullable ? "YES" : "NO",
    key: keyOf(table, column.name),
    default: !value || value.kind === "null" ? null : value.text,
    extra: extras.filter((extra) => extra !== "").join(" "),
    comment: column.comment ?? "",
  };
}

/** What SHOW CREATE gives for a table or view. */
export function describeRelation(relation: RelationDefinition): string {
  if (relation.kind === "table") return describeTable(relation);
  const columns = relation.columns.map(({ name }) => `\`${name}\``).join(",");
  return `CREATE VIEW \`${relation.name}\` (${columns}) AS ${relation.text}`;
}

/** One row a column of each index: name, whether it is unique, position and column. */
export function indexRows(
  table: TableDefinition,
): { name: string; unique: boolean; position: number; column: string; nullable: boolean }[] {
  return table.indexes.flatMap((index) =>
    index.columns.map((column, position) => ({
      name: index.name,
      unique: index.kind !== "index",
      position: position + 1,
      column,
      nullable: table.columns.some((each) => each.name === column && each.nullable),
    })),
  );
}

/** How many rows a table has. */
export function rowCount(session: Session, database: string, relation: RelationDefinition): SqlValue {
  if (relation.kind === "view") return null;
  session.store.attach([database]);
  return session.store.value(`SELECT count(*) FROM ${quoted(schemaName(database))}.${quoted(relation.name)}`);
}
