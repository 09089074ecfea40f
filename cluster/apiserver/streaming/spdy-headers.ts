/** SPDY/3.1 header blocks: name/value pairs in one zlib stream a direction, which lives as long as the connection. */
import { constants, createDeflate, createInflate, type Deflate, type Inflate } from "node:zlib";
import { spdyDictionary } from "./spdy-dictionary.ts";

export type Headers = ReadonlyMap<string, string>;

const MAX_PAIRS = 1000;
/** A small block must not unpack into a large one. */
const MAX_BLOCK = 64 * 1024;

export class HeaderCodec {
  readonly #inflate: Inflate;
  readonly #deflate: Deflate;

  constructor() {
    const dictionary = spdyDictionary();
    this.#inflate = createInflate({ dictionary, flush: constants.Z_SYNC_FLUSH });
    this.#deflate = createDeflate({ dictionary, flush: constants.Z_SYNC_FLUSH });
  }

  /** Blocks have to be decoded one after the other, in their order. Rejects on a malformed one. */
  async decode(block: Uint8Array): Promise<Headers> {
    return parseBlock(await throughZlib(this.#inflate, block));
  }

  encode(headers: Headers): Promise<Buffer> {
    return throughZlib(this.#deflate, formatBlock(headers));
  }

  close(): void {
    this.#inflate.destroy();
    this.#deflate.destroy();
  }
}

function throughZlib(stream: Inflate | Deflate, data: Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const out: Buffer[] = [];
    let size = 0;
    const done = (error?: Error | null): void => {
      stream.removeListener("data", onData).removeListener("error", done);
      if (error !== undefined && error !== null) reject(error);
      else resolve(Buffer.concat(out));
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > MAX_BLOCK) done(new Error("a SPDY header block is too large"));
      else out.push(chunk);
    };
    stream.on("data", onData).on("error", done);
    // What was written is all out once the callback of a flushing write has come and the buffer is read.
    stream.write(data, (error) => {
      if (error !== undefined && error !== null) return done(error);
      for (let chunk = stream.read() as Buffer | null; chunk !== null; chunk = stream.read() as Buffer | null)
        onData(chunk);
      setImmediate(done);
    });
  });
}

function parseBlock(block: Buffer): Headers {
  let at = 0;
  const number = (): number => {
    if (at + 4 > block.length) throw new Error("a SPDY header block ends too early");
    at += 4;
    return block.readUInt32BE(at - 4);
  };
  const text = (): string => {
    const length = number();
    if (at + length > block.length) throw new Error("a SPDY header block ends too early");
    at += length;
    return block.toString("utf8", at - length, at);
  };
  const count = number();
  if (count > MAX_PAIRS) throw new Error("a SPDY header block has too many headers");
  const headers = new Map<string, string>();
  for (let i = 0; i < count; i++) headers.set(text().toLowerCase(), text());
  return headers;
}

function formatBlock(headers: Headers): Buffer {
  const parts: Buffer[] = [];
  const number = (value: number): void => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    parts.push(bytes);
  };
  number(headers.size);
  for (const pair of headers)
    for (const word of pair) {
      const bytes = Buffer.from(word);
      number(bytes.length);
      parts.push(bytes);
    }
  return Buffer.concat(parts);
}
