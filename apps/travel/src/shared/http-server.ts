import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ListenAddress } from "./env.ts";
import { errorText, type Log } from "./log.ts";
import { nodeHttp } from "./node-http.ts";

export interface Request {
  readonly headers: IncomingHttpHeaders;
  readonly method: string;
  readonly path: string;
  /** The named parts of the route's path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  /** Fires when the caller goes away or the service stops. */
  readonly signal: AbortSignal;
  body(limit?: number): Promise<Buffer>;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
}

export interface Route {
  readonly method: string;
  /** `/cars/{city}`: a part in braces matches one path segment; a last part `{name...}` matches the rest. */
  readonly path: string;
  readonly handle: (request: Request) => Promise<Reply> | Reply;
}

export interface HttpServer {
  readonly port: number;
  readonly url: string;
  close(): Promise<void>;
}

/** An answer that ends a handler early. */
export class ReplyError extends Error {
  readonly reply: Reply;
  constructor(reply: Reply) {
    super(`HTTP ${reply.status}`);
    this.reply = reply;
  }
}

/** A JSON answer. */
export function json(status: number, value: unknown, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers: { "content-type": "application/json", ...headers },
    body: `${JSON.stringify(value)}\n`,
  };
}

/** A JSON answer `{"error": message}`. */
export function errorReply(status: number, message: string): Reply {
  return json(status, { error: message });
}

const NOT_FOUND: Reply = {
  status: 404,
  headers: { "content-type": "text/plain; charset=utf-8", "x-content-type-options": "nosniff" },
  body: "404 page not found\n",
};

function matcher(path: string): (segments: readonly string[]) => Record<string, string> | undefined {
  const pattern = path.split("/");
  return (segments) => {
    const params: Record<string, string> = {};
    for (const [index, part] of pattern.entries()) {
      const rest = /^\{(\w+)\.\.\.\}$/.exec(part)?.[1];
      if (rest !== undefined) {
        params[rest] = segments.slice(index).join("/");
        return params;
      }
      const segment = segments[index];
      if (segment === undefined) return undefined;
      const name = /^\{(\w+)\}$/.exec(part)?.[1];
      if (name === undefined ? part !== segment : segment === "") return undefined;
      if (name !== undefined) params[name] = segment;
    }
    return segments.length === pattern.length ? params : undefined;
  };
}

function decodedSegments(path: string): string[] | undefined {
  try {
    return path.split("/").map((segment) => decodeURIComponent(segment));
  } catch {
    return undefined;
  }
}

async function readBody(message: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of message as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) {
      throw new ReplyError({
        ...errorReply(413, `The body is larger than ${limit} bytes`),
        headers: { "content-type": "application/json", connection: "close" },
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Answers by the first route whose path matches; a path known for another method gives 405, else 404. */
function dispatcher(routes: readonly Route[]): (method: string, path: string) => Found {
  const compiled = routes.map((route) => ({ route, match: matcher(route.path) }));
  return (method, path) => {
    const segments = decodedSegments(path);
    let known = false;
    for (const { route, match } of compiled) {
      const params = segments && match(segments);
      if (!params) continue;
      if (route.method === method) return { kind: "route", route, params };
      known = true;
    }
    return { kind: "none", reply: known ? { status: 405 } : NOT_FOUND };
  };
}

type Found = { kind: "route"; route: Route; params: Record<string, string> } | { kind: "none"; reply: Reply };

async function answer(find: ReturnType<typeof dispatcher>, message: IncomingMessage, signal: AbortSignal, log: Log) {
  const method = message.method ?? "GET";
  const path = (message.url ?? "/").split("?", 1)[0] ?? "/";
  const found = find(method, path);
  if (found.kind === "none") return found.reply;
  const request: Request = {
    headers: message.headers,
    method,
    path,
    params: found.params,
    signal,
    body: (limit = 1 << 20) => readBody(message, limit),
  };
  try {
    return await found.route.handle(request);
  } catch (error) {
    if (error instanceof ReplyError) return error.reply;
    if (!signal.aborted) log.warn(`${method} ${path}: ${errorText(error)}`);
    return errorReply(500, errorText(error));
  }
}

function send(response: ServerResponse, reply: Reply, draining: boolean): void {
  if (response.headersSent || response.destroyed) return;
  const body = reply.body === undefined ? Buffer.alloc(0) : Buffer.from(reply.body);
  const headers: Record<string, string | number> = { ...reply.headers };
  if (reply.status !== 304 && reply.status !== 204) headers["content-length"] = body.length;
  if (draining) headers["connection"] = "close";
  response.writeHead(reply.status, headers);
  response.end(response.req.method === "HEAD" ? undefined : body);
}

/** Serves the routes. `close` stops listening at once and lets running requests end, up to `grace`. */
export async function serveHttp(options: {
  readonly listen: ListenAddress;
  readonly routes: readonly Route[];
  readonly log: Log;
  readonly grace?: number;
}): Promise<HttpServer> {
  const find = dispatcher(options.routes);
  const stopping = new AbortController();
  let draining = false;
  const server = nodeHttp.createServer((message, response) => {
    const gone = new AbortController();
    const stop = (): void => gone.abort();
    stopping.signal.addEventListener("abort", stop, { once: true });
    response.once("close", () => {
      stopping.signal.removeEventListener("abort", stop);
      gone.abort();
    });
    void answer(find, message, gone.signal, options.log).then((reply) => send(response, reply, draining));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.listen.port, options.listen.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        draining = true;
        const late = setTimeout(() => {
          stopping.abort();
          server.closeAllConnections();
        }, options.grace ?? 3000);
        server.close(() => {
          clearTimeout(late);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}
