/**
 * The error catalogue of the Kubernetes API: every failure is a `Status`.
 * Reasons, codes and texts follow apimachinery's pkg/api/errors/errors.go.
 */
import type { FieldError } from "./field-error.ts";
import type { GroupResource } from "./object.ts";

export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

export interface StatusDetails {
  name?: string;
  group?: string;
  kind?: string;
  uid?: string;
  causes?: StatusCause[];
  retryAfterSeconds?: number;
}

export interface Status {
  kind: "Status";
  apiVersion: "v1";
  metadata: { continue?: string; resourceVersion?: string };
  status: "Success" | "Failure";
  message?: string;
  reason?: string;
  details?: StatusDetails;
  code: number;
}

export class StatusError extends Error {
  readonly status: Status;
  constructor(code: number, reason: string, message: string, details?: StatusDetails, continueToken?: string) {
    super(message);
    this.name = "StatusError";
    this.status = {
      kind: "Status",
      apiVersion: "v1",
      metadata: continueToken === undefined ? {} : { continue: continueToken },
      status: "Failure",
      message,
      // Some faults have no reason upstream either.
      ...(reason === "" ? {} : { reason }),
      ...(details === undefined ? {} : { details }),
      code,
    };
  }

  get code(): number {
    return this.status.code;
  }

  get reason(): string {
    return this.status.reason ?? "";
  }

  /** Rebuilds the error from a `Status` received over the wire. */
  static from(status: Status): StatusError {
    const error = new StatusError(
      status.code,
      status.reason ?? "Unknown",
      status.message ?? "unknown error",
      status.details,
    );
    (error.status as { metadata: Status["metadata"] }).metadata = status.metadata ?? {};
    return error;
  }
}

const qualified = (gr: GroupResource): string => (gr.group === "" ? gr.resource : `${gr.resource}.${gr.group}`);
const of = (gr: GroupResource, name: string): StatusDetails => ({
  ...(name === "" ? {} : { name }),
  ...(gr.group === "" ? {} : { group: gr.group }),
  kind: gr.resource,
});

export const notFound = (gr: GroupResource, name: string): StatusError =>
  new StatusError(404, "NotFound", `${qualified(gr)} "${name}" not found`, of(gr, name));

/** The path names no resource that is served. */
export const resourceNotFound = (): StatusError =>
  new StatusError(404, "NotFound", "the server could not find the requested resource", {});

export const alreadyExists = (gr: GroupResource, name: string): StatusError =>
  new StatusError(409, "AlreadyExists", `${qualified(gr)} "${name}" already exists`, of(gr, name));

export const conflict = (gr: GroupResource, name: string, why: string): StatusError =>
  new StatusError(409, "Conflict", `Operation cannot be fulfilled on ${qualified(gr)} "${name}": ${why}`, of(gr, name));

export const MODIFIED = "the object has been modified; please apply your changes to the latest version and try again";

export const applyConflict = (causes: StatusCause[], message: string): StatusError =>
  new StatusError(409, "Conflict", message, { causes });

export const unauthorized = (message = "Unauthorized"): StatusError => new StatusError(401, "Unauthorized", message);

export const forbidden = (gr: GroupResource, name: string, why: string): StatusError =>
  new StatusError(
    403,
    "Forbidden",
    name === "" ? `${qualified(gr)} is forbidden: ${why}` : `${qualified(gr)} "${name}" is forbidden: ${why}`,
    of(gr, name),
  );

export const badRequest = (message: string): StatusError => new StatusError(400, "BadRequest", message);

export const invalid = (group: string, kind: string, name: string, errors: readonly FieldError[]): StatusError => {
  const texts = [...new Set(errors.map((e) => (e.field === "" ? e.message : `${e.field}: ${e.message}`)))];
  const joined = texts.length === 1 ? texts[0] : `[${texts.join(", ")}]`;
  return new StatusError(
    422,
    "Invalid",
    `${group === "" ? kind : `${kind}.${group}`} "${name}" is invalid: ${joined}`,
    {
      ...(name === "" ? {} : { name }),
      ...(group === "" ? {} : { group }),
      ...(kind === "" ? {} : { kind }),
      causes: errors.map((e) => ({ reason: e.reason, message: e.message, field: e.field })),
    },
  );
};

export const expired = (message: string, continueToken?: string): StatusError =>
  new StatusError(410, "Expired", message, undefined, continueToken);

/** A client that waits a little may find it there; not one that asks for exactly that version. */
export const resourceVersionTooLarge = (wanted: number, current: number, retryAfterSeconds = 1): StatusError =>
  new StatusError(504, "Timeout", `Timeout: Too large resource version: ${wanted}, current: ${current}`, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    ...(retryAfterSeconds === 0 ? {} : { retryAfterSeconds }),
  });

export const unsupportedMediaType = (message: string): StatusError =>
  new StatusError(415, "UnsupportedMediaType", message);
export const notAcceptable = (message: string): StatusError => new StatusError(406, "NotAcceptable", message);
export const tooLarge = (message: string): StatusError => new StatusError(413, "RequestEntityTooLarge", message);

export const tooManyRequests = (message: string, retryAfterSeconds: number, causes?: StatusCause[]): StatusError =>
  new StatusError(429, "TooManyRequests", message, {
    retryAfterSeconds,
    ...(causes === undefined ? {} : { causes }),
  });

export const timeoutError = (message: string, retryAfterSeconds = 0): StatusError =>
  new StatusError(504, "Timeout", message, { retryAfterSeconds });

export const serviceUnavailable = (message: string): StatusError => new StatusError(503, "ServiceUnavailable", message);

export const internalError = (message: string): StatusError =>
  new StatusError(500, "InternalError", `Internal error occurred: ${message}`, { causes: [{ message }] });

/** A feature that is not here: says so by name. */
export const notImplemented = (feature: string): StatusError =>
  new StatusError(501, "NotImplemented", `${feature} is not supported by the embedded cluster`);

export const isStatus = (error: unknown, code: number): boolean => error instanceof StatusError && error.code === code;
export const isNotFound = (error: unknown): boolean => isStatus(error, 404);
export const isConflict = (error: unknown): boolean => error instanceof StatusError && error.reason === "Conflict";
export const isAlreadyExists = (error: unknown): boolean =>
  error instanceof StatusError && error.reason === "AlreadyExists";
export const isExpired = (error: unknown): boolean => isStatus(error, 410);
