import { errors } from "../errors.ts";

/** Reads the protocol's primitives; reading past the end is a malformed packet, never a crash. */
export class ByteReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  #take(count: number): number {
    const at = this.#at;
    if (count < 0 || count > this.left) throw errors.malformedPacket();
    this.#at += count;
    return at;
  }

  uint8(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }
  uint16(): number {
    return this.#bytes.readUInt16LE(this.#take(2));
  }
  uint32(): number {
    return this.#bytes.readUInt32LE(this.#take(4));
  }
  int8(): number {
    return this.#bytes.readInt8(this.#take(1));
  }
  int16(): number {
    return this.#bytes.readInt16LE(this.#take(2));
  }
  int32(): number {
    return this.#bytes.readInt32LE(this.#take(4));
  }
  int64(): bigint {
    return this.#bytes.readBigInt64LE(this.#take(8));
  }
  uint64(): bigint {
    return this.#bytes.readBigUInt64LE(this.#take(8));
  }
  float(): number {
    return this.#bytes.readFloatLE(this.#take(4));
  }
  double(): number {
    return this.#bytes.readDoubleLE(this.#take(8));
  }

  skip(count: number): void {
    this.#take(count);
  }

  bytes(count: number): Buffer {
    const at = this.#take(count);
    return this.#bytes.subarray(at, at + count);
  }

  rest(): Buffer {
    return this.bytes(this.left);
  }

  /** Bytes up to a zero, which is taken too. */
  zeroTerminated(): Buffer {
    const end = this.#bytes.indexOf(0, this.#at);
    if (end < 0) throw errors.malformedPacket();
    const value = this.#bytes.subarray(this.#at, end);
    this.#at = end + 1;
    return value;
  }

  lengthEncoded(): number {
    const first = this.uint8();
    if (first < 0xfb) return first;
    if (first === 0xfc) return this.uint16();
    if (first === 0xfd) return this.uint16() + this.uint8() * 0x10000;
    if (first !== 0xfe) throw errors.malformedPacket();
    const value = this.uint64();
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw errors.malformedPacket();
    return Number(value);
  }

  lengthEncodedBytes(): Buffer {
    return this.bytes(this.lengthEncoded());
  }
}

/** Builds one payload. */
export class ByteWriter {
  #bytes: Buffer;
  #size = 0;

  constructor(expected = 64) {
    this.#bytes = Buffer.allocUnsafe(expected);
  }

  #room(count: number): number {
    const at = this.#size;
    this.#size += count;
    if (this.#size > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(this.#size, this.#bytes.length * 2));
      this.#bytes.copy(larger, 0, 0, at);
      this.#bytes = larger;
    }
    return at;
  }

  uint8(value: number): this {
    const at = this.#room(1);
    this.#bytes[at] = value & 0xff;
    return this;
  }
  uint16(value: number): this {
    const at = this.#room(2);
    this.#bytes.writeUInt16LE(value & 0xffff, at);
    return this;
  }
  uint24(value: number): this {
    return this.uint16(value).uint8(value >>> 16);
  }
  uint32(value: number): this {
    const at = this.#room(4);
    this.#bytes.writeUInt32LE(value >>> 0, at);
    return this;
  }
  int64(value: bigint): this {
    const at = this.#room(8);
    this.#bytes.writeBigInt64LE(BigInt.asIntN(64, value), at);
    return this;
  }
  float(value: number): this {
    const at = this.#room(4);
    this.#bytes.writeFloatLE(value, at);
    return this;
  }
  double(value: number): this {
    const at = this.#room(8);
    this.#bytes.writeDoubleLE(value, at);
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  zeros(count: number): this {
    const at = this.#room(count);
    this.#bytes.fill(0, at, at + count);
    return this;
  }

  zeroTerminated(value: string): this {
    return this.bytes(Buffer.from(value)).uint8(0);
  }

  lengthEncoded(value: number | bigint): this {
    const number = Number(value);
    if (number < 0xfb) return this.uint8(number);
    if (number <= 0xffff) return this.uint8(0xfc).uint16(number);
    if (number <= 0xffffff) return this.uint8(0xfd).uint24(number);
    return this.uint8(0xfe).int64(BigInt(value));
  }

  lengthEncodedBytes(value: Uint8Array): this {
    return this.lengthEncoded(value.length).bytes(value);
  }

  lengthEncodedText(value: string): this {
    return this.lengthEncodedBytes(Buffer.from(value));
  }

  done(): Buffer {
    return this.#bytes.subarray(0, this.#size);
  }
}
