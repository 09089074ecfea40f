import { flushCompileCache } from "node:module";
import type { Environment } from "./env.ts";
import { SettingError } from "./env.ts";
import { errorText, stderrLog, type Log } from "./log.ts";

/** A running service; `close` ends it in order. */
export interface Service {
  /** Where it listens; "" for one that only calls others. */
  readonly url: string;
  /** Resolves when the service is done by itself (a load test); most never are. */
  readonly finished?: Promise<void>;
  close(): Promise<void>;
}

export interface ServiceContext {
  readonly env: Environment;
  readonly log: Log;
}

export type StartService = (context: ServiceContext, args: readonly string[]) => Promise<Service>;

/**
 * The whole of a service's `main`. As PID 1 of a pod a process gets no default action for SIGTERM, so it is
 * handled here. A wrong setting ends with one sentence and exit code 1.
 */
export async function runService(name: string, start: StartService): Promise<void> {
  const log = stderrLog(name);
  const stop = Promise.withResolvers<string>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stop.resolve(signal));
  let service: Service;
  try {
    service = await Promise.race([
      start({ env: process.env, log }, process.argv.slice(2)),
      stop.promise.then(() => process.exit(0)),
    ]);
  } catch (error) {
    log.warn(error instanceof SettingError ? error.message : `cannot start: ${errorText(error)}`);
    process.exit(1);
  }
  if (service.url !== "") log.info(`listens on ${service.url}`);
  // A pod that is killed writes no cache; the next one starts from it in half the time and memory.
  flushCompileCache();
  const reason = await Promise.race([stop.promise, service.finished ?? new Promise<never>(() => {})]);
  if (typeof reason === "string") log.info(`${reason}: stopping`);
  await service.close();
  process.exit(0);
}
