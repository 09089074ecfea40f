import { errors } from "../errors.ts";
import { parseAccount, type AccountReference } from "./account-statements.ts";
import { parseTableName, type TableName } from "./table-reference.ts";
import type { Translation } from "./translation.ts";

/** What a SHOW asks for. */
export type ShowSubject =
  | { readonly of: "databases" }
  | { readonly of: "tables"; readonly database: string | undefined; readonly full: boolean }
  | { readonly of: "tableStatus"; readonly database: string | undefined }
  | { readonly of: "columns"; readonly table: TableName; readonly full: boolean }
  | { readonly of: "index"; readonly table: TableName }
  | { readonly of: "createTable"; readonly table: TableName }
  | { readonly of: "createDatabase"; readonly name: string; readonly ifNotExists: boolean }
  | { readonly of: "createUser"; readonly account: AccountReference }
  | { readonly of: "grants"; readonly account: AccountReference }
  | { readonly of: "variables" }
  | { readonly of: "status" }
  | { readonly of: "warnings" }
  | { readonly of: "warningCount" }
  | { readonly of: "processlist" }
  | { readonly of: "engines" }
  | { readonly of: "charsets" }
  | { readonly of: "collations" }
  | { readonly of: "plugins" }
  | { readonly of: "privileges" }
  | { readonly of: "nothing"; readonly columns: readonly string[] };

export interface ShowStatement {
  readonly kind: "show";
  readonly subject: ShowSubject;
  /** The pattern of LIKE, over the first column. */
  readonly like?: string;
  /** The condition of WHERE, translated; the result's columns are its names. */
  readonly where?: string;
}

/** SHOW, after the word. */
export function parseShow(translation: Translation): ShowStatement {
  const { cursor } = translation;
  const subject = showSubject(translation);
  if (cursor.take("LIKE")) return { kind: "show", subject, like: cursor.string() };
  if (cursor.take("WHERE")) return { kind: "show", subject, where: translation.expression().sql };
  if (cursor.take("LIMIT")) {
    cursor.integer();
    if (cursor.takeAny(",", "OFFSET") !== undefined) cursor.integer();
  }
  return { kind: "show", subject };
}

function fromDatabase(translation: Translation): string | undefined {
  const { cursor } = translation;
  return cursor.takeAny("FROM", "IN") === undefined ? undefined : cursor.identifier();
}

/** `FROM table [FROM database]`. */
function fromTable(translation: Translation): TableName {
  const { cursor } = translation;
  if (cursor.takeAny("FROM", "IN") === undefined) throw cursor.error();
  const table = parseTableName(translation);
  const database = fromDatabase(translation);
  return database === undefined ? table : { database, name: table.name };
}

function showSubject(translation: Translation): ShowSubject {
  const { cursor } = translation;
  const full = cursor.take("FULL");
  cursor.take("EXTENDED");
  cursor.takeAny("GLOBAL", "SESSION", "LOCAL");
  const word = cursor.next();
  switch (word.upper) {
    case "DATABASES":
    case "SCHEMAS":
      return { of: "databases" };
    case "TABLES":
      return { of: "tables", database: fromDatabase(translation), full };
    case "TABLE":
      cursor.expect("STATUS");
      return { of: "tableStatus", database: fromDatabase(translation) };
    case "COLUMNS":
    case "FIELDS":
      return { of: "columns", table: fromTable(translation), full };
    case "INDEX":
    case "INDEXES":
    case "KEYS":
      return { of: "index", table: fromTable(translation) };
    case "CREATE":
      return showCreate(translation);
    case "GRANTS":
      return { of: "grants", account: cursor.take("FOR") ? parseAccount(cursor) : "current" };
    case "VARIABLES":
      return { of: "variables" };
    case "STATUS":
      return { of: "status" };
    case "WARNINGS":
    case "ERRORS":
      return { of: "warnings" };
    case "COUNT":
      cursor.expect("(", "*", ")");
      if (cursor.takeAny("WARNINGS", "ERRORS") === undefined) throw cursor.error();
      return { of: "warningCount" };
    case "PROCESSLIST":
      return { of: "processlist" };
    case "STORAGE":
      cursor.expect("ENGINES");
      return { of: "engines" };
    case "ENGINES":
      return { of: "engines" };
    case "CHARACTER":
      cursor.expect("SET");
      return { of: "charsets" };
    case "CHARSET":
      return { of: "charsets" };
    case "COLLATION":
      return { of: "collations" };
    case "PLUGINS":
      return { of: "plugins" };
    case "PRIVILEGES":
      return { of: "privileges" };
    case "TRIGGERS":
    case "EVENTS":
      fromDatabase(translation);
      return { of: "nothing", columns: word.upper === "TRIGGERS" ? TRIGGERS : EVENTS };
    case "OPEN":
      cursor.expect("TABLES");
      fromDatabase(translation);
      return { of: "nothing", columns: ["Database", "Table", "In_use", "Name_locked"] };
    case "PROCEDURE":
    case "FUNCTION":
      cursor.expect("STATUS");
      return { of: "nothing", columns: ROUTINES };
    default:
      if (word.kind !== "word") throw cursor.error(word);
      throw errors.notSupported(`SHOW ${word.upper}`);
  }
}

const TRIGGERS = [
  "Trigger",
  "Event",
  "Table",
  "Statement",
  "Timing",
  "Created",
  "sql_mode",
  "Definer",
  "character_set_client",
  "collation_connection",
  "Database Collation",
];
const EVENTS = [
  "Db",
  "Name",
  "Definer",
  "Time zone",
  "Type",
  "Execute at",
  "Interval value",
  "Interval field",
  "Starts",
  "Ends",
  "Status",
  "Originator",
  "character_set_client",
  "collation_connection",
  "Database Collation",
];
const ROUTINES = [
  "Db",
  "Name",
  "Type",
  "Definer",
  "Modified",
  "Created",
  "Security_type",
  "Comment",
  "character_set_client",
  "collation_connection",
  "Database Collation",
];

function showCreate(translation: Translation): ShowSubject {
  const { cursor } = translation;
  const word = cursor.next();
  switch (word.upper) {
    case "TABLE":
    case "VIEW":
      return { of: "createTable", table: parseTableName(translation) };
    case "DATABASE":
    case "SCHEMA": {
      const ifNotExists = cursor.take("IF", "NOT", "EXISTS");
      return { of: "createDatabase", name: cursor.identifier(), ifNotExists };
    }
    case "USER":
      return { of: "createUser", account: parseAccount(cursor) };
    default:
      if (word.kind !== "word") throw cursor.error(word);
      throw errors.notSupported(`SHOW CREATE ${word.upper}`);
  }
}
