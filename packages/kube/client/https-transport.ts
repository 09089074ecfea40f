/** The transport to any Kubernetes API server over the network. */
import { readFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import { type Clock, sleep, systemClock } from "../api/clock.ts";
import { type Status, StatusError } from "../api/status-error.ts";
import { throttledFor } from "./throttling.ts";
import { type HttpConnection, httpConnection, type RawResponse, type TlsOptions } from "./http-connection.ts";
import type { ApiRequest, ApiResponse, Transport, WatchFrame } from "./transport.ts";

export interface HttpsTransportOptions extends TlsOptions {
  /** `https://host:port`, with a path where the API stands below one. */
  server: string;
  token?: string;
  /** Read again every minute and after a 401, as kubelets rotate it. */
  tokenFile?: string;
  userAgent?: string;
  clock?: Clock;
}

export interface HttpsTransport extends Transport {
  /** Ends all requests and watches. */
  close(): void;
}

/** The server could not be reached, or broke off: nothing is known about what it did. */
export class ConnectionError extends Error {
  constructor(server: string, method: string, path: string, cause: unknown) {
    super(`${method} ${server}${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = "ConnectionError";
  }
}

const TOKEN_FRESH_MS = 60_000;

/** Requests and watches over HTTPS; nothing is opened before the first. */
export function httpsTransport(options: HttpsTransportOptions): HttpsTransport {
  const server = new URL(options.server);
  const base = server.pathname.replace(/\/$/, "");
  const connection = httpConnection(server, options);
  const clock = options.clock ?? systemClock;
  const token = tokenSource(options, clock);
  const open = opener(connection, server, base, token, options.userAgent ?? "travelops");

  return {
    async call(request): Promise<ApiResponse> {
      for (let attempt = 1; ; attempt++) {
        const response = await open(request);
        const text = await readText(response.body, request, server);
        if (response.status < 400) {
          return { code: response.status, body: parseBody(text), warnings: warningsOf(response) };
        }
        const error = failure(response.status, text);
        const wait = throttledFor(error, Number(response.headers["retry-after"]), attempt);
        if (wait === undefined) throw error;
        await sleep(clock, wait, request.signal);
      }
    },
    watch: (request) => watchFrames(open, request, server),
    async stream(request) {
      const response = await open(request);
      if (response.status >= 400) throw failure(response.status, await readText(response.body, request, server));
      return response.body;
    },
    close: () => connection.close(),
  };
}

interface TokenSource {
  get(fresh: boolean): Promise<string | undefined>;
  readonly rotates: boolean;
}

function tokenSource(options: HttpsTransportOptions, clock: Clock): TokenSource {
  const { tokenFile } = options;
  if (tokenFile === undefined) return { get: () => Promise.resolve(options.token), rotates: false };
  let known: { token: string; readAt: number } | undefined;
  return {
    rotates: true,
    async get(fresh) {
      if (known === undefined || fresh || clock.now() - known.readAt > TOKEN_FRESH_MS) {
        known = { token: (await readFile(tokenFile, "utf8")).trim(), readAt: clock.now() };
      }
      return known.token;
    },
  };
}

type Open = (request: ApiRequest) => Promise<RawResponse>;

function opener(connection: HttpConnection, server: URL, base: string, token: TokenSource, userAgent: string): Open {
  const once = async (request: ApiRequest, body: Uint8Array | undefined, fresh: boolean): Promise<RawResponse> => {
    const bearer = await token.get(fresh);
    const headers: Record<string, string> = {
      accept: "application/json",
      "user-agent": userAgent,
      ...(body === undefined ? {} : { "content-type": request.contentType ?? "application/json" }),
      ...(bearer === undefined ? {} : { authorization: `Bearer ${bearer}` }),
      ...request.headers,
    };
    return connection.send({
      method: request.method,
      path: base + request.path + queryText(request.query),
      headers,
      body,
      signal: request.signal,
    });
  };
  return async (request) => {
    request.signal?.throwIfAborted();
    const body = encode(request.body);
    try {
      const response = await once(request, body, false);
      if (response.status !== 401 || !token.rotates) return response;
      response.body.resume();
      return await once(request, body, true);
    } catch (error) {
      if (request.signal?.aborted === true) throw error;
      throw new ConnectionError(server.origin, request.method, request.path, error);
    }
  };
}

function encode(body: unknown): Uint8Array | undefined {
  if (body === undefined) return undefined;
  return body instanceof Uint8Array ? body : Buffer.from(JSON.stringify(body));
}

function queryText(query: ApiRequest["query"]): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query ?? {})) {
    if (value === undefined) continue;
    for (const one of typeof value === "string" ? [value] : value) parameters.append(key, one);
  }
  const text = parameters.toString();
  return text === "" ? "" : `?${text}`;
}

async function readText(body: Readable, request: ApiRequest, server: URL): Promise<string> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of body) chunks.push(chunk as Buffer);
  } catch (error) {
    if (request.signal?.aborted === true) throw request.signal.reason;
    throw new ConnectionError(server.origin, request.method, request.path, error);
  }
  if (request.signal?.aborted === true) throw request.signal.reason;
  return Buffer.concat(chunks).toString("utf8");
}

function parseBody(text: string): unknown {
  if (text === "") return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

const isStatus = (value: unknown): value is Status =>
  typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "Status";

/** The server's own Status, or one made of what a proxy in between answered. */
function failure(code: number, text: string): StatusError {
  const body = parseBody(text);
  if (isStatus(body)) return StatusError.from({ ...body, code: body.code ?? code });
  return new StatusError(
    code,
    code === 401 ? "Unauthorized" : "Unknown",
    text.trim().slice(0, 500) || `the server answered ${code}`,
  );
}

const WARNING = /299 \S+ "((?:[^"\\]|\\.)*)"/g;

function warningsOf(response: RawResponse): string[] {
  const header = response.headers["warning"];
  if (header === undefined) return [];
  const text = typeof header === "string" ? header : header.join(", ");
  return [...text.matchAll(WARNING)].map((match) => (match[1] ?? "").replace(/\\(.)/g, "$1"));
}

async function* watchFrames(open: Open, request: ApiRequest, server: URL): AsyncGenerator<WatchFrame> {
  let response: RawResponse;
  try {
    response = await open(request);
    if (response.status >= 400) throw failure(response.status, await readText(response.body, request, server));
  } catch (error) {
    if (request.signal?.aborted === true) return;
    throw error;
  }
  let rest: Buffer = Buffer.alloc(0);
  try {
    for await (const chunk of response.body) {
      const bytes = rest.length === 0 ? (chunk as Buffer) : Buffer.concat([rest, chunk as Buffer]);
      let start = 0;
      for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
        if (end > start) yield JSON.parse(bytes.toString("utf8", start, end)) as WatchFrame;
        if (request.signal?.aborted === true) return;
        start = end + 1;
      }
      rest = bytes.subarray(start);
    }
  } catch (error) {
    if (request.signal?.aborted === true) return;
    throw new ConnectionError(server.origin, request.method, request.path, error);
  } finally {
    response.body.destroy();
  }
}
