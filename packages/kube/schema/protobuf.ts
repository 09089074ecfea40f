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
import { messagePlan } from "./protobuf/message-plan.ts";
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

function knownNode(apiVersion: string, kind: string): StructNode | undefined {
  const { group, version } = parseApiVersion(apiVersion);
  // The metadata kinds have one shape in both versions; the list's numbers differ (protobuf-list.ts).
  return kindNode(group, group === "meta.k8s.io" ? "v1" : version, kind);
}

function nodeOf(apiVersion: string, kind: string): StructNode {
  const node = knownNode(apiVersion, kind);
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

/** Whether objects of this kind have a protobuf form. */
export function hasProtobuf(apiVersion: unknown, kind: unknown): boolean {
  if (typeof apiVersion !== "string" || typeof kind !== "string") return false;
  const node = knownNode(apiVersion, kind);
  return node !== undefined && messagePlan(node).byNumber.size > 0;
}

/** The schema of a kind by which its protobuf form is written. Throws for a kind that is not built in. */
export const protobufNode: (apiVersion: string, kind: string) => StructNode = nodeOf;

/** A message by itself, without the envelope. */
export function encodeMessage(node: StructNode, object: Readonly<JsonObject>): Buffer {
  const out = new WireWriter();
  writeStruct(node, object, out);
  return out.finish();
}

/** The first bytes of a body of this kind; what follows them is the envelope. */
export function typeMetaPrefix(apiVersion: string, kind: string): Buffer {
  const out = new WireWriter();
  writeTypeMeta(apiVersion, kind, out);
  out.raw(MAGIC);
  return out.finish();
}

function writeTypeMeta(apiVersion: string, kind: string, out: WireWriter): void {
  const before = out.length;
  out.text(2, kind);
  out.text(1, apiVersion);
  out.close(1, before);
}

/** Writes a built-in object as a protobuf body. Throws `StatusError` 400 for a kind that is not built in. */
export function encodeProtobuf(object: Readonly<JsonObject>): Uint8Array {
  const { apiVersion, kind } = object;
  if (typeof apiVersion !== "string" || typeof kind !== "string")
    throw badRequest("Object 'apiVersion' or 'kind' is missing");
  const out = new WireWriter();
  out.text(4, "");
  out.text(3, "");
  const raw = out.length;
  try {
    writeStruct(nodeOf(apiVersion, kind), object, out);
  } catch (error) {
    if (error instanceof WireError) throw badRequest(error.message);
    throw error;
  }
  out.close(2, raw);
  writeTypeMeta(apiVersion, kind, out);
  out.raw(MAGIC);
  return out.finish();
}
