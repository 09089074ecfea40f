import { GLOBAL_PRIVILEGES, PRIVILEGES } from "../auth/account.ts";
import { errors } from "../errors.ts";
import type { PluginName } from "../auth/password.ts";
import type { TokenCursor } from "./token-cursor.ts";

export interface AccountName {
  readonly user: string;
  readonly host: string;
}

/** An account named in a statement; `USER()` is the one that is connected. */
export type AccountReference = AccountName | "current";

export interface AccountChange {
  readonly account: AccountReference;
  readonly plugin?: PluginName;
  readonly password?: string;
  /** REPLACE: the password it has now. */
  readonly replace?: string;
  readonly retainCurrent: boolean;
  readonly discardOld: boolean;
}

export interface GrantLevel {
  /** Undefined for *.*. */
  readonly database: string | undefined;
}

export type AccountStatement =
  | {
      readonly kind: "createUser";
      readonly ifNotExists: boolean;
      readonly changes: readonly AccountChange[];
      readonly locked: boolean;
    }
  | {
      readonly kind: "alterUser";
      readonly ifExists: boolean;
      readonly changes: readonly AccountChange[];
      readonly locked?: boolean;
    }
  | { readonly kind: "dropUser"; readonly ifExists: boolean; readonly accounts: readonly AccountReference[] }
  | { readonly kind: "renameUser"; readonly pairs: readonly (readonly [AccountReference, AccountReference])[] }
  | {
      readonly kind: "grant" | "revoke";
      readonly privileges: readonly string[] | "all";
      readonly level: GrantLevel;
      readonly accounts: readonly AccountReference[];
      readonly grantOption: boolean;
    }
  | { readonly kind: "revokeAll"; readonly accounts: readonly AccountReference[] };

/** `user`, `'user'@'host'` or USER(). */
export function parseAccount(cursor: TokenCursor): AccountReference {
  if (cursor.atAny("USER", "CURRENT_USER") && (cursor.peek(1).upper === "(" || cursor.at("CURRENT_USER"))) {
    cursor.next();
    if (cursor.take("(")) cursor.expect(")");
    return "current";
  }
  const user = cursor.nameOrString();
  const next = cursor.peek();
  if (next.kind === "userVariable") return { user, host: cursor.next().value.toLowerCase() };
  if (!cursor.take("@")) return { user, host: "%" };
  return { user, host: cursor.nameOrString().toLowerCase() };
}

function parsePlugin(cursor: TokenCursor): PluginName {
  const name = cursor.nameOrString();
  if (name === "mysql_native_password" || name === "caching_sha2_password") return name;
  throw errors.pluginNotLoaded(name);
}

function parseChange(cursor: TokenCursor): AccountChange {
  const account = parseAccount(cursor);
  const change: { plugin?: PluginName; password?: string; replace?: string } = {};
  let retainCurrent = false;
  let discardOld = false;
  if (cursor.take("IDENTIFIED")) {
    if (cursor.take("WITH")) change.plugin = parsePlugin(cursor);
    if (cursor.at("AS")) throw errors.notSupported("IDENTIFIED … AS (a password's hash)");
    if (cursor.take("BY")) {
      if (cursor.at("RANDOM")) throw errors.notSupported("BY RANDOM PASSWORD");
      change.password = cursor.string();
      if (cursor.take("REPLACE")) change.replace = cursor.string();
    }
  }
  for (;;) {
    if (cursor.take("RETAIN", "CURRENT", "PASSWORD")) retainCurrent = true;
    else if (cursor.take("DISCARD", "OLD", "PASSWORD")) discardOld = true;
    else return { account, ...change, retainCurrent, discardOld };
  }
}

/** What may follow the accounts; gives whether they are locked, where that is said. */
function accountOptions(cursor: TokenCursor): boolean | undefined {
  let locked: boolean | undefined;
  for (;;) {
    if (cursor.take("REQUIRE")) {
      if (!cursor.take("NONE")) throw errors.notSupported("REQUIRE (TLS)");
    } else if (cursor.take("ACCOUNT")) {
      const word = cursor.takeAny("LOCK", "UNLOCK");
      if (word === undefined) throw cursor.error();
      locked = word === "LOCK";
    } else if (cursor.take("PASSWORD", "EXPIRE")) {
      if (!cursor.take("NEVER") && !cursor.take("DEFAULT")) throw errors.notSupported("PASSWORD EXPIRE");
    } else if (cursor.at("PASSWORD") || cursor.at("FAILED_LOGIN_ATTEMPTS") || cursor.at("PASSWORD_LOCK_TIME")) {
      throw errors.notSupported(`the password option ${cursor.peek(1).value}`);
    } else if (cursor.at("WITH")) throw errors.notSupported("resource limits of accounts");
    else if (cursor.at("DEFAULT", "ROLE")) throw errors.notSupported("roles");
    else if (cursor.at("COMMENT") || cursor.at("ATTRIBUTE")) throw errors.notSupported("attributes of accounts");
    else return locked;
  }
}

/** CREATE, ALTER, DROP and RENAME USER, after the verb and USER. */
export function parseUserStatement(cursor: TokenCursor, verb: string): AccountStatement {
  switch (verb) {
    case "CREATE": {
      const ifNotExists = cursor.take("IF", "NOT", "EXISTS");
      const changes = cursor.list(() => parseChange(cursor));
      return { kind: "createUser", ifNotExists, changes, locked: accountOptions(cursor) ?? false };
    }
    case "ALTER": {
      const ifExists = cursor.take("IF", "EXISTS");
      const changes = cursor.list(() => parseChange(cursor));
      const locked = accountOptions(cursor);
      return { kind: "alterUser", ifExists, changes, ...(locked !== undefined && { locked }) };
    }
    case "DROP": {
      const ifExists = cursor.take("IF", "EXISTS");
      return { kind: "dropUser", ifExists, accounts: cursor.list(() => parseAccount(cursor)) };
    }
    default: {
      const pairs = cursor.list(() => {
        const from = parseAccount(cursor);
        cursor.expect("TO");
        return [from, parseAccount(cursor)] as const;
      });
      return { kind: "renameUser", pairs };
    }
  }
}

/** `SET PASSWORD [FOR user] = 'password' …`, after PASSWORD. */
export function parseSetPassword(cursor: TokenCursor): AccountStatement {
  const account = cursor.take("FOR") ? parseAccount(cursor) : "current";
  if (cursor.at("TO", "RANDOM")) throw errors.notSupported("SET PASSWORD TO RANDOM");
  cursor.expect("=");
  if (cursor.at("PASSWORD", "(")) throw errors.notSupported("PASSWORD()");
  const password = cursor.string();
  const replace = cursor.take("REPLACE") ? cursor.string() : undefined;
  const retainCurrent = cursor.take("RETAIN", "CURRENT", "PASSWORD");
  const change = { account, password, retainCurrent, discardOld: false, ...(replace !== undefined && { replace }) };
  return { kind: "alterUser", ifExists: false, changes: [change] };
}

function privilegeList(cursor: TokenCursor): { privileges: readonly string[] | "all"; grantOption: boolean } {
  if (cursor.take("ALL")) {
    cursor.take("PRIVILEGES");
    const grantOption = cursor.take(",", "GRANT", "OPTION");
    return { privileges: "all", grantOption };
  }
  let grantOption = false;
  const privileges = cursor.list(() => {
    if (cursor.take("GRANT", "OPTION")) {
      grantOption = true;
      return undefined;
    }
    const name = privilegeName(cursor);
    if (cursor.at("(")) throw errors.notSupported("privileges on columns");
    return name;
  });
  return { privileges: privileges.filter((name) => name !== undefined && name !== "USAGE") as string[], grantOption };
}

function privilegeName(cursor: TokenCursor): string {
  const known = [...GLOBAL_PRIVILEGES, "USAGE"].toSorted((a, b) => b.length - a.length);
  const found = known.find((name) => cursor.take(...name.split(" ")));
  if (found !== undefined) return found;
  if (cursor.at("PROXY")) throw errors.notSupported("GRANT PROXY");
  cursor.nameOrString();
  if (cursor.atAny("TO", "FROM", ",")) throw errors.notSupported("roles");
  throw cursor.error();
}

function grantLevel(cursor: TokenCursor): GrantLevel & { current: boolean } {
  if (cursor.atAny("FUNCTION", "PROCEDURE")) throw errors.notSupported("privileges on routines");
  cursor.take("TABLE");
  if (cursor.take("*")) {
    if (!cursor.take(".")) return { database: undefined, current: true };
    cursor.expect("*");
    return { database: undefined, current: false };
  }
  const database = cursor.identifier();
  if (!cursor.take(".", "*")) throw errors.notSupported("privileges on tables");
  return { database, current: false };
}

/** GRANT and REVOKE, after the verb. */
export function parseGrant(
  cursor: TokenCursor,
  verb: "GRANT" | "REVOKE",
  current: string | undefined,
): AccountStatement {
  const { privileges, grantOption } = privilegeList(cursor);
  if (verb === "REVOKE" && privileges === "all" && grantOption && cursor.take("FROM")) {
    return { kind: "revokeAll", accounts: cursor.list(() => parseAccount(cursor)) };
  }
  cursor.expect("ON");
  const level = grantLevel(cursor);
  if (level.current && current === undefined) throw errors.noDatabase();
  const database = level.current ? current : level.database;
  const allowed: readonly string[] = database === undefined ? GLOBAL_PRIVILEGES : PRIVILEGES;
  const wrong = privileges === "all" ? undefined : privileges.find((name) => !allowed.includes(name));
  if (wrong !== undefined) throw errors.notSupported(`${wrong} on a single database`);
  cursor.expect(verb === "GRANT" ? "TO" : "FROM");
  const accounts = cursor.list(() => parseAccount(cursor));
  if (cursor.at("IDENTIFIED")) throw cursor.error();
  const withOption = verb === "GRANT" && cursor.take("WITH", "GRANT", "OPTION");
  return {
    kind: verb === "GRANT" ? "grant" : "revoke",
    privileges,
    level: { database },
    accounts,
    grantOption: grantOption || withOption,
  };
}
