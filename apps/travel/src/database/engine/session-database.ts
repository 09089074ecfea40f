import { DatabaseSync, type SQLInputValue, type StatementSync } from "node:sqlite";
import { errors } from "../errors.ts";
import type { FunctionState, SqlValue } from "../functions/definition.ts";
import type { RelationDefinition } from "../sql/table-definition.ts";
import { literal, quoted, schemaName } from "../sql/translation.ts";
import type { SchemaStore } from "./schema-store.ts";
import { registerFunctions } from "./sqlite-functions.ts";

/** SQLite can hold so many databases at once. */
const MOST_ATTACHED = 10;

/** A session's own SQLite connection: databases are attached as statements name them. */
export class SessionDatabase {
  readonly connection: DatabaseSync;
  readonly temporary = new Map<string, RelationDefinition>();
  readonly #schemas: SchemaStore;
  /** Each attached database with the generation it had. */
  readonly #attached = new Map<string, number>();
  #functionError: unknown;

  constructor(schemas: SchemaStore, state: FunctionState) {
    this.#schemas = schemas;
    this.connection = new DatabaseSync(":memory:", { timeout: 0, enableForeignKeyConstraints: true });
    this.connection.exec("PRAGMA temp_store = MEMORY");
    registerFunctions(this.connection, state, (error) => {
      this.#functionError = error;
    });
  }

  get inTransaction(): boolean {
    return this.connection.isTransaction;
  }

  /** The error a function threw since it was last asked for; SQLite passes on only its text. */
  takeFunctionError(): unknown {
    const error = this.#functionError;
    this.#functionError = undefined;
    return error;
  }

  attach(databases: Iterable<string>): void {
    const needed = new Set(databases);
    for (const name of needed) {
      const generation = this.#schemas.generation(name);
      if (this.#attached.get(name) === generation) continue;
      if (this.#attached.has(name)) this.detach(name);
      if (this.#attached.size >= MOST_ATTACHED) this.#makeRoom(needed);
      this.connection.exec(`ATTACH ${literal(this.#schemas.file(name))} AS ${quoted(schemaName(name))}`);
      // Attached files get SQLite's default, which is synchronous = FULL: a commit is on disk.
      this.#attached.set(name, generation);
    }
  }

  #makeRoom(needed: ReadonlySet<string>): void {
    const idle = [...this.#attached.keys()].find((name) => !needed.has(name));
    if (idle === undefined || this.inTransaction) {
      throw errors.notSupported(`more than ${MOST_ATTACHED} databases in one transaction`);
    }
    this.detach(idle);
  }

  detach(name: string): void {
    if (!this.#attached.has(name)) return;
    if (this.inTransaction)
      throw errors.notSupported(`using ${name} on in a transaction that began before it was dropped`);
    this.#attached.delete(name);
    this.connection.exec(`DETACH ${quoted(schemaName(name))}`);
  }

  prepare(sql: string): StatementSync {
    const statement = this.connection.prepare(sql);
    statement.setReadBigInts(true);
    statement.setReturnArrays(true);
    return statement;
  }

  exec(sql: string): void {
    this.connection.exec(sql);
  }

  /** The first column of the first row. */
  value(sql: string, values: readonly SqlValue[] = []): SqlValue {
    const row = this.prepare(sql).get(...values) as unknown as SqlValue[] | undefined;
    return row?.[0] ?? null;
  }

  rows(statement: StatementSync, values: readonly SqlValue[]): Iterator<SqlValue[]> {
    return statement.iterate(...(values as SQLInputValue[])) as unknown as Iterator<SqlValue[]>;
  }

  /** Drops what belongs to the session alone. */
  reset(): void {
    if (this.inTransaction) this.exec("ROLLBACK");
    for (const [name, relation] of this.temporary) this.exec(`DROP ${relation.kind} IF EXISTS temp.${quoted(name)}`);
    this.temporary.clear();
  }

  close(): void {
    if (this.connection.isTransaction) this.connection.exec("ROLLBACK");
    this.connection.close();
  }
}
