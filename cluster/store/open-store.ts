import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { Clock } from "@travelops/kube/api/clock";
import type { Logger } from "@travelops/kube/api/logger";
import { AuditLog } from "./audit-log.ts";
import { openDatabase } from "./database.ts";
import { LogStore } from "./log-store.ts";
import { Maintenance } from "./maintenance.ts";
import type { Retention } from "./maintenance.ts";
import { RevisionLog } from "./revision-log.ts";
import type { Store } from "./store.ts";
import { openError, StoreOpenError } from "./store-open-error.ts";
import { loadCipher } from "./value-cipher.ts";
import type { ValueCipher } from "./value-cipher.ts";

export interface StoreOptions {
  /** Made (0700) where it is missing. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Logger;
  /** An hour and 10,000 revisions where absent. */
  readonly retention?: Retention;
  /** Tables whose values are encrypted, and leave the history as soon as they are superseded. `secrets.` where absent. */
  readonly encryptedTables?: readonly string[];
  /** `secrets.key` in `dir` where absent. */
  readonly keyFile?: string;
  readonly audit?: { readonly maxBytes: number; readonly keep: number };
  /** The store refuses to grow beyond this. */
  readonly maxBytes?: number;
}

const DEFAULT_RETENTION: Retention = { ms: 3_600_000, revisions: 10_000 };
const DEFAULT_AUDIT = { maxBytes: 10 * 1024 * 1024, keep: 5 };

/** Opens the store of a data directory, and holds it against every other process. Rejects with `StoreOpenError`. */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { dir, clock, log: logger } = options;
  const encryptedTables = new Set(options.encryptedTables ?? ["secrets."]);
  const { db, created } = openDatabase(dir, options.maxBytes);
  try {
    const cipher = checkedCipher(db, options.keyFile ?? join(dir, "secrets.key"), created);
    const log = new RevisionLog({ db, cipher, encryptedTables });
    const maintenance = new Maintenance(log, clock, logger, options.retention ?? DEFAULT_RETENTION);
    const audit = new AuditLog({ dir, log: logger, ...(options.audit ?? DEFAULT_AUDIT) });
    try {
      return new LogStore({ dir, log, audit, maintenance, encryptedTables, clock, logger });
    } catch (error) {
      maintenance.close();
      throw error;
    }
  } catch (error) {
    db.close();
    throw openError(join(dir, "store.db"), dir, error);
  }
}

/** The key must be the one that the store's values were written with: a known text, encrypted at first start, tells. */
function checkedCipher(db: DatabaseSync, keyFile: string, created: boolean): ValueCipher {
  const row = created ? undefined : db.prepare("SELECT bytes FROM meta WHERE name = 'key-check'").get();
  const check = row?.["bytes"];
  // Without the check nothing was ever encrypted: a first start that was killed in between.
  const cipher = loadCipher(keyFile, !(check instanceof Uint8Array));
  if (!(check instanceof Uint8Array)) {
    db.prepare("INSERT INTO meta (name, bytes) VALUES ('key-check', ?)").run(
      cipher.encrypt(Buffer.from("key-check"), "key-check"),
    );
    return cipher;
  }
  try {
    cipher.decrypt(check, "key-check");
  } catch (error) {
    throw new StoreOpenError(
      "key",
      `the encryption key ${keyFile} is not the one this store was written with: put the right file back`,
      { cause: error },
    );
  }
  return cipher;
}
