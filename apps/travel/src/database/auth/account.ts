import type { Credential } from "./password.ts";

/** The privileges this server knows; those that guard nothing here can still be granted. */
export const PRIVILEGES = [
  "SELECT",
  "INSERT",
  "UPDATE",
  "DELETE",
  "CREATE",
  "DROP",
  "REFERENCES",
  "INDEX",
  "ALTER",
  "CREATE TEMPORARY TABLES",
  "LOCK TABLES",
  "EXECUTE",
  "CREATE VIEW",
  "SHOW VIEW",
  "CREATE ROUTINE",
  "ALTER ROUTINE",
  "EVENT",
  "TRIGGER",
] as const;

export const GLOBAL_PRIVILEGES = [
  ...PRIVILEGES,
  "RELOAD",
  "SHUTDOWN",
  "PROCESS",
  "FILE",
  "SHOW DATABASES",
  "SUPER",
  "REPLICATION SLAVE",
  "REPLICATION CLIENT",
  "CREATE USER",
  "CREATE TABLESPACE",
  "CREATE ROLE",
  "DROP ROLE",
  "APPLICATION_PASSWORD_ADMIN",
  "CONNECTION_ADMIN",
  "SYSTEM_VARIABLES_ADMIN",
  "BACKUP_ADMIN",
] as const;

/** Privileges on one level, and whether they may be passed on. */
export interface Grant {
  readonly privileges: readonly string[];
  readonly grantOption: boolean;
}

export interface Account {
  readonly user: string;
  /** A pattern with % and _. */
  readonly host: string;
  readonly credential: Credential;
  /** The password that still counts beside the current one. */
  readonly oldCredential?: Credential;
  readonly locked: boolean;
  readonly global: Grant;
  readonly databases: Readonly<Record<string, Grant>>;
}

export const NO_GRANT: Grant = { privileges: [], grantOption: false };

/** `'user'@'host'`. */
export function accountName(account: { readonly user: string; readonly host: string }): string {
  return `'${account.user}'@'${account.host}'`;
}

function matchesPattern(pattern: string, value: string): boolean {
  const source = pattern.replaceAll(/\\?[%_]|[^%_\\]+|\\/g, (part) => {
    if (part === "%") return ".*";
    if (part === "_") return ".";
    return RegExp.escape(part.replace(/^\\(?=[%_])/, ""));
  });
  return new RegExp(`^${source}$`, "is").test(value);
}

/** Whether the account is meant for connections from these names of a host. */
export function matchesHost(account: Account, hosts: readonly string[]): boolean {
  return hosts.some((host) => matchesPattern(account.host, host));
}

function databaseGrants(account: Account, database: string): Grant[] {
  return Object.entries(account.databases)
    .filter(([pattern]) => pattern === database || matchesPattern(pattern, database))
    .map(([, grant]) => grant);
}

/** Whether the account has the privilege on the database, or on all of them. */
export function isAllowed(account: Account, privilege: string, database: string | undefined): boolean {
  if (account.global.privileges.includes(privilege)) return true;
  return (
    database !== undefined && databaseGrants(account, database).some((grant) => grant.privileges.includes(privilege))
  );
}

/** Whether the account has any privilege on the database. */
export function mayEnter(account: Account, database: string): boolean {
  if (account.global.privileges.some((privilege) => (PRIVILEGES as readonly string[]).includes(privilege))) return true;
  return databaseGrants(account, database).some((grant) => grant.privileges.length > 0);
}

/** Whether the account may pass on what it has on this level. */
export function mayGrant(account: Account, database: string | undefined): boolean {
  if (account.global.grantOption) return true;
  return database !== undefined && databaseGrants(account, database).some((grant) => grant.grantOption);
}

/** The lines of SHOW GRANTS. */
export function describeGrants(account: Account): string[] {
  const to = ` TO \`${account.user}\`@\`${account.host}\``;
  const line = (grant: Grant, level: string, all: number): string => {
    let list = grant.privileges.join(", ");
    if (grant.privileges.length === 0) list = "USAGE";
    if (grant.privileges.length === all) list = "ALL PRIVILEGES";
    return `GRANT ${list} ON ${level}${to}${grant.grantOption ? " WITH GRANT OPTION" : ""}`;
  };
  return [
    line(account.global, "*.*", GLOBAL_PRIVILEGES.length),
    ...Object.entries(account.databases).map(([name, grant]) => line(grant, `\`${name}\`.*`, PRIVILEGES.length)),
  ];
}
