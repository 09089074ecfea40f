/** Answers in protobuf; loaded when a client first asks for one. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { internalError } from "@travelops/kube";
import { isObject, type JsonObject } from "@travelops/kube/schema/json-value";
import { encodeProtobuf, hasProtobuf } from "@travelops/kube/schema/protobuf";
import { ProtobufList } from "@travelops/kube/schema/protobuf-list";
import { encodeWatchFrame } from "@travelops/kube/schema/protobuf-watch";
import { PROTOBUF } from "../request/negotiation.ts";
import type { Encoded, EncodedFrame } from "../request/reply.ts";
import type { Framing } from "./http-watch-sink.ts";
import { bodyOf, type ListBody } from "./list-body.ts";

/** Undefined for a kind that has no protobuf form. */
export function protobufObject(object: unknown): Buffer | undefined {
  if (!isObject(object)) return undefined;
  // The oldest lists of discovery do not say their version in JSON.
  const apiVersion = object["apiVersion"] ?? "v1";
  if (!hasProtobuf(apiVersion, object["kind"])) return undefined;
  const bytes = encodeProtobuf({ ...object, apiVersion });
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Other requests are served after this long. */
const PAUSE_AFTER_MS = 5;

/** The same of a list. Its items are encoded here: other requests are served in between. */
export async function protobufList(
  envelope: Readonly<JsonObject>,
  items: readonly Encoded[],
): Promise<ListBody | undefined> {
  if (!hasProtobuf(envelope["apiVersion"], envelope["kind"])) return undefined;
  const list = new ProtobufList(envelope);
  let since = performance.now();
  for (const { object } of items) {
    list.add(object as JsonObject);
    if (performance.now() - since < PAUSE_AFTER_MS) continue;
    await nextTurn();
    since = performance.now();
  }
  const pieces = list.pieces();
  const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
  return bodyOf(length, () => pieces);
}

const frames = new WeakMap<EncodedFrame, Buffer>();
/** Events that wait are not encoded: their objects are the store's, which hold them anyway. */
const WAITING_BYTES = 1024;

/** A sink must not throw: an object that cannot be written is an error to the watcher. */
function encodedFrame({ type, object }: EncodedFrame): Buffer {
  try {
    return encodeWatchFrame(type, object as JsonObject);
  } catch (error) {
    const { status } = internalError(`unable to encode watch object: ${String(error)}`);
    return encodeWatchFrame("ERROR", { ...status });
  }
}

/** Events in protobuf, each encoded once however many watch. */
export const PROTOBUF_FRAMES: Framing = {
  contentType: `${PROTOBUF};stream=watch`,
  bytes(frame) {
    let bytes = frames.get(frame);
    if (bytes === undefined) frames.set(frame, (bytes = encodedFrame(frame)));
    return bytes;
  },
  weight: () => WAITING_BYTES,
};
