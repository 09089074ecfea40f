import { isAllowed, mayEnter, type Account } from "../auth/account.ts";
import { errors, MySqlError } from "../errors.ts";
import type { FunctionState, SqlValue } from "../functions/definition.ts";
import {
  parseStatement,
  splitStatements,
  type Assignment,
  type ParsedStatement,
  type Statement,
} from "../sql/statement.ts";
import type { Token } from "../sql/tokenizer.ts";
import { tokenize } from "../sql/tokenizer.ts";
import type { Access, TranslationEnvironment } from "../sql/translation.ts";
import { charsetNamed, collationNamed } from "../wire/charset.ts";
import type { ResultColumn } from "../wire/result-packets.ts";
import type { Engine } from "./engine.ts";
import { done, table, type Outcome } from "./outcome.ts";
import { queryColumns, runQuery, runWrite } from "./row-statements.ts";
import { applySchemaStatement } from "./schema-changes.ts";
import { SYSTEM_DATABASES } from "./schema-store.ts";
import { SessionDatabase } from "./session-database.ts";
import { isBusy, translateSqliteError } from "./sqlite-errors.ts";
import { showStatement } from "./show.ts";
import { Variables } from "./variables.ts";
import { virtualRows, virtualTable } from "./virtual-tables.ts";

export interface Warning {
  readonly level: "Note" | "Warning" | "Error";
  readonly code: number;
  readonly message: string;
}

export interface SessionOptions {
  readonly id: number;
  readonly account: Account;
  /** As the client called itself, and where it came from. */
  readonly user: string;
  readonly host: string;
  readonly signal: AbortSignal;
}

export interface PreparedText {
  readonly sql: string;
  readonly tokens: readonly Token[];
}

type ControlStatement = Exclude<Statement, { kind: "query" | "write" | "show" }>;

/** What one connection does with the databases. */
export class Session implements FunctionState {
  readonly engine: Engine;
  readonly options: SessionOptions;
  readonly variables = new Variables();
  readonly userVariables = new Map<string, SqlValue>();
  readonly store: SessionDatabase;
  database: string | undefined;
  now: number;
  lastInsertId = 0n;
  rowCount = 0n;
  warnings: Warning[] = [];
  #readOnly = false;

  constructor(engine: Engine, options: SessionOptions) {
    this.engine = engine;
    this.options = options;
    this.now = engine.now();
    this.store = new SessionDatabase(engine.schemas, this);
  }

  get connectionId(): number {
    return this.options.id;
  }
  get user(): string {
    return `${this.options.user}@${this.options.host}`;
  }
  get account(): string {
    const { user, host } = this.options.account;
    return `${user}@${host}`;
  }

  /** The account as it is now: grants may have changed since the login. */
  get actor(): Account {
    const { user, host } = this.options.account;
    const account = this.engine.accounts.find(user, host);
    if (!account) throw errors.accessDenied(user, this.options.host, true);
    return account;
  }

  get clientCharset(): string {
    return String(this.variables.get("character_set_client"));
  }
  get resultCharset(): string {
    return String(this.variables.get("character_set_results"));
  }

  /** Cuts a text into statements. */
  split(sql: string): PreparedText[] {
    const mode = {
      ansiQuotes: this.variables.mode("ANSI_QUOTES") || this.variables.mode("ANSI"),
      noBackslashEscapes: this.variables.mode("NO_BACKSLASH_ESCAPES"),
    };
    return splitStatements(sql, tokenize(sql, mode));
  }

  parse(text: PreparedText, prepared: boolean): ParsedStatement {
    return parseStatement(text.sql, text.tokens, this.#environment(prepared));
  }

  /** The columns a statement will give, for a prepared statement's description. */
  describe(parsed: ParsedStatement): readonly ResultColumn[] {
    if (parsed.statement.kind !== "query" || parsed.statement.discard) return [];
    this.#authorize(parsed.accesses);
    this.store.attach(parsed.databases);
    const { query } = parsed.statement;
    try {
      return queryColumns(this, this.store.prepare(query.sql), query);
    } catch (error) {
      throw translateSqliteError(error, parsed);
    }
  }

  /** Runs one statement. */
  async run(text: PreparedText, values?: readonly SqlValue[]): Promise<Outcome> {
    this.now = this.engine.now();
    const parsed = this.parse(text, values !== undefined);
    const { statement } = parsed;
    if (parsed.parameters !== (values?.length ?? 0)) {
      throw new MySqlError(1210, "HY000", "Incorrect arguments to mysqld_stmt_execute");
    }
    if (statement.kind !== "show") this.warnings = [];
    this.#authorize(parsed.accesses);
    const outcome = await this.#dispatch(statement, parsed, values ?? []);
    this.rowCount = outcome.kind === "done" ? outcome.affectedRows : -1n;
    return outcome;
  }

  async #dispatch(statement: Statement, parsed: ParsedStatement, values: readonly SqlValue[]): Promise<Outcome> {
    switch (statement.kind) {
      case "query": {
        const outcome = await this.attempt(parsed, () => runQuery(this, statement.query, values));
        if (!statement.discard) return outcome;
        if (outcome.kind === "rows") for (const row of outcome.rows) void row;
        return done();
      }
      case "write":
        if (this.#readOnly && this.store.inTransaction) throw errors.readOnlyTransaction();
        await this.awaitTables();
        return this.attempt(parsed, () => runWrite(this, statement, parsed, values));
      case "show":
        return showStatement(this, statement);
      default:
        return this.#control(statement, parsed);
    }
  }

  /** Waits while another session holds LOCK TABLES. */
  async awaitTables(): Promise<void> {
    const deadline = this.#lockDeadline();
    while (this.engine.locks.keepsOut(this)) await this.engine.locks.wait(deadline, this.options.signal);
  }

  #lockDeadline(): number {
    return performance.now() + Number(this.variables.get("innodb_lock_wait_timeout")) * 1000;
  }

  /** Runs something on SQLite, again and again while another session holds the lock. */
  async attempt<Result>(
    parsed: Pick<ParsedStatement, "databases" | "columnClauses">,
    work: () => Result,
  ): Promise<Result> {
    const deadline = this.#lockDeadline();
    for (;;) {
      try {
        this.store.attach(parsed.databases);
        if (!this.variables.is("autocommit") && !this.store.inTransaction) this.store.exec("BEGIN");
        const result = work();
        if (!this.store.inTransaction) this.engine.locks.released();
        return result;
      } catch (error) {
        const own = this.store.takeFunctionError();
        if (!isBusy(error)) throw this.#failed(own instanceof MySqlError ? own : error, parsed);
      }
      await this.engine.locks.wait(deadline, this.options.signal);
    }
  }

  /** MySQL's error; a deadlock and a full disk also end the transaction. */
  #failed(error: unknown, parsed: Pick<ParsedStatement, "columnClauses">): MySqlError {
    const known = translateSqliteError(error, parsed);
    if (known.code === 1213 && this.store.inTransaction) this.rollback();
    return known;
  }

  #authorize(accesses: readonly Access[]): void {
    for (const { privilege, database, table: name } of accesses) {
      if (database === "" || SYSTEM_DATABASES.includes(database)) continue;
      const { actor } = this;
      if (isAllowed(actor, privilege, database)) continue;
      throw errors.tableDenied(privilege, actor.user, this.options.host, name);
    }
  }

  /** Asks for a privilege on a table; names it as MySQL would when it is missing. */
  require(privilege: Access["privilege"], database: string, name: string): void {
    this.#authorize([{ privilege, database, table: name }]);
  }

  async #control(statement: ControlStatement, parsed: ParsedStatement): Promise<Outcome> {
    switch (statement.kind) {
      case "use":
        this.use(statement.database);
        return done();
      case "set":
        for (const assignment of statement.assignments) this.#assign(assignment);
        return done();
      case "setNames":
        this.setCharset(statement.charset, statement.collation);
        return done();
      case "setTransaction":
        if (statement.readOnly !== undefined) this.variables.set("transaction_read_only", statement.readOnly ? 1 : 0);
        return done();
      case "begin":
        this.commit();
        this.store.exec("BEGIN");
        this.#readOnly = statement.readOnly || this.variables.is("transaction_read_only");
        return done();
      case "commit":
        this.commit();
        return done();
      case "rollback":
        this.rollback();
        return done();
      case "savepoint":
      case "rollbackTo":
      case "release":
        return this.#savepoint(statement.kind, statement.name);
      case "lockTables":
        this.commit();
        await this.engine.locks.lockTables(this, this.#lockDeadline(), this.options.signal);
        return done();
      case "unlockTables":
        this.commit();
        this.engine.locks.unlockTables(this);
        return done();
      case "flush":
        if (!isAllowed(this.actor, "RELOAD", undefined)) throw errors.privilegeNeeded("RELOAD");
        if (statement.what === "PRIVILEGES") this.engine.authenticator.flush();
        return done();
      case "kill":
        return this.#kill(statement.id, statement.queryOnly);
      case "tableReport":
        return table(
          ["Table", "Op", "Msg_type", "Msg_text"],
          statement.tables.map(({ database, name }) => [`${database}.${name}`, statement.operation, "status", "OK"]),
        );
      case "createUser":
      case "alterUser":
      case "dropUser":
      case "renameUser":
      case "grant":
      case "revoke":
      case "revokeAll":
        this.commit();
        await this.engine.manager.run(statement, this.actor);
        return done();
      default:
        this.commit();
        await this.awaitTables();
        return this.attempt(parsed, () => applySchemaStatement(this, statement));
    }
  }

  #savepoint(kind: "savepoint" | "rollbackTo" | "release", name: string): Outcome {
    const sql = { savepoint: "SAVEPOINT", rollbackTo: "ROLLBACK TO", release: "RELEASE" }[kind];
    if (kind === "savepoint" && !this.store.inTransaction) return done();
    try {
      this.store.exec(`${sql} "${name.replaceAll('"', '""')}"`);
    } catch {
      throw new MySqlError(1305, "42000", `SAVEPOINT ${name} does not exist`);
    }
    return done();
  }

  #kill(id: number, queryOnly: boolean): Outcome {
    const entry = this.engine.processes.get(id)?.();
    if (!entry) throw errors.unknownThread(id);
    if (queryOnly) throw errors.notSupported("KILL QUERY");
    const own = entry.user === this.options.account.user;
    if (!own && !isAllowed(this.actor, "CONNECTION_ADMIN", undefined)) throw errors.privilegeNeeded("CONNECTION_ADMIN");
    entry.kill();
    return done();
  }

  use(database: string): void {
    const { actor } = this;
    const known = SYSTEM_DATABASES.includes(database) || this.engine.schemas.has(database);
    if (!SYSTEM_DATABASES.includes(database) && !mayEnter(actor, database)) {
      throw errors.databaseDenied(actor.user, this.options.host, database);
    }
    if (!known) throw errors.unknownDatabase(database);
    this.database = database;
  }

  commit(): void {
    if (!this.store.inTransaction) return;
    this.store.exec("COMMIT");
    this.engine.locks.released();
  }

  rollback(): void {
    if (!this.store.inTransaction) return;
    this.store.exec("ROLLBACK");
    this.engine.locks.released();
  }

  setCharset(name: string, collation?: string): void {
    const charset = charsetNamed(name);
    if (!charset) throw errors.notSupported(`character set ${name}`);
    if (collation !== undefined && !collationNamed(collation)) throw errors.notSupported(`collation ${collation}`);
    for (const part of ["client", "connection", "results"]) this.variables.set(`character_set_${part}`, charset.name);
    this.variables.set("collation_connection", collation ?? charset.collation);
  }

  #assign({ target, value }: Assignment): void {
    const result = value.kind === "word" ? value.word : this.store.value(`SELECT ${value.sql}`);
    if (target.kind === "user") {
      this.userVariables.set(target.name, result);
      return;
    }
    if (target.global && !isAllowed(this.actor, "SYSTEM_VARIABLES_ADMIN", undefined)) {
      throw errors.privilegeNeeded("SUPER or SYSTEM_VARIABLES_ADMIN");
    }
    if (target.global) throw errors.notSupported(`SET GLOBAL ${target.name}`);
    const plain = typeof result === "bigint" ? Number(result) : result instanceof Uint8Array ? String(result) : result;
    this.variables.set(target.name, plain);
    if (target.name === "autocommit" && this.variables.is("autocommit")) this.commit();
    if (target.name === "foreign_key_checks") {
      this.store.exec(`PRAGMA foreign_keys = ${this.variables.is("foreign_key_checks") ? "ON" : "OFF"}`);
    }
  }

  virtualRows(database: string, name: string): readonly (readonly SqlValue[])[] {
    return virtualRows(this, database, name);
  }

  #environment(prepared: boolean): TranslationEnvironment {
    const { schemas } = this.engine;
    return {
      database: this.database,
      pipesAsConcat: this.variables.mode("PIPES_AS_CONCAT") || this.variables.mode("ANSI"),
      prepared,
      databaseExists: (name) => schemas.has(name) || SYSTEM_DATABASES.includes(name),
      relation: (database, name) => schemas.relation(database, name),
      temporary: (name) => this.store.temporary.get(name),
      virtual: (database, name) => virtualTable(database, name),
      systemVariable: (scoped) => {
        const name = scoped.replace(/^(?:global|session|local|persist|persist_only)\./, "");
        return { value: this.variables.get(name), type: this.variables.typeOf(name) };
      },
    };
  }

  /** Back to how it was after the login. */
  reset(): void {
    this.rollback();
    this.engine.locks.unlockTables(this);
    this.store.reset();
    this.store.exec("PRAGMA foreign_keys = ON");
    this.variables.reset();
    this.userVariables.clear();
    this.lastInsertId = 0n;
    this.warnings = [];
  }

  close(): void {
    this.engine.locks.unlockTables(this);
    this.store.close();
    this.engine.locks.released();
  }
}
