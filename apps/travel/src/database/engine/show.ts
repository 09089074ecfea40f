import { accountName, describeGrants, GLOBAL_PRIVILEGES, isAllowed } from "../auth/account.ts";
import { errors } from "../errors.ts";
import type { SqlValue } from "../functions/definition.ts";
import { matchesLike } from "../functions/patterns.ts";
import type { AccountReference } from "../sql/account-statements.ts";
import type { ShowStatement, ShowSubject } from "../sql/show-statements.ts";
import type { TableName } from "../sql/table-reference.ts";
import { quoted } from "../sql/translation.ts";
import { INTEGER } from "../sql/value-type.ts";
import { CHARSETS, COLLATIONS } from "../wire/charset.ts";
import type { ResultColumn } from "../wire/result-packets.ts";
import { table, type Outcome } from "./outcome.ts";
import { SYSTEM_DATABASES } from "./schema-store.ts";
import {
  bareColumn,
  columnListings,
  describeRelation,
  indexRows,
  rowCount,
  visibleDatabases,
  visibleRelations,
} from "./schema-listing.ts";
import type { Session } from "./session.ts";
import { virtualTable, virtualTableNames } from "./virtual-tables.ts";

interface Listing {
  readonly columns: readonly (string | ResultColumn)[];
  readonly rows: readonly (readonly SqlValue[])[];
}

/** Answers a SHOW. */
export function showStatement(session: Session, statement: ShowStatement): Outcome {
  const listing = list(session, statement.subject);
  const { like } = statement;
  let { rows } = listing;
  if (like !== undefined) rows = rows.filter((row) => matchesLike(String(row[0] ?? ""), like, "\\"));
  if (statement.where !== undefined) rows = filtered(session, listing, statement.where);
  return table(listing.columns, rows);
}

/** Applies a WHERE by handing the rows to SQLite under the result's own column names. */
function filtered(session: Session, listing: Listing, where: string): readonly (readonly SqlValue[])[] {
  const names = listing.columns.map((column) => (typeof column === "string" ? column : column.name));
  const columns = names.map((name, index) => `json_extract(value, '$[${index}]') AS ${quoted(name)}`);
  const rows = JSON.stringify(listing.rows, (_key, value: unknown) =>
    typeof value === "bigint" ? Number(value) : value,
  );
  const sql = `SELECT * FROM (SELECT ${columns.join(", ")} FROM json_each(?)) WHERE ${where}`;
  return session.store.prepare(sql).all(rows) as unknown as SqlValue[][];
}

function number(name: string): ResultColumn {
  return { name, type: INTEGER };
}

function database(session: Session, name: string | undefined): string {
  const wanted = name ?? session.database;
  if (wanted === undefined) throw errors.noDatabase();
  const { actor } = session;
  if (!SYSTEM_DATABASES.includes(wanted)) {
    if (!visibleDatabases(session).includes(wanted) && session.engine.schemas.has(wanted)) {
      throw errors.databaseDenied(actor.user, session.options.host, wanted);
    }
    if (!session.engine.schemas.has(wanted)) throw errors.unknownDatabase(wanted);
  }
  return wanted;
}

function list(session: Session, subject: ShowSubject): Listing {
  switch (subject.of) {
    case "databases":
      return { columns: ["Database"], rows: visibleDatabases(session).map((name) => [name]) };
    case "tables":
      return tables(session, database(session, subject.database), subject.full);
    case "tableStatus":
      return tableStatus(session, database(session, subject.database));
    case "columns":
      return columns(session, subject.table, subject.full);
    case "index":
      return indexes(session, subject.table);
    case "createTable":
      return createTable(session, subject.table);
    case "createDatabase": {
      const name = database(session, subject.name);
      const sql = `CREATE DATABASE \`${name}\` /*!40100 DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_ai_ci */`;
      return { columns: ["Database", "Create Database"], rows: [[name, sql]] };
    }
    case "createUser":
      return createUser(session, subject.account);
    case "grants": {
      const account = namedAccount(session, subject.account);
      return {
        columns: [`Grants for ${account.user}@${account.host}`],
        rows: describeGrants(account).map((line) => [line]),
      };
    }
    case "variables":
      return { columns: ["Variable_name", "Value"], rows: session.variables.all() };
    case "status":
      return { columns: ["Variable_name", "Value"], rows: statusRows(session) };
    case "warnings":
      return {
        columns: ["Level", number("Code"), "Message"],
        rows: session.warnings.map(({ level, code, message }) => [level, BigInt(code), message]),
      };
    case "warningCount":
      return { columns: [number("@@session.warning_count")], rows: [[BigInt(session.warnings.length)]] };
    case "processlist":
      return processes(session);
    case "engines":
      return {
        columns: ["Engine", "Support", "Comment", "Transactions", "XA", "Savepoints"],
        rows: [["InnoDB", "DEFAULT", "SQLite under InnoDB's name", "YES", "NO", "YES"]],
      };
    case "charsets":
      return {
        columns: ["Charset", "Description", "Default collation", number("Maxlen")],
        rows: CHARSETS.map((each) => [each.name, each.name, each.collation, BigInt(each.bytesPerCharacter)]),
      };
    case "collations":
      return {
        columns: ["Collation", "Charset", number("Id"), "Default", "Compiled", number("Sortlen")],
        rows: COLLATIONS.map((each) => [
          each.name,
          each.charset,
          BigInt(each.id),
          each.isDefault ? "Yes" : "",
          "Yes",
          1n,
        ]),
      };
    case "plugins":
      return {
        columns: ["Name", "Status", "Type", "Library", "License"],
        rows: ["mysql_native_password", "caching_sha2_password"].map((name) => [
          name,
          "ACTIVE",
          "AUTHENTICATION",
          null,
          "Apache-2.0",
        ]),
      };
    case "privileges":
      return {
        columns: ["Privilege", "Context", "Comment"],
        rows: GLOBAL_PRIVILEGES.map((name) => [name, "Server Admin", ""]),
      };
    case "nothing":
      return { columns: subject.columns, rows: [] };
  }
}

function tables(session: Session, name: string, full: boolean): Listing {
  const kinds = { table: "BASE TABLE", view: "VIEW" } as const;
  const rows = SYSTEM_DATABASES.includes(name)
    ? virtualTableNames(name).map((each) => [each, "SYSTEM VIEW"])
    : visibleRelations(session, name).map((relation) => [relation.name, kinds[relation.kind]]);
  const first = `Tables_in_${name}`;
  return full
    ? { columns: [first, "Table_type"], rows }
    : { columns: [first], rows: rows.map((row) => row.slice(0, 1)) };
}

function tableStatus(session: Session, name: string): Listing {
  const names = ["Name", "Engine", "Version", "Row_format", "Rows", "Avg_row_length", "Data_length", "Max_data_length"];
  const more = ["Index_length", "Data_free", "Auto_increment", "Create_time", "Update_time", "Check_time", "Collation"];
  return {
    columns: [...names, ...more, "Checksum", "Create_options", "Comment"],
    rows: visibleRelations(session, name).map((relation) => {
      const isTable = relation.kind === "table";
      const head = [relation.name, isTable ? "InnoDB" : null, isTable ? 10n : null, isTable ? "Dynamic" : null];
      const collation = isTable ? "utf8mb4_0900_ai_ci" : null;
      const none = Array.from({ length: 9 }, () => null);
      const comment = isTable ? (relation.comment ?? "") : "VIEW";
      return [...head, rowCount(session, name, relation), ...none, collation, null, "", comment];
    }),
  };
}

function relationOf(session: Session, named: TableName) {
  const own = session.store.temporary.get(named.name);
  if (own) return { name: named.name, relation: own };
  const schema = database(session, named.database);
  session.require("SELECT", schema, named.name);
  const relation = session.engine.schemas.relation(schema, named.name);
  if (!relation) throw errors.noSuchTable(schema, named.name);
  return { name: named.name, relation };
}

function columns(session: Session, named: TableName, full: boolean): Listing {
  const virtual = named.database === undefined ? undefined : virtualTable(named.database, named.name);
  const listings = virtual
    ? virtual.columns.map(({ name }) => bareColumn(name, "varchar(255)"))
    : columnListings(relationOf(session, named).relation);
  if (!full) {
    return {
      columns: ["Field", "Type", "Null", "Key", "Default", "Extra"],
      rows: listings.map((each) => [each.name, each.type, each.nullable, each.key, each.default, each.extra]),
    };
  }
  const privileges = "select,insert,update,references";
  return {
    columns: ["Field", "Type", "Collation", "Null", "Key", "Default", "Extra", "Privileges", "Comment"],
    rows: listings.map((each) => [
      each.name,
      each.type,
      each.collation,
      each.nullable,
      each.key,
      each.default,
      each.extra,
      privileges,
      each.comment,
    ]),
  };
}

function indexes(session: Session, named: TableName): Listing {
  const { relation } = relationOf(session, named);
  const rows = relation.kind === "view" ? [] : indexRows(relation);
  const head = [
    "Table",
    number("Non_unique"),
    "Key_name",
    number("Seq_in_index"),
    "Column_name",
    "Collation",
    number("Cardinality"),
  ];
  return {
    columns: [...head, "Sub_part", "Packed", "Null", "Index_type", "Comment", "Index_comment", "Visible", "Expression"],
    rows: rows.map((row) => {
      const first = [relation.name, row.unique ? 0n : 1n, row.name, BigInt(row.position), row.column, "A", 0n];
      return [...first, null, null, row.nullable ? "YES" : "", "BTREE", "", "", "YES", null];
    }),
  };
}

function createTable(session: Session, named: TableName): Listing {
  const { relation } = relationOf(session, named);
  const text = describeRelation(relation);
  if (relation.kind === "table") return { columns: ["Table", "Create Table"], rows: [[relation.name, text]] };
  return {
    columns: ["View", "Create View", "character_set_client", "collation_connection"],
    rows: [[relation.name, text, "utf8mb4", "utf8mb4_0900_ai_ci"]],
  };
}

function namedAccount(session: Session, reference: AccountReference) {
  const name = reference === "current" ? session.options.account : reference;
  if (accountName(name) !== accountName(session.options.account) && !isAllowed(session.actor, "SELECT", "mysql")) {
    throw errors.databaseDenied(session.actor.user, session.options.host, "mysql");
  }
  const account = session.engine.accounts.find(name.user, name.host);
  if (!account) throw errors.noSuchUserGrant(name.user, name.host);
  return account;
}

function createUser(session: Session, reference: AccountReference): Listing {
  const account = namedAccount(session, reference);
  const name = `\`${account.user}\`@\`${account.host}\``;
  // Only that there is a password; what is kept of it is nobody's business.
  const sql = `CREATE USER ${name} IDENTIFIED WITH '${account.credential.plugin}' ACCOUNT ${account.locked ? "LOCK" : "UNLOCK"}`;
  return { columns: [`CREATE USER for ${account.user}@${account.host}`], rows: [[sql]] };
}

function statusRows({ engine }: Session): [string, string][] {
  const uptime = Math.floor((engine.now() - engine.startedAt) / 1000);
  return [
    ["Connections", String(engine.connections)],
    ["Questions", String(engine.questions)],
    ["Ssl_cipher", ""],
    ["Threads_connected", String(engine.processes.size)],
    ["Threads_running", "1"],
    ["Uptime", String(uptime)],
  ];
}

function processes(session: Session): Listing {
  const all = isAllowed(session.actor, "PROCESS", undefined);
  const entries = [...session.engine.processes.values()].map((entry) => entry());
  const visible = entries.filter((entry) => all || entry.user === session.options.account.user);
  const now = session.engine.now();
  return {
    columns: [number("Id"), "User", "Host", "db", "Command", number("Time"), "State", "Info"],
    rows: visible.map((entry) => {
      const seconds = BigInt(Math.max(0, Math.floor((now - entry.since) / 1000)));
      return [
        BigInt(entry.id),
        entry.user,
        entry.host,
        entry.database ?? null,
        entry.command,
        seconds,
        "",
        entry.statement ?? null,
      ];
    }),
  };
}
