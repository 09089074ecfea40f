/** The end of a container's log without its stamps, for termination messages. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";

/** At most `lines` lines and `bytes` bytes. */
export function tailLines(file: string, lines: number, bytes: number): string {
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch {
    return "";
  }
  try {
    const size = fstatSync(fd).size;
    // Stamps and stream names come on top of the text.
    const length = Math.min(size, bytes * 3);
    const buffer = Buffer.alloc(length);
    readSync(fd, buffer, 0, length, size - length);
    const text = buffer
      .toString("utf8")
      .split("\n")
      .filter((line) => /^\S+ (stdout|stderr) [PF] /.test(line))
      .map((line) => line.replace(/^\S+ \S+ \S /, ""))
      .slice(-lines)
      .map((line) => `${line}\n`)
      .join("");
    return text.slice(-bytes);
  } finally {
    closeSync(fd);
  }
}
