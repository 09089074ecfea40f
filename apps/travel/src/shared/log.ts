/** Where a service says what happens to it. */
export interface Log {
  info(message: string): void;
  warn(message: string): void;
}

/** Lines on stderr: time, level, service, message. */
export function stderrLog(service: string): Log {
  const write = (level: string, message: string): void => {
    process.stderr.write(`${new Date().toISOString()} ${level} [${service}] ${message}\n`);
  };
  return { info: (message) => write("INFO", message), warn: (message) => write("WARN", message) };
}

/** The message of whatever was thrown; connection errors without a message give their code. */
export function errorText(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return errorText(error.errors[0]);
  if (error instanceof Error) {
    if (error.message !== "") return error.message;
    return "code" in error ? String(error.code) : error.name;
  }
  return String(error);
}
