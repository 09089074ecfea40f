import { flushCompileCache } from "node:module";
import { numberSetting, parseHostPort, setting, type Environment } from "./env.ts";

export type Row = Readonly<Record<string, unknown>>;

/** The demo's database, as its four item services see it. */
export interface TravelDatabase {
  query(sql: string, values: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

interface Pool {
  query(sql: string, values: unknown[], done: (error: Error | null, rows: unknown) => void): void;
  end(done: (error?: Error | null) => void): void;
}

/**
 * A pool of MySQL connections. The client library is loaded at the first query, and by its callback
 * interface: a pod starts without its 20 MB, and its promise interface would cost 4 MB more.
 */
export function openTravelDatabase(env: Environment): TravelDatabase {
  const { host, port } = parseHostPort(setting(env, "MYSQL_SERVICE", "localhost:3306"), 3306);
  const user = setting(env, "MYSQL_USER", "root");
  const password = setting(env, "MYSQL_PASSWORD", "password");
  const database = setting(env, "MYSQL_DATABASE", "test");
  const connectTimeout = numberSetting(env, "MYSQL_CONNECT_TIMEOUT", 5000);
  let opening: Promise<Pool> | undefined;
  const open = async (): Promise<Pool> => {
    const { createPool } = await import("mysql2");
    flushCompileCache();
    return createPool({
      host,
      port,
      user,
      password,
      database,
      connectTimeout,
      connectionLimit: 8,
      maxIdle: 2,
      idleTimeout: 30_000,
      enableKeepAlive: true,
    }) as unknown as Pool;
  };
  return {
    query: async (sql, values) => {
      const pool = await (opening ??= open());
      return new Promise((resolve, reject) => {
        pool.query(sql, [...values], (error, rows) => {
          if (error) reject(error);
          else resolve(Array.isArray(rows) ? (rows as Row[]) : []);
        });
      });
    },
    close: async () => {
      if (!opening) return;
      const pool = await opening;
      await new Promise<void>((resolve) => pool.end(() => resolve()));
    },
  };
}
