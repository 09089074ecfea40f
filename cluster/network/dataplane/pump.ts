/** Joins two sockets until both directions have ended. */
import type { Duplex } from "node:stream";
import type { Socket } from "node:net";

const reset = (stream: Duplex): void => {
  if (stream.destroyed) return;
  if ("resetAndDestroy" in stream && typeof (stream as Socket).resetAndDestroy === "function")
    (stream as Socket).resetAndDestroy();
  else stream.destroy();
};

/** Half-closes are passed on; a failure of one side resets the other. */
export function join(a: Duplex, b: Duplex): void {
  a.on("error", () => reset(b));
  b.on("error", () => reset(a));
  a.once("close", () => b.destroySoon?.() ?? b.destroy());
  b.once("close", () => a.destroySoon?.() ?? a.destroy());
  a.pipe(b);
  b.pipe(a);
}

declare module "node:stream" {
  interface Duplex {
    destroySoon?(): void;
  }
}
