import type { PluginName } from "./database/auth/password.ts";
import { join } from "node:path";
import { Engine } from "./database/engine/engine.ts";
import { initialize } from "./database/initialize.ts";
import { startDatabaseServer } from "./database/server.ts";
import { SettingError } from "./shared/env.ts";
import { errorText, type Log } from "./shared/log.ts";
import { runService, type StartService } from "./shared/service.ts";

interface Flags {
  readonly directory: string;
  readonly port: number;
  readonly host: string | undefined;
  readonly plugin: PluginName;
}

const SWITCHES = new Set(["--skip-name-resolve", "--skip-host-cache", "--skip-log-bin", "--disable-log-bin"]);

/** Reads mysqld's flags, `--name value` or `--name=value`. */
function parseFlags(args: readonly string[]): Flags {
  const values = new Map<string, string>();
  const rest = args[0] === "mysqld" ? args.slice(1) : [...args];
  for (let index = 0; index < rest.length; index++) {
    const arg = rest[index] ?? "";
    if (SWITCHES.has(arg)) continue;
    const [name = "", inline] = arg.split(/=(.*)/s, 2);
    if (!name.startsWith("--"))
      throw new SettingError(`"${arg}" is not a flag; flags are --NAME VALUE or --NAME=VALUE`);
    values.set(name.slice(2).replaceAll("_", "-"), inline ?? rest[++index] ?? "");
  }
  const flags = {
    // Where the cluster cannot mount volumes at their paths, it says below which directory they are.
    directory: take(values, "datadir") ?? join(process.env["TRAVELOPS_MOUNTS"] ?? "/", "var/lib/mysql"),
    port: Number(take(values, "port") ?? 3306),
    host: take(values, "bind-address"),
    plugin: pluginFlag(take(values, "default-authentication-plugin")),
  };
  // Flags that only change how much MySQL takes for itself, or say what is so here anyway.
  for (const harmless of [
    "character-set-server",
    "collation-server",
    "innodb-buffer-pool-size",
    "max-connections",
    "user",
    "default-storage-engine",
  ]) {
    values.delete(harmless);
  }
  const [unknown] = values.keys();
  if (unknown !== undefined) throw new SettingError(`--${unknown} is not supported by this database`);
  if (!Number.isInteger(flags.port) || flags.port < 0 || flags.port > 65535)
    throw new SettingError("--port must be from 0 to 65535");
  return flags;
}

function take(values: Map<string, string>, name: string): string | undefined {
  const value = values.get(name);
  values.delete(name);
  return value;
}

function pluginFlag(name = "caching_sha2_password"): PluginName {
  if (name === "mysql_native_password" || name === "caching_sha2_password") return name;
  throw new SettingError(
    `--default-authentication-plugin is "${name}": there are mysql_native_password and caching_sha2_password`,
  );
}

function openEngine(flags: Flags): Engine {
  try {
    return new Engine({ directory: flags.directory, defaultPlugin: flags.plugin, now: Date.now });
  } catch (error) {
    const busy = error instanceof Error && error.message.includes("locked");
    const reason = busy ? "another server is using it" : errorText(error);
    throw new SettingError(
      `The data directory ${flags.directory} cannot be used: ${reason}; choose another with --datadir`,
    );
  }
}

function failureLog(log: Log): (error: unknown) => void {
  return (error) => log.warn(error instanceof Error ? (error.stack ?? error.message) : String(error));
}

/** MySQL's protocol over SQLite, filled with the demo's cities at its first start. */
export const start: StartService = async ({ env, log }, args) => {
  const flags = parseFlags(args);
  const engine = openEngine(flags);
  try {
    if (engine.accounts.isNew) {
      await initialize(engine, env, flags.plugin);
      log.info(`made a new database in ${flags.directory}`);
    }
    const server = await startDatabaseServer({
      engine,
      host: flags.host,
      port: flags.port,
      defaultPlugin: flags.plugin,
      failed: failureLog(log),
    });
    return {
      url: `mysql://127.0.0.1:${server.port}`,
      close: async () => {
        await server.close();
        engine.close();
      },
    };
  } catch (error) {
    engine.close();
    throw error;
  }
};

if (import.meta.main) await runService("mysqldb", start);
