import { errors } from "../errors.ts";
import {
  columnDefinition,
  keyColumns,
  parseCreateTable,
  tableElement,
  tableOptions,
  type CreateTable,
  type TableDraft,
} from "./create-table.ts";
import type { ColumnDefinition, IndexDefinition } from "./table-definition.ts";
import { parseTableName, type TableName } from "./table-reference.ts";
import type { QueryFragment, Translation } from "./translation.ts";

type Position = "first" | { readonly after: string } | undefined;

/** One change of ALTER TABLE. */
export type TableChange =
  | { readonly kind: "add"; readonly draft: TableDraft; readonly position: Position }
  | {
      readonly kind: "changeColumn";
      readonly column: string;
      readonly definition: ColumnDefinition;
      readonly position: Position;
    }
  | { readonly kind: "renameColumn"; readonly from: string; readonly to: string }
  | { readonly kind: "setDefault"; readonly column: string; readonly definition: ColumnDefinition["default"] }
  | { readonly kind: "dropColumn"; readonly column: string }
  | { readonly kind: "dropIndex"; readonly index: string }
  | { readonly kind: "dropForeignKey"; readonly name: string }
  | { readonly kind: "dropCheck"; readonly name: string }
  | { readonly kind: "renameIndex"; readonly from: string; readonly to: string }
  | { readonly kind: "rename"; readonly to: TableName }
  | { readonly kind: "options"; readonly comment?: string };

export type SchemaStatement =
  | CreateTable
  | { readonly kind: "createDatabase"; readonly name: string; readonly ifNotExists: boolean }
  | { readonly kind: "dropDatabase"; readonly name: string; readonly ifExists: boolean }
  | {
      readonly kind: "dropTables";
      readonly what: "table" | "view";
      readonly temporary: boolean;
      readonly ifExists: boolean;
      readonly tables: readonly TableName[];
    }
  | { readonly kind: "truncate"; readonly table: TableName }
  | { readonly kind: "renameTables"; readonly pairs: readonly (readonly [TableName, TableName])[] }
  | { readonly kind: "alterTable"; readonly table: TableName; readonly changes: readonly TableChange[] }
  | { readonly kind: "createIndex"; readonly table: TableName; readonly index: IndexDefinition }
  | { readonly kind: "dropIndex"; readonly table: TableName; readonly index: string }
  | {
      readonly kind: "createView";
      readonly view: TableName;
      readonly replace: boolean;
      readonly text: string;
      readonly query: QueryFragment;
      readonly columns: readonly string[] | undefined;
    };

const UNSUPPORTED_OBJECTS = [
  "TRIGGER",
  "PROCEDURE",
  "FUNCTION",
  "EVENT",
  "SERVER",
  "TABLESPACE",
  "ROLE",
  "LOGFILE",
  "SPATIAL",
  "FULLTEXT",
  "RESOURCE",
  "UNDO",
  "AGGREGATE",
];

function refuseObjects(translation: Translation, verb: string): void {
  const { upper } = translation.cursor.peek();
  if (UNSUPPORTED_OBJECTS.includes(upper)) throw errors.notSupported(`${verb} ${upper}`);
}

/** CREATE of anything but a user. */
export function parseCreate(translation: Translation): SchemaStatement {
  const { cursor } = translation;
  refuseObjects(translation, "CREATE");
  if (cursor.takeAny("DATABASE", "SCHEMA") !== undefined) {
    const ifNotExists = cursor.take("IF", "NOT", "EXISTS");
    const name = cursor.identifier();
    databaseOptions(translation);
    return { kind: "createDatabase", name, ifNotExists };
  }
  if (cursor.take("TEMPORARY")) return parseCreateTable(translation, true);
  if (cursor.at("TABLE")) return parseCreateTable(translation, false);
  const unique = cursor.take("UNIQUE");
  if (unique || cursor.at("INDEX")) {
    cursor.expect("INDEX");
    return createIndex(translation, unique);
  }
  return createView(translation);
}

function databaseOptions(translation: Translation): void {
  const { cursor } = translation;
  while (!cursor.atEnd()) {
    cursor.take("DEFAULT");
    if (cursor.take("CHARACTER")) cursor.expect("SET");
    else if (cursor.takeAny("CHARSET", "COLLATE", "ENCRYPTION") === undefined) throw cursor.error();
    cursor.take("=");
    cursor.nameOrString();
  }
}

function createIndex(translation: Translation, unique: boolean): SchemaStatement {
  const { cursor } = translation;
  const name = cursor.identifier();
  if (cursor.take("USING")) cursor.identifier();
  cursor.expect("ON");
  const table = parseTableName(translation);
  const columns = keyColumns(translation);
  while (!cursor.atEnd()) cursor.next();
  return { kind: "createIndex", table, index: { name, kind: unique ? "unique" : "index", columns } };
}

function createView(translation: Translation): SchemaStatement {
  const { cursor } = translation;
  const replace = cursor.take("OR", "REPLACE");
  if (cursor.take("ALGORITHM")) {
    cursor.expect("=");
    cursor.identifier();
  }
  if (cursor.take("DEFINER")) {
    cursor.expect("=");
    cursor.nameOrString();
    if (cursor.peek().kind === "userVariable") cursor.next();
    else if (cursor.take("@")) cursor.nameOrString();
    else if (cursor.take("(")) cursor.expect(")");
  }
  if (cursor.take("SQL", "SECURITY")) cursor.identifier();
  refuseObjects(translation, "CREATE");
  cursor.expect("VIEW");
  const view = parseTableName(translation);
  const columns = cursor.at("(") ? cursor.parenthesised(() => cursor.list(() => cursor.identifier())) : undefined;
  cursor.expect("AS");
  const { start } = cursor.peek();
  translation.stored = true;
  const query = translation.nested(() => translation.query());
  const text = cursor.sql.slice(start, cursor.lastEnd);
  if (cursor.at("WITH")) throw errors.notSupported("WITH CHECK OPTION");
  return { kind: "createView", view, replace, text, query, columns };
}

/** DROP of anything but a user. */
export function parseDrop(translation: Translation): SchemaStatement {
  const { cursor } = translation;
  refuseObjects(translation, "DROP");
  if (cursor.takeAny("DATABASE", "SCHEMA") !== undefined) {
    const ifExists = cursor.take("IF", "EXISTS");
    return { kind: "dropDatabase", name: cursor.identifier(), ifExists };
  }
  if (cursor.take("INDEX")) {
    const index = cursor.identifier();
    cursor.expect("ON");
    return { kind: "dropIndex", table: parseTableName(translation), index };
  }
  const temporary = cursor.take("TEMPORARY");
  const what = cursor.takeAny("TABLE", "TABLES", "VIEW");
  if (what === undefined) throw cursor.error();
  const ifExists = cursor.take("IF", "EXISTS");
  const tables = cursor.list(() => parseTableName(translation));
  cursor.takeAny("RESTRICT", "CASCADE");
  return { kind: "dropTables", what: what === "VIEW" ? "view" : "table", temporary, ifExists, tables };
}

/** ALTER TABLE, after ALTER. */
export function parseAlter(translation: Translation): SchemaStatement {
  const { cursor } = translation;
  refuseObjects(translation, "ALTER");
  if (cursor.atAny("DATABASE", "SCHEMA", "VIEW", "INSTANCE")) throw errors.notSupported(`ALTER ${cursor.peek().upper}`);
  cursor.expect("TABLE");
  const table = parseTableName(translation);
  const changes = cursor.atEnd() ? [] : cursor.list(() => tableChange(translation));
  return { kind: "alterTable", table, changes };
}

function tableChange(translation: Translation): TableChange {
  const { cursor } = translation;
  if (cursor.take("ADD")) return addition(translation);
  if (cursor.take("DROP")) return removal(translation);
  const changes = cursor.takeAny("MODIFY", "CHANGE");
  if (changes !== undefined) {
    cursor.take("COLUMN");
    const old = changes === "CHANGE" ? cursor.identifier() : cursor.peek().value;
    const draft = newDraft();
    const definition = columnDefinition(translation, draft);
    if (draft.indexes.length > 0) throw errors.notSupported("keys inside MODIFY or CHANGE");
    return { kind: "changeColumn", column: old, definition, position: columnPosition(translation) };
  }
  if (cursor.take("RENAME")) return renaming(translation);
  if (cursor.take("ALTER")) {
    cursor.take("COLUMN");
    const column = cursor.identifier();
    if (cursor.take("DROP", "DEFAULT")) return { kind: "setDefault", column, definition: undefined };
    cursor.expect("SET", "DEFAULT");
    const token = cursor.next();
    if (token.kind !== "string" && token.kind !== "number")
      throw errors.notSupported("ALTER COLUMN … SET DEFAULT (expression)");
    return { kind: "setDefault", column, definition: { kind: "literal", text: token.value } };
  }
  if (cursor.takeAny("DISABLE", "ENABLE") !== undefined) {
    cursor.expect("KEYS");
    return { kind: "options" };
  }
  if (cursor.takeAny("ALGORITHM", "LOCK") !== undefined) {
    cursor.take("=");
    cursor.identifier();
    return { kind: "options" };
  }
  if (cursor.take("CONVERT", "TO")) {
    if (cursor.take("CHARACTER")) cursor.expect("SET");
    else cursor.expect("CHARSET");
    cursor.nameOrString();
    if (cursor.take("COLLATE")) cursor.nameOrString();
    return { kind: "options" };
  }
  const before = cursor.mark();
  const found: { comment?: string } = {};
  tableOptions(translation, found);
  if (cursor.mark() === before) throw cursor.error();
  return { kind: "options", ...found };
}

function newDraft(): TableDraft {
  return { columns: [], indexes: [], foreignKeys: [], checks: [] };
}

function addition(translation: Translation): TableChange {
  const { cursor } = translation;
  const draft = newDraft();
  if (cursor.take("COLUMN") && cursor.at("(")) {
    cursor.parenthesised(() => cursor.list(() => tableElement(translation, draft)));
    return { kind: "add", draft, position: undefined };
  }
  if (cursor.at("(")) cursor.parenthesised(() => cursor.list(() => tableElement(translation, draft)));
  else tableElement(translation, draft);
  return { kind: "add", draft, position: columnPosition(translation) };
}

function columnPosition(translation: Translation): Position {
  const { cursor } = translation;
  if (cursor.take("FIRST")) return "first";
  return cursor.take("AFTER") ? { after: cursor.identifier() } : undefined;
}

function removal(translation: Translation): TableChange {
  const { cursor } = translation;
  if (cursor.take("PRIMARY", "KEY")) return { kind: "dropIndex", index: "PRIMARY" };
  if (cursor.take("FOREIGN", "KEY")) return { kind: "dropForeignKey", name: cursor.identifier() };
  if (cursor.take("CHECK")) return { kind: "dropCheck", name: cursor.identifier() };
  if (cursor.take("CONSTRAINT")) throw errors.notSupported("DROP CONSTRAINT");
  if (cursor.takeAny("INDEX", "KEY") !== undefined) return { kind: "dropIndex", index: cursor.identifier() };
  cursor.take("COLUMN");
  return { kind: "dropColumn", column: cursor.identifier() };
}

function renaming(translation: Translation): TableChange {
  const { cursor } = translation;
  const what = cursor.takeAny("COLUMN", "INDEX", "KEY");
  if (what === undefined) {
    cursor.takeAny("TO", "AS");
    return { kind: "rename", to: parseTableName(translation) };
  }
  const from = cursor.identifier();
  cursor.expect("TO");
  const to = cursor.identifier();
  return what === "COLUMN" ? { kind: "renameColumn", from, to } : { kind: "renameIndex", from, to };
}

/** RENAME TABLE, after RENAME. */
export function parseRename(translation: Translation): SchemaStatement {
  const { cursor } = translation;
  cursor.expect("TABLE");
  const pairs = cursor.list(() => {
    const from = parseTableName(translation);
    cursor.expect("TO");
    return [from, parseTableName(translation)] as const;
  });
  return { kind: "renameTables", pairs };
}
