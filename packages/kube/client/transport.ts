/**
 * The one seam between a client and an API server. Two kinds exist: HTTPS to any Kubernetes API
 * (`https-transport.ts`), and straight into the embedded server's handler chain (made by the server).
 * Both authenticate, authorize and admit alike; the second only leaves out the socket and the JSON.
 */

export type Verb = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export interface ApiRequest {
  method: Verb;
  /** Path without query: `/api/v1/namespaces/default/pods`. */
  path: string;
  query?: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Lower-case header names. */
  headers?: Readonly<Record<string, string>>;
  /** A JSON value; the transport encodes it where it has to. Ownership passes to the callee: do not change it after. */
  body?: unknown;
  /** Content type of `body`; `application/json` where absent. */
  contentType?: string;
  signal?: AbortSignal;
}

export interface ApiResponse {
  code: number;
  /** Parsed JSON. Shared, hence never to be changed. */
  body: unknown;
  /** Texts of `Warning: 299` headers. */
  warnings: readonly string[];
}

export interface WatchFrame {
  type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  object: unknown;
}

export interface Transport {
  /** One request, one answer. Rejects with `StatusError` on any Failure status. */
  call(request: ApiRequest): Promise<ApiResponse>;
  /** A watch: frames until the server closes it or `signal` aborts (then it ends without an error). */
  watch(request: ApiRequest): AsyncIterable<WatchFrame>;
  /** A byte stream (pod logs). */
  stream(request: ApiRequest): Promise<AsyncIterable<Uint8Array>>;
}
