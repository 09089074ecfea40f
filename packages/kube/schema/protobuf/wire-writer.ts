/**
 * Protobuf wire primitives, writing from the end to the front: the length of a message is known
 * when its content stands, so nothing is measured twice. Callers write fields in descending order.
 */
export class WireWriter {
  #buffer = Buffer.allocUnsafe(1024);
  #at = 1024;

  /** Bytes written so far. */
  get length(): number {
    return this.#buffer.length - this.#at;
  }

  finish(): Buffer {
    return this.#buffer.subarray(this.#at);
  }

  #room(bytes: number): void {
    if (this.#at >= bytes) return;
    const used = this.length;
    const bigger = Buffer.allocUnsafe(Math.max(this.#buffer.length * 2, used + bytes));
    this.#buffer.copy(bigger, bigger.length - used, this.#at);
    this.#at = bigger.length - used;
    this.#buffer = bigger;
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#at -= bytes.length;
    this.#buffer.set(bytes, this.#at);
  }

  varint(value: bigint): void {
    const out: number[] = [];
    let rest = BigInt.asUintN(64, value);
    while (rest >= 0x80n) {
      out.push(Number(rest & 0x7fn) | 0x80);
      rest >>= 7n;
    }
    out.push(Number(rest));
    this.raw(Uint8Array.from(out));
  }

  integer(value: number): void {
    if (value >= 0 && value < 0x80) {
      this.#room(1);
      this.#buffer[--this.#at] = value;
    } else if (value > 0 && value <= 0x7fff_ffff) this.#small(value);
    else this.varint(BigInt(Math.trunc(value)));
  }

  #small(value: number): void {
    const bytes = value < 0x4000 ? 2 : value < 0x20_0000 ? 3 : value < 0x1000_0000 ? 4 : 5;
    this.#room(bytes);
    this.#at -= bytes;
    let at = this.#at;
    let rest = value | 0;
    for (; rest >= 0x80; rest >>>= 7) this.#buffer[at++] = (rest & 0x7f) | 0x80;
    this.#buffer[at] = rest;
  }

  double(value: number): void {
    this.#room(8);
    this.#at -= 8;
    this.#buffer.writeDoubleLE(value, this.#at);
  }

  string(value: string): void {
    const bytes = Buffer.byteLength(value, "utf8");
    this.#room(bytes);
    this.#at -= bytes;
    this.#buffer.write(value, this.#at, bytes, "utf8");
  }

  tag(number: number, type: number): void {
    this.integer(number * 8 + type);
  }

  /** Closes a length-delimited field whose content was written since `length` was `before`. */
  close(number: number, before: number): void {
    this.integer(this.length - before);
    this.tag(number, 2);
  }

  /** A field that holds a text. */
  text(number: number, value: string): void {
    const before = this.length;
    this.string(value);
    this.close(number, before);
  }
}
