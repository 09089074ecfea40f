import { errors } from "../errors.ts";
import type { RelationDefinition } from "./table-definition.ts";
import type { TokenCursor } from "./token-cursor.ts";
import { text, type ValueType } from "./value-type.ts";

/** What a privilege check must know: which right, on which table. */
export interface Access {
  readonly privilege: Privilege;
  readonly database: string;
  readonly table: string;
}

export type Privilege =
  | "SELECT"
  | "INSERT"
  | "UPDATE"
  | "DELETE"
  | "CREATE"
  | "DROP"
  | "ALTER"
  | "INDEX"
  | "REFERENCES"
  | "CREATE VIEW"
  | "SHOW VIEW"
  | "LOCK TABLES"
  | "CREATE TEMPORARY TABLES";

/** A table made up when it is read: information_schema and the like. */
export interface VirtualTable {
  readonly name: string;
  readonly columns: readonly { readonly name: string; readonly type: ValueType }[];
}

/** What translating needs to know of the session and the schemas. */
export interface TranslationEnvironment {
  readonly database: string | undefined;
  readonly pipesAsConcat: boolean;
  /** Whether `?` may stand for a value. */
  readonly prepared: boolean;
  databaseExists(name: string): boolean;
  relation(database: string, name: string): RelationDefinition | undefined;
  temporary(name: string): RelationDefinition | undefined;
  virtual(database: string, name: string): VirtualTable | undefined;
  systemVariable(name: string): { readonly value: string | number; readonly type: ValueType };
}

/** A piece of SQLite's SQL; its type is known once the FROM clause is. */
export interface Fragment {
  readonly sql: string;
  readonly type: () => ValueType;
  /** Of a literal: its value, where a rule asks for one (ROUND's digits). */
  readonly literal?: string;
}

export function fragment(sql: string, type: ValueType | (() => ValueType)): Fragment {
  return { sql, type: typeof type === "function" ? type : () => type };
}

export interface ScopeTable {
  readonly alias: string;
  readonly columns: readonly { readonly name: string; readonly type: () => ValueType }[];
}

/** The tables whose columns an expression may name. */
export class Scope {
  readonly tables: ScopeTable[] = [];
  readonly #parent: Scope | undefined;

  constructor(parent?: Scope) {
    this.#parent = parent;
  }

  add(table: ScopeTable): void {
    const taken = this.tables.some((known) => known.alias.toLowerCase() === table.alias.toLowerCase());
    if (taken && table.alias !== "") throw errors.notUniqueTable(table.alias);
    this.tables.push(table);
  }

  /** The type of a column, looked up from the inside out; unknown columns count as text until SQLite objects. */
  typeOf(table: string | undefined, column: string): ValueType {
    for (const each of this.tables) {
      if (table !== undefined && each.alias.toLowerCase() !== table.toLowerCase()) continue;
      const found = each.columns.find((known) => known.name.toLowerCase() === column.toLowerCase());
      if (found) return found.type();
    }
    return this.#parent?.typeOf(table, column) ?? text();
  }
}

export interface Parsers {
  expression(translation: Translation, minimum?: number): Fragment;
  query(translation: Translation): QueryFragment;
}

export interface QueryFragment {
  readonly sql: string;
  readonly columns: readonly { readonly name: string; readonly type: () => ValueType; readonly from?: ColumnOrigin }[];
}

/** The table and column a result's column comes from. */
export interface ColumnOrigin {
  readonly database: string;
  readonly table: string;
  readonly alias: string;
  readonly column: string;
}

/** The state of translating one statement. */
export class Translation {
  readonly cursor: TokenCursor;
  readonly environment: TranslationEnvironment;
  readonly accesses: Access[] = [];
  /** Where each column was first named, for "Unknown column" errors. */
  readonly columnClauses = new Map<string, string>();
  /** Names given by WITH. */
  readonly commonTables = new Map<string, ScopeTable>();
  /** Databases the statement needs attached. */
  readonly databases = new Set<string>();
  readonly #parsers: Parsers;
  scope = new Scope();
  clause = "field list";
  parameters = 0;
  /** In ON DUPLICATE KEY UPDATE: the name of the proposed row, if it was given one. */
  proposedRow: string | undefined;
  /** A view's or a default's text is kept: no parameters or variables in it. */
  stored = false;

  constructor(cursor: TokenCursor, environment: TranslationEnvironment, parsers: Parsers) {
    this.cursor = cursor;
    this.environment = environment;
    this.#parsers = parsers;
  }

  expression(minimum?: number): Fragment {
    return this.#parsers.expression(this, minimum);
  }

  query(): QueryFragment {
    return this.#parsers.query(this);
  }

  /** Reads with another clause's name in errors. */
  within<Result>(clause: string, read: () => Result): Result {
    const before = this.clause;
    this.clause = clause;
    const result = read();
    this.clause = before;
    return result;
  }

  /** Reads inside an inner scope. */
  nested<Result>(read: () => Result): Result {
    const outer = this.scope;
    this.scope = new Scope(outer);
    const result = read();
    this.scope = outer;
    return result;
  }
}

/** An identifier for SQLite. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A string for SQLite; a zero character must be given as bytes. */
export function literal(value: string): string {
  if (value.includes("\0")) return `CAST(x'${Buffer.from(value).toString("hex")}' AS TEXT)`;
  return `'${value.replaceAll("'", "''")}'`;
}

/** The name under which a database's file is attached. */
export function schemaName(database: string): string {
  return `db_${database}`;
}
