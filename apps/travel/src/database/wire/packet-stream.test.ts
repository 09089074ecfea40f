import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { framePayload, MAX_FRAME, PacketDecoder } from "./packet-stream.ts";

describe("packets", () => {
  test("come out as they went in, however the stream is cut", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 50 })),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        (payloads, cuts) => {
          const stream = Buffer.concat(payloads.flatMap((payload) => framePayload(Buffer.from(payload), 0).frames));
          const decoder = new PacketDecoder(1000);
          const found: Buffer[] = [];
          for (let at = 0, turn = 0; at < stream.length; turn++) {
            const size = cuts[turn % cuts.length] ?? 1;
            decoder.push(stream.subarray(at, at + size));
            at += size;
            for (let packet = decoder.next(); packet; packet = decoder.next()) found.push(packet.payload);
          }
          expect(found.map((payload) => [...payload])).toEqual(payloads.map((payload) => [...payload]));
        },
      ),
    );
  });

  test.each([MAX_FRAME - 1, MAX_FRAME, MAX_FRAME + 1, 2 * MAX_FRAME])(
    "a payload of %d bytes is split and joined",
    (size) => {
      const { frames, next } = framePayload(Buffer.alloc(size, 7), 254);
      expect(next).toBe((254 + Math.floor(size / MAX_FRAME) + 1) % 256);
      const decoder = new PacketDecoder(3 * MAX_FRAME);
      for (const frame of frames) decoder.push(frame);
      expect(decoder.next()?.payload.length).toBe(size);
      expect(decoder.next()).toBeUndefined();
    },
  );

  test("beyond the limit, and out of order, are errors of the protocol", () => {
    const decoder = new PacketDecoder(10);
    decoder.push(Buffer.from([11, 0, 0, 0]));
    expect(() => decoder.next()).toThrow(/max_allowed_packet/);
    const split = new PacketDecoder(2 * MAX_FRAME);
    for (const part of framePayload(Buffer.alloc(MAX_FRAME), 0).frames.slice(0, 2)) split.push(part);
    split.push(Buffer.from([0, 0, 0, 9]));
    expect(() => split.next()).toThrow(/out of order/);
  });
});
