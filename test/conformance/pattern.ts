/** Expected output as a pattern: text with a few placeholders for what differs from run to run. */

const PLACEHOLDERS: Readonly<Record<string, string>> = {
  "*": "[^\\n]*?",
  word: "\\S+",
  n: "\\d+",
  age: "(?:\\d+[smhdy])+|<unknown>|<invalid>",
  uid: "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
  time: "\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?Z",
};
/** `<age>` and the like, and `<$name>`, which keeps what stood there for later commands. */
const PLACEHOLDER = /<(?:(\*|word|n|age|uid|time)|\$(\w+))>/g;

export type Variables = ReadonlyMap<string, string>;

/** `${name}` becomes the variable's value. */
export function substitute(text: string, variables: Variables): string {
  return text.replaceAll(/\$\{(\w+)\}/g, (whole, name: string) => variables.get(name) ?? whole);
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
}

/** Gaps between columns may be of any width of two or more; indentation counts. */
function literal(text: string, atStart: boolean): string {
  const indent = atStart ? (/^ */.exec(text)?.[0].length ?? 0) : 0;
  return escape(text.slice(0, indent)) + escape(text.slice(indent)).replaceAll(/ {2,}/g, " {2,}");
}

function linePattern(line: string): string {
  let pattern = "";
  let at = 0;
  for (const match of line.matchAll(PLACEHOLDER)) {
    pattern += literal(line.slice(at, match.index), at === 0);
    const [whole, known, captured] = match;
    pattern += captured === undefined ? `(?:${PLACEHOLDERS[known ?? "*"]})` : `(?<${captured}>\\S+)`;
    at = match.index + whole.length;
  }
  return `${pattern}${literal(line.slice(at), at === 0)}[ \\t]*`;
}

/** The pattern of some lines; a line `...` stands for any lines. */
function linesPattern(lines: readonly string[], end: "$" | ""): RegExp {
  const parts = lines.map((line) => (line.trim() === "..." ? "(?:[^\\n]*\\n)*?" : `${linePattern(line)}\\n`));
  return new RegExp(`^${parts.join("")}${end === "$" ? "\\s*$" : ""}`);
}

/** What the placeholders kept, or undefined where `text` is not as expected. */
export function matchLines(
  lines: readonly string[],
  text: string,
  variables: Variables,
): Map<string, string> | undefined {
  const expected = lines.map((line) => substitute(line, variables));
  const match = linesPattern(expected, "$").exec(text === "" || text.endsWith("\n") ? text : `${text}\n`);
  return match === null ? undefined : new Map(Object.entries(match.groups ?? {}));
}

/** How much of the start of `text` is as expected, for output that goes on; undefined where it is not (yet). */
export function matchStart(lines: readonly string[], text: string, variables: Variables): number | undefined {
  const expected = lines.map((line) => substitute(line, variables));
  return linesPattern(expected, "").exec(text)?.[0].length;
}
