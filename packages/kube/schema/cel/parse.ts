/**
 * Reading expressions with the engine's parser, and what it does not read: entries of lists and maps that may be absent,
 * numbers that begin with their point, and characters in bytes beyond ASCII.
 */
import type { Environment } from "@marcbachmann/cel-js";
import type { EngineNode } from "./evaluation.ts";

/** What the engine's parser gives. */
export type Parsed = ReturnType<Environment["parse"]>;

const WORD = /[\w)\]}"'`]/;

/** What begins at a place and is no code: comments and literals. */
const PLAIN =
  /\/\/[^\n]*|[bB]?(?:"""(?:\\[^]|[^])*?"""|'''(?:\\[^]|[^])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')/y;
const RAW = /(?:[rR][bB]?|[bB][rR])(?:"""[^]*?"""|'''[^]*?'''|"[^"\n]*"|'[^'\n]*')/y;

const STARTS: ReadonlySet<string> = new Set("/\"'bBrR");

function skip(text: string, at: number): number {
  if (!STARTS.has(text[at] ?? "")) return at;
  const before = text[at - 1] ?? "";
  for (const pattern of /\w/.test(before) ? [PLAIN] : [RAW, PLAIN]) {
    pattern.lastIndex = at;
    if (pattern.test(text)) return pattern.lastIndex;
  }
  return at;
}

interface Marks {
  /** Where a `?` stands before an entry: `[?a, ?b]`, `{?'k': a}`. */
  readonly optional: ReadonlySet<number>;
  /** Where a number begins with its point: `.5`. */
  readonly points: ReadonlySet<number>;
}

function marksOf(text: string): Marks {
  const marks = { optional: new Set<number>(), points: new Set<number>() };
  const open: ("literal" | "other")[] = [];
  let last = "";
  for (let at = 0; at < text.length; at++) {
    const end = skip(text, at);
    if (end > at) {
      if (text[at] !== "/") last = '"';
      at = end - 1;
      continue;
    }
    const character = text[at] ?? "";
    if (/\s/.test(character)) continue;
    const inLiteral = open.at(-1) === "literal";
    if (character === "?" && inLiteral && (last === "[" || last === "{" || last === ",")) marks.optional.add(at);
    if (character === "." && !WORD.test(last) && /\d/.test(text[at + 1] ?? "")) marks.points.add(at);
    if (character === "[") open.push(WORD.test(last) ? "other" : "literal");
    else if (character === "{") open.push("literal");
    else if (character === "(") open.push("other");
    else if (character === ")" || character === "]" || character === "}") open.pop();
    last = character;
  }
  return marks;
}

/** Whether there may be anything that the engine reads otherwise; few expressions have it. */
const UNUSUAL = /\?|(?:^|[^\w)\]])\s*\.\d|[^\u0000-\u007f]/; // oxlint-disable-line no-control-regex

/**
 * Reads an expression. A mark before an entry is read as a `!`, which stands where it stood and binds no less to what
 * begins there, and is then taken away again; a number without its point is given it back.
 */
export function parseExpression(environment: Environment, expression: string): Parsed {
  if (!UNUSUAL.test(expression)) return environment.parse(expression);
  const marks = marksOf(expression);
  const characters = expression.split("");
  for (const at of marks.optional) characters[at] = "!";
  for (const at of marks.points) characters[at] = " ";
  const parsed = environment.parse(characters.join(""));
  const ast = parsed.ast as unknown as EngineNode;
  if (marks.optional.size > 0) unmark(ast, marks.optional);
  restore(ast, expression, marks.points);
  return parsed;
}

interface Placed extends EngineNode {
  readonly start: number;
  readonly end: number;
}
const isNode = (value: unknown): value is Placed =>
  typeof value === "object" && value !== null && "op" in value && "args" in value;

function unmark(node: EngineNode, marks: ReadonlySet<number>): void {
  const args = Array.isArray(node.args) ? (node.args as unknown[]) : [node.args];
  if (node.op === "list" || node.op === "map") {
    const optional = new Set<number>();
    args.forEach((entry, i) => {
      const [holder, at] = node.op === "list" ? ([args, i] as const) : ([entry as unknown[], 0] as const);
      if (takeMark(holder, at, marks)) optional.add(i);
    });
    if (optional.size > 0) node.setMeta("optionals", optional);
  }
  const visit = (value: unknown): void => {
    if (isNode(value)) unmark(value, marks);
    else if (Array.isArray(value)) value.forEach(visit);
  };
  visit(node.args);
}

/** Takes the mark from the beginning of an entry, which may be the first operand of an operand. */
function takeMark(holder: unknown[], at: number, marks: ReadonlySet<number>): boolean {
  const node = holder[at];
  if (!isNode(node)) return false;
  if (node.op === "!_" && marks.has(node.start)) {
    holder[at] = node.args;
    return true;
  }
  if (!Array.isArray(node.args) || node.op === "list" || node.op === "map") return false;
  return takeMark(node.args as unknown[], node.op === "rcall" ? 1 : 0, marks);
}

/** Gives literals the values that their text has. */
function restore(node: unknown, text: string, points: ReadonlySet<number>): void {
  if (Array.isArray(node)) for (const one of node) restore(one, text, points);
  if (!isNode(node)) return;
  if (node.op !== "value") {
    restore(node.args, text, points);
    return;
  }
  if (points.has(node.start - 1)) node.args = Number(text.slice(node.start - 1, node.end));
  else if (node.args instanceof Uint8Array) node.args = bytesOf(text.slice(node.start, node.end)) ?? node.args;
}

const ESCAPES: Readonly<Record<string, number>> = { a: 7, b: 8, f: 12, n: 10, r: 13, t: 9, v: 11 };
const UNIT = /\\(?:[xX]([0-9a-fA-F]{2})|([0-7]{3})|([^]))|[^\\]+/g;

/** What a literal of bytes stands for, if it has characters beyond ASCII: these are taken as UTF-8. */
function bytesOf(literal: string): Uint8Array | undefined {
  if (/^[\u0000-\u007f]*$/.test(literal)) return undefined; // oxlint-disable-line no-control-regex
  const [, raw = "", quote = ""] = /^[bB]?([rR]?)[bB]?("""|'''|"|')/.exec(literal) ?? [];
  const inner = literal.slice(literal.indexOf(quote) + quote.length, -quote.length);
  if (raw !== "") return new Uint8Array(Buffer.from(inner));
  const parts = Array.from(inner.matchAll(UNIT), ([whole, hex, octal, letter]) => {
    if (hex !== undefined) return Buffer.from([Number.parseInt(hex, 16)]);
    if (octal !== undefined) return Buffer.from([Number.parseInt(octal, 8)]);
    const code = letter === undefined ? undefined : ESCAPES[letter];
    return code === undefined ? Buffer.from(letter ?? whole) : Buffer.from([code]);
  });
  return new Uint8Array(Buffer.concat(parts));
}
