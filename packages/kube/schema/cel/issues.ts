/** What is wrong with an expression, in the words and the form of the Go engine, which users know and search for. */

interface Located {
  readonly op?: string;
  readonly args?: unknown;
  readonly input?: string;
  readonly start?: number;
  readonly end?: number;
}
interface EngineError {
  readonly name: string;
  readonly code: string;
  readonly summary: string;
  readonly node?: Located;
  readonly range?: { readonly start: number; readonly end: number };
}

const isEngineError = (error: unknown): error is EngineError =>
  error instanceof Error && "code" in error && "summary" in error && typeof error.summary === "string";

const plain = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] ?? "";

/** `ERROR: <input>:1:7: …` with the line and a mark under it. */
export function issueAt(input: string, offset: number, message: string): string {
  const before = input.slice(0, offset);
  const line = before.split("\n").length;
  const column = offset - (before.lastIndexOf("\n") + 1);
  const source = input.split("\n")[line - 1] ?? "";
  return `ERROR: <input>:${line}:${column + 1}: ${message}\n | ${source}\n | ${".".repeat(column)}^`;
}

const TYPES: Readonly<Record<string, string>> = {
  "google.protobuf.Timestamp": "timestamp",
  "google.protobuf.Duration": "duration",
};

/** `list<int>` → `list(int)`. */
export const typeText = (type: string): string => {
  const open = type
    .replaceAll(/dyn<(\w+)>/g, "$1")
    .replaceAll("<", "(")
    .replaceAll(">", ")");
  return TYPES[open] ?? open.replace(/^list$/, "list(dyn)").replace(/^map$/, "map(dyn, dyn)");
};

const OVERLOAD = /^no such overload: (.+?) (==|!=|<=|>=|<|>|\+|-|\*|\/|%|in) (.+)$/;
const CALL = /^found no matching overload for '(?:(.+)\.)?([A-Za-z_]\w*)\((.*)\)'$/;
const UNARY = /^no such overload: ([!-])(\S+)$/;
const OPERAND = /^(Ternary|Logical|List) (?:condition|operator|index) .*, got '(.+)'$/;
const BRANCHES = /must have the same type, got '(.+)' and '(.+)'/;
const OPERANDS =
  "'[', '{', '(', '.', '-', '!', 'true', 'false', 'null', NUM_FLOAT, NUM_INT, NUM_UINT, STRING, BYTES, IDENTIFIER";

const isNode = (value: unknown): value is Required<Pick<Located, "start" | "end">> & Located =>
  typeof value === "object" && value !== null && "start" in value && "end" in value;

/** Where the operator between two operands stands. */
function operatorAt(node: Located, operator: string): number {
  const [left] = Array.isArray(node.args) ? (node.args as unknown[]) : [];
  const from = isNode(left) ? left.end : (node.start ?? 0);
  const found = (node.input ?? "").indexOf(operator, from);
  return found === -1 ? (node.start ?? 0) : found;
}

/** Where the parenthesis of a call stands. */
function callAt(node: Located, name: string): number {
  const args = Array.isArray(node.args) ? (node.args as unknown[]) : [];
  const receiver = args.find(isNode);
  const from = node.op === "rcall" && receiver !== undefined ? receiver.end : (node.start ?? 0);
  const at = (node.input ?? "").indexOf(name, from);
  const open = (node.input ?? "").indexOf("(", at + name.length);
  return open === -1 ? (node.start ?? 0) : open;
}

function syntax(error: EngineError, input: string, at: number): string {
  const rest = error.summary;
  if (rest === "Unexpected token: EOF") {
    const closes = /\(\s*$/.test(input) ? OPERANDS.replace("'(', ", "'(', ')', ") : OPERANDS;
    return `Syntax error: mismatched input '<EOF>' expecting {${closes}}`;
  }
  const missing = /^Expected (\w+), got EOF/.exec(rest)?.[1];
  const token = { RPAREN: ")", RBRACKET: "]", RBRACE: "}" }[missing ?? ""];
  if (token !== undefined) return `Syntax error: missing '${token}' at '<EOF>'`;
  const found = /^[A-Za-z_]\w*|^\S/.exec(input.slice(at))?.[0] ?? "<EOF>";
  return `Syntax error: extraneous input '${found}' expecting <EOF>`;
}

/** An error of parsing or checking as the Go engine would tell it. `known` are the functions there are. */
export function issueText(error: unknown, input: string, known: (name: string) => boolean): string {
  if (!isEngineError(error)) return issueAt(input, 0, plain(error));
  const node = error.node ?? {};
  const at = error.range?.start ?? 0;
  if (error.name === "ParseError") return issueAt(input, at, syntax(error, input, at));
  const text = error.summary;
  const unknown = /^Unknown variable: (.+)$/.exec(text)?.[1];
  if (unknown !== undefined) return issueAt(input, at, `undeclared reference to '${unknown}' (in container '')`);
  const field = /^No such key: (.+)$/.exec(text)?.[1];
  if (field !== undefined) {
    const dot = input.lastIndexOf(".", at);
    return issueAt(input, dot === -1 ? at : dot, `undefined field '${field}'`);
  }
  const overload = OVERLOAD.exec(text);
  if (overload !== null) {
    const [, left = "", operator = "", right = ""] = overload;
    const name = operator === "in" ? "@in" : `_${operator}_`;
    return issueAt(input, operatorAt(node, operator), noOverload(name, `(${typeText(left)}, ${typeText(right)})`));
  }
  const call = CALL.exec(text);
  if (call !== null) {
    const [, receiver, name = "", args = ""] = call;
    const where = callAt(node, name);
    if (!known(name)) return issueAt(input, where, `undeclared reference to '${name}' (in container '')`);
    const on = receiver === undefined ? "" : `${typeText(receiver)}.`;
    return issueAt(input, where, noOverload(name, `${on}(${typeText(args)})`));
  }
  const unary = UNARY.exec(text);
  if (unary !== null) return issueAt(input, at, noOverload(`${unary[1] ?? ""}_`, `(${typeText(unary[2] ?? "")})`));
  const operand = OPERAND.exec(text);
  if (operand !== null) return operandIssue(input, node, at, operand[1] ?? "", typeText(operand[2] ?? ""));
  const branches = BRANCHES.exec(text);
  if (branches !== null) {
    const [, yes = "", no = ""] = branches;
    return issueAt(input, operatorAt(node, "?"), noOverload("_?_:_", `(bool, ${typeText(yes)}, ${typeText(no)})`));
  }
  return issueAt(input, at, text);
}

/** What stands where a bool or an index is wanted. */
function operandIssue(input: string, node: Located, at: number, place: string, type: string): string {
  if (place === "Logical") return issueAt(input, at, `expected type 'bool' but found '${type}'`);
  return place === "Ternary"
    ? issueAt(input, operatorAt(node, "?"), noOverload("_?_:_", `(${type}, dyn, dyn)`))
    : issueAt(input, operatorAt(node, "["), noOverload("_[_]", `(list(dyn), ${type})`));
}

const noOverload = (name: string, types: string): string =>
  `found no matching overload for '${name}' applied to '${types}'`;
