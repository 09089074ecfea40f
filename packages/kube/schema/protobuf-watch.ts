/** Events of a watch as protobuf: each a message of its own behind its length in four bytes, without an envelope. */
import type { JsonObject } from "./json-value.ts";
import { encodeProtobuf } from "./protobuf.ts";
import { WireWriter } from "./protobuf/wire-writer.ts";

/** Throws `StatusError` 400 for an object whose kind has no protobuf form. */
export function encodeWatchFrame(type: string, object: Readonly<JsonObject>): Buffer {
  const out = new WireWriter();
  const before = out.length;
  out.raw(encodeProtobuf(object));
  out.close(1, before);
  out.close(2, before);
  out.text(1, type);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(out.length);
  out.raw(length);
  return out.finish();
}
