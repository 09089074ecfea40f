/** The line of a process's output that says why it ended: its own last one, or the error that Node printed. */

/** What Node adds below an error that nobody caught: the stack, the error's fields, its own version. */
const ERROR = /^(?:\[?[A-Z]\w*(?:Error|Exception)\b|Error\b).*?: /;
const NODE_ENDS = /^Node\.js v\d/;

export function lastWord(output: string): string {
  const lines = output.trim().split("\n");
  const last = lines.at(-1) ?? "";
  if (!NODE_ENDS.test(last)) return last;
  return lines.findLast((line) => ERROR.test(line)) ?? last;
}
