import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { errors } from "../errors.ts";
import type { RelationDefinition } from "../sql/table-definition.ts";
import { quoted, schemaName } from "../sql/translation.ts";

export const SYSTEM_DATABASES = ["information_schema", "mysql", "performance_schema", "sys"];

const SUFFIX = ".sqlite";
const RELATIONS =
  "CREATE TABLE IF NOT EXISTS _mysql_relations (name TEXT PRIMARY KEY, definition TEXT NOT NULL) STRICT";

/** The databases: each a SQLite file beside the others, its tables' MySQL definitions inside. */
export class SchemaStore {
  readonly #directory: string;
  readonly #databases = new Map<string, Map<string, RelationDefinition>>();

  readonly #generations = new Map<string, number>();

  constructor(directory: string) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    for (const file of readdirSync(directory)) {
      if (file.endsWith(SUFFIX)) this.#load(decodeName(file.slice(0, -SUFFIX.length)));
    }
  }

  names(): string[] {
    return [...this.#databases.keys()].toSorted();
  }

  has(name: string): boolean {
    return this.#databases.has(name);
  }

  relations(database: string): RelationDefinition[] {
    const all = [...(this.#databases.get(database)?.values() ?? [])];
    return all.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  }

  relation(database: string, name: string): RelationDefinition | undefined {
    return this.#databases.get(database)?.get(name);
  }

  file(name: string): string {
    return join(this.#directory, encodeName(name) + SUFFIX);
  }

  create(name: string): void {
    if (name === "" || name.length > 64) throw errors.notSupported("a database name of this length");
    const taken = [...this.names(), ...SYSTEM_DATABASES].some((known) => known.toLowerCase() === name.toLowerCase());
    if (taken) throw errors.databaseExists(name);
    this.#load(name);
  }

  /** Tells a database apart from an earlier one of the same name. */
  generation(name: string): number {
    return this.#generations.get(name) ?? 0;
  }

  /** Forgets a database and removes its files. */
  drop(name: string): void {
    this.#generations.set(name, this.generation(name) + 1);
    this.#databases.delete(name);
    for (const ending of ["", "-wal", "-shm", "-journal"]) rmSync(this.file(name) + ending, { force: true });
  }

  #load(name: string): void {
    const database = new DatabaseSync(this.file(name));
    try {
      database.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; ${RELATIONS}`);
      const rows = database.prepare("SELECT name, definition FROM _mysql_relations").all();
      const relations = rows.map(
        (row) => [String(row["name"]), JSON.parse(String(row["definition"])) as RelationDefinition] as const,
      );
      this.#databases.set(name, new Map(relations));
    } finally {
      database.close();
    }
  }

  /** Writes a definition through a session's own connection, so that it commits with the table itself. */
  write(connection: DatabaseSync, database: string, relation: RelationDefinition): void {
    const table = `${quoted(schemaName(database))}._mysql_relations`;
    connection.prepare(`INSERT OR REPLACE INTO ${table} VALUES (?, ?)`).run(relation.name, JSON.stringify(relation));
  }

  erase(connection: DatabaseSync, database: string, name: string): void {
    connection.prepare(`DELETE FROM ${quoted(schemaName(database))}._mysql_relations WHERE name = ?`).run(name);
  }

  /** Shows everyone what was committed. */
  publish(database: string, relation: RelationDefinition): void {
    this.#databases.get(database)?.set(relation.name, relation);
  }

  unpublish(database: string, name: string): void {
    this.#databases.get(database)?.delete(name);
  }
}

/** A file name for any database name: what is no plain letter is written as %XX. */
function encodeName(name: string): string {
  return [...Buffer.from(name)]
    .map((byte) => {
      const character = String.fromCharCode(byte);
      return /[A-Za-z0-9_-]/.test(character) ? character : `%${byte.toString(16).padStart(2, "0")}`;
    })
    .join("");
}

function decodeName(file: string): string {
  return decodeURIComponent(file);
}
