/** Protobuf wire primitives, reading. Every fault is a `WireError`; nothing reads outside the bytes given. */

export class WireError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "WireError";
  }
}

export const VARINT = 0;
export const FIXED64 = 1;
export const BYTES = 2;
const START_GROUP = 3;
const END_GROUP = 4;
const FIXED32 = 5;

export class WireReader {
  readonly #bytes: Buffer;
  #at: number;
  readonly #end: number;

  constructor(bytes: Buffer, start = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  get done(): boolean {
    return this.#at >= this.#end;
  }

  #byte(): number {
    if (this.#at >= this.#end) throw new WireError("unexpected EOF");
    return this.#bytes[this.#at++] ?? 0;
  }

  /** A varint as its low and high 32 bits. */
  #varint(): [low: number, high: number] {
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#byte();
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high |= bits >> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= (bits & 1) << 31;
      if (byte < 0x80) return [low >>> 0, high >>> 0];
    }
    throw new WireError("integer overflow");
  }

  /** A signed 64-bit integer; beyond 2^53 the nearest double. */
  int64(): number {
    const [low, high] = this.#varint();
    return high < 0x8000_0000 ? high * 0x1_0000_0000 + low : (high - 0x1_0000_0000) * 0x1_0000_0000 + low;
  }

  int32(): number {
    return this.#varint()[0] | 0;
  }

  bool(): boolean {
    const [low, high] = this.#varint();
    return low !== 0 || high !== 0;
  }

  double(): number {
    this.#need(8);
    const value = this.#bytes.readDoubleLE(this.#at);
    this.#at += 8;
    return value;
  }

  tag(): { number: number; type: number } {
    const [low, high] = this.#varint();
    const number = low >>> 3;
    if (high !== 0 || number === 0) throw new WireError("illegal tag");
    return { number, type: low & 7 };
  }

  #need(length: number): void {
    if (this.#end - this.#at < length) throw new WireError("unexpected EOF");
  }

  #length(): number {
    const [low, high] = this.#varint();
    if (high !== 0) throw new WireError("negative length found during unmarshaling");
    this.#need(low);
    return low;
  }

  /** A view, not a copy. */
  bytes(): Buffer {
    const length = this.#length();
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  string(): string {
    const length = this.#length();
    this.#at += length;
    return this.#bytes.toString("utf8", this.#at - length, this.#at);
  }

  /** A reader of the message that stands here. */
  message(): WireReader {
    const length = this.#length();
    this.#at += length;
    return new WireReader(this.#bytes, this.#at - length, this.#at);
  }

  skip(type: number): void {
    let depth = 0;
    for (let wire = type; ; wire = this.#nextInGroup()) {
      if (wire === START_GROUP) depth++;
      else if (wire === END_GROUP) depth--;
      else this.#skipOne(wire);
      if (depth === 0) return;
      if (depth < 0) throw new WireError("unexpected end of group");
    }
  }

  #nextInGroup(): number {
    return this.tag().type;
  }

  #skipOne(type: number): void {
    if (type === VARINT) this.#varint();
    else if (type === FIXED64) this.#advance(8);
    else if (type === BYTES) this.bytes();
    else if (type === FIXED32) this.#advance(4);
    else throw new WireError(`illegal wireType ${type}`);
  }

  #advance(length: number): void {
    this.#need(length);
    this.#at += length;
  }
}
