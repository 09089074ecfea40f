/** Puts a watch's events on a response: one write a commit, a queue while the client is slow, and an end to patience. */
import type { ServerResponse } from "node:http";
import type { Http2ServerResponse, ServerHttp2Stream } from "node:http2";
import type { EncodedFrame, WatchSink } from "../request/reply.ts";

/** Bytes in one write: initial events of a large table come in pieces. */
const CHUNK_BYTES = 256 * 1024;

export interface HttpWatchSink extends WatchSink {
  /** Takes what stops the watch; from then on a backlog above the limit cuts the client off. */
  start(stop: () => void): void;
}

/** How events become bytes. */
export interface Framing {
  readonly contentType: string;
  /** Called when the event is written, not before. */
  bytes(frame: EncodedFrame): Buffer;
  /** How much an event counts for while it waits. */
  weight(frame: EncodedFrame): number;
}

export const JSON_LINES: Framing = {
  contentType: "application/json",
  bytes: (frame) => frame.line,
  weight: (frame) => frame.line.length,
};

/** `onCutOff` is called when the client has been too slow. */
export function httpWatchSink(
  response: ServerResponse | Http2ServerResponse,
  limitBytes: number,
  onCutOff: () => void = () => {},
  framing: Framing = JSON_LINES,
): HttpWatchSink {
  // HTTP/2's own stream: its compatible response is one more layer on every write to every watcher.
  return new ResponseSink(isHttp2(response) ? response.stream : response, limitBytes, onCutOff, framing);
}

/** What is written to. */
type Body = ServerResponse | ServerHttp2Stream;

const isHttp2 = (response: ServerResponse | Http2ServerResponse): response is Http2ServerResponse =>
  "stream" in response;

class ResponseSink implements HttpWatchSink {
  readonly #response: Body;
  readonly #limit: number;
  readonly #onCutOff: () => void;
  readonly #framing: Framing;
  #queue: EncodedFrame[] = [];
  #queued = 0;
  /** What the watch started with may be any size: patience is counted from there. */
  #allowance = 0;
  #started = false;
  #blocked = false;
  #ending = false;
  #closed = false;
  #stop: (() => void) | undefined;

  constructor(response: Body, limitBytes: number, onCutOff: () => void, framing: Framing) {
    this.#response = response;
    this.#onCutOff = onCutOff;
    this.#framing = framing;
    this.#limit = limitBytes;
    response.on("close", () => this.#close());
    response.on("drain", () => {
      this.#blocked = false;
      this.#flush();
    });
  }

  get backlog(): number {
    return this.#queued;
  }

  start(stop: () => void): void {
    this.#started = true;
    this.#allowance = this.#queued;
    if (this.#closed) stop();
    else this.#stop = stop;
  }

  send(frames: readonly EncodedFrame[]): void {
    if (this.#closed || this.#ending) return;
    for (const frame of frames) {
      this.#queue.push(frame);
      this.#queued += this.#framing.weight(frame);
    }
    if (!this.#blocked) this.#flush();
    if (!this.#started || this.#queued <= this.#limit + this.#allowance) return;
    this.#onCutOff();
    this.destroy("the client does not keep up");
  }

  end(): void {
    if (this.#closed || this.#ending) return;
    this.#ending = true;
    this.#release();
    if (!this.#blocked) this.#flush();
  }

  destroy(_reason: string): void {
    this.#queue = [];
    this.#queued = 0;
    this.#response.destroy();
    this.#close();
  }

  #flush(): void {
    while (!this.#blocked && this.#queue.length > 0 && !this.#closed) {
      this.#blocked = !this.#write(this.#nextChunk());
    }
    if (this.#queue.length > 0) return;
    this.#allowance = 0;
    if (this.#ending && !this.#closed) {
      this.#closed = true;
      this.#response.end();
    }
  }

  #write(chunk: Buffer): boolean {
    return this.#response.write(chunk);
  }

  #nextChunk(): Buffer {
    const first = this.#queue[0];
    if (this.#queue.length === 1 && first !== undefined) {
      this.#queue = [];
      this.#queued = 0;
      return this.#framing.bytes(first);
    }
    const parts: Buffer[] = [];
    let size = 0;
    while (parts.length < this.#queue.length && size < CHUNK_BYTES) {
      const frame = this.#queue[parts.length];
      if (frame === undefined) break;
      const bytes = this.#framing.bytes(frame);
      parts.push(bytes);
      size += bytes.length;
      this.#queued -= this.#framing.weight(frame);
    }
    this.#queue = this.#queue.slice(parts.length);
    return Buffer.concat(parts, size);
  }

  #close(): void {
    this.#closed = true;
    this.#queue = [];
    this.#queued = 0;
    this.#release();
  }

  #release(): void {
    const stop = this.#stop;
    this.#stop = undefined;
    stop?.();
  }
}
