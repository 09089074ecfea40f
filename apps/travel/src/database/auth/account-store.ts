import { DatabaseSync } from "node:sqlite";
import { errors } from "../errors.ts";
import { accountName, matchesHost, type Account } from "./account.ts";

/** The accounts, kept on disk; every change is durable before it is answered. */
export class AccountStore {
  readonly #database: DatabaseSync;
  readonly #accounts = new Map<string, Account>();
  /** Whether the file was made just now. */
  readonly isNew: boolean;

  constructor(file: string) {
    this.#database = new DatabaseSync(file);
    // The exclusive lock keeps a second server off the same data directory.
    this.#database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = FULL; BEGIN EXCLUSIVE; COMMIT;");
    this.#database.exec("CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, account TEXT NOT NULL) STRICT");
    const rows = this.#database.prepare("SELECT name, account FROM accounts").all();
    for (const row of rows) this.#accounts.set(String(row["name"]), JSON.parse(String(row["account"])) as Account);
    this.isNew = rows.length === 0;
  }

  all(): Account[] {
    return [...this.#accounts.values()];
  }

  find(user: string, host: string): Account | undefined {
    return this.#accounts.get(accountName({ user, host }));
  }

  /** The account of a connection: the most definite host pattern that fits. */
  match(user: string, hosts: readonly string[]): Account | undefined {
    const fitting = this.all().filter((account) => account.user === user && matchesHost(account, hosts));
    const vagueness = (account: Account): number =>
      (account.host.match(/[%_]/g)?.length ?? 0) * 1000 - account.host.length;
    return fitting.toSorted((a, b) => vagueness(a) - vagueness(b))[0];
  }

  /** Writes all of these or none. */
  save(accounts: readonly Account[]): void {
    this.#change(() => {
      const write = this.#database.prepare("INSERT OR REPLACE INTO accounts (name, account) VALUES (?, ?)");
      for (const account of accounts) write.run(accountName(account), JSON.stringify(account));
    });
    for (const account of accounts) this.#accounts.set(accountName(account), account);
  }

  delete(accounts: readonly Account[]): void {
    this.#change(() => {
      const remove = this.#database.prepare("DELETE FROM accounts WHERE name = ?");
      for (const account of accounts) remove.run(accountName(account));
    });
    for (const account of accounts) this.#accounts.delete(accountName(account));
  }

  #change(write: () => void): void {
    this.#database.exec("BEGIN");
    try {
      write();
      this.#database.exec("COMMIT");
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
      throw error instanceof Error && /disk/.test(error.message) ? errors.diskFull() : error;
    }
  }

  close(): void {
    this.#database.close();
  }
}
