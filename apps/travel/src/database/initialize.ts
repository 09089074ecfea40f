import { readFileSync } from "node:fs";
import { GLOBAL_PRIVILEGES, NO_GRANT, PRIVILEGES, type Account } from "./auth/account.ts";
import { createCredential, type PluginName } from "./auth/password.ts";
import type { Engine } from "./engine/engine.ts";
import { Session } from "./engine/session.ts";
import { SettingError, type Environment } from "../shared/env.ts";
import { travelStatements } from "./travel-data.ts";

/** A secret from NAME, or from the file that NAME_FILE names. */
function secret(env: Environment, name: string): string | undefined {
  const file = env[`${name}_FILE`];
  if (file === undefined || file === "") return env[name];
  if (env[name] !== undefined) throw new SettingError(`${name} and ${name}_FILE are both set: one of them must go`);
  try {
    return readFileSync(file, "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    throw new SettingError(`${name}_FILE cannot be read: ${error instanceof Error ? error.message : file}`);
  }
}

function rootPassword(env: Environment): string {
  const password = secret(env, "MYSQL_ROOT_PASSWORD") ?? "";
  if (env["MYSQL_RANDOM_ROOT_PASSWORD"]) {
    throw new SettingError("MYSQL_RANDOM_ROOT_PASSWORD would put the password into the log: set MYSQL_ROOT_PASSWORD");
  }
  if (password === "" && !env["MYSQL_ALLOW_EMPTY_PASSWORD"]) {
    throw new SettingError(
      "The data directory is empty and there is no root password: set MYSQL_ROOT_PASSWORD or MYSQL_ROOT_PASSWORD_FILE " +
        "(or MYSQL_ALLOW_EMPTY_PASSWORD=yes)",
    );
  }
  return password;
}

/**
 * Fills a new data directory: the demo's data, then the accounts. The accounts come last and all at once, so
 * that a start cut short by a crash is simply done again.
 */
export async function initialize(engine: Engine, env: Environment, plugin: PluginName): Promise<void> {
  const root = await createCredential(plugin, rootPassword(env));
  const all = { privileges: GLOBAL_PRIVILEGES, grantOption: true };
  const base = { user: "root", credential: root, locked: false, global: all, databases: {} };
  const accounts: Account[] = [
    { ...base, host: "%" },
    { ...base, host: "localhost" },
  ];
  const database = env["MYSQL_DATABASE"] ?? "";
  const user = env["MYSQL_USER"] ?? "";
  if (user === "root") throw new SettingError("MYSQL_USER is root: set MYSQL_ROOT_PASSWORD alone for the root account");
  if (user !== "") {
    const password = secret(env, "MYSQL_PASSWORD") ?? "";
    if (password === "") throw new SettingError("MYSQL_USER is set: set MYSQL_PASSWORD or MYSQL_PASSWORD_FILE too");
    const databases = database === "" ? {} : { [database]: { privileges: PRIVILEGES, grantOption: false } };
    accounts.push({
      user,
      host: "%",
      credential: await createCredential(plugin, password),
      locked: false,
      global: NO_GRANT,
      databases,
    });
  }
  for (const name of engine.schemas.names()) engine.schemas.drop(name);
  for (const name of new Set(["test", database])) if (name !== "") engine.schemas.create(name);
  await fill(engine, accounts);
  engine.accounts.save(accounts);
}

async function fill(engine: Engine, [root]: readonly Account[]): Promise<void> {
  if (!root) return;
  // The account is not stored yet, so the session is told who it is.
  const session = new InitialSession(engine, {
    id: 0,
    account: root,
    user: "root",
    host: "localhost",
    signal: AbortSignal.any([]),
  });
  try {
    session.use("test");
    for (const sql of travelStatements()) for (const statement of session.split(sql)) await session.run(statement);
  } finally {
    session.close();
  }
}

class InitialSession extends Session {
  override get actor(): Account {
    return this.options.account;
  }
}
