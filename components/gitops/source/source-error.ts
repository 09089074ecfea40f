/** What is wrong with a source, in words for the Application's condition. */
export class SourceError extends Error {
  readonly missing: boolean;
  constructor(message: string, options: { missing?: boolean; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "SourceError";
    this.missing = options.missing ?? false;
  }
}
