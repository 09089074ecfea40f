/** Events as they go over the wire, each encoded at most once and shared by all who get it. */
import type { WatchFrame } from "@travelops/kube";
import type { Encoded, EncodedFrame } from "../request/reply.ts";

type FrameType = WatchFrame["type"];

const PREFIX: Readonly<Record<FrameType, Buffer>> = {
  ADDED: Buffer.from('{"type":"ADDED","object":'),
  MODIFIED: Buffer.from('{"type":"MODIFIED","object":'),
  DELETED: Buffer.from('{"type":"DELETED","object":'),
  BOOKMARK: Buffer.from('{"type":"BOOKMARK","object":'),
  ERROR: Buffer.from('{"type":"ERROR","object":'),
};
const SUFFIX = Buffer.from("}\n");

class SharedFrame implements EncodedFrame {
  readonly type: FrameType;
  readonly #value: Encoded;
  #line: Buffer | undefined;

  constructor(type: FrameType, value: Encoded) {
    this.type = type;
    this.#value = value;
  }
  get object(): unknown {
    return this.#value.object;
  }
  get line(): Buffer {
    return (this.#line ??= Buffer.concat([PREFIX[this.type], this.#value.bytes, SUFFIX]));
  }
}

/** An event about `value`; nothing is encoded before somebody asks for the line. */
export const frameOf = (type: FrameType, value: Encoded): EncodedFrame => new SharedFrame(type, value);
