import { type FileHandle, open, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Logger } from "@travelops/kube/api/logger";
import type { Actor, ObjectKey } from "./store.ts";

export interface AuditLogOptions {
  readonly dir: string;
  readonly log: Logger;
  /** A file that reached this size is rotated. */
  readonly maxBytes: number;
  /** Rotated files that are kept (`audit.log.1` is the youngest). */
  readonly keep: number;
}

interface OpenFile {
  readonly handle: FileHandle;
  /** When it was opened, by the clock of the entries. */
  readonly since: number;
  size: number;
}

export const AUDIT_FILE = "audit.log";

/** Opened anew from time to time: an administrator may have moved the file away. */
const OPEN_MS = 5_000;

/** Lines that may wait for the disk; more are dropped and counted, for memory must not grow with a stuck disk. */
const MAX_WAITING = 50_000;

/** Who wrote what, as JSON lines in `audit.log`. Never holds values, never delays a write. */
export class AuditLog {
  readonly #options: AuditLogOptions;
  readonly #file: string;
  #now = 0;
  #waiting: string[] = [];
  #dropped = 0;
  /** Kept open: one more open and close with every commit would cost more than the line. */
  #open: OpenFile | undefined;
  #writing: Promise<void> | undefined;

  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#file = join(options.dir, AUDIT_FILE);
  }

  record(time: number, actor: Actor, key: ObjectKey, revision: number): void {
    const { table, namespace, name } = key;
    this.append(time, {
      time: new Date(time).toISOString(),
      user: actor.user,
      verb: actor.verb,
      table,
      ...(namespace === "" ? {} : { namespace }),
      name,
      revision,
    });
  }

  /** One line of JSON. */
  append(time: number, entry: object): void {
    if (this.#waiting.length >= MAX_WAITING) {
      this.#dropped++;
      return;
    }
    this.#now = time;
    this.#waiting.push(`${JSON.stringify(entry)}\n`);
    this.#writing ??= this.#drain();
  }

  /** Resolves once everything recorded is written. */
  async close(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    await this.#release();
  }

  async #drain(): Promise<void> {
    // One turn later, so that all writes of a commit go in one call.
    await new Promise((resolve) => setImmediate(resolve));
    try {
      while (this.#waiting.length > 0) {
        const text = this.#waiting.join("");
        this.#waiting = [];
        await this.#append(text);
      }
      if (this.#dropped > 0)
        this.#options.log.error("audit log: entries were dropped, the disk is too slow", {
          dropped: this.#dropped,
        });
      this.#dropped = 0;
    } catch (error) {
      this.#options.log.error("audit log cannot be written", { file: this.#file, err: error });
    } finally {
      this.#writing = this.#waiting.length > 0 ? this.#drain() : undefined;
    }
  }

  async #append(text: string): Promise<void> {
    let open = await this.#opened();
    if (open.size >= this.#options.maxBytes) {
      await this.#release();
      await this.#rotate();
      open = await this.#opened();
    }
    try {
      await open.handle.appendFile(text);
    } catch (error) {
      // The next attempt opens it anew: it may have been moved to another disk, or have room again.
      await this.#release();
      throw error;
    }
    open.size += Buffer.byteLength(text);
  }

  async #opened(): Promise<OpenFile> {
    if (this.#open !== undefined && Math.abs(this.#now - this.#open.since) > OPEN_MS) await this.#release();
    return (this.#open ??= await openForAppend(this.#file, this.#now));
  }

  async #release(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.handle.close();
  }

  async #rotate(): Promise<void> {
    await rm(`${this.#file}.${this.#options.keep}`, { force: true });
    for (let n = this.#options.keep - 1; n >= 1; n--) await moveIfThere(`${this.#file}.${n}`, `${this.#file}.${n + 1}`);
    await moveIfThere(this.#file, `${this.#file}.1`);
  }
}

async function openForAppend(file: string, since: number): Promise<OpenFile> {
  const handle = await open(file, "a", 0o600);
  try {
    return { handle, since, size: (await handle.stat()).size };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function moveIfThere(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
