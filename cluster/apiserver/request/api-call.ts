/** One request on its way through the handler chain, whichever front end it came by. */
import type { X509Certificate } from "node:crypto";
import type { Annotate } from "../access.ts";
import type { UserInfo } from "../api-server.ts";
import type { RequestInfo } from "./request-info.ts";

export type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

export type RequestBody =
  | { readonly kind: "none" }
  | { readonly kind: "bytes"; readonly bytes: Buffer; readonly contentType: string }
  /** A JSON value handed over inside the process. Never changed by the server: it may be shared. */
  | { readonly kind: "value"; readonly value: unknown; readonly contentType: string };

export interface ApiCall {
  /** Audit and log id. */
  readonly id: string;
  readonly method: string;
  readonly info: RequestInfo;
  readonly query: URLSearchParams;
  readonly headers: Headers;
  readonly peerCertificate: X509Certificate | undefined;
  /** The address it came from; absent inside the process. */
  readonly remoteAddress?: string;
  /** Set by the authentication filter, or from the start for calls inside the process. */
  user: UserInfo | undefined;
  /** What authorization came to. */
  decision?: { readonly allowed: boolean; readonly reason: string };
  /** Set where the request is audited. */
  annotate?: Annotate;
  /** Where flow control put it. */
  flow?: { readonly schemaUid: string; readonly levelUid: string };
  /** An upgrade of an HTTP/1.1 connection was asked for. */
  readonly upgrade: boolean;
  /** Texts for `Warning: 299` headers, in order. */
  readonly warnings: string[];
  /** Aborted when the client goes away or the server closes. */
  readonly signal: AbortSignal;
  /** The body as it comes, without a limit, for passing it on; absent inside the process. Instead of `readBody`. */
  readonly openBody?: () => AsyncIterable<Uint8Array>;
  /** Reads the body, at most once. Throws `StatusError` 413 above the limit. */
  readBody(): Promise<RequestBody>;
}

/** A header that may stand once. */
export const header = (headers: Headers, name: string): string => {
  const value = headers[name];
  return typeof value === "string" ? value : (value?.[0] ?? "");
};

/** More than can be sent: all of them together have 4,096 characters at the most. */
const MOST_WARNINGS = 4096;

/** Adds a warning once. */
export function warn(call: ApiCall, text: string): void {
  if (call.warnings.length >= MOST_WARNINGS) return;
  if (!call.warnings.includes(text)) call.warnings.push(text);
}
