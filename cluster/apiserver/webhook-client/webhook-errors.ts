/** What went wrong with a call, in the words that upstream's client finds for it. */

export type WebhookFault = "timeout" | "connection" | "status" | "answer";

export class WebhookCallError extends Error {
  readonly fault: WebhookFault;
  constructor(fault: WebhookFault, message: string, options?: ErrorOptions) {
    super(message, options);
    this.fault = fault;
  }
}

const UNKNOWN_AUTHORITY: ReadonlySet<string> = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

interface NodeFault extends Error {
  readonly code?: string;
  readonly address?: string;
  readonly port?: number;
  readonly hostname?: string;
  readonly cert?: { readonly subjectaltname?: string };
}

function connectionText(error: NodeFault, host: string): string {
  const { code = "" } = error;
  const where = error.address === undefined ? host : `${error.address}:${error.port ?? ""}`;
  if (code === "ECONNREFUSED") return `dial tcp ${where}: connect: connection refused`;
  if (code === "ETIMEDOUT") return `dial tcp ${where}: i/o timeout`;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return `dial tcp: lookup ${error.hostname ?? host}: no such host`;
  if (code === "ECONNRESET" || code === "EPIPE") return "EOF";
  if (UNKNOWN_AUTHORITY.has(code))
    return "tls: failed to verify certificate: x509: certificate signed by unknown authority";
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID")
    return "tls: failed to verify certificate: x509: certificate has expired or is not yet valid";
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    const names = (error.cert?.subjectaltname ?? "").split(", ").map((name) => name.replace(/^(DNS|IP Address):/, ""));
    const bare = host.replace(/:\d+$/, "");
    return `tls: failed to verify certificate: x509: certificate is valid for ${names.join(", ")}, not ${bare}`;
  }
  return error.message;
}

/** `Post "URL": …`, as Go's client puts it. */
export function postFailed(url: string, error: unknown): WebhookCallError {
  const fault = error instanceof Error ? (error as NodeFault) : new Error(String(error));
  if (fault.name === "TimeoutError" || (fault.name === "AbortError" && isTimeout(fault.cause))) {
    return new WebhookCallError("timeout", `Post ${JSON.stringify(url)}: context deadline exceeded`, { cause: error });
  }
  const text = connectionText(fault, new URL(url).host);
  return new WebhookCallError("connection", `Post ${JSON.stringify(url)}: ${text}`, { cause: error });
}

const isTimeout = (cause: unknown): boolean => cause instanceof Error && cause.name === "TimeoutError";

/** Texts for answers that are no success; upstream quotes the body only for faults of the server. */
export function statusFailed(code: number, body: string): WebhookCallError {
  const said = body.trim() === "" ? "unknown" : body.trim();
  const quoted = JSON.stringify(said);
  return new WebhookCallError("status", statusText(code, said, quoted));
}

function statusText(code: number, said: string, quoted: string): string {
  switch (code) {
    case 400:
      return `the server rejected our request for an unknown reason`;
    case 401:
      return "the server has asked for the client to provide credentials";
    case 403:
      return said;
    case 404:
      return "the server could not find the requested resource";
    case 405:
      return "the server does not allow this method on the requested resource";
    case 406:
      return `the server was unable to respond with a content type that the client supports`;
    case 409:
      return "the server reported a conflict";
    case 415:
      return "the server was unable to understand the request's content type";
    case 422:
      return "the server rejected our request due to an error in our request";
    case 429:
      return "the server has received too many requests and has asked us to try again later";
    case 503:
      return "the server is currently unable to handle the request";
    case 504:
      return "the server was unable to return a response in the time allotted, but may still be processing the request";
    default:
      return code >= 500
        ? `an error on the server (${quoted}) has prevented the request from succeeding`
        : `the server responded with the status code ${code} but did not return more information`;
  }
}
