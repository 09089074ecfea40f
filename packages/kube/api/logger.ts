/** Logs as JSON lines with pino's field names, so that every reader of those reads ours. */
import { writeSync } from "node:fs";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

const LEVELS: Readonly<Record<LogLevel, number>> = {
  trace: 10,
  debug: 20,
  info: 30,
  warn: 40,
  error: 50,
  fatal: 60,
  silent: 100,
};

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  trace(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  fatal(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  name?: string;
  level?: LogLevel;
  /** Takes one line, with its newline. Standard error where absent. */
  write?: (line: string) => void;
  now?: () => number;
}

function serialize(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  return {
    type: value.name,
    message: value.message,
    stack: value.stack,
    ...(value.cause === undefined ? {} : { cause: serialize(value.cause) }),
  };
}

/** Not by the stream of that name: once its file's disk was full it is closed for good, and takes the process along. */
function toStderr(line: string): void {
  try {
    writeSync(2, line);
  } catch {
    // What cannot be told is not worth the process.
  }
}

/** Makes a logger; `err` and every other Error among the fields is written as pino writes it. */
export function createLogger(options: LoggerOptions = {}): Logger {
  const threshold = LEVELS[options.level ?? "info"];
  const write = options.write ?? toStderr;
  const now = options.now ?? Date.now;
  return loggerWith(options.name === undefined ? {} : { name: options.name }, threshold, write, now);
}

function loggerWith(bound: LogFields, threshold: number, write: (line: string) => void, now: () => number): Logger {
  const at = (level: LogLevel) => {
    const number = LEVELS[level];
    if (number < threshold) return () => {};
    return (message: string, fields: LogFields = {}): void => {
      const line: Record<string, unknown> = { level: number, time: now(), ...bound };
      for (const [key, value] of Object.entries(fields)) line[key] = serialize(value);
      line["msg"] = message;
      write(`${JSON.stringify(line, bigints)}\n`);
    };
  };
  return {
    trace: at("trace"),
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    fatal: at("fatal"),
    child: (fields) => loggerWith({ ...bound, ...fields }, threshold, write, now),
  };
}

const bigints = (_key: string, value: unknown): unknown => (typeof value === "bigint" ? value.toString() : value);

/** Says nothing: for tests, and where no log is wanted. */
export const silentLogger: Logger = createLogger({ level: "silent", write: () => {} });
