import { join } from "node:path";
import { AccountStore } from "../auth/account-store.ts";
import { Authenticator } from "../auth/authenticator.ts";
import type { PluginName } from "../auth/password.ts";
import { AccountManager } from "./account-manager.ts";
import { LockBoard } from "./lock-board.ts";
import { SchemaStore } from "./schema-store.ts";

/** A connection as SHOW PROCESSLIST and KILL see it. */
export interface ProcessEntry {
  readonly id: number;
  readonly user: string;
  readonly host: string;
  readonly database: string | undefined;
  readonly command: string;
  /** Milliseconds since 1970 when the command began. */
  readonly since: number;
  readonly statement: string | undefined;
  kill(): void;
}

export interface EngineOptions {
  readonly directory: string;
  readonly defaultPlugin: PluginName;
  readonly now: () => number;
}

/** Everything the connections share. */
export class Engine {
  readonly schemas: SchemaStore;
  readonly accounts: AccountStore;
  readonly manager: AccountManager;
  readonly authenticator: Authenticator;
  readonly locks = new LockBoard();
  readonly processes = new Map<number, () => ProcessEntry>();
  readonly now: () => number;
  readonly startedAt: number;
  questions = 0;
  connections = 0;

  constructor(options: EngineOptions) {
    this.schemas = new SchemaStore(join(options.directory, "databases"));
    this.accounts = new AccountStore(join(options.directory, "accounts.sqlite"));
    this.manager = new AccountManager(this.accounts, options.defaultPlugin);
    this.authenticator = new Authenticator(this.accounts, options.defaultPlugin);
    this.now = options.now;
    this.startedAt = options.now();
  }

  close(): void {
    this.accounts.close();
  }
}
