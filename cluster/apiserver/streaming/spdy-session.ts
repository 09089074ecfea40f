/** The server's end of a SPDY/3.1 connection, as far as Kubernetes uses it: streams that the client opens, and data. */
import { Duplex } from "node:stream";
import { HeaderCodec, type Headers } from "./spdy-headers.ts";

/** Carries the connection's bytes. */
export interface SpdyWire {
  /** Resolves when more may be sent. */
  send(bytes: Buffer): Promise<void>;
  close(): void;
}

const VERSION = 3;
const TYPE = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;
const FLAG_FIN = 1;
/** Kubernetes' clients send far smaller frames; the length field allows 16 MiB. */
const MAX_FRAME = 4 * 1024 * 1024;
const MAX_STREAMS = 1000;
const CHUNK = 32 * 1024;
/** What a stream's reader may lag behind before the connection is no longer read. */
const HIGH_WATER = 1024 * 1024;
const STATUS = { protocolError: 1, cancel: 5 } as const;

export class SpdyProtocolError extends Error {
  override readonly name = "SpdyProtocolError";
}

/** One stream: what the client sends is read, what is written goes to the client. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: Headers;
  readonly #session: SpdySession;
  #wanted: (() => void) | undefined;

  constructor(session: SpdySession, id: number, headers: Headers) {
    super({ allowHalfOpen: true, readableHighWaterMark: HIGH_WATER });
    this.id = id;
    this.headers = headers;
    this.#session = session;
  }

  override _read(): void {
    this.#wanted?.();
    this.#wanted = undefined;
  }

  /** Takes what the client sent; resolves when the stream's reader has room for more. */
  async deliver(data: Buffer): Promise<void> {
    if (this.destroyed || this.push(data)) return;
    await new Promise<void>((resolve) => (this.#wanted = resolve));
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#session.sendData(this.id, chunk, false).then(() => callback(), callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#session.sendData(this.id, Buffer.alloc(0), true).then(() => callback(), callback);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#wanted?.();
    this.#session.forget(this, error !== null || !this.writableFinished);
    callback(error);
  }
}

export class SpdySession {
  readonly #wire: SpdyWire;
  readonly #onStream: (stream: SpdyStream) => void;
  readonly #codec = new HeaderCodec();
  readonly #streams = new Map<number, SpdyStream>();
  #buffer: Buffer = Buffer.alloc(0);
  #working: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(wire: SpdyWire, onStream: (stream: SpdyStream) => void) {
    this.#wire = wire;
    this.#onStream = onStream;
  }

  /** Bytes from the client. Resolves when they are dealt with; a breach of the protocol closes the connection. */
  receive(bytes: Uint8Array): Promise<void> {
    this.#working = this.#working.then(() => this.#consume(bytes)).catch(() => this.close());
    return this.#working;
  }

  async sendData(id: number, data: Buffer, fin: boolean): Promise<void> {
    if (this.#closed) throw new SpdyProtocolError("the connection is closed");
    for (let at = 0; at < data.length || (at === 0 && fin); at += CHUNK) {
      const part = data.subarray(at, at + CHUNK);
      const head = Buffer.alloc(8);
      head.writeUInt32BE(id, 0);
      head.writeUInt32BE(part.length, 4);
      head[4] = fin && at + CHUNK >= data.length ? FLAG_FIN : 0;
      await this.#wire.send(Buffer.concat([head, part]));
    }
  }

  /** The stream is over on our side; `reset` tells the client, too. */
  forget(stream: SpdyStream, reset: boolean): void {
    if (!this.#streams.delete(stream.id) || this.#closed || !reset) return;
    const payload = Buffer.alloc(8);
    payload.writeUInt32BE(stream.id, 0);
    payload.writeUInt32BE(STATUS.cancel, 4);
    void this.#control(TYPE.rstStream, 0, payload);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const stream of this.#streams.values()) stream.destroy();
    this.#streams.clear();
    this.#codec.close();
    this.#wire.close();
  }

  async #consume(bytes: Uint8Array): Promise<void> {
    if (this.#closed) return;
    this.#buffer = this.#buffer.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#buffer, bytes]);
    while (this.#buffer.length >= 8 && !this.#closed) {
      const length = this.#buffer.readUInt32BE(4) & 0xffffff;
      if (length > MAX_FRAME) throw new SpdyProtocolError("a frame is too large");
      if (this.#buffer.length < 8 + length) return;
      const first = this.#buffer.readUInt32BE(0);
      const flags = this.#buffer[4] ?? 0;
      const payload = this.#buffer.subarray(8, 8 + length);
      this.#buffer = this.#buffer.subarray(8 + length);
      if ((first & 0x80000000) === 0) await this.#onData(first, flags, payload);
      else await this.#onControl(first, flags, payload);
    }
  }

  async #onData(id: number, flags: number, payload: Buffer): Promise<void> {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (payload.length > 0) await stream.deliver(Buffer.from(payload));
    if ((flags & FLAG_FIN) !== 0 && !stream.destroyed) stream.push(null);
  }

  async #onControl(first: number, flags: number, payload: Buffer): Promise<void> {
    if (((first >>> 16) & 0x7fff) !== VERSION) throw new SpdyProtocolError("a frame of another SPDY version");
    switch (first & 0xffff) {
      case TYPE.synStream:
        return this.#onSynStream(flags, payload);
      case TYPE.rstStream:
        if (payload.length >= 4) this.#streams.get(payload.readUInt32BE(0) & 0x7fffffff)?.destroy();
        return;
      case TYPE.ping:
        return this.#control(TYPE.ping, 0, Buffer.from(payload));
      case TYPE.goAway:
        this.close();
        return;
      case TYPE.headers:
        // Nobody asks for them, but the compression's state has to move on.
        if (payload.length > 4) await this.#codec.decode(payload.subarray(4));
        return;
      default:
      // SETTINGS and WINDOW_UPDATE: Kubernetes' clients keep no windows.
    }
  }

  async #onSynStream(flags: number, payload: Buffer): Promise<void> {
    if (payload.length < 10) throw new SpdyProtocolError("a SYN_STREAM frame is too short");
    const id = payload.readUInt32BE(0) & 0x7fffffff;
    const headers = await this.#codec.decode(payload.subarray(10));
    if (this.#streams.has(id) || this.#streams.size >= MAX_STREAMS || id % 2 === 0)
      throw new SpdyProtocolError("a stream that cannot be opened");
    const stream = new SpdyStream(this, id, headers);
    stream.on("error", () => {});
    this.#streams.set(id, stream);
    const idBytes = Buffer.alloc(4);
    idBytes.writeUInt32BE(id);
    await this.#control(TYPE.synReply, 0, Buffer.concat([idBytes, await this.#codec.encode(new Map())]));
    this.#onStream(stream);
    if ((flags & FLAG_FIN) !== 0) stream.push(null);
  }

  #control(type: number, flags: number, payload: Buffer): Promise<void> {
    const head = Buffer.alloc(8);
    head.writeUInt32BE((0x80000000 | (VERSION << 16) | type) >>> 0, 0);
    head.writeUInt32BE(payload.length, 4);
    head[4] = flags;
    return this.#wire.send(Buffer.concat([head, payload]));
  }
}
