import {
  accountName,
  GLOBAL_PRIVILEGES,
  isAllowed,
  mayGrant,
  NO_GRANT,
  PRIVILEGES,
  type Account,
  type Grant,
} from "../auth/account.ts";
import type { AccountStore } from "../auth/account-store.ts";
import { createCredential, verifyPassword, type PluginName } from "../auth/password.ts";
import { errors } from "../errors.ts";
import type { AccountChange, AccountReference, AccountStatement } from "../sql/account-statements.ts";

type GrantStatement = Extract<AccountStatement, { kind: "grant" | "revoke" }>;

/** Carries out what statements say about accounts. */
export class AccountManager {
  readonly #store: AccountStore;
  readonly #defaultPlugin: PluginName;

  constructor(store: AccountStore, defaultPlugin: PluginName) {
    this.#store = store;
    this.#defaultPlugin = defaultPlugin;
  }

  async run(statement: AccountStatement, actor: Account): Promise<void> {
    switch (statement.kind) {
      case "createUser":
        return this.#create(statement, actor);
      case "alterUser":
        return this.#alter(statement, actor);
      case "dropUser": {
        this.#needs(actor, "CREATE USER");
        const found = this.#existing("DROP USER", statement.accounts, actor, statement.ifExists);
        return this.#store.delete(found);
      }
      case "renameUser":
        return this.#rename(statement.pairs, actor);
      case "grant":
      case "revoke":
        return this.#grant(statement, actor);
      case "revokeAll": {
        this.#needs(actor, "CREATE USER");
        const found = this.#existing("REVOKE", statement.accounts, actor, false);
        return this.#store.save(found.map((account) => ({ ...account, global: NO_GRANT, databases: {} })));
      }
    }
  }

  #needs(actor: Account, privilege: string): void {
    if (!isAllowed(actor, privilege, undefined)) throw errors.privilegeNeeded(privilege);
  }

  #name(reference: AccountReference, actor: Account) {
    return reference === "current" ? { user: actor.user, host: actor.host } : reference;
  }

  /** The accounts, all of which must be there unless that does not matter. */
  #existing(operation: string, references: readonly AccountReference[], actor: Account, lenient: boolean): Account[] {
    const names = references.map((reference) => this.#name(reference, actor));
    const missing = names.filter(({ user, host }) => !this.#store.find(user, host));
    if (missing.length > 0 && !lenient) throw errors.cannotUser(operation, missing.map(accountName).join(","));
    return names.flatMap(({ user, host }) => this.#store.find(user, host) ?? []);
  }

  async #create(statement: Extract<AccountStatement, { kind: "createUser" }>, actor: Account): Promise<void> {
    this.#needs(actor, "CREATE USER");
    const taken = statement.changes.filter((change) => {
      const { user, host } = this.#name(change.account, actor);
      return this.#store.find(user, host) !== undefined;
    });
    if (taken.length > 0 && !statement.ifNotExists) {
      throw errors.cannotUser(
        "CREATE USER",
        taken.map((change) => accountName(this.#name(change.account, actor))).join(","),
      );
    }
    const fresh: Account[] = [];
    for (const change of statement.changes) {
      if (taken.includes(change)) continue;
      const credential = await createCredential(change.plugin ?? this.#defaultPlugin, change.password ?? "");
      fresh.push({
        ...this.#name(change.account, actor),
        credential,
        locked: statement.locked,
        global: NO_GRANT,
        databases: {},
      });
    }
    this.#store.save(fresh);
  }

  async #alter(statement: Extract<AccountStatement, { kind: "alterUser" }>, actor: Account): Promise<void> {
    const changed: Account[] = [];
    for (const change of statement.changes) {
      const [account] = this.#existing("ALTER USER", [change.account], actor, statement.ifExists);
      if (!account) continue;
      const own = accountName(account) === accountName(actor) && statement.locked === undefined;
      if (!own) this.#needs(actor, "CREATE USER");
      changed.push(await this.#changed(account, change, statement.locked, own));
    }
    this.#store.save(changed);
  }

  async #changed(account: Account, change: AccountChange, locked: boolean | undefined, own: boolean): Promise<Account> {
    const { oldCredential, ...rest } = account;
    const keepsOld = oldCredential && !change.discardOld ? { oldCredential } : {};
    const base = { ...rest, locked: locked ?? account.locked };
    if (change.password === undefined) {
      if (change.retainCurrent) throw errors.notSupported("RETAIN CURRENT PASSWORD without a new password");
      if (change.plugin === undefined || change.plugin === account.credential.plugin) return { ...base, ...keepsOld };
      return { ...base, credential: { plugin: change.plugin, hash: "" } };
    }
    if (change.replace !== undefined) {
      if (!own) throw errors.notSupported("REPLACE for another account");
      if (!(await verifyPassword(account.credential, change.replace))) throw errors.currentPasswordNeeded();
    }
    const plugin = change.plugin ?? account.credential.plugin;
    const credential = await createCredential(plugin, change.password);
    if (!change.retainCurrent) return { ...base, credential, ...keepsOld };
    const empty = account.credential.hash === "" || change.password === "";
    if (empty || plugin !== account.credential.plugin) {
      throw errors.cannotUser("ALTER USER", accountName(account));
    }
    return { ...base, credential, oldCredential: account.credential };
  }

  #rename(pairs: readonly (readonly [AccountReference, AccountReference])[], actor: Account): void {
    this.#needs(actor, "CREATE USER");
    for (const [from, to] of pairs) {
      const [account] = this.#existing("RENAME USER", [from], actor, false);
      const target = this.#name(to, actor);
      if (this.#store.find(target.user, target.host)) throw errors.cannotUser("RENAME USER", accountName(target));
      if (!account) continue;
      this.#store.save([{ ...account, ...target }]);
      this.#store.delete([account]);
    }
  }

  #grant(statement: GrantStatement, actor: Account): void {
    const { database } = statement.level;
    const wanted = this.#wanted(statement);
    const has = wanted.every((privilege) => isAllowed(actor, privilege, database));
    if (!mayGrant(actor, database) || !has) {
      if (database !== undefined) throw errors.databaseDenied(actor.user, actor.host, database);
      throw errors.privilegeNeeded("GRANT OPTION");
    }
    const operation = statement.kind === "grant" ? "GRANT" : "REVOKE";
    const accounts = this.#existing(operation, statement.accounts, actor, false);
    this.#store.save(
      accounts.map((account) => {
        const before = database === undefined ? account.global : account.databases[database];
        if (statement.kind === "revoke" && !before) throw errors.noSuchUserGrant(account.user, account.host);
        const after = this.#combined(before ?? NO_GRANT, wanted, statement);
        if (database === undefined) return { ...account, global: after };
        const { [database]: _before, ...others } = account.databases;
        const empty = after.privileges.length === 0 && !after.grantOption;
        return { ...account, databases: empty ? others : { ...others, [database]: after } };
      }),
    );
  }

  #wanted(statement: GrantStatement): readonly string[] {
    if (statement.privileges !== "all") return statement.privileges;
    return statement.level.database === undefined ? GLOBAL_PRIVILEGES : PRIVILEGES;
  }

  #combined(before: Grant, wanted: readonly string[], statement: GrantStatement): Grant {
    const has = new Set(before.privileges);
    for (const privilege of wanted) {
      if (statement.kind === "grant") has.add(privilege);
      else has.delete(privilege);
    }
    const order: readonly string[] = GLOBAL_PRIVILEGES;
    return {
      privileges: order.filter((privilege) => has.has(privilege)),
      grantOption:
        statement.kind === "grant"
          ? before.grantOption || statement.grantOption
          : before.grantOption && !statement.grantOption,
    };
  }
}
