import type { Socket } from "node:net";
import { framePayload, PacketDecoder, type Packet } from "./packet-stream.ts";

const FLUSH_AT = 64 * 1024;

/** A socket as a two-way stream of payloads. */
export class PacketChannel {
  readonly #socket: Socket;
  readonly #decoder: PacketDecoder;
  readonly #chunks: AsyncIterator<Buffer>;
  #sequence = 0;
  #pending: Buffer[] = [];
  #pendingSize = 0;

  constructor(socket: Socket, limit: number) {
    this.#socket = socket;
    this.#decoder = new PacketDecoder(limit);
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** The most a client may send in one payload. */
  allow(limit: number): void {
    this.#decoder.limit = limit;
  }

  /** The next payload; undefined when the client is gone. */
  async receive(): Promise<Packet | undefined> {
    await this.flush();
    for (;;) {
      const packet = this.#decoder.next();
      if (packet) {
        this.#sequence = (packet.sequence + 1) & 0xff;
        return packet;
      }
      const chunk = await this.#chunks.next().catch(() => undefined);
      if (chunk === undefined || chunk.done === true) return undefined;
      this.#decoder.push(chunk.value);
    }
  }

  /** Queues a payload; sent at the next flush, or when enough has gathered. */
  send(payload: Buffer): void {
    const { frames, next } = framePayload(payload, this.#sequence);
    this.#sequence = next;
    this.#pending.push(...frames);
    this.#pendingSize += payload.length + 4;
  }

  /** Whether enough has gathered to be worth a flush. */
  get full(): boolean {
    return this.#pendingSize >= FLUSH_AT;
  }

  /** Hands everything to the socket, and waits while the client is slow. */
  async flush(): Promise<void> {
    if (this.#pending.length === 0) return;
    const data = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingSize = 0;
    if (this.#socket.destroyed || this.#socket.write(data)) return;
    await new Promise<void>((resolve) => {
      const ready = (): void => {
        this.#socket.off("drain", ready);
        this.#socket.off("close", ready);
        resolve();
      };
      this.#socket.on("drain", ready);
      this.#socket.on("close", ready);
    });
  }

  async end(): Promise<void> {
    await this.flush();
    this.#socket.end();
  }
}
