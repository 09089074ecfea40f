import { errors } from "../errors.ts";
import { parseGrant, parseSetPassword, parseUserStatement, type AccountStatement } from "./account-statements.ts";
import { parseExpression } from "./expression.ts";
import { parseAlter, parseCreate, parseDrop, parseRename, type SchemaStatement } from "./schema-statements.ts";
import { parseQuery } from "./select.ts";
import { parseShow, type ShowStatement } from "./show-statements.ts";
import { parseTableName, resolveTable, type TableName } from "./table-reference.ts";
import { TokenCursor } from "./token-cursor.ts";
import type { Token } from "./tokenizer.ts";
import { Translation, type Access, type QueryFragment, type TranslationEnvironment } from "./translation.ts";
import { parseDelete, parseInsert, parseUpdate, type WriteStatement } from "./write-statements.ts";

export interface Assignment {
  readonly target:
    | { readonly kind: "user"; readonly name: string }
    | { readonly kind: "system"; readonly name: string; readonly global: boolean };
  /** SQLite's expression, or a bare word such as ON or utf8mb4. */
  readonly value:
    | { readonly kind: "expression"; readonly sql: string }
    | { readonly kind: "word"; readonly word: string };
}

export type TransactionStatement =
  | { readonly kind: "begin"; readonly readOnly: boolean }
  | { readonly kind: "commit" }
  | { readonly kind: "rollback" }
  | { readonly kind: "savepoint" | "rollbackTo" | "release"; readonly name: string };

export type Statement =
  | { readonly kind: "query"; readonly query: QueryFragment; readonly discard: boolean }
  | WriteStatement
  | SchemaStatement
  | AccountStatement
  | ShowStatement
  | TransactionStatement
  | { readonly kind: "use"; readonly database: string }
  | { readonly kind: "set"; readonly assignments: readonly Assignment[] }
  | { readonly kind: "setNames"; readonly charset: string; readonly collation: string | undefined }
  | { readonly kind: "setTransaction"; readonly readOnly: boolean | undefined }
  | { readonly kind: "lockTables" }
  | { readonly kind: "unlockTables" }
  | { readonly kind: "flush"; readonly what: string }
  | { readonly kind: "kill"; readonly id: number; readonly queryOnly: boolean }
  | { readonly kind: "tableReport"; readonly operation: string; readonly tables: readonly TableName[] };

export interface ParsedStatement {
  readonly statement: Statement;
  readonly accesses: readonly Access[];
  readonly databases: ReadonlySet<string>;
  readonly parameters: number;
  /** The clause each column was first named in. */
  readonly columnClauses: ReadonlyMap<string, string>;
}

/** Cuts the tokens of a query into those of its statements; an empty statement is left out. */
export function splitStatements(sql: string, tokens: readonly Token[]): { sql: string; tokens: readonly Token[] }[] {
  const end = tokens.at(-1);
  const statements: { sql: string; tokens: readonly Token[] }[] = [];
  let current: Token[] = [];
  for (const token of tokens) {
    if (token.kind !== "end" && token.upper !== ";") {
      current.push(token);
      continue;
    }
    if (current.length > 0 && end)
      statements.push({ sql, tokens: [...current, { ...end, start: token.start, end: token.start }] });
    current = [];
  }
  return statements;
}

/** Reads one statement and translates what SQLite is to do. */
export function parseStatement(
  sql: string,
  tokens: readonly Token[],
  environment: TranslationEnvironment,
): ParsedStatement {
  const cursor = new TokenCursor(sql, tokens);
  const translation = new Translation(cursor, environment, { expression: parseExpression, query: parseQuery });
  const statement = readStatement(translation);
  cursor.expectEnd();
  const { accesses, databases, parameters, columnClauses } = translation;
  return { statement, accesses, databases, parameters, columnClauses };
}

/** Statements of MySQL that this server does not have. */
const UNSUPPORTED = new Set(
  (
    "CALL HANDLER LOAD IMPORT XA PREPARE EXECUTE DEALLOCATE CHANGE START STOP RESET PURGE INSTALL UNINSTALL BINLOG CACHE CLONE " +
    "SHUTDOWN RESTART SIGNAL RESIGNAL GET HELP TABLE VALUES"
  ).split(" "),
);

function readStatement(translation: Translation): Statement {
  const { cursor } = translation;
  const first = cursor.peek();
  switch (first.upper) {
    case "SELECT":
    case "WITH":
    case "(":
      return { kind: "query", query: translation.query(), discard: false };
    case "INSERT":
    case "REPLACE":
      return parseInsert(translation);
    case "UPDATE":
      return parseUpdate(translation);
    case "DELETE":
      return parseDelete(translation);
    case "CREATE":
    case "ALTER":
    case "DROP":
    case "RENAME":
      return definition(translation);
    case "TRUNCATE":
      cursor.next();
      cursor.take("TABLE");
      return { kind: "truncate", table: parseTableName(translation) };
    case "SHOW":
      cursor.next();
      return parseShow(translation);
    case "DESC":
    case "DESCRIBE":
    case "EXPLAIN":
      return describe(translation);
    case "SET":
      cursor.next();
      return setStatement(translation);
    case "USE":
      cursor.next();
      return { kind: "use", database: cursor.identifier() };
    case "GRANT":
    case "REVOKE":
      cursor.next();
      return parseGrant(cursor, first.upper, translation.environment.database);
    case "DO": {
      cursor.next();
      const values = cursor.list(() => translation.expression().sql);
      return { kind: "query", query: { sql: `SELECT ${values.join(", ")}`, columns: [] }, discard: true };
    }
    default:
      return control(translation, first);
  }
}

function definition(translation: Translation): Statement {
  const { cursor } = translation;
  const verb = cursor.next().upper;
  if (cursor.at("USER") && !cursor.at("USER", ".")) {
    cursor.next();
    return parseUserStatement(cursor, verb);
  }
  if (verb === "CREATE") return parseCreate(translation);
  if (verb === "DROP") return parseDrop(translation);
  return verb === "ALTER" ? parseAlter(translation) : parseRename(translation);
}

function describe(translation: Translation): Statement {
  const { cursor } = translation;
  const verb = cursor.next().upper;
  const next = cursor.peek();
  const plain =
    (next.kind === "word" || next.kind === "quoted") &&
    !cursor.atAny("SELECT", "FORMAT", "ANALYZE", "INSERT", "UPDATE", "DELETE", "REPLACE", "WITH", "FOR", "EXTENDED");
  if (!plain) throw errors.notSupported(`${verb} of a statement`);
  const table = parseTableName(translation);
  const subject = { of: "columns", table, full: false } as const;
  if (cursor.atEnd()) return { kind: "show", subject };
  return { kind: "show", subject, like: cursor.nameOrString() };
}

function control(translation: Translation, first: Token): Statement {
  const { cursor } = translation;
  cursor.next();
  switch (first.upper) {
    case "BEGIN":
      cursor.take("WORK");
      return { kind: "begin", readOnly: false };
    case "START":
      if (!cursor.take("TRANSACTION")) break;
      return { kind: "begin", readOnly: transactionOptions(translation) ?? false };
    case "COMMIT":
      endOptions(translation);
      return { kind: "commit" };
    case "ROLLBACK":
      cursor.take("WORK");
      if (!cursor.take("TO")) {
        endOptions(translation);
        return { kind: "rollback" };
      }
      cursor.take("SAVEPOINT");
      return { kind: "rollbackTo", name: cursor.identifier() };
    case "SAVEPOINT":
      return { kind: "savepoint", name: cursor.identifier() };
    case "RELEASE":
      cursor.expect("SAVEPOINT");
      return { kind: "release", name: cursor.identifier() };
    case "LOCK":
      return lockTables(translation);
    case "UNLOCK":
      if (cursor.takeAny("TABLES", "TABLE") === undefined) throw cursor.error();
      return { kind: "unlockTables" };
    case "FLUSH":
      return flush(translation);
    case "KILL": {
      const queryOnly = cursor.takeAny("CONNECTION", "QUERY") === "QUERY";
      return { kind: "kill", id: cursor.integer(), queryOnly };
    }
    case "ANALYZE":
    case "CHECK":
    case "OPTIMIZE":
    case "REPAIR":
    case "CHECKSUM":
      return tableReport(translation, first.upper);
  }
  if (UNSUPPORTED.has(first.upper)) throw errors.notSupported(first.upper);
  throw cursor.error(first);
}

function transactionOptions(translation: Translation): boolean | undefined {
  const { cursor } = translation;
  let readOnly: boolean | undefined;
  while (!cursor.atEnd()) {
    if (cursor.take("READ", "ONLY")) readOnly = true;
    else if (cursor.take("READ", "WRITE")) readOnly = false;
    else if (cursor.take("ISOLATION", "LEVEL")) isolationLevel(translation);
    else if (!cursor.take("WITH", "CONSISTENT", "SNAPSHOT")) throw cursor.error();
    cursor.take(",");
  }
  return readOnly;
}

/** All levels are taken: what runs below is at least as strict as the strictest of them. */
function isolationLevel(translation: Translation): void {
  const { cursor } = translation;
  const levels = [["REPEATABLE", "READ"], ["READ", "COMMITTED"], ["READ", "UNCOMMITTED"], ["SERIALIZABLE"]];
  if (!levels.some((words) => cursor.take(...words))) throw cursor.error();
}

function endOptions(translation: Translation): void {
  const { cursor } = translation;
  cursor.take("WORK");
  if (cursor.take("AND", "CHAIN")) throw errors.notSupported("AND CHAIN");
  cursor.take("AND", "NO", "CHAIN");
  if (!cursor.take("NO", "RELEASE") && cursor.at("RELEASE")) throw errors.notSupported("RELEASE");
}

function lockTables(translation: Translation): Statement {
  const { cursor } = translation;
  if (cursor.at("INSTANCE")) throw errors.notSupported("LOCK INSTANCE");
  if (cursor.takeAny("TABLES", "TABLE") === undefined) throw cursor.error();
  cursor.list(() => {
    resolveTable(translation, parseTableName(translation), "LOCK TABLES");
    if (cursor.take("AS") || !cursor.atAny("READ", "WRITE", "LOW_PRIORITY")) cursor.identifier();
    cursor.take("LOW_PRIORITY");
    if (cursor.takeAny("READ", "WRITE") === undefined) throw cursor.error();
    cursor.take("LOCAL");
  });
  return { kind: "lockTables" };
}

function flush(translation: Translation): Statement {
  const { cursor } = translation;
  cursor.takeAny("LOCAL", "NO_WRITE_TO_BINLOG");
  const what = cursor.takeAny("PRIVILEGES", "TABLES", "TABLE", "STATUS", "LOGS", "HOSTS");
  if (what === undefined) throw errors.notSupported(`FLUSH ${cursor.peek().upper}`);
  if (!cursor.atEnd()) throw errors.notSupported(`FLUSH ${what} with options`);
  return { kind: "flush", what };
}

function tableReport(translation: Translation, operation: string): Statement {
  const { cursor } = translation;
  cursor.takeAny("LOCAL", "NO_WRITE_TO_BINLOG");
  if (operation === "CHECKSUM" || operation === "REPAIR") throw errors.notSupported(`${operation} TABLE`);
  if (cursor.takeAny("TABLE", "TABLES") === undefined) throw cursor.error();
  const tables = cursor.list(() => {
    const name = parseTableName(translation);
    resolveTable(translation, name, "SELECT");
    return name;
  });
  while (cursor.takeAny("QUICK", "FAST", "MEDIUM", "EXTENDED", "CHANGED") !== undefined) continue;
  return { kind: "tableReport", operation: operation.toLowerCase(), tables };
}

function setStatement(translation: Translation): Statement {
  const { cursor } = translation;
  if (cursor.take("NAMES")) {
    const charset = cursor.take("DEFAULT") ? "utf8mb4" : cursor.nameOrString();
    return { kind: "setNames", charset, collation: cursor.take("COLLATE") ? cursor.nameOrString() : undefined };
  }
  if (cursor.take("CHARACTER", "SET") || cursor.take("CHARSET")) {
    return {
      kind: "setNames",
      charset: cursor.take("DEFAULT") ? "utf8mb4" : cursor.nameOrString(),
      collation: undefined,
    };
  }
  if (cursor.take("PASSWORD")) return parseSetPassword(cursor);
  if (cursor.at("ROLE") || cursor.at("DEFAULT", "ROLE")) throw errors.notSupported("roles");
  const scoped = cursor.atAny("GLOBAL", "SESSION", "LOCAL") && cursor.peek(1).upper === "TRANSACTION";
  if (scoped) cursor.next();
  if (cursor.take("TRANSACTION")) return { kind: "setTransaction", readOnly: transactionOptions(translation) };
  return { kind: "set", assignments: cursor.list(() => assignment(translation)) };
}

function assignment(translation: Translation): Assignment {
  const { cursor } = translation;
  const target = assignmentTarget(translation);
  if (cursor.takeAny("=", ":=") === undefined) throw cursor.error();
  const token = cursor.peek();
  const alone =
    [",", ""].includes(cursor.peek(1).upper) && (cursor.peek(1).upper === "," || cursor.peek(1).kind === "end");
  if (target.kind === "system" && token.kind === "word" && alone && !["NULL", "TRUE", "FALSE"].includes(token.upper)) {
    return { target, value: { kind: "word", word: cursor.next().value } };
  }
  return { target, value: { kind: "expression", sql: translation.expression().sql } };
}

function assignmentTarget(translation: Translation): Assignment["target"] {
  const { cursor } = translation;
  const token = cursor.next();
  if (token.kind === "userVariable") return { kind: "user", name: token.value.toLowerCase() };
  if (token.kind === "systemVariable") {
    const [scope = "", name] = token.value.toLowerCase().split(".", 2);
    return { kind: "system", name: name ?? scope, global: name !== undefined && /^(global|persist)/.test(scope) };
  }
  if (token.kind !== "word" && token.kind !== "quoted") throw cursor.error(token);
  const scoped = ["GLOBAL", "SESSION", "LOCAL", "PERSIST", "PERSIST_ONLY"].includes(token.upper);
  const name = scoped ? cursor.identifier() : token.value;
  return { kind: "system", name: name.toLowerCase(), global: scoped && !["SESSION", "LOCAL"].includes(token.upper) };
}
