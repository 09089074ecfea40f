/** How long the disk under the data directory takes to make a write durable: what durable figures have to be read beside. */
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from "node:fs";
import path from "node:path";
import { spread, type Spread } from "./statistics.ts";

const BLOCK = Buffer.alloc(4096, 7);

/** Milliseconds of a 4 KB append with fdatasync. */
export function fsyncMs(directory: string, rounds: number): Spread {
  const file = path.join(directory, "fsync");
  const descriptor = openSync(file, "w");
  try {
    const times = Array.from({ length: rounds }, () => {
      const begin = performance.now();
      writeSync(descriptor, BLOCK);
      fdatasyncSync(descriptor);
      return performance.now() - begin;
    });
    return spread(times);
  } finally {
    closeSync(descriptor);
    rmSync(file);
  }
}
