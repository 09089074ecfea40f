import { errors } from "../errors.ts";
import { finishTable, type CreateTable } from "../sql/create-table.ts";
import type { SchemaStatement } from "../sql/schema-statements.ts";
import type { RelationDefinition, TableDefinition, ViewDefinition } from "../sql/table-definition.ts";
import type { TableName } from "../sql/table-reference.ts";
import { quoted, schemaName, type Privilege } from "../sql/translation.ts";
import { changedTable } from "./alter-table.ts";
import { done, type Outcome } from "./outcome.ts";
import { SYSTEM_DATABASES } from "./schema-store.ts";
import type { Session } from "./session.ts";
import { createTableSql, tableStatements } from "./sqlite-table.ts";

interface Located {
  readonly database: string;
  readonly name: string;
}

/** Creates, changes and drops databases, tables and views. Each change is one transaction of its own. */
export function applySchemaStatement(session: Session, statement: SchemaStatement): Outcome {
  switch (statement.kind) {
    case "createDatabase":
      return createDatabase(session, statement.name, statement.ifNotExists);
    case "dropDatabase":
      return dropDatabase(session, statement.name, statement.ifExists);
    case "createTable":
      return createTable(session, statement);
    case "dropTables":
      return dropTables(session, statement);
    case "truncate":
      return truncate(session, statement.table);
    case "renameTables":
      for (const [from, to] of statement.pairs) renameTable(session, from, to);
      return done();
    case "alterTable":
      return alterTable(session, statement);
    case "createIndex": {
      const draft = { columns: [], indexes: [statement.index], foreignKeys: [], checks: [] };
      const change = { kind: "add", draft, position: undefined } as const;
      return alterTable(session, { kind: "alterTable", table: statement.table, changes: [change] }, "INDEX");
    }
    case "dropIndex": {
      const change = { kind: "dropIndex", index: statement.index } as const;
      return alterTable(session, { kind: "alterTable", table: statement.table, changes: [change] }, "INDEX");
    }
    case "createView":
      return createView(session, statement);
  }
}

function locate(session: Session, table: TableName, privilege: Privilege): Located {
  const database = table.database ?? session.database;
  if (database === undefined) throw errors.noDatabase();
  const { actor } = session;
  if (SYSTEM_DATABASES.includes(database)) throw errors.databaseDenied(actor.user, session.options.host, database);
  session.require(privilege, database, table.name);
  if (!session.engine.schemas.has(database)) throw errors.unknownDatabase(database);
  session.store.attach([database]);
  return { database, name: table.name };
}

function existingTable(session: Session, { database, name }: Located): TableDefinition {
  const relation = session.engine.schemas.relation(database, name);
  if (!relation) throw errors.noSuchTable(database, name);
  if (relation.kind === "view") throw errors.notSupported(`changing the view ${name}`);
  return relation;
}

/** Runs the work in a transaction and shows its definitions only after the commit. */
function transact(session: Session, work: () => (() => void)[]): void {
  const { store } = session;
  store.exec("BEGIN IMMEDIATE");
  let published: (() => void)[];
  try {
    published = work();
    store.exec("COMMIT");
  } catch (error) {
    if (store.inTransaction) store.exec("ROLLBACK");
    throw error;
  }
  for (const publish of published) publish();
}

function save(session: Session, database: string, relation: RelationDefinition): () => void {
  session.engine.schemas.write(session.store.connection, database, relation);
  return () => session.engine.schemas.publish(database, relation);
}

function erase(session: Session, { database, name }: Located): () => void {
  session.engine.schemas.erase(session.store.connection, database, name);
  return () => session.engine.schemas.unpublish(database, name);
}

function createDatabase(session: Session, name: string, ifNotExists: boolean): Outcome {
  const { schemas } = session.engine;
  session.require("CREATE", name, "");
  if (ifNotExists && schemas.has(name)) {
    session.warnings.push({ level: "Note", code: 1007, message: errors.databaseExists(name).message });
    return done(1);
  }
  schemas.create(name);
  return done(1);
}

function dropDatabase(session: Session, name: string, ifExists: boolean): Outcome {
  const { schemas } = session.engine;
  const { actor } = session;
  if (SYSTEM_DATABASES.includes(name)) throw errors.databaseDenied(actor.user, session.options.host, name);
  session.require("DROP", name, "");
  if (!schemas.has(name)) {
    if (!ifExists) throw errors.dropMissingDatabase(name);
    session.warnings.push({ level: "Note", code: 1008, message: errors.dropMissingDatabase(name).message });
    return done();
  }
  const count = schemas.relations(name).length;
  session.store.detach(name);
  schemas.drop(name);
  if (session.database === name) session.database = undefined;
  return done(count);
}

function draftOf(session: Session, statement: CreateTable): TableDefinition {
  const { source, table } = statement;
  if (source.kind === "definition") return finishTable(table.name, source.draft);
  if (source.kind === "query") {
    return finishTable(table.name, { columns: [...source.columns], indexes: [], foreignKeys: [], checks: [] });
  }
  const like = locate(session, source.table, "SELECT");
  return { ...existingTable(session, like), name: table.name, foreignKeys: [] };
}

function createTable(session: Session, statement: CreateTable): Outcome {
  const { store } = session;
  if (statement.temporary) return createTemporaryTable(session, statement);
  const located = locate(session, statement.table, "CREATE");
  const { database, name } = located;
  const same = session.engine.schemas
    .relations(database)
    .find((each) => each.name.toLowerCase() === name.toLowerCase());
  if (same) {
    if (!statement.ifNotExists) throw errors.tableExists(name);
    session.warnings.push({ level: "Note", code: 1050, message: errors.tableExists(name).message });
    return done();
  }
  if (name.startsWith("_mysql_") || name.startsWith("sqlite_")) throw errors.notSupported(`the table name ${name}`);
  const definition = draftOf(session, statement);
  if (definition.columns.length === 0) throw errors.notSupported("a table without columns");
  checkReferences(session, database, definition);
  let rows = 0;
  transact(session, () => {
    for (const sql of tableStatements(quoted(schemaName(database)), definition)) store.exec(sql);
    if (statement.source.kind === "query") {
      const into = `INSERT INTO ${quoted(schemaName(database))}.${quoted(name)} ${statement.source.sql}`;
      rows = Number(store.prepare(into).run().changes);
    }
    return [save(session, database, definition)];
  });
  return done(rows);
}

function createTemporaryTable(session: Session, statement: CreateTable): Outcome {
  const { store } = session;
  const { name, database } = statement.table;
  if (database !== undefined) session.require("CREATE TEMPORARY TABLES", database, name);
  if (store.temporary.has(name)) {
    if (statement.ifNotExists) return done();
    throw errors.tableExists(name);
  }
  const definition = draftOf(session, statement);
  for (const sql of tableStatements("temp", definition)) store.exec(sql);
  store.temporary.set(name, definition);
  if (statement.source.kind === "query") store.exec(`INSERT INTO temp.${quoted(name)} ${statement.source.sql}`);
  return done();
}

/** A foreign key must point to something, unless the checks are off. */
function checkReferences(session: Session, database: string, definition: TableDefinition): void {
  if (!session.variables.is("foreign_key_checks")) return;
  for (const key of definition.foreignKeys) {
    const target = key.table === definition.name ? definition : session.engine.schemas.relation(database, key.table);
    if (target?.kind !== "table") throw errors.referenceMissing(key.table);
    const wanted = key.references.map((name) => name.toLowerCase()).join();
    const indexed = target.indexes.some(
      (index) => index.kind !== "index" && index.columns.map((name) => name.toLowerCase()).join() === wanted,
    );
    if (!indexed) throw errors.referenceNotUnique(key.name, key.table);
  }
}

function dropTables(session: Session, statement: Extract<SchemaStatement, { kind: "dropTables" }>): Outcome {
  const { store, engine } = session;
  const missing: string[] = [];
  for (const table of statement.tables) {
    if (store.temporary.has(table.name) && statement.what === "table") {
      store.exec(`DROP TABLE temp.${quoted(table.name)}`);
      store.temporary.delete(table.name);
      continue;
    }
    const located = locate(session, table, "DROP");
    const relation = engine.schemas.relation(located.database, located.name);
    if (relation?.kind !== statement.what) {
      missing.push(`${located.database}.${located.name}`);
      continue;
    }
    transact(session, () => {
      store.exec(`DROP ${statement.what} ${quoted(schemaName(located.database))}.${quoted(located.name)}`);
      return [erase(session, located)];
    });
  }
  if (missing.length === 0) return done();
  const error = errors.unknownTable(missing.join(","));
  if (!statement.ifExists) throw error;
  session.warnings.push({ level: "Note", code: error.code, message: error.message });
  return done();
}

function truncate(session: Session, table: TableName): Outcome {
  const located = locate(session, table, "DROP");
  const definition = existingTable(session, located);
  const schema = quoted(schemaName(located.database));
  transact(session, () => {
    session.store.exec(`DELETE FROM ${schema}.${quoted(located.name)}`);
    if (definition.columns.some((column) => column.autoIncrement)) {
      session.store.prepare(`DELETE FROM ${schema}.sqlite_sequence WHERE name = ?`).run(located.name);
    }
    return [];
  });
  return done();
}

function renameTable(session: Session, from: TableName, to: TableName): void {
  const source = locate(session, from, "ALTER");
  const target = locate(session, to, "CREATE");
  if (source.database !== target.database) throw errors.notSupported("renaming a table into another database");
  if (session.engine.schemas.relation(target.database, target.name)) throw errors.tableExists(target.name);
  const definition = existingTable(session, source);
  rebuild(session, source.database, definition, { ...definition, name: target.name });
}

function alterTable(
  session: Session,
  statement: Extract<SchemaStatement, { kind: "alterTable" }>,
  privilege: Privilege = "ALTER",
): Outcome {
  const located = locate(session, statement.table, privilege);
  const before = existingTable(session, located);
  const { table, renames } = changedTable(before, statement.changes);
  if (table.name !== before.name && session.engine.schemas.relation(located.database, table.name)) {
    throw errors.tableExists(table.name);
  }
  checkReferences(session, located.database, table);
  rebuild(session, located.database, before, table, renames);
  return done();
}

/**
 * Makes the table anew under its new definition and copies the rows: the one way that serves every change.
 * Foreign keys are off meanwhile, as other tables may point here; SQLite cannot turn them off inside.
 */
function rebuild(
  session: Session,
  database: string,
  before: TableDefinition,
  after: TableDefinition,
  renames: ReadonlyMap<string, string> = new Map(),
): void {
  const { store } = session;
  const schema = quoted(schemaName(database));
  const draft = `_mysql_new_${before.name}`;
  store.exec("PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON");
  try {
    transact(session, () => {
      store.exec(createTableSql(schema, after, draft));
      copyRows(session, schema, before, after, draft, renames);
      store.exec(`DROP TABLE ${schema}.${quoted(before.name)}`);
      store.exec(`ALTER TABLE ${schema}.${quoted(draft)} RENAME TO ${quoted(after.name)}`);
      for (const sql of tableStatements(schema, after).slice(1)) store.exec(sql);
      const published = before.name === after.name ? [] : [erase(session, { database, name: before.name })];
      return [...published, save(session, database, after)];
    });
  } finally {
    store.exec("PRAGMA legacy_alter_table = OFF");
    if (session.variables.is("foreign_key_checks")) store.exec("PRAGMA foreign_keys = ON");
  }
}

function copyRows(
  session: Session,
  schema: string,
  before: TableDefinition,
  after: TableDefinition,
  draft: string,
  renames: ReadonlyMap<string, string>,
): void {
  const old = new Set(before.columns.map((column) => column.name));
  const pairs = after.columns.flatMap((column) => {
    const source = renames.get(column.name) ?? column.name;
    return !column.generated && old.has(source) ? [[quoted(column.name), quoted(source)] as const] : [];
  });
  if (pairs.length === 0) return;
  const into = pairs.map(([name]) => name).join(", ");
  const from = pairs.map(([, name]) => name).join(", ");
  session.store.exec(
    `INSERT INTO ${schema}.${quoted(draft)} (${into}) SELECT ${from} FROM ${schema}.${quoted(before.name)}`,
  );
}

function createView(session: Session, statement: Extract<SchemaStatement, { kind: "createView" }>): Outcome {
  const located = locate(session, statement.view, "CREATE VIEW");
  const { database, name } = located;
  const { store, engine } = session;
  const existing = engine.schemas.relation(database, name);
  if (existing && (existing.kind === "table" || !statement.replace)) throw errors.tableExists(name);
  const names = statement.columns ?? statement.query.columns.map((column) => column.name);
  const view: ViewDefinition = {
    kind: "view",
    name,
    text: statement.text,
    columns: statement.query.columns.map((column, index) => ({
      name: names[index] ?? column.name,
      valueType: column.type(),
    })),
  };
  const schema = quoted(schemaName(database));
  transact(session, () => {
    if (existing) store.exec(`DROP VIEW ${schema}.${quoted(name)}`);
    const list = names.length > 0 ? ` (${names.map(quoted).join(", ")})` : "";
    store.exec(`CREATE VIEW ${schema}.${quoted(name)}${list} AS ${statement.query.sql}`);
    return [save(session, database, view)];
  });
  return done();
}
