/**
 * Kubernetes' protobuf bodies: the four bytes `k8s\0`, then an envelope that names the kind and holds its message.
 * Typed Go clients send built-in kinds this way.
 */
import { parseApiVersion } from "../api/object.ts";
import { badRequest } from "../api/status-error.ts";
import type { JsonObject } from "./json-value.ts";
import type { StructNode } from "./node.ts";
import { normalize } from "./normalize.ts";
import { readStruct } from "./protobuf/message-decode.ts";
import { writeStruct } from "./protobuf/message-encode.ts";
import { BYTES, WireError, WireReader } from "./protobuf/wire-reader.ts";
import { WireWriter } from "./protobuf/wire-writer.ts";
import { kindNode } from "./table.ts";

const MAGIC = Buffer.from([0x6b, 0x38, 0x73, 0x00]);
const PROTOBUF = "application/vnd.kubernetes.protobuf";

export interface DecodedProtobuf {
  readonly apiVersion: string;
  readonly kind: string;
  /** With apiVersion and kind, in the form in which the API writes JSON. */
  readonly object: JsonObject;
}

interface Envelope {
  apiVersion: string;
  kind: string;
  raw: Buffer;
  contentType: string;
}

function readTypeMeta(reader: WireReader, into: Envelope): void {
  while (!reader.done) {
    const { number, type } = reader.tag();
    if (number === 1 && type === BYTES) into.apiVersion = reader.string();
    else if (number === 2 && type === BYTES) into.kind = reader.string();
    else reader.skip(type);
  }
}

function readEnvelope(reader: WireReader): Envelope {
  const envelope: Envelope = { apiVersion: "", kind: "", raw: Buffer.alloc(0), contentType: "" };
  while (!reader.done) {
    const { number, type } = reader.tag();
    if (number === 1 && type === BYTES) readTypeMeta(reader.message(), envelope);
    else if (number === 2 && type === BYTES) envelope.raw = reader.bytes();
    else if (number === 4 && type === BYTES) envelope.contentType = reader.string();
    else reader.skip(type);
  }
  return envelope;
}

function nodeOf(apiVersion: string, kind: string): StructNode {
  const { group, version } = parseApiVersion(apiVersion);
  const node = kindNode(group, version, kind);
  if (node === undefined)
    throw new WireError(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)} in the built-in table`,
    );
  return node;
}

function decode(bytes: Buffer): DecodedProtobuf {
  if (bytes.length < MAGIC.length || !bytes.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw new WireError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]");
  }
  const { apiVersion, kind, raw, contentType } = readEnvelope(new WireReader(bytes, MAGIC.length));
  if (contentType !== "" && contentType !== PROTOBUF) {
    throw new WireError(`the protobuf envelope holds ${JSON.stringify(contentType)}; only ${PROTOBUF} is understood`);
  }
  const node = nodeOf(apiVersion, kind);
  const message = readStruct(node, new WireReader(raw), { apiVersion, kind });
  return { apiVersion, kind, object: normalize(node, message) };
}

/** Reads a protobuf body of a built-in kind. Malformed bytes throw `StatusError` 400, and nothing else. */
export function decodeProtobuf(bytes: Uint8Array): DecodedProtobuf {
  try {
    return decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (error) {
    if (error instanceof WireError) throw badRequest(error.message);
    throw error;
  }
}

/** Writes a built-in object as a protobuf body. Throws `StatusError` 400 for a kind that is not built in. */
export function encodeProtobuf(object: Readonly<JsonObject>): Uint8Array {
  const { apiVersion, kind } = object;
  if (typeof apiVersion !== "string" || typeof kind !== "string")
    throw badRequest("Object 'apiVersion' or 'kind' is missing");
  const out = new WireWriter();
  const text = (value: string, number: number): void => {
    const before = out.length;
    out.string(value);
    out.close(number, before);
  };
  text("", 4);
  text("", 3);
  const raw = out.length;
  try {
    writeStruct(nodeOf(apiVersion, kind), object, out);
  } catch (error) {
    if (error instanceof WireError) throw badRequest(error.message);
    throw error;
  }
  out.close(2, raw);
  const meta = out.length;
  text(kind, 2);
  text(apiVersion, 1);
  out.close(1, meta);
  out.raw(MAGIC);
  return out.finish();
}
