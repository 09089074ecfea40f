/** The end of a container's log without its stamps, for termination messages. */
import { endOfFile } from "./file-end.ts";

/** With its stamp. */
const LONGEST_LINE = 17 * 1024;
const LINE = /^\S+ (?:stdout|stderr) (?<tag>[PF]) (?<text>.*)$/;
const AFTER_NEWLINE = /(?<=\n)/;

/** At most `lines` lines and `bytes` bytes. */
export function tailLines(file: string, lines: number, bytes: number): string {
  // Stamps and stream names come on top of the text, and the first line found is mostly a part of one.
  const found = endOfFile(file, bytes * 3 + LONGEST_LINE)
    .toString("utf8")
    .split("\n")
    .map((line) => LINE.exec(line)?.groups)
    // A part (P) ends no line.
    .map((line) => `${line?.["text"] ?? ""}${line?.["tag"] === "F" ? "\n" : ""}`);
  const text = Buffer.from(found.join("").split(AFTER_NEWLINE).slice(-lines).join(""));
  return text.toString("utf8", Math.max(0, text.length - bytes));
}
