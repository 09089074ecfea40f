import { errors } from "../errors.ts";

/** The most a packet can carry; a longer payload goes on in the next one. */
export const MAX_FRAME = 0xff_ff_ff;

export interface Packet {
  readonly payload: Buffer;
  /** The sequence number of the packet's last frame. */
  readonly sequence: number;
}

/** Turns a stream of bytes into payloads, joined where they were split. */
export class PacketDecoder {
  limit: number;
  #buffered: Buffer[] = [];
  #size = 0;
  #parts: Buffer[] = [];
  #partsSize = 0;
  #expected: number | undefined;

  constructor(limit: number) {
    this.limit = limit;
  }

  push(chunk: Buffer): void {
    this.#buffered.push(chunk);
    this.#size += chunk.length;
  }

  /** The next whole payload, if it is there. A payload beyond the limit is an error. */
  next(): Packet | undefined {
    for (;;) {
      if (this.#size < 4) return undefined;
      const header = this.#peek(4);
      const length = header.readUIntLE(0, 3);
      const sequence = header.readUInt8(3);
      if (this.#partsSize + length > this.limit) throw errors.packetTooLarge();
      if (this.#size < 4 + length) return undefined;
      if (this.#expected !== undefined && sequence !== this.#expected) throw errors.packetsOutOfOrder();
      this.#take(4);
      this.#parts.push(this.#take(length));
      this.#partsSize += length;
      if (length === MAX_FRAME) {
        this.#expected = (sequence + 1) & 0xff;
        continue;
      }
      const [only] = this.#parts;
      const payload = this.#parts.length === 1 && only ? only : Buffer.concat(this.#parts);
      this.#parts = [];
      this.#partsSize = 0;
      this.#expected = undefined;
      return { payload, sequence };
    }
  }

  #whole(): Buffer {
    const [first] = this.#buffered;
    if (this.#buffered.length === 1 && first) return first;
    const joined = Buffer.concat(this.#buffered);
    this.#buffered = [joined];
    return joined;
  }

  #peek(count: number): Buffer {
    const [first] = this.#buffered;
    return first && first.length >= count ? first : this.#whole();
  }

  #take(count: number): Buffer {
    const [first] = this.#buffered;
    const from = first && first.length >= count ? first : this.#whole();
    const taken = from.subarray(0, count);
    const left = from.subarray(count);
    if (left.length > 0) this.#buffered[0] = left;
    else this.#buffered.shift();
    this.#size -= count;
    return taken;
  }
}

/** Frames a payload; `sequence` is the number of its first frame. */
export function framePayload(payload: Buffer, sequence: number): { frames: Buffer[]; next: number } {
  const frames: Buffer[] = [];
  let number = sequence;
  for (let at = 0; ; at += MAX_FRAME) {
    const part = payload.subarray(at, at + MAX_FRAME);
    const header = Buffer.allocUnsafe(4);
    header.writeUIntLE(part.length, 0, 3);
    header.writeUInt8(number, 3);
    number = (number + 1) & 0xff;
    frames.push(header, part);
    if (part.length < MAX_FRAME) return { frames, next: number };
  }
}
