/** Reading expressions with the engine's parser, and what it does not read: entries of lists and maps that may be absent. */
import type { Environment } from "@marcbachmann/cel-js";
import type { EngineNode } from "./cel-evaluation.ts";

/** What the engine's parser gives. */
export type Parsed = ReturnType<Environment["parse"]>;

const WORD = /[\w)\]}"'`]/;

/** What begins at a place and is no code: comments and literals. */
const PLAIN =
  /\/\/[^\n]*|[bB]?(?:"""(?:\\[^]|[^])*?"""|'''(?:\\[^]|[^])*?'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')/y;
const RAW = /(?:[rR][bB]?|[bB][rR])(?:"""[^]*?"""|'''[^]*?'''|"[^"\n]*"|'[^'\n]*')/y;

function skip(text: string, at: number): number {
  const before = text[at - 1] ?? "";
  for (const pattern of /\w/.test(before) ? [PLAIN] : [RAW, PLAIN]) {
    pattern.lastIndex = at;
    if (pattern.test(text)) return pattern.lastIndex;
  }
  return at;
}

/** Where a `?` stands before an entry: `[?a, ?b]`, `{?'k': a}`. */
function optionalMarks(text: string): number[] {
  const marks: number[] = [];
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
    if (character === "?" && inLiteral && (last === "[" || last === "{" || last === ",")) marks.push(at);
    if (character === "[") open.push(WORD.test(last) ? "other" : "literal");
    else if (character === "{") open.push("literal");
    else if (character === "(") open.push("other");
    else if (character === ")" || character === "]" || character === "}") open.pop();
    last = character;
  }
  return marks;
}

/**
 * Reads an expression. A mark before an entry is read as a `!`, which stands where it stood and binds no less to what
 * begins there, and is then taken away again.
 */
export function parseExpression(environment: Environment, expression: string): Parsed {
  const marks = expression.includes("?") ? optionalMarks(expression) : [];
  if (marks.length === 0) return environment.parse(expression);
  const characters = expression.split("");
  for (const at of marks) characters[at] = "!";
  const parsed = environment.parse(characters.join(""));
  unmark(parsed.ast as unknown as EngineNode, new Set(marks));
  return parsed;
}

interface Placed extends EngineNode {
  readonly start: number;
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
