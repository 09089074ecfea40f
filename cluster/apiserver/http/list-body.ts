/** The JSON of a list, put together from what its items are already encoded as; a large one never stands in memory whole. */
import type { Encoded } from "../request/reply.ts";

const OPEN = Buffer.from(',"items":[');
const COMMA = Buffer.from(",");
const OPEN_FIRST = Buffer.from(',"items":[{');
const COMMA_OPEN = Buffer.from(",{");
const CLOSE = Buffer.from("]}");
/** Bytes that are handed to the connection at a time. */
const CHUNK_BYTES = 4 * 1024 * 1024;

export interface ListBody {
  readonly length: number;
  /** In pieces of about four megabytes: smaller ones wait for the client more often. */
  chunks(): Generator<Buffer>;
  whole(): Buffer;
}

/** `envelope` is everything but `items`; those of `untyped` say nothing of their kind. */
export function listBody(
  envelope: Readonly<Record<string, unknown>>,
  items: readonly Encoded[],
  untyped?: ItemType,
): ListBody {
  const head = Buffer.from(JSON.stringify(envelope).slice(0, -1));
  const bodies = untyped === undefined ? items.map(({ bytes }) => bytes) : bare(items, untyped);
  const separator = untyped === undefined ? COMMA : COMMA_OPEN;
  const first = untyped === undefined || items.length === 0 ? OPEN : OPEN_FIRST;
  const length = bodies.reduce(
    (sum, bytes) => sum + bytes.length,
    head.length + first.length + Math.max(bodies.length - 1, 0) * separator.length + CLOSE.length,
  );
  return bodyOf(length, () => parts([head, first], separator, bodies));
}

/** A body of `length` bytes in all. */
export const bodyOf = (length: number, pieces: () => Iterable<Buffer>): ListBody => ({
  length,
  chunks: () => gathered(pieces()),
  whole: () => Buffer.concat([...pieces()], length),
});

/** What every item of a list is, which items of built-in kinds do not repeat. */
export interface ItemType {
  readonly apiVersion: string;
  readonly kind: string;
}

/** The item as it stands in a list of its type. */
export function withoutType(object: unknown): Record<string, unknown> {
  const { apiVersion: _apiVersion, kind: _kind, ...rest } = object as Record<string, unknown>;
  return rest;
}

/** The items from behind their opening brace, without their type. */
function bare(items: readonly Encoded[], { apiVersion, kind }: ItemType): Buffer[] {
  // As nearly every object begins; another is encoded anew.
  const usual = [
    { apiVersion, kind },
    { kind, apiVersion },
  ].map((type) => Buffer.from(`${JSON.stringify(type).slice(0, -1)},`));
  return items.map((item) => {
    const { bytes } = item;
    const start = usual.find((each) => bytes.compare(each, 0, each.length, 0, each.length) === 0);
    // To ask for the object is to parse it: only where it has to be.
    return start === undefined
      ? Buffer.from(JSON.stringify(withoutType(item.object)).slice(1))
      : bytes.subarray(start.length);
  });
}

function* parts(begin: readonly Buffer[], separator: Buffer, bodies: readonly Buffer[]): Generator<Buffer> {
  yield* begin;
  let first = true;
  for (const bytes of bodies) {
    if (!first) yield separator;
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
