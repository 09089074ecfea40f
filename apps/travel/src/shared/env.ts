/** Environment variables as the services read them; passed in so that tests can run many services at once. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface ListenAddress {
  readonly host: string | undefined;
  readonly port: number;
}

/** A setting that is wrong: the message names the variable, what it holds and what it should hold. */
export class SettingError extends Error {
  override name = "SettingError";
}

/** The variable's value, or the fallback where it is unset or empty. */
export function setting(env: Environment, name: string, fallback = ""): string {
  const value = env[name];
  return value === undefined || value === "" ? fallback : value;
}

/** A number of at least `least`; anything else is a SettingError. */
export function numberSetting(env: Environment, name: string, fallback: number, least = 0): number {
  const text = setting(env, name);
  if (text === "") return fallback;
  const value = Number(text);
  if (!Number.isFinite(value) || value < least) {
    throw new SettingError(`${name} is "${text}": it must be a number of at least ${least}`);
  }
  return value;
}

/** Reads Go's listen addresses: `:8000`, `127.0.0.1:8000`, `[::1]:8000`. */
export function parseListenAddress(text: string): ListenAddress {
  const match = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65535) {
    throw new SettingError(`LISTEN_ADDRESS is "${text}": it must be HOST:PORT or :PORT, as in ":8000"`);
  }
  const host = match[1] ?? match[2];
  return { host: host === undefined || host === "" ? undefined : host, port };
}

/** Splits `host:port`, the form of MYSQL_SERVICE. */
export function parseHostPort(text: string, defaultPort: number): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  if (host === undefined) throw new SettingError(`"${text}" is not HOST:PORT, as in "mysqldb:3306"`);
  return { host, port: match?.[3] === undefined ? defaultPort : Number(match[3]) };
}
