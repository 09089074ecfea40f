import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ObjectKey, StoreEvent } from "./store.ts";
import { pragma, transaction } from "./database.ts";
import { redact } from "./redact.ts";
import { StoreOpenError } from "./store-open-error.ts";
import { StoredVersion } from "./stored-version.ts";
import { isEncrypted } from "./value-cipher.ts";
import type { ValueCipher } from "./value-cipher.ts";

const TYPES = ["create", "update", "delete"] as const;
const DELETE = 3;
const typeNumber = (type: StoreEvent["type"]): number => TYPES.indexOf(type) + 1;

type Row = readonly [
  revision: number,
  resource: string,
  namespace: string,
  name: string,
  type: number,
  previous: number | null,
  value: Uint8Array,
  previousValue: Uint8Array | null,
];

export interface RevisionLogOptions {
  readonly db: DatabaseSync;
  readonly cipher: ValueCipher;
  readonly encryptedTables: ReadonlySet<string>;
}

/** How far one step of compaction came. */
export interface CompactionStep {
  readonly compacted: number;
  /** Time of the first row that stays; undefined: none stays that could be compacted later. */
  readonly nextTime: number | undefined;
  readonly more: boolean;
}

/** The log on disk. Everything is synchronous: a transaction of a few milliseconds beats handing rows to a worker. */
export class RevisionLog {
  readonly #db: DatabaseSync;
  readonly #cipher: ValueCipher;
  readonly #encrypted: ReadonlySet<string>;
  readonly #insert: StatementSync;
  readonly #scrub: StatementSync;
  readonly #deleteRow: StatementSync;
  readonly #setNumber: StatementSync;
  #revision = 0;
  #compacted = 0;

  constructor({ db, cipher, encryptedTables }: RevisionLogOptions) {
    this.#db = db;
    this.#cipher = cipher;
    this.#encrypted = encryptedTables;
    this.#insert = db.prepare(
      "INSERT INTO log (revision, resource, namespace, name, type, previous, time, value) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    );
    this.#scrub = db.prepare("UPDATE log SET value = ? WHERE revision = ?");
    this.#deleteRow = db.prepare("DELETE FROM log WHERE revision = ?");
    this.#setNumber = db.prepare(
      "INSERT INTO meta (name, number) VALUES (?, ?) ON CONFLICT DO UPDATE SET number = excluded.number",
    );
    this.#compacted = Number(db.prepare("SELECT number FROM meta WHERE name = 'compacted'").get()?.["number"] ?? 0);
    // Compaction takes deletions away, so the last row alone does not tell the last revision.
    this.#revision = Math.max(
      this.#compacted,
      Number(db.prepare("SELECT max(revision) AS last FROM log").get()?.["last"] ?? 0),
    );
  }

  get revision(): number {
    return this.#revision;
  }

  get compacted(): number {
    return this.#compacted;
  }

  /** Makes a batch durable, or throws and leaves nothing of it. */
  append(events: readonly StoreEvent[], time: number): void {
    transaction(this.#db, () => {
      for (const event of events) this.#appendOne(event, time);
    });
    const last = events.at(-1);
    if (last !== undefined) this.#revision = last.revision;
  }

  #appendOne(event: StoreEvent, time: number): void {
    const { key, revision, bytes } = event.object;
    const previous = event.previous?.revision ?? null;
    const hidden = this.#encrypted.has(key.table);
    const kept = hidden && event.type === "delete" ? redactedBytes(event.object.object) : bytes;
    const value = hidden ? this.#cipher.encrypt(kept, place(key, revision)) : kept;
    this.#insert.run(revision, key.table, key.namespace, key.name, typeNumber(event.type), previous, time, value);
    if (!hidden || event.previous === undefined) return;
    const scrubbed = this.#cipher.encrypt(redactedBytes(event.previous.object), place(key, event.previous.revision));
    this.#scrub.run(scrubbed, event.previous.revision);
  }

  /** The newest version of every object that exists. */
  *current(): Generator<StoredVersion> {
    const statement = this.#db.prepare(
      `SELECT revision, resource, namespace, name, value FROM log
       WHERE type <> ${DELETE} AND revision NOT IN (SELECT previous FROM log WHERE previous IS NOT NULL)`,
    );
    statement.setReturnArrays(true);
    const names = new Map<string, string>();
    const intern = (text: string): string => names.get(text) ?? (names.set(text, text), text);
    for (const row of statement.iterate() as unknown as Iterable<
      readonly [number, string, string, string, Uint8Array]
    >) {
      const [revision, table, namespace, name, value] = row;
      const key = { table: intern(table), namespace: intern(namespace), name };
      yield new StoredVersion(key, revision, this.#plain(key, revision, value));
    }
  }

  /** Events of a table after `revision`, oldest first; those of an encrypted table without what was superseded. */
  events(table: string, revision: number): StoreEvent[] {
    const statement = this.#db.prepare(
      `SELECT l.revision, l.resource, l.namespace, l.name, l.type, l.previous, l.value, p.value
       FROM log l LEFT JOIN log p ON p.revision = l.previous WHERE l.revision > ? AND l.resource = ? ORDER BY l.revision`,
    );
    statement.setReturnArrays(true);
    const events = (statement.all(revision, table) as unknown as readonly Row[]).map((row) => this.#event(row));
    return this.#encrypted.has(table) ? foldSuperseded(events) : events;
  }

  #event([revision, table, namespace, name, type, previousRevision, value, previousValue]: Row): StoreEvent {
    const key = { table, namespace, name };
    const previous =
      previousRevision === null || previousValue === null
        ? undefined
        : new StoredVersion(key, previousRevision, this.#plain(key, previousRevision, previousValue));
    const object = new StoredVersion(key, revision, this.#plain(key, revision, value));
    return { type: TYPES[type - 1] ?? "update", revision, object, previous };
  }

  #plain(key: ObjectKey, revision: number, value: Uint8Array): Buffer {
    if (!isEncrypted(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
    try {
      return this.#cipher.decrypt(value, place(key, revision));
    } catch (error) {
      throw new StoreOpenError(
        "damaged",
        `${key.table}${key.namespace}/${key.name} at revision ${revision} cannot be decrypted: restore the data directory from a copy`,
        {
          cause: error,
        },
      );
    }
  }

  /**
   * Forgets up to `limit` revisions that are older than `beforeTime` or not after `beforeRevision`:
   * takes away what they superseded, and deletions. Not synced: whatever is lost of it is done again.
   */
  compact(limit: number, beforeTime: number, beforeRevision: number): CompactionStep {
    const rows = this.#db
      .prepare("SELECT revision, previous, type, time FROM log WHERE revision > ? ORDER BY revision LIMIT ?")
      .all(this.#compacted, limit) as unknown as readonly {
      revision: number;
      previous: number | null;
      type: number;
      time: number;
    }[];
    const staying = rows.findIndex((row) => row.revision > beforeRevision && row.time > beforeTime);
    const going = staying < 0 ? rows : rows.slice(0, staying);
    const target = going.at(-1)?.revision;
    if (target !== undefined) {
      this.#unsynced(() => {
        for (const row of going) {
          if (row.previous !== null) this.#deleteRow.run(row.previous);
          if (row.type === DELETE) this.#deleteRow.run(row.revision);
        }
        this.#setNumber.run("compacted", target);
      });
      this.#compacted = target;
    }
    return { compacted: going.length, nextTime: rows[going.length]?.time, more: going.length === limit };
  }

  #unsynced(work: () => void): void {
    this.#db.exec("PRAGMA synchronous = NORMAL");
    try {
      transaction(this.#db, work);
    } finally {
      this.#db.exec("PRAGMA synchronous = FULL");
    }
  }

  /** Gives free pages back to the file system, a few at a time; true while there is more to give. */
  vacuum(pages: number): boolean {
    const spare = (): boolean =>
      pragma(this.#db, "freelist_count") > Math.max(256, pragma(this.#db, "page_count") / 10);
    if (!spare()) return false;
    this.#db.exec(`PRAGMA incremental_vacuum(${pages})`);
    return spare();
  }

  /** Moves the write-ahead log into the file and empties it, so that no old page stays in it. */
  checkpoint(): void {
    this.#db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  }

  close(): void {
    this.#db.close();
  }
}

const place = (key: ObjectKey, revision: number): string =>
  JSON.stringify([key.table, key.namespace, key.name, revision]);

const redactedBytes = (object: Parameters<typeof redact>[0]): Buffer => Buffer.from(JSON.stringify(redact(object)));

/**
 * Leaves out versions that a later event of the same object replaced: their values are gone. What follows them takes
 * over what they started from, so the events that remain still lead from the old state to the new one.
 */
function foldSuperseded(events: readonly StoreEvent[]): StoreEvent[] {
  const latest = new Map<string, StoreEvent>();
  const kept = new Map<number, StoreEvent>();
  for (const event of events) {
    const id = `${event.object.key.namespace}/${event.object.key.name}`;
    const before = latest.get(id);
    let folded: StoreEvent | undefined = event;
    if (before !== undefined && before.type !== "delete") {
      kept.delete(before.revision);
      const neverSeen = before.type === "create";
      if (event.type !== "delete")
        folded = { ...event, type: neverSeen ? "create" : event.type, previous: before.previous };
      else folded = neverSeen ? undefined : { ...event, previous: before.previous };
    }
    if (folded === undefined) latest.delete(id);
    else {
      latest.set(id, folded);
      kept.set(folded.revision, folded);
    }
  }
  return [...kept.values()];
}
