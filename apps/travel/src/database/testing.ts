import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createConnection, type Connection, type ConnectionOptions } from "mysql2/promise";
import { start } from "../mysqldb.ts";
import type { Service } from "../shared/service.ts";

export const ROOT_PASSWORD = "r00t 'pass\\word";

/** A database in a folder of its own, for tests. */
export class TestDatabase {
  readonly directory = mkdtempSync(join(tmpdir(), "travel-db-"));
  readonly warnings: string[] = [];
  readonly #plugin: string;
  #service: Service | undefined;

  constructor(plugin = "caching_sha2_password") {
    this.#plugin = plugin;
  }

  get port(): number {
    return Number(new URL(this.#service?.url ?? "").port);
  }

  async start(env: Record<string, string> = {}): Promise<this> {
    const flags = ["--datadir", this.directory, "--port=0", "--default-authentication-plugin", this.#plugin];
    const log = { info: () => {}, warn: (message: string) => void this.warnings.push(message) };
    this.#service = await start({ env: { MYSQL_ROOT_PASSWORD: ROOT_PASSWORD, ...env }, log }, flags);
    return this;
  }

  async stop(): Promise<void> {
    await this.#service?.close();
    this.#service = undefined;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  connect(options: ConnectionOptions = {}): Promise<Connection> {
    const account = { user: "root", password: ROOT_PASSWORD, database: "test" };
    return createConnection({ host: "127.0.0.1", port: this.port, ...account, ...options });
  }
}

/** The number, state and text of the error a promise ends with. */
export async function errorOf(work: Promise<unknown>): Promise<{ errno: number; state: string; message: string }> {
  try {
    await work;
  } catch (error) {
    const { errno, sqlState, sqlMessage, message } = error as Record<string, string> & { errno: number };
    return { errno, state: sqlState ?? "", message: sqlMessage ?? message ?? "" };
  }
  throw new Error("it went well, where an error was due");
}
