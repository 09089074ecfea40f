/**
 * Byte-level requests to one server: HTTP/2 sessions where the server speaks it (ALPN), else HTTP/1.1 with
 * keep-alive. A session that is full, closing or silent is replaced; callers only see requests and answers.
 */
import http2 from "node:http2";
import type { Readable } from "node:stream";
import tls from "node:tls";
import { nodeHttp, nodeHttps } from "../api/node-http.ts";

export interface RawRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array | undefined;
  readonly signal: AbortSignal | undefined;
}

export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readable;
}

export interface HttpConnection {
  send(request: RawRequest): Promise<RawResponse>;
  close(): void;
}

export interface TlsOptions {
  ca?: string | Buffer;
  cert?: string | Buffer;
  key?: string | Buffer;
  serverName?: string;
  insecure?: boolean;
}

/** Large windows: a LIST of megabytes would otherwise wait for a round trip every 64 KB. */
const WINDOW_BYTES = 16 << 20;
/** Silence on a session with open streams after which it is asked for a sign of life. */
const SILENCE_MS = 30_000;
const PING_ANSWER_MS = 15_000;
/** Below the 100 that servers allow at the least, since watches hold their streams for long. */
const STREAMS_A_SESSION = 90;

interface Session {
  readonly http2: http2.ClientHttp2Session;
  streams: number;
}

/** Opens nothing yet: the first request connects. */
export function httpConnection(server: URL, options: TlsOptions): HttpConnection {
  return server.protocol === "http:" ? http1(server, options) : negotiated(server, options);
}

function secureContext(server: URL, options: TlsOptions): tls.ConnectionOptions {
  const host = server.hostname.replace(/^\[|\]$/g, "");
  const serverName = options.serverName ?? (/^[\d.]+$|:/.test(host) ? undefined : host);
  return {
    ca: options.ca,
    cert: options.cert,
    key: options.key,
    rejectUnauthorized: options.insecure !== true,
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}

function connectTls(server: URL, options: TlsOptions): Promise<tls.TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      ...secureContext(server, options),
      host: server.hostname.replace(/^\[|\]$/g, ""),
      port: Number(server.port === "" ? 443 : server.port),
      ALPNProtocols: ["h2", "http/1.1"],
    });
    socket.setNoDelay(true);
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      socket.removeListener("error", reject);
      resolve(socket);
    });
  });
}

function negotiated(server: URL, options: TlsOptions): HttpConnection {
  const sessions = new Set<Session>();
  let legacy: HttpConnection | undefined;
  let connecting: Promise<Session | undefined> | undefined;
  let closed = false;

  const connect = async (): Promise<Session | undefined> => {
    const socket = await connectTls(server, options);
    if (closed) {
      socket.destroy();
      throw new Error("the client is closed");
    }
    if (socket.alpnProtocol !== "h2") {
      socket.destroy();
      legacy = http1(server, options);
      return undefined;
    }
    const session: Session = { http2: openSession(server, socket), streams: 0 };
    sessions.add(session);
    const drop = (): void => void sessions.delete(session);
    session.http2.on("goaway", drop).on("close", drop).on("error", drop);
    return session;
  };

  const withRoom = async (): Promise<Session | undefined> => {
    for (;;) {
      if (closed) throw new Error("the client is closed");
      if (legacy !== undefined) return undefined;
      for (const session of sessions) {
        const limit = Math.min(
          STREAMS_A_SESSION,
          session.http2.remoteSettings?.maxConcurrentStreams ?? STREAMS_A_SESSION,
        );
        if (session.http2.closed || session.http2.destroyed || session.streams >= limit) continue;
        // Taken at once: many callers wait for the same connection and go on together.
        session.streams++;
        return session;
      }
      connecting ??= connect().finally(() => {
        connecting = undefined;
      });
      await connecting;
    }
  };

  return {
    async send(request) {
      const session = await withRoom();
      if (session === undefined) {
        if (legacy === undefined) throw new Error("no connection");
        return legacy.send(request);
      }
      return sendHttp2(session, server, request);
    },
    close() {
      closed = true;
      legacy?.close();
      for (const session of sessions) session.http2.destroy();
      sessions.clear();
    },
  };
}

function openSession(server: URL, socket: tls.TLSSocket): http2.ClientHttp2Session {
  const session = http2.connect(server.origin, {
    createConnection: () => socket,
    settings: { enablePush: false, initialWindowSize: WINDOW_BYTES },
  });
  session.once("connect", () => session.setLocalWindowSize(WINDOW_BYTES));
  session.setTimeout(SILENCE_MS, () => {
    if (session.destroyed || session.closed) return;
    // A dead peer answers no ping: its streams must fail, so that watches are opened anew.
    const giveUp = setTimeout(() => session.destroy(new Error("the connection went silent")), PING_ANSWER_MS);
    giveUp.unref();
    session.once("close", () => clearTimeout(giveUp));
    const sent = session.ping(() => clearTimeout(giveUp));
    if (!sent) clearTimeout(giveUp);
  });
  return session;
}

/** Uses, and at its end gives back, the stream that was taken of `session`. */
function sendHttp2(session: Session, server: URL, request: RawRequest): Promise<RawResponse> {
  return new Promise((resolve, reject) => {
    if (request.signal?.aborted === true) {
      session.streams--;
      reject(request.signal.reason as Error);
      return;
    }
    const stream = session.http2.request(
      { ":method": request.method, ":path": request.path, ":authority": server.host, ...request.headers },
      { endStream: request.body === undefined },
    );
    const onAbort = (): void => {
      stream.close(http2.constants.NGHTTP2_CANCEL);
      reject(request.signal?.reason as Error);
    };
    request.signal?.addEventListener("abort", onAbort, { once: true });
    stream.once("response", (headers) => {
      resolve({ status: headers[":status"] ?? 0, headers: headers as RawResponse["headers"], body: stream });
    });
    // Stays attached: an error after the answer has begun reaches the reader of the body.
    stream.on("error", reject);
    stream.once("close", () => {
      session.streams--;
      request.signal?.removeEventListener("abort", onAbort);
      reject(new Error("the connection closed before an answer"));
    });
    if (request.body !== undefined) stream.end(request.body);
  });
}

function http1(server: URL, options: TlsOptions): HttpConnection {
  const secure = server.protocol === "https:";
  const http = nodeHttp();
  const https = nodeHttps();
  const agent = secure
    ? new https.Agent({ keepAlive: true, ...secureContext(server, options) })
    : new http.Agent({ keepAlive: true });
  const open = secure ? https.request : http.request;
  return {
    send: (request) =>
      new Promise((resolve, reject) => {
        const outgoing = open(
          {
            host: server.hostname.replace(/^\[|\]$/g, ""),
            port: server.port === "" ? (secure ? 443 : 80) : server.port,
            method: request.method,
            path: request.path,
            headers: {
              ...request.headers,
              ...(request.body === undefined ? {} : { "content-length": String(request.body.byteLength) }),
            },
            agent,
            signal: request.signal,
          },
          (answer) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: answer }),
        );
        outgoing.on("error", (error) =>
          reject(request.signal?.aborted === true ? (request.signal.reason as Error) : error),
        );
        outgoing.end(request.body);
      }),
    close: () => agent.destroy(),
  };
}
