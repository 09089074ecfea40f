/** Brings a reply to an HTTP client: headers, media type, gzip. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { ApiCall } from "../request/api-call.ts";
import { header } from "../request/api-call.ts";
import { BUILTIN, CUSTOM, OBJECT_ONLY, PROTOBUF, presentationFor, type Offer } from "../request/negotiation.ts";
import type { Reply } from "../request/reply.ts";
import type { Limits } from "../server-options.ts";
import { httpWatchSink, JSON_LINES } from "./http-watch-sink.ts";
import { listBody, withoutType, type ListBody } from "./list-body.ts";
import { warningHeaders } from "./warning-headers.ts";

export type HttpRequest = IncomingMessage | Http2ServerRequest;
export type HttpResponse = ServerResponse | Http2ServerResponse;

/** The part of both responses that is used here, under one type. */
interface Response {
  writeHead(code: number, headers: OutgoingHttpHeaders): unknown;
  flushHeaders(): void;
  write(chunk: Uint8Array): boolean;
  end(chunk?: Uint8Array): unknown;
  once(event: string, listener: () => void): unknown;
  removeListener(event: string, listener: () => void): unknown;
  readonly destroyed: boolean;
  readonly writableEnded: boolean;
}

const flowHeaders = ({ flow }: ApiCall): Record<string, string> =>
  flow === undefined
    ? {}
    : {
        "x-kubernetes-pf-flowschema-uid": flow.schemaUid,
        "x-kubernetes-pf-prioritylevel-uid": flow.levelUid,
      };

function headersOf(
  call: ApiCall,
  contentType: string,
  extra: Readonly<Record<string, string>> | undefined,
): Record<string, string | number | string[]> {
  const headers: Record<string, string | number | string[]> = {
    "audit-id": call.id,
    "cache-control": "no-cache, private",
    "content-type": contentType,
    ...flowHeaders(call),
    ...extra,
  };
  if (call.warnings.length > 0) headers["warning"] = warningHeaders(call.warnings);
  return headers;
}

const isPerson = (call: ApiCall): boolean => /^(curl|Mozilla|Wget)\//.test(header(call.headers, "user-agent"));

function wantsPretty(call: ApiCall): boolean {
  const asked = call.query.get("pretty");
  return asked === null ? isPerson(call) : asked !== "false" && asked !== "0";
}

/** What is sent: the JSON at hand, or the answer encoded otherwise. */
interface Body<T> {
  readonly body: Buffer | T;
  readonly contentType: string;
}

async function encodeText<T>(call: ApiCall, offer: Offer, bytes: () => T, object: () => unknown): Promise<Body<T>> {
  // An error that nobody accepts is still told, in JSON.
  const mediaType = presentationFor(header(call.headers, "accept"), offer)?.mediaType ?? "application/json";
  if (mediaType === "application/yaml") {
    const { stringify } = await import("yaml");
    return { body: Buffer.from(stringify(object(), { aliasDuplicateObjects: false })), contentType: mediaType };
  }
  if (wantsPretty(call)) return { body: Buffer.from(`${JSON.stringify(object(), null, 2)}\n`), contentType: mediaType };
  return { body: bytes(), contentType: mediaType };
}

/** Nothing is loaded for clients that do not ask for it. */
const wantsProtobuf = (call: ApiCall, offer: Offer): boolean =>
  presentationFor(header(call.headers, "accept"), offer)?.mediaType === PROTOBUF;

async function encodeObject(call: ApiCall, reply: Extract<Reply, { kind: "object" }>): Promise<Body<Buffer>> {
  const { value, code } = reply;
  // A refusal is no object of the resource: what is asked of those does not concern it.
  const refused = code >= 400;
  if (wantsProtobuf(call, refused ? OBJECT_ONLY : BUILTIN)) {
    const { protobufObject } = await import("./protobuf-body.ts");
    const body = protobufObject(value.object);
    if (body !== undefined) return { body, contentType: PROTOBUF };
  }
  return encodeText(
    call,
    refused ? { ...OBJECT_ONLY, protobuf: false } : CUSTOM,
    () => value.bytes,
    () => value.object,
  );
}

async function encodeList(call: ApiCall, reply: Extract<Reply, { kind: "list" }>): Promise<Body<ListBody>> {
  const { envelope, items, untyped } = reply;
  if (wantsProtobuf(call, BUILTIN)) {
    const { protobufList } = await import("./protobuf-body.ts");
    const body = await protobufList(envelope, items);
    if (body !== undefined) return { body, contentType: PROTOBUF };
  }
  return encodeText<ListBody>(
    call,
    CUSTOM,
    () => listBody(envelope, items, untyped),
    () => ({
      ...envelope,
      items: items.map(({ object }) => (untyped === undefined ? object : withoutType(object))),
    }),
  );
}

/** As upstream reads it: the bare word, so that `gzip;q=0` is none, and nor is any other weight. */
const takesGzip = (call: ApiCall, limits: Limits, length: number): boolean =>
  length >= limits.gzipFromBytes && /(^|,)\s*gzip\s*($|,)/.test(header(call.headers, "accept-encoding"));

async function compressed(call: ApiCall, limits: Limits, body: Buffer): Promise<Buffer | undefined> {
  if (!takesGzip(call, limits, body.length)) return undefined;
  const { gzip } = await import("node:zlib");
  return new Promise((resolve, reject) => {
    gzip(body, { level: 1 }, (error, result) => (error === null ? resolve(result) : reject(error)));
  });
}

async function send(
  call: ApiCall,
  res: Response,
  limits: Limits,
  code: number,
  contentType: string,
  body: Buffer,
  extra?: Readonly<Record<string, string>>,
): Promise<void> {
  const zipped = await compressed(call, limits, body);
  const sent = zipped ?? body;
  if (res.destroyed) return;
  const headers = headersOf(call, contentType, extra);
  if (zipped !== undefined) {
    headers["content-encoding"] = "gzip";
    headers["vary"] = "Accept-Encoding";
  }
  if (code !== 304) headers["content-length"] = sent.length;
  res.writeHead(code, headers);
  if (call.method === "HEAD" || code === 304) res.end();
  else res.end(sent);
}

/** From here on a list goes out piece by piece, as the client takes it. */
const LARGE_BYTES = 8 * 1024 * 1024;
/** Compressed bytes in one write. */
const ZIPPED_BYTES = 256 * 1024;

function sendList(call: ApiCall, res: Response, limits: Limits, contentType: string, list: ListBody): Promise<void> {
  if (list.length < LARGE_BYTES || call.method === "HEAD") {
    return send(call, res, limits, 200, contentType, list.whole());
  }
  if (takesGzip(call, limits, list.length)) return pumpCompressed(call, res, contentType, list.chunks());
  return pump(call, res, contentType, list.chunks(), { "content-length": String(list.length) });
}

async function pump(
  call: ApiCall,
  res: Response,
  contentType: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  extra?: Readonly<Record<string, string>>,
): Promise<void> {
  res.writeHead(200, headersOf(call, contentType, extra));
  for await (const chunk of chunks) {
    if (res.destroyed || res.writableEnded) return;
    if (!res.write(chunk)) await drained(res);
  }
  res.end();
}

/** Neither the list nor what it is compressed to stands in memory whole; a client that is gone ends both. */
async function pumpCompressed(
  call: ApiCall,
  res: Response,
  contentType: string,
  chunks: Iterable<Buffer>,
): Promise<void> {
  const [{ createGzip }, { pipeline, Readable }] = await Promise.all([import("node:zlib"), import("node:stream")]);
  const zipped = createGzip({ level: 1, chunkSize: ZIPPED_BYTES });
  pipeline(Readable.from(chunks), zipped, () => undefined);
  await pump(call, res, contentType, zipped, { "content-encoding": "gzip", vary: "Accept-Encoding" });
}

/** Another server's answer: its headers are the client's, its pieces go out as they come. */
async function pass(call: ApiCall, res: Response, reply: Extract<Reply, { kind: "proxied" }>): Promise<void> {
  res.writeHead(reply.code, { "audit-id": call.id, ...reply.headers } as OutgoingHttpHeaders);
  // A watch is open before its first event.
  res.flushHeaders();
  for await (const chunk of reply.chunks) {
    if (res.destroyed || res.writableEnded) return;
    if (!res.write(chunk)) await drained(res);
  }
  res.end();
}

/** Resolves when the client has taken what waits, or is gone. */
function drained(res: Response): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      res.removeListener("drain", done);
      res.removeListener("close", done);
      resolve();
    };
    res.once("drain", done);
    res.once("close", done);
  });
}

/** Writes a reply. Resolves once it is handed over; a watch goes on after that. */
export async function writeReply(
  call: ApiCall,
  req: HttpRequest,
  response: HttpResponse,
  limits: Limits,
  reply: Reply,
  onCutOff?: () => void,
): Promise<void> {
  const res = response as unknown as Response;
  if (res.destroyed) return;
  switch (reply.kind) {
    case "object": {
      const { body, contentType } = await encodeObject(call, reply);
      return send(call, res, limits, reply.code, contentType, body, reply.headers);
    }
    case "list": {
      const { body, contentType } = await encodeList(call, reply);
      return Buffer.isBuffer(body)
        ? send(call, res, limits, 200, contentType, body)
        : sendList(call, res, limits, contentType, body);
    }
    case "raw": {
      const body = typeof reply.body === "string" ? Buffer.from(reply.body) : Buffer.from(reply.body);
      return send(call, res, limits, reply.code, reply.contentType, body, reply.headers);
    }
    case "stream":
      return pump(call, res, reply.contentType, reply.chunks);
    case "watch": {
      const framing = reply.protobuf === true ? (await import("./protobuf-body.ts")).PROTOBUF_FRAMES : JSON_LINES;
      res.writeHead(200, headersOf(call, framing.contentType, undefined));
      res.flushHeaders();
      const sink = httpWatchSink(response, limits.watchBacklogBytes, onCutOff, framing);
      sink.start(reply.open(sink));
      return;
    }
    case "proxied":
      return pass(call, res, reply);
    case "takeover":
    case "upgrade":
      throw new Error("an upgrade cannot be answered by a plain response");
  }
}
