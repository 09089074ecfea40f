/**
 * A transport without a socket: requests go straight into the handler chain, objects are handed over as they are.
 * What comes back is shared with the store and every other reader.
 */
import { setTimeout as delay } from "node:timers/promises";
import {
  StatusError,
  badRequest,
  type ApiRequest,
  type ApiResponse,
  type Status,
  type Transport,
  type WatchFrame,
} from "@travelops/kube";
import { throttledFor } from "@travelops/kube/client/throttling";
import { isObject, setKey, type JsonObject } from "@travelops/kube/schema/json-value";
import type { UserInfo } from "../api-server.ts";
import type { Handler } from "../chain/handler-chain.ts";
import type { ApiCall, RequestBody } from "../request/api-call.ts";
import { parseRequestInfo } from "../request/request-info.ts";
import type { EncodedFrame, Reply, WatchSink } from "../request/reply.ts";

/** JSON knows no undefined: what would not be written is not there. Shares what it does not change. */
function withoutUndefined(value: unknown): unknown {
  if (Array.isArray(value)) {
    let copy: unknown[] | undefined;
    for (let i = 0; i < value.length; i++) {
      const before: unknown = value[i];
      const after = before === undefined ? null : withoutUndefined(before);
      if (after !== before) (copy ??= [...(value as unknown[])])[i] = after;
    }
    return copy ?? value;
  }
  if (!isObject(value)) return value;
  let copy: JsonObject | undefined;
  for (const key of Object.keys(value)) {
    const before = value[key];
    const after = withoutUndefined(before);
    if (before !== undefined && after === before) continue;
    copy ??= { ...value };
    if (after === undefined) delete copy[key];
    else setKey(copy, key, after);
  }
  return copy ?? value;
}

function bodyOf(request: ApiRequest): RequestBody {
  if (request.body === undefined) return { kind: "none" };
  return {
    kind: "value",
    value: withoutUndefined(request.body),
    contentType: request.contentType ?? "application/json",
  };
}

function queryOf(request: ApiRequest): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(request.query ?? {})) {
    if (typeof value === "string") query.append(name, value);
    else for (const one of value ?? []) query.append(name, one);
  }
  return query;
}

export interface InProcessOptions {
  readonly handler: Handler;
  readonly user: UserInfo;
  readonly nextId: () => string;
  readonly closing: AbortSignal;
}

function callOf(options: InProcessOptions, request: ApiRequest): ApiCall {
  const query = queryOf(request);
  return {
    id: options.nextId(),
    method: request.method,
    info: parseRequestInfo(request.method, request.path, query),
    query,
    headers: request.headers ?? {},
    peerCertificate: undefined,
    user: options.user,
    upgrade: false,
    warnings: [],
    signal: request.signal ?? options.closing,
    readBody: () => Promise.resolve(bodyOf(request)),
  };
}

function failure(reply: Reply): StatusError | undefined {
  if (reply.kind !== "object" || reply.code < 400) return undefined;
  return StatusError.from(reply.value.object as Status);
}

function valueOf(reply: Reply): { code: number; body: unknown } {
  switch (reply.kind) {
    case "object":
      return { code: reply.code, body: reply.value.object };
    case "list":
      return { code: 200, body: { ...reply.envelope, items: reply.items.map((item) => item.object) } };
    case "raw": {
      const text = typeof reply.body === "string" ? reply.body : Buffer.from(reply.body).toString("utf8");
      return {
        code: reply.code,
        body: reply.contentType.includes("json") && text !== "" ? (JSON.parse(text) as unknown) : text,
      };
    }
    case "watch":
    case "proxied":
    case "takeover":
    case "stream":
    case "upgrade":
      throw badRequest(`this request is answered with a ${reply.kind}: use the transport's method for it`);
  }
}

const FRAMES_A_TURN = 256;

/** Events wait here until the reader takes them; a reader that lags too far is cut off and has to watch anew. */
class FrameQueue implements WatchSink, AsyncIterable<WatchFrame> {
  static readonly LIMIT = 200_000;
  #frames: EncodedFrame[] = [];
  #ended = false;
  #wake: (() => void) | undefined;
  #opened = false;

  opened(): void {
    this.#opened = true;
  }
  get backlog(): number {
    return this.#frames.length;
  }
  send(frames: readonly EncodedFrame[]): void {
    if (this.#ended) return;
    if (this.#opened && this.#frames.length + frames.length > FrameQueue.LIMIT) {
      this.#frames = [];
      return this.end();
    }
    for (const frame of frames) this.#frames.push(frame);
    this.#wake?.();
  }
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }
  destroy(): void {
    this.end();
  }
  async *[Symbol.asyncIterator](): AsyncGenerator<WatchFrame> {
    for (;;) {
      const frames = this.#frames;
      this.#frames = [];
      let inARow = 0;
      for (const frame of frames) {
        yield frame;
        // A large table's state would be taken in without a pause: requests are served in between.
        if (++inARow % FRAMES_A_TURN === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      if (this.#frames.length > 0) continue;
      if (this.#ended) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }
}

async function* watchFrames(options: InProcessOptions, request: ApiRequest): AsyncGenerator<WatchFrame> {
  const call = callOf(options, request);
  if (call.signal.aborted) return;
  const reply = await options.handler(call);
  const error = failure(reply);
  if (error !== undefined) throw error;
  if (reply.kind === "proxied") {
    const { proxiedFrames } = await import("../proxy/proxied-value.ts");
    return yield* proxiedFrames(reply);
  }
  if (reply.kind !== "watch") throw badRequest("this request is not answered with a watch: it needs watch=true");
  const queue = new FrameQueue();
  const stop = reply.open(queue);
  queue.opened();
  const onAbort = (): void => queue.end();
  call.signal.addEventListener("abort", onAbort, { once: true });
  if (call.signal.aborted) queue.end();
  try {
    for await (const frame of queue) {
      if (call.signal.aborted) return;
      yield frame;
    }
  } finally {
    call.signal.removeEventListener("abort", onAbort);
    stop();
  }
}

async function* bytesOf(text: string | Uint8Array): AsyncGenerator<Uint8Array> {
  yield typeof text === "string" ? Buffer.from(text) : text;
}

/** The answer to a request, asked again for as long as the server is too busy for it. Throws its `StatusError`. */
async function answered(options: InProcessOptions, request: ApiRequest): Promise<{ call: ApiCall; reply: Reply }> {
  for (let attempt = 1; ; attempt++) {
    if (request.signal?.aborted === true) throw request.signal.reason as Error;
    const call = callOf(options, request);
    const reply = await options.handler(call);
    const error = failure(reply);
    if (error === undefined) return { call, reply };
    const wait = throttledFor(error, error.status.details?.retryAfterSeconds ?? 0, attempt);
    if (wait === undefined || call.signal.aborted) throw error;
    // Ends at once, with the refusal, when nobody waits any longer.
    await delay(wait, undefined, { signal: call.signal, ref: false }).catch(() => undefined);
  }
}

/** A transport that acts as `user` inside the process. */
export function inProcessTransport(options: InProcessOptions): Transport {
  return {
    async call(request): Promise<ApiResponse> {
      const { call, reply } = await answered(options, request);
      if (reply.kind === "proxied") {
        const { proxiedValue } = await import("../proxy/proxied-value.ts");
        return { ...(await proxiedValue(reply)), warnings: call.warnings };
      }
      return { ...valueOf(reply), warnings: call.warnings };
    },
    watch: (request) => watchFrames(options, { ...request, query: { ...request.query, watch: "true" } }),
    async stream(request) {
      const reply = await options.handler(callOf(options, request));
      const error = failure(reply);
      if (error !== undefined) throw error;
      if (reply.kind === "stream" || reply.kind === "proxied") return reply.chunks;
      if (reply.kind === "raw") return bytesOf(reply.body);
      throw badRequest("this request is not answered with a stream of bytes");
    },
  };
}
