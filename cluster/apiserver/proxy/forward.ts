/** Passes a request on to another server and its answer back, with nothing of either kept. */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { nodeHttp } from "@travelops/kube/api/node-http";
import { serviceUnavailable } from "@travelops/kube";
import { header, type ApiCall, type RequestBody } from "../request/api-call.ts";
import type { Reply } from "../request/reply.ts";
import type { Backend } from "./backend.ts";
import { rewritten } from "./rewrite.ts";

type Headers = Record<string, string | readonly string[]>;

/** Headers of one connection, which end where it ends. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "proxy-connection",
  "keep-alive",
  "transfer-encoding",
  "te",
  "trailer",
  "upgrade",
  "http2-settings",
]);

/** What names or proves the sender is for this server alone. */
const isOurs = (name: string): boolean =>
  name === "authorization" || name.startsWith("impersonate-") || name.startsWith("x-remote-") || name.startsWith(":");

/** The client's headers as they go on. */
function headersFor(call: ApiCall, backend: Backend, upgrade: boolean): Headers {
  const headers: Headers = {};
  for (const [name, value] of Object.entries(call.headers)) {
    if (value === undefined || isOurs(name) || (HOP_BY_HOP.has(name) && !upgrade) || name === "host") continue;
    headers[name] = value;
  }
  const host = header(call.headers, "host") || header(call.headers, ":authority");
  return {
    ...headers,
    host: backend.host,
    ...(host === "" ? {} : { "x-forwarded-host": host }),
    "x-forwarded-proto": "https",
    "x-forwarded-uri": call.info.path,
    ...backend.headers,
  };
}

const unreachable = (error: unknown): Error =>
  serviceUnavailable(`error trying to reach service: ${error instanceof Error ? error.message : String(error)}`);

async function bodyFor(call: ApiCall): Promise<AsyncIterable<Uint8Array> | Uint8Array | undefined> {
  if (call.method === "GET" || call.method === "HEAD") return undefined;
  if (call.openBody !== undefined) return call.openBody();
  return bytesOf(await call.readBody());
}

function bytesOf(body: RequestBody): Uint8Array | undefined {
  if (body.kind === "none") return undefined;
  return body.kind === "bytes" ? body.bytes : Buffer.from(JSON.stringify(body.value));
}

/** Resolves with the backend's answer once its headers are there. Throws a 503 where nobody answers. */
export async function forward(call: ApiCall, backend: Backend): Promise<Reply> {
  const socket = await backend.connect(call.signal).catch((error: unknown) => {
    throw unreachable(error);
  });
  const response = await exchange(call, backend, socket).catch((error: unknown) => {
    socket.destroy();
    throw unreachable(error);
  });
  const headers: Headers = {};
  for (const [name, value] of Object.entries(response.headers)) {
    if (value !== undefined && !HOP_BY_HOP.has(name)) headers[name] = value;
  }
  const answer = { code: response.statusCode ?? 502, headers, chunks: bodyOf(response, socket) };
  return { kind: "proxied", ...(backend.mountedAt === undefined ? answer : rewritten(answer, backend.mountedAt)) };
}

async function exchange(call: ApiCall, backend: Backend, socket: Duplex): Promise<IncomingMessage> {
  const body = await bodyFor(call);
  return new Promise((resolve, reject) => {
    const headers = headersFor(call, backend, false);
    if (body instanceof Uint8Array) headers["content-length"] = String(body.byteLength);
    const request = nodeHttp().request({
      method: call.method,
      path: backend.path,
      headers: { ...headers, connection: "close" } as Record<string, string | string[]>,
      createConnection: () => socket as never,
      signal: call.signal,
    });
    request.once("error", reject);
    request.once("response", (response) => {
      // What goes wrong from here on ends the answer's body.
      request.on("error", () => {});
      resolve(response);
    });
    send(request, body).catch(reject);
  });
}

async function send(
  request: ReturnType<ReturnType<typeof nodeHttp>["request"]>,
  body: AsyncIterable<Uint8Array> | Uint8Array | undefined,
): Promise<void> {
  if (body !== undefined && !(body instanceof Uint8Array)) {
    for await (const chunk of body) {
      if (request.destroyed) return;
      if (!request.write(chunk))
        await new Promise<void>((resolve) => {
          request.once("drain", resolve);
          request.once("close", resolve);
        });
    }
    request.end();
  } else request.end(body);
}

async function* bodyOf(response: IncomingMessage, socket: Duplex): AsyncGenerator<Uint8Array> {
  try {
    yield* response as AsyncIterable<Buffer>;
  } finally {
    response.destroy();
    socket.destroy();
  }
}

/** Joins an upgraded connection with the backend's, both ways, from its first byte on. */
export function forwardUpgrade(call: ApiCall, backend: Backend): Reply {
  return {
    kind: "takeover",
    take(_req, socket, head) {
      socket.on("error", () => {});
      backend.connect(AbortSignal.any([])).then(
        (upstream) => {
          const headers = headersFor(call, backend, true);
          upstream.on("error", () => socket.destroy());
          upstream.write(`${call.method} ${backend.path} HTTP/1.1\r\n${headerLines(headers)}\r\n`);
          if (head.length > 0) upstream.write(head);
          socket.pipe(upstream).pipe(socket);
          socket.once("close", () => upstream.destroy());
          upstream.once("close", () => socket.destroy());
        },
        (error: unknown) => refuse(socket, unreachable(error)),
      );
    },
  };
}

const headerLines = (headers: Headers): string =>
  Object.entries(headers)
    .flatMap(([name, value]) => (typeof value === "string" ? [value] : value).map((each) => `${name}: ${each}\r\n`))
    .join("");

function refuse(socket: Duplex, error: Error): void {
  socket.end(
    `HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: ${Buffer.byteLength(error.message)}\r\nConnection: close\r\n\r\n${error.message}`,
  );
}
