/** The store cannot be opened; the message is one sentence for the user, with what to do. */
export class StoreOpenError extends Error {
  readonly code: "locked" | "damaged" | "key" | "format" | "unusable";
  constructor(code: StoreOpenError["code"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StoreOpenError";
    this.code = code;
  }
}

const SQLITE_BUSY = 5;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;

/** SQLite's primary result code of an error of node:sqlite. */
function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | undefined)?.errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}

export const isDiskFull = (error: unknown): boolean =>
  sqliteCode(error) === SQLITE_FULL || (error as { code?: unknown } | undefined)?.code === "ENOSPC";

/** Words an error met while opening `file`. */
export function openError(file: string, dir: string, error: unknown): StoreOpenError {
  if (error instanceof StoreOpenError) return error;
  const cause = { cause: error };
  switch (sqliteCode(error)) {
    case SQLITE_BUSY:
      return new StoreOpenError(
        "locked",
        `data directory ${dir} is in use by another process: stop that one first, or choose another directory`,
        cause,
      );
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return new StoreOpenError(
        "damaged",
        `${file} is damaged and cannot be read: restore it from a copy, or remove ${dir} to start with an empty cluster`,
        cause,
      );
    case SQLITE_FULL:
      return new StoreOpenError(
        "unusable",
        `cannot open ${file}, no space is left on its disk: make room, then start again`,
        cause,
      );
    default:
      return new StoreOpenError(
        "unusable",
        `cannot open ${file} (${error instanceof Error ? error.message : String(error)}): check that ${dir} can be written, or choose another directory`,
        cause,
      );
  }
}
