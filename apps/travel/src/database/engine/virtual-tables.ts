import { isAllowed, PRIVILEGES, type Grant } from "../auth/account.ts";
import type { SqlValue } from "../functions/definition.ts";
import { familyOf, maximumLength } from "../sql/data-type.ts";
import { columnNamed, type RelationDefinition, type TableDefinition } from "../sql/table-definition.ts";
import type { VirtualTable } from "../sql/translation.ts";
import { INTEGER, text } from "../sql/value-type.ts";
import { CHARSETS, COLLATIONS } from "../wire/charset.ts";
import { SYSTEM_DATABASES } from "./schema-store.ts";
import { columnListings, indexRows, rowCount, visibleDatabases, visibleRelations } from "./schema-listing.ts";
import type { Session } from "./session.ts";

type Rows = (session: Session) => SqlValue[][];

interface Source {
  /** Column names; one that ends with # holds numbers. */
  readonly columns: string;
  readonly rows: Rows;
}

function everyRelation(
  session: Session,
  read: (database: string, relation: RelationDefinition) => SqlValue[][],
): SqlValue[][] {
  const own = session.engine.schemas.names();
  return own.flatMap((name) => visibleRelations(session, name).flatMap((relation) => read(name, relation)));
}

function everyTable(session: Session, read: (database: string, table: TableDefinition) => SqlValue[][]): SqlValue[][] {
  return everyRelation(session, (database, relation) => (relation.kind === "table" ? read(database, relation) : []));
}

const none: Rows = () => [];

const COLLATION = "utf8mb4_0900_ai_ci";

function columnRows(database: string, relation: RelationDefinition): SqlValue[][] {
  return columnListings(relation).map((listing, index) => {
    const column = relation.kind === "table" ? columnNamed(relation, listing.name) : undefined;
    const type = column?.type;
    const number = type && ["integer", "decimal", "real"].includes(familyOf(type));
    const length = type && !number ? (maximumLength(type) ?? null) : null;
    const plain = listing.type.replace(/[( ].*$/s, "");
    const charset = listing.collation === null ? null : "utf8mb4";
    const [precision, scale] = [number ? (type.length ?? 10) : null, number ? (type.scale ?? 0) : null];
    return [
      ...[
        "def",
        database,
        relation.name,
        listing.name,
        index + 1,
        listing.default,
        listing.nullable,
        plain,
        length,
        length,
      ],
      ...[
        precision,
        scale,
        charset,
        listing.collation,
        listing.type,
        listing.key,
        listing.extra,
        "select,insert,update,references",
      ],
      ...[listing.comment, column?.generated?.text ?? ""],
    ];
  });
}

function constraintRows(database: string, table: TableDefinition): SqlValue[][] {
  const row = (name: string, type: string): SqlValue[] => ["def", database, name, database, table.name, type, "YES"];
  return [
    ...table.indexes
      .filter((index) => index.kind !== "index")
      .map((index) => row(index.name, index.kind === "primary" ? "PRIMARY KEY" : "UNIQUE")),
    ...table.foreignKeys.map((key) => row(key.name, "FOREIGN KEY")),
    ...table.checks.map((check) => row(check.name, "CHECK")),
  ];
}

function keyRows(database: string, table: TableDefinition): SqlValue[][] {
  const head = (name: string): SqlValue[] => ["def", database, name, "def", database, table.name];
  const keys = table.indexes.filter((index) => index.kind !== "index");
  return [
    ...keys.flatMap((index) =>
      index.columns.map((column, at) => [...head(index.name), column, at + 1, null, null, null, null]),
    ),
    ...table.foreignKeys.flatMap((key) =>
      key.columns.map((column, at) => [
        ...head(key.name),
        column,
        at + 1,
        at + 1,
        database,
        key.table,
        key.references[at] ?? null,
      ]),
    ),
  ];
}

function grantRows(name: string, grant: Grant, prefix: readonly SqlValue[]): SqlValue[][] {
  const option = grant.grantOption ? "YES" : "NO";
  const privileges = grant.privileges.length === 0 ? ["USAGE"] : grant.privileges;
  return privileges.map((privilege) => [name, "def", ...prefix, privilege, option]);
}

const INFORMATION_SCHEMA: Readonly<Record<string, Source>> = {
  SCHEMATA: {
    columns: "CATALOG_NAME SCHEMA_NAME DEFAULT_CHARACTER_SET_NAME DEFAULT_COLLATION_NAME SQL_PATH DEFAULT_ENCRYPTION",
    rows: (session) => visibleDatabases(session).map((name) => ["def", name, "utf8mb4", COLLATION, null, "NO"]),
  },
  TABLES: {
    columns:
      "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME TABLE_TYPE ENGINE VERSION# ROW_FORMAT TABLE_ROWS# AVG_ROW_LENGTH# DATA_LENGTH# " +
      "AUTO_INCREMENT# CREATE_TIME UPDATE_TIME TABLE_COLLATION CREATE_OPTIONS TABLE_COMMENT",
    rows: (session) => [
      ...everyRelation(session, (database, relation) => {
        const isTable = relation.kind === "table";
        const kind = isTable ? ["BASE TABLE", "InnoDB", 10, "Dynamic"] : ["VIEW", null, null, null];
        const rows = rowCount(session, database, relation);
        const comment = isTable ? (relation.comment ?? "") : "VIEW";
        return [
          [
            "def",
            database,
            relation.name,
            ...kind,
            rows,
            null,
            null,
            null,
            null,
            null,
            isTable ? COLLATION : null,
            "",
            comment,
          ],
        ];
      }),
      ...SYSTEM_DATABASES.flatMap((schema) =>
        virtualTableNames(schema).map((name): SqlValue[] => [
          ...["def", schema, name, "SYSTEM VIEW", null, 10, null, 0, 0, 0, null, null, null, null, "", ""],
        ]),
      ),
    ],
  },
  COLUMNS: {
    columns:
      "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME COLUMN_NAME ORDINAL_POSITION# COLUMN_DEFAULT IS_NULLABLE DATA_TYPE " +
      "CHARACTER_MAXIMUM_LENGTH# CHARACTER_OCTET_LENGTH# NUMERIC_PRECISION# NUMERIC_SCALE# CHARACTER_SET_NAME COLLATION_NAME " +
      "COLUMN_TYPE COLUMN_KEY EXTRA PRIVILEGES COLUMN_COMMENT GENERATION_EXPRESSION",
    rows: (session) => everyRelation(session, columnRows),
  },
  STATISTICS: {
    columns:
      "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME NON_UNIQUE# INDEX_SCHEMA INDEX_NAME SEQ_IN_INDEX# COLUMN_NAME COLLATION NULLABLE INDEX_TYPE",
    rows: (session) =>
      everyTable(session, (database, table) =>
        indexRows(table).map((row) => [
          ...["def", database, table.name, row.unique ? 0 : 1, database, row.name, row.position, row.column, "A"],
          ...[row.nullable ? "YES" : "", "BTREE"],
        ]),
      ),
  },
  TABLE_CONSTRAINTS: {
    columns: "CONSTRAINT_CATALOG CONSTRAINT_SCHEMA CONSTRAINT_NAME TABLE_SCHEMA TABLE_NAME CONSTRAINT_TYPE ENFORCED",
    rows: (session) => everyTable(session, constraintRows),
  },
  KEY_COLUMN_USAGE: {
    columns:
      "CONSTRAINT_CATALOG CONSTRAINT_SCHEMA CONSTRAINT_NAME TABLE_CATALOG TABLE_SCHEMA TABLE_NAME COLUMN_NAME ORDINAL_POSITION# " +
      "POSITION_IN_UNIQUE_CONSTRAINT# REFERENCED_TABLE_SCHEMA REFERENCED_TABLE_NAME REFERENCED_COLUMN_NAME",
    rows: (session) => everyTable(session, keyRows),
  },
  REFERENTIAL_CONSTRAINTS: {
    columns:
      "CONSTRAINT_CATALOG CONSTRAINT_SCHEMA CONSTRAINT_NAME UNIQUE_CONSTRAINT_SCHEMA UNIQUE_CONSTRAINT_NAME MATCH_OPTION " +
      "UPDATE_RULE DELETE_RULE TABLE_NAME REFERENCED_TABLE_NAME",
    rows: (session) =>
      everyTable(session, (database, table) =>
        table.foreignKeys.map((key) => [
          ...[
            "def",
            database,
            key.name,
            database,
            "PRIMARY",
            "NONE",
            key.onUpdate ?? "NO ACTION",
            key.onDelete ?? "NO ACTION",
          ],
          ...[table.name, key.table],
        ]),
      ),
  },
  VIEWS: {
    columns: "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME VIEW_DEFINITION CHECK_OPTION IS_UPDATABLE DEFINER SECURITY_TYPE",
    rows: (session) =>
      everyRelation(session, (database, relation) =>
        relation.kind === "view" ? [["def", database, relation.name, relation.text, "NONE", "NO", "", "INVOKER"]] : [],
      ),
  },
  ENGINES: {
    columns: "ENGINE SUPPORT COMMENT TRANSACTIONS XA SAVEPOINTS",
    rows: () => [["InnoDB", "DEFAULT", "SQLite under InnoDB's name", "YES", "NO", "YES"]],
  },
  CHARACTER_SETS: {
    columns: "CHARACTER_SET_NAME DEFAULT_COLLATE_NAME DESCRIPTION MAXLEN#",
    rows: () => CHARSETS.map((each) => [each.name, each.collation, each.name, each.bytesPerCharacter]),
  },
  COLLATIONS: {
    columns: "COLLATION_NAME CHARACTER_SET_NAME ID# IS_DEFAULT IS_COMPILED SORTLEN#",
    rows: () => COLLATIONS.map((each) => [each.name, each.charset, each.id, each.isDefault ? "Yes" : "", "Yes", 1]),
  },
  PROCESSLIST: {
    columns: "ID# USER HOST DB COMMAND TIME# STATE INFO",
    rows: (session) => {
      const all = isAllowed(session.actor, "PROCESS", undefined);
      const entries = [...session.engine.processes.values()].map((entry) => entry());
      return entries
        .filter((entry) => all || entry.user === session.options.account.user)
        .map((each) => [
          each.id,
          each.user,
          each.host,
          each.database ?? null,
          each.command,
          0,
          "",
          each.statement ?? null,
        ]);
    },
  },
  USER_PRIVILEGES: {
    columns: "GRANTEE TABLE_CATALOG PRIVILEGE_TYPE IS_GRANTABLE",
    rows: (session) =>
      visibleAccounts(session).flatMap((account) =>
        grantRows(`'${account.user}'@'${account.host}'`, account.global, []),
      ),
  },
  SCHEMA_PRIVILEGES: {
    columns: "GRANTEE TABLE_CATALOG TABLE_SCHEMA PRIVILEGE_TYPE IS_GRANTABLE",
    rows: (session) =>
      visibleAccounts(session).flatMap((account) =>
        Object.entries(account.databases).flatMap(([name, grant]) =>
          grantRows(`'${account.user}'@'${account.host}'`, grant, [name]),
        ),
      ),
  },
  ROUTINES: {
    columns:
      "SPECIFIC_NAME ROUTINE_CATALOG ROUTINE_SCHEMA ROUTINE_NAME ROUTINE_TYPE DATA_TYPE ROUTINE_DEFINITION SECURITY_TYPE CREATED DEFINER",
    rows: none,
  },
  PARAMETERS: {
    columns: "SPECIFIC_CATALOG SPECIFIC_SCHEMA SPECIFIC_NAME ORDINAL_POSITION# PARAMETER_NAME DATA_TYPE",
    rows: none,
  },
  TRIGGERS: {
    columns:
      "TRIGGER_CATALOG TRIGGER_SCHEMA TRIGGER_NAME EVENT_MANIPULATION EVENT_OBJECT_CATALOG EVENT_OBJECT_SCHEMA EVENT_OBJECT_TABLE " +
      "ACTION_ORDER# ACTION_CONDITION ACTION_STATEMENT ACTION_ORIENTATION ACTION_TIMING CREATED SQL_MODE DEFINER",
    rows: none,
  },
  EVENTS: {
    columns: "EVENT_CATALOG EVENT_SCHEMA EVENT_NAME DEFINER TIME_ZONE EVENT_DEFINITION EVENT_TYPE EXECUTE_AT STATUS",
    rows: none,
  },
  PARTITIONS: { columns: "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME PARTITION_NAME", rows: none },
  FILES: {
    columns:
      "FILE_ID# FILE_NAME FILE_TYPE TABLESPACE_NAME LOGFILE_GROUP_NAME ENGINE TOTAL_EXTENTS# INITIAL_SIZE# EXTENT_SIZE# EXTRA",
    rows: none,
  },
  TABLE_PRIVILEGES: {
    columns: "GRANTEE TABLE_CATALOG TABLE_SCHEMA TABLE_NAME PRIVILEGE_TYPE IS_GRANTABLE",
    rows: none,
  },
  COLUMN_PRIVILEGES: {
    columns: "GRANTEE TABLE_CATALOG TABLE_SCHEMA TABLE_NAME COLUMN_NAME PRIVILEGE_TYPE IS_GRANTABLE",
    rows: none,
  },
};

const MYSQL: Readonly<Record<string, Source>> = {
  user: {
    columns: "Host User plugin account_locked password_expired Super_priv Grant_priv",
    rows: (session) =>
      visibleAccounts(session).map((account) => [
        ...[account.host, account.user, account.credential.plugin, account.locked ? "Y" : "N", "N"],
        ...[account.global.privileges.includes("SUPER") ? "Y" : "N", account.global.grantOption ? "Y" : "N"],
      ]),
  },
  db: {
    columns: `Host Db User ${PRIVILEGES.slice(0, 6)
      .map((name) => `${name[0]}${name.slice(1).toLowerCase()}_priv`)
      .join(" ")}`,
    rows: (session) =>
      visibleAccounts(session).flatMap((account) =>
        Object.entries(account.databases).map(([name, grant]) => [
          ...[account.host, name, account.user],
          ...PRIVILEGES.slice(0, 6).map((privilege) => (grant.privileges.includes(privilege) ? "Y" : "N")),
        ]),
      ),
  },
};

function visibleAccounts(session: Session) {
  const { actor } = session;
  const all = session.engine.accounts.all();
  return isAllowed(actor, "SELECT", "mysql")
    ? all
    : all.filter(({ user, host }) => user === actor.user && host === actor.host);
}

function sourceOf(database: string, name: string): { name: string; source: Source } | undefined {
  const schema = database.toLowerCase();
  const tables = { information_schema: INFORMATION_SCHEMA, mysql: MYSQL }[schema];
  const key = schema === "information_schema" ? name.toUpperCase() : name;
  const source = tables && Object.hasOwn(tables, key) ? tables[key] : undefined;
  return source && { name: key, source };
}

/** A system table's columns. */
export function virtualTable(database: string, name: string): VirtualTable | undefined {
  const found = sourceOf(database, name);
  return (
    found && {
      name: found.name,
      columns: found.source.columns
        .split(" ")
        .map((column) =>
          column.endsWith("#") ? { name: column.slice(0, -1), type: INTEGER } : { name: column, type: text(255) },
        ),
    }
  );
}

/** A system table's rows, made now. */
export function virtualRows(session: Session, database: string, name: string): SqlValue[][] {
  return sourceOf(database, name)?.source.rows(session) ?? [];
}

export function virtualTableNames(database: string): string[] {
  if (database === "information_schema") return Object.keys(INFORMATION_SCHEMA).toSorted();
  return database === "mysql" ? Object.keys(MYSQL).toSorted() : [];
}
