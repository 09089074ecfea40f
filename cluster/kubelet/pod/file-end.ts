/** The end of a file that a container writes. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** Its last bytes, `bytes` of them at the most; none where there is no such file (any more). */
export function endOfFile(file: string, bytes: number): Buffer {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch {
    return Buffer.alloc(0);
  }
  try {
    const { size } = fstatSync(fd);
    const buffer = Buffer.alloc(Math.min(size, bytes));
    return buffer.subarray(0, readSync(fd, buffer, 0, buffer.length, size - buffer.length));
  } finally {
    closeSync(fd);
  }
}
