/** The JSON of a list, put together from what its items are already encoded as; a large one never stands in memory whole. */
import type { Encoded } from "../request/reply.ts";

const OPEN = Buffer.from(',"items":[');
const COMMA = Buffer.from(",");
const CLOSE = Buffer.from("]}");
/** Bytes that are handed to the connection at a time. */
const CHUNK_BYTES = 4 * 1024 * 1024;

export interface ListBody {
  readonly length: number;
  /** In pieces of about four megabytes: smaller ones wait for the client more often. */
  chunks(): Generator<Buffer>;
  whole(): Buffer;
}

/** `envelope` is everything but `items`. */
export function listBody(envelope: Readonly<Record<string, unknown>>, items: readonly Encoded[]): ListBody {
  const head = Buffer.from(JSON.stringify(envelope).slice(0, -1));
  const commas = Math.max(items.length - 1, 0) * COMMA.length;
  const length = items.reduce(
    (sum, item) => sum + item.bytes.length,
    head.length + OPEN.length + commas + CLOSE.length,
  );
  return bodyOf(length, () => parts(head, items));
}

/** A body of `length` bytes in all. */
export const bodyOf = (length: number, pieces: () => Iterable<Buffer>): ListBody => ({
  length,
  chunks: () => gathered(pieces()),
  whole: () => Buffer.concat([...pieces()], length),
});

function* parts(head: Buffer, items: readonly Encoded[]): Generator<Buffer> {
  yield head;
  yield OPEN;
  let first = true;
  for (const { bytes } of items) {
    if (!first) yield COMMA;
    first = false;
    yield bytes;
  }
  yield CLOSE;
}

function* gathered(pieces: Iterable<Buffer>): Generator<Buffer> {
  let waiting: Buffer[] = [];
  let size = 0;
  for (const piece of pieces) {
    waiting.push(piece);
    size += piece.length;
    if (size < CHUNK_BYTES) continue;
    yield Buffer.concat(waiting, size);
    waiting = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(waiting, size);
}
