/** Brings a reply to an HTTP client: headers, media type, gzip. */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import type { ApiCall } from "../request/api-call.ts";
import { header } from "../request/api-call.ts";
import { negotiate, ALL_FORMS } from "../request/negotiation.ts";
import type { Encoded, Reply } from "../request/reply.ts";
import type { Limits } from "../server-options.ts";
import { httpWatchSink } from "./http-watch-sink.ts";

export type HttpRequest = IncomingMessage | Http2ServerRequest;
export type HttpResponse = ServerResponse | Http2ServerResponse;

/** The part of both responses that is used here, under one type. */
interface Response {
  writeHead(code: number, headers: OutgoingHttpHeaders): unknown;
  flushHeaders(): void;
  write(chunk: Uint8Array): boolean;
  end(chunk?: Uint8Array): unknown;
  once(event: string, listener: () => void): unknown;
  readonly destroyed: boolean;
  readonly writableEnded: boolean;
}

/** `Warning: 299 - "text"`, with the text as RFC 7234 quotes it. */
const warningHeader = (text: string): string =>
  `299 - "${text.replace(/[\u0000-\u001f\u007f]/g, " ").replace(/[\\"]/g, "\\$&")}"`;

const asciiOnly = (text: string): string => text.replace(/[^\u0020-\u007e]/g, "?");

function headersOf(call: ApiCall, contentType: string, extra: Readonly<Record<string, string>> | undefined): Record<string, string | number | string[]> {
  const headers: Record<string, string | number | string[]> = {
    "audit-id": call.id,
    "cache-control": "no-cache, private",
    "content-type": contentType,
    ...extra,
  };
  if (call.warnings.length > 0) headers["warning"] = call.warnings.map((text) => asciiOnly(warningHeader(text)));
  return headers;
}

const OPEN = Buffer.from(',"items":[');
const COMMA = Buffer.from(",");
const CLOSE = Buffer.from("]}");

/** A list's JSON from its items' own bytes. */
function listBytes(envelope: Readonly<Record<string, unknown>>, items: readonly Encoded[]): Buffer {
  const head = Buffer.from(JSON.stringify(envelope).slice(0, -1));
  const parts: Buffer[] = [head, OPEN];
  items.forEach((item, i) => {
    if (i > 0) parts.push(COMMA);
    parts.push(item.bytes);
  });
  parts.push(CLOSE);
  return Buffer.concat(parts);
}

const isPerson = (call: ApiCall): boolean => /^(curl|Mozilla|Wget)\//.test(header(call.headers, "user-agent"));

function wantsPretty(call: ApiCall): boolean {
  const asked = call.query.get("pretty");
  return asked === null ? isPerson(call) : asked !== "false" && asked !== "0";
}

async function encodeValue(call: ApiCall, bytes: () => Buffer, object: () => unknown): Promise<{ body: Buffer; contentType: string }> {
  const accept = header(call.headers, "accept");
  let mediaType: string = "application/json";
  try {
    mediaType = negotiate(accept, ALL_FORMS).mediaType;
  } catch {
    // An error that nobody accepts is still told, in JSON.
  }
  if (mediaType === "application/yaml") {
    const { stringify } = await import("yaml");
    return { body: Buffer.from(stringify(object(), { aliasDuplicateObjects: false })), contentType: mediaType };
  }
  if (wantsPretty(call)) return { body: Buffer.from(`${JSON.stringify(object(), null, 2)}\n`), contentType: mediaType };
  return { body: bytes(), contentType: mediaType };
}

async function compressed(call: ApiCall, limits: Limits, body: Buffer): Promise<Buffer | undefined> {
  if (body.length < limits.gzipFromBytes) return undefined;
  if (!/(^|[\s,])gzip($|[\s,;])/.test(header(call.headers, "accept-encoding"))) return undefined;
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

async function pump(call: ApiCall, res: Response, contentType: string, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  res.writeHead(200, headersOf(call, contentType, undefined));
  for await (const chunk of chunks) {
    if (res.destroyed || res.writableEnded) return;
    if (!res.write(chunk)) {
      await new Promise<void>((resolve) => {
        res.once("drain", resolve);
        res.once("close", resolve);
      });
    }
  }
  res.end();
}

/** Writes a reply. Resolves once it is handed over; a watch goes on after that. */
export async function writeReply(call: ApiCall, req: HttpRequest, response: HttpResponse, limits: Limits, reply: Reply): Promise<void> {
  const res = response as unknown as Response;
  if (res.destroyed) return;
  switch (reply.kind) {
    case "object": {
      const { value } = reply;
      const { body, contentType } = await encodeValue(call, () => value.bytes, () => value.object);
      return send(call, res, limits, reply.code, contentType, body, reply.headers);
    }
    case "list": {
      const { envelope, items } = reply;
      const { body, contentType } = await encodeValue(
        call,
        () => listBytes(envelope, items),
        () => ({ ...envelope, items: items.map((item) => item.object) }),
      );
      return send(call, res, limits, 200, contentType, body);
    }
    case "raw": {
      const body = typeof reply.body === "string" ? Buffer.from(reply.body) : Buffer.from(reply.body);
      return send(call, res, limits, reply.code, reply.contentType, body, reply.headers);
    }
    case "stream":
      return pump(call, res, reply.contentType, reply.chunks);
    case "watch": {
      res.writeHead(200, headersOf(call, "application/json", undefined));
      res.flushHeaders();
      const sink = httpWatchSink(response, limits.watchBacklogBytes);
      sink.start(reply.open(sink));
      return;
    }
    case "upgrade":
      throw new Error("an upgrade cannot be answered by a plain response");
  }
}
