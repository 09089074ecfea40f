/** The store's SQLite file: where it lies, how it is opened, and how it says that it is not usable. */
import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AUDIT_FILE } from "./audit-log.ts";
import { openError, StoreOpenError } from "./store-open-error.ts";

/** "TvOp": tells our files from any other SQLite file. */
const APPLICATION_ID = 0x54764f70;
const FORMAT = 1;

/** Measured: with 4 KB a page often holds one object and half of it stays empty. */
const PAGE_BYTES = 8_192;

/** How long to wait for the lock: a process that was just killed may still hold it for a moment. */
const LOCK_WAIT_MS = 500;

const SCHEMA = `
  CREATE TABLE log (
    revision INTEGER PRIMARY KEY,
    resource TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    type INTEGER NOT NULL,
    previous INTEGER,
    time INTEGER NOT NULL,
    value BLOB NOT NULL
  ) STRICT;
  CREATE TABLE meta (name TEXT PRIMARY KEY, number INTEGER, bytes BLOB) STRICT;
  PRAGMA application_id = ${APPLICATION_ID};
  PRAGMA user_version = ${FORMAT};
`;

export interface OpenDatabase {
  readonly db: DatabaseSync;
  /** True when the file was made by this call. */
  readonly created: boolean;
}

/** Opens (or makes) `store.db` in `dir`, holding its lock until closed. Throws `StoreOpenError`. */
export function openDatabase(dir: string, maxBytes?: number): OpenDatabase {
  const file = join(dir, "store.db");
  let db: DatabaseSync | undefined;
  try {
    makePrivate(dir, file);
    db = new DatabaseSync(file, { timeout: LOCK_WAIT_MS });
    // Exclusive locking before the first access: the lock is the kernel's, so it ends with the process, however it ends.
    db.exec(
      `PRAGMA page_size = ${PAGE_BYTES}; PRAGMA locking_mode = EXCLUSIVE; PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;`,
    );
    db.exec(
      "PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA journal_size_limit = 16777216; PRAGMA wal_autocheckpoint = 512; PRAGMA temp_store = MEMORY;",
    );
    if (maxBytes !== undefined) db.exec(`PRAGMA max_page_count = ${Math.max(8, Math.floor(maxBytes / PAGE_BYTES))}`);
    return { db, created: prepareSchema(db, file, dir) };
  } catch (error) {
    db?.close();
    throw openError(file, dir, error);
  }
}

function makePrivate(dir: string, file: string): void {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  chmodSync(dir, 0o700);
  // An existing file is not touched: closing any descriptor of it would drop the lock this process may hold on it.
  if (existsSync(file)) return;
  closeSync(openSync(file, "a", 0o600));
  for (const folder of [dir, dirname(dir)]) syncDirectory(folder);
}

/** An empty store where there was a full one is no new cluster. */
const toldOfWrites = (dir: string): boolean =>
  (statSync(join(dir, AUDIT_FILE), { throwIfNoEntry: false })?.size ?? 0) > 0;

/** A new file survives a power cut only once its directory is on disk. */
function syncDirectory(dir: string): void {
  const descriptor = openSync(dir, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function prepareSchema(db: DatabaseSync, file: string, dir: string): boolean {
  const application = pragma(db, "application_id");
  const format = pragma(db, "user_version");
  const objects = Number(db.prepare("SELECT count(*) AS n FROM sqlite_schema").get()?.["n"]);
  if (application === 0 && format === 0 && objects === 0) {
    if (toldOfWrites(dir))
      throw new StoreOpenError(
        "damaged",
        `${file} is empty or was removed, and the audit log beside it tells of writes: restore it from a copy, or remove ${dir} to start with an empty cluster`,
      );
    db.exec(`BEGIN IMMEDIATE; ${SCHEMA} COMMIT;`);
    return true;
  }
  if (application !== APPLICATION_ID)
    throw new StoreOpenError("format", `${file} is not a TravelOps store: choose another data directory than ${dir}`);
  if (format !== FORMAT) {
    throw new StoreOpenError(
      "format",
      `${file} has format ${format}, this version reads format ${FORMAT}: start the version that wrote it`,
    );
  }
  return false;
}

export function pragma(
  db: DatabaseSync,
  name: "application_id" | "user_version" | "freelist_count" | "page_count",
): number {
  return Number(Object.values(db.prepare(`PRAGMA ${name}`).get() ?? {})[0]);
}

/** Runs `work` as one transaction; a failure leaves nothing of it. */
export function transaction(db: DatabaseSync, work: () => void): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    work();
    db.exec("COMMIT");
  } catch (error) {
    // A full disk has already rolled back by itself, and a second ROLLBACK would hide the cause.
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}
