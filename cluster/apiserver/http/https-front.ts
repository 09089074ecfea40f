/** The server's HTTPS face: HTTP/2 and HTTP/1.1 on one port, client certificates asked for, upgrades handed on. */
import type { X509Certificate } from "node:crypto";
import type { IncomingMessage } from "node:http";
import http2 from "node:http2";
import type { Server as NetServer } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { badRequest, internalError, notImplemented, StatusError, tooLarge, type Status } from "@travelops/kube";
import type { Logger } from "@travelops/kube/api/logger";
import type { Handler } from "../chain/handler-chain.ts";
import { header, type ApiCall, type RequestBody } from "../request/api-call.ts";
import { objectReply } from "../request/reply.ts";
import { parseRequestInfo, type PathRequest } from "../request/request-info.ts";
import type { Limits, TlsFiles, Upgrade } from "../server-options.ts";
import { writeReply, type HttpRequest, type HttpResponse } from "./write-reply.ts";

export interface HttpsFrontOptions {
  readonly tls: TlsFiles;
  readonly handler: Handler;
  readonly limits: Limits;
  readonly upgrade: Upgrade | undefined;
  readonly nextId: () => string;
  /** A watcher was too slow. */
  readonly onCutOff?: () => void;
  readonly log: Logger;
}

export interface HttpsFront {
  listen(host: string, port: number): Promise<number>;
  serve(server: NetServer): void;
  close(): Promise<void>;
}

const CLOSE_PATIENCE_MS = 2_000;
/** Large enough that a LIST does not wait for a round trip every 64 KB. */
const WINDOW_BYTES = 1024 * 1024;

/** Collects a body up to the limit. Rejects with `StatusError` 413 above it. */
function collect(req: HttpRequest, limit: number): Promise<Buffer> {
  const declared = Number(req.headers["content-length"] ?? 0);
  if (declared > limit) return Promise.reject(tooLarge(`Request entity too large: limit is ${limit}`));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    req.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        chunks.length = 0;
        reject(tooLarge(`Request entity too large: limit is ${limit}`));
        req.resume();
        return;
      }
      chunks.push(chunk);
    });
    req.on("end", () => resolve(chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)));
    req.on("error", () => reject(badRequest("the request body ended too soon")));
    req.on("aborted", () => reject(badRequest("the request body ended too soon")));
  });
}

const certificates = new WeakMap<object, { certificate: X509Certificate | undefined }>();

/** The client's certificate, read once a connection. */
function peerCertificate(req: HttpRequest): X509Certificate | undefined {
  const socket = ("stream" in req ? req.stream.session?.socket : req.socket) as TLSSocket | undefined;
  if (socket === undefined) return undefined;
  const owner: object = ("stream" in req ? req.stream.session : socket) ?? socket;
  let known = certificates.get(owner);
  if (known === undefined) {
    known = {
      certificate: typeof socket.getPeerX509Certificate === "function" ? socket.getPeerX509Certificate() : undefined,
    };
    certificates.set(owner, known);
  }
  return known.certificate;
}

/** A body that was read before it is passed on. */
async function* bytesOf(body: Promise<RequestBody>): AsyncGenerator<Uint8Array> {
  const read = await body;
  if (read.kind === "bytes") yield read.bytes;
}

class HttpCall implements ApiCall {
  readonly id: string;
  readonly method: string;
  readonly info: ApiCall["info"];
  readonly query: URLSearchParams;
  readonly upgrade: boolean;
  readonly warnings: string[] = [];
  user: ApiCall["user"] = undefined;
  flow: ApiCall["flow"] = undefined;
  decision: ApiCall["decision"] = undefined;
  readonly #req: HttpRequest;
  readonly #limit: number;
  readonly #gone: { on(event: "close", listener: () => void): unknown };
  #controller: AbortController | undefined;
  #body: Promise<RequestBody> | undefined;

  constructor(
    req: HttpRequest,
    gone: { on(event: "close", listener: () => void): unknown },
    id: string,
    limit: number,
    upgrade: boolean,
  ) {
    const url = req.url ?? "/";
    const mark = url.indexOf("?");
    const path = mark < 0 ? url : url.slice(0, mark);
    this.id = id;
    this.method = req.method ?? "";
    this.query = new URLSearchParams(mark < 0 ? "" : url.slice(mark + 1));
    this.info = parseRequestInfo(this.method, path, this.query);
    this.upgrade = upgrade;
    this.#req = req;
    this.#gone = gone;
    this.#limit = limit;
  }
  get headers(): ApiCall["headers"] {
    return this.#req.headers;
  }
  get peerCertificate(): X509Certificate | undefined {
    return peerCertificate(this.#req);
  }
  get remoteAddress(): string {
    return this.#req.socket?.remoteAddress ?? "";
  }
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      const controller = new AbortController();
      this.#controller = controller;
      this.#gone.on("close", () => controller.abort());
    }
    return this.#controller.signal;
  }
  openBody(): AsyncIterable<Uint8Array> {
    return this.#body === undefined ? (this.#req as AsyncIterable<Uint8Array>) : bytesOf(this.#body);
  }
  readBody(): Promise<RequestBody> {
    return (this.#body ??= collect(this.#req, this.#limit).then((bytes): RequestBody =>
      bytes.length === 0
        ? { kind: "none" }
        : { kind: "bytes", bytes, contentType: header(this.#req.headers, "content-type") },
    ));
  }
}

const brokenInfo: PathRequest = { kind: "path", path: "", verb: "" };

/** Stands in for a call whose path cannot be read, to answer it. */
const brokenCall = (req: HttpRequest, id: string): ApiCall => ({
  id,
  method: req.method ?? "",
  info: brokenInfo,
  query: new URLSearchParams(),
  headers: req.headers,
  peerCertificate: undefined,
  user: undefined,
  upgrade: false,
  warnings: [],
  signal: AbortSignal.abort(),
  readBody: () => Promise.resolve({ kind: "none" }),
});

const statusOf = (error: unknown): Status =>
  error instanceof StatusError ? error.status : internalError("the server met a fault of its own").status;

const nothing = (): void => {};

/** A client may name its request, so that both sides find it in their logs. */
function idOf(req: HttpRequest, { nextId }: HttpsFrontOptions): string {
  const given = req.headers["audit-id"];
  return typeof given === "string" && /^[\w.:-]{1,64}$/.test(given) ? given : nextId();
}

async function onRequest(options: HttpsFrontOptions, req: HttpRequest, res: HttpResponse): Promise<void> {
  req.on("error", nothing);
  res.on("error", nothing);
  const id = idOf(req, options);
  let call: ApiCall;
  try {
    call = new HttpCall(req, res, id, options.limits.bodyBytes, false);
  } catch (error) {
    const status = statusOf(error);
    return writeReply(brokenCall(req, id), req, res, options.limits, objectReply(status, status.code));
  }
  const reply = await options.handler(call);
  if (reply.kind === "upgrade" || reply.kind === "takeover") {
    const status = badRequest("Upgrade request required").status;
    return writeReply(call, req, res, options.limits, objectReply(status, status.code));
  }
  await writeReply(call, req, res, options.limits, reply, options.onCutOff);
  // What the handler did not read is thrown away, or the connection would stand still.
  if (!req.readableEnded) req.resume();
}

function refuseUpgrade(socket: Duplex, status: Status): void {
  const body = JSON.stringify(status);
  const reason = (status.reason ?? "Error").replace(/[^ -~]/g, "");
  socket.end(
    `HTTP/1.1 ${status.code} ${reason}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

async function onUpgrade(
  options: HttpsFrontOptions,
  req: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): Promise<void> {
  socket.on("error", nothing);
  try {
    const call = new HttpCall(req, socket, idOf(req, options), options.limits.bodyBytes, true);
    const reply = await options.handler(call);
    if (socket.destroyed) return;
    if (reply.kind === "takeover") return reply.take(req, socket, head);
    if (reply.kind !== "upgrade") {
      const status =
        reply.kind === "object" ? (reply.value.object as Status) : badRequest("this path knows no upgrade").status;
      return refuseUpgrade(socket, status.kind === "Status" ? status : badRequest("this path knows no upgrade").status);
    }
    if (options.upgrade === undefined)
      return refuseUpgrade(socket, notImplemented(`${reply.info.resource}/${reply.info.subresource}`).status);
    options.upgrade(reply.info, reply.user, req, socket, head);
  } catch (error) {
    if (!(error instanceof StatusError)) options.log.error("an upgrade failed", { err: error });
    if (!socket.destroyed) refuseUpgrade(socket, statusOf(error));
  }
}

/** Makes the server; nothing listens before `listen` or `serve`. */
export function httpsFront(options: HttpsFrontOptions): HttpsFront {
  const { tls, log } = options;
  const server = http2.createSecureServer({
    allowHTTP1: true,
    cert: tls.cert,
    key: tls.key,
    ca: tls.clientCa,
    requestCert: true,
    rejectUnauthorized: false,
    settings: { maxConcurrentStreams: 1000, initialWindowSize: WINDOW_BYTES },
  });
  const sockets = new Set<Duplex>();
  const track = (socket: Duplex): void => {
    sockets.add(socket);
    socket.on("error", nothing);
    socket.once("close", () => sockets.delete(socket));
  };
  let inFlight = 0;
  server.on("request", (req, res) => {
    inFlight++;
    onRequest(options, req, res)
      .catch((error: unknown) => {
        log.error("an answer could not be written", { err: error });
        res.stream?.destroy();
      })
      .finally(() => inFlight--);
  });
  server.on(
    "upgrade",
    (req: IncomingMessage, socket: Duplex, head: Buffer) => void onUpgrade(options, req, socket, head),
  );
  server.on("secureConnection", track);
  server.on("session", (session) => {
    session.on("error", nothing);
    session.setLocalWindowSize?.(16 * WINDOW_BYTES);
  });
  server.on("sessionError", nothing);
  server.on("tlsClientError", nothing);
  server.on("clientError", (_error: Error, socket: Duplex) => socket.destroy());
  server.on("error", (error: Error) => log.error("the API server's listener failed", { err: error }));
  server.setTimeout(0);
  const given = new Set<NetServer>();

  return {
    listen: (host, port) =>
      new Promise((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, () => {
          server.removeListener("error", reject);
          const address = server.address();
          resolve(typeof address === "object" && address !== null ? address.port : port);
        });
      }),
    serve(listener) {
      given.add(listener);
      listener.on("connection", (socket: Duplex) => server.emit("connection", socket));
    },
    async close() {
      const closed = Promise.all([
        new Promise<void>((resolve) => (server.listening ? server.close(() => resolve()) : resolve())),
        ...[...given].map((listener) => new Promise<void>((resolve) => listener.close(() => resolve()))),
      ]);
      const deadline = performance.now() + CLOSE_PATIENCE_MS;
      while (inFlight > 0 && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
      await new Promise((resolve) => setImmediate(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
