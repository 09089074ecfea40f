/**
 * One writer at a time of what commands share in a data directory: run.json, the choices of clusters, the kubeconfig.
 * SQLite's lock is the kernel's: it ends with its holder, however that ends, so there is no stale one to tell.
 */
import { chmodSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import type { DataDir } from "./data-dir.ts";
import { dataDirUnusable } from "./errors.ts";

const PATIENCE_MS = 20_000;
const RETRY_MS = 5;
const SQLITE_BUSY = 5;

/** Runs `work` while nobody else, in this process or another, runs theirs. Not re-entrant. */
export async function withStateLock<T>(dir: DataDir, work: () => Promise<T> | T): Promise<T> {
  const { DatabaseSync } = await import("node:sqlite");
  let database: InstanceType<typeof DatabaseSync>;
  try {
    database = new DatabaseSync(dir.lockFile, { timeout: 0 });
    // Not by opening it ourselves: closing any descriptor of the file would drop the kernel's lock.
    chmodSync(dir.lockFile, 0o600);
  } catch (error) {
    throw dataDirUnusable(dir.root, error instanceof Error ? error.message : String(error));
  }
  try {
    // Nothing is ever written, not even a journal: `down` has to work where the disk is full.
    await acquire(dir, () => database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE"));
    return await work();
  } finally {
    database.close();
  }
}

const SQLITE_NOTADB = 26;

function unusable(dir: DataDir, error: unknown): Error {
  const why = error instanceof Error ? error.message : String(error);
  const damaged = (error as { errcode?: number }).errcode === SQLITE_NOTADB;
  return dataDirUnusable(dir.root, damaged ? `${dir.lockFile} is damaged (${why}); it holds nothing: remove it` : why);
}

async function acquire(dir: DataDir, begin: () => void): Promise<void> {
  for (let waited = 0; ; waited += RETRY_MS) {
    try {
      begin();
      return;
    } catch (error) {
      const busy = (error as { errcode?: number }).errcode === SQLITE_BUSY;
      if (!busy) throw unusable(dir, error);
      if (waited > PATIENCE_MS) throw dataDirUnusable(dir.root, "another travelops command holds it for too long");
      await wait(RETRY_MS);
    }
  }
}
