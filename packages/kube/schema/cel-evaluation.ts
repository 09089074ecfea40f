/** Where the engine goes another way than Go's: which of two errors is told, and what `has()` may ask about. */

/** What is used of the engine's nodes; it has no types for them. */
export interface EngineNode {
  readonly op: string;
  args: unknown;
  readonly meta: Readonly<Record<string, unknown>>;
  setMeta(key: string, value: unknown): void;
}
interface Evaluator {
  run(node: EngineNode, scope: unknown): unknown;
  debugType(value: unknown): { fieldLazy(value: unknown, name: unknown, node: EngineNode, ev: Evaluator): unknown };
}
interface Checker {
  check(node: EngineNode, scope: unknown): unknown;
  getType(name: string): unknown;
}

const isNode = (value: unknown): value is EngineNode =>
  typeof value === "object" && value !== null && "op" in value && "args" in value;

type Outcome = { readonly value: unknown } | { readonly error: unknown };

function attempt(run: () => unknown): Outcome {
  try {
    return { value: run() };
  } catch (error) {
    return { error };
  }
}

/** `||` and `&&`: either side decides; where none does, the error of the left one is told. */
function logical(decisive: boolean) {
  return (ev: Evaluator, node: EngineNode, scope: unknown): unknown => {
    const [left, right] = node.args as [EngineNode, EngineNode];
    const first = attempt(() => ev.run(left, scope));
    if ("value" in first && first.value === decisive) return decisive;
    const second = attempt(() => ev.run(right, scope));
    if ("value" in second && second.value === decisive) return decisive;
    for (const outcome of [first, second]) {
      if ("error" in outcome) throw outcome.error;
      if (typeof outcome.value !== "boolean") throw new Error("no such overload");
    }
    return !decisive;
  };
}

/** `has()` of a field of whatever an expression gives; the engine's own knows only paths of names. */
const hasField = (field: EngineNode) => {
  const [base, name] = field.args as [EngineNode, string];
  return {
    typeCheck(checker: Checker, _macro: unknown, scope: unknown): unknown {
      checker.check(field, scope);
      return checker.getType("bool");
    },
    evaluate(ev: Evaluator, _macro: unknown, scope: unknown): boolean {
      const value = ev.run(base, scope);
      return ev.debugType(value).fieldLazy(value, name, field, ev) !== undefined;
    },
  };
};

/** `a.b.c`, which the engine asks `has()` of by itself. */
function isPath(node: EngineNode): boolean {
  if (node.op === "id") return true;
  const base: unknown = Array.isArray(node.args) ? node.args[0] : undefined;
  return (node.op === "." || node.op === ".?") && isNode(base) && isPath(base);
}

/** Puts one node right. */
export function correct(node: EngineNode): void {
  if (node.op === "||") node.setMeta("evaluate", logical(true));
  else if (node.op === "&&") node.setMeta("evaluate", logical(false));
  else if (node.op === "call" && Array.isArray(node.args) && node.args[0] === "has") {
    const field: unknown = (node.args[1] as unknown[])[0];
    if (isNode(field) && field.op === "." && !isPath(field)) node.setMeta("macro", hasField(field));
  }
}

const REWORDED: readonly (readonly [RegExp, string])[] = [
  [/^No such key: (?!index)/, "no such key: "],
  [/^No such key: index out of bounds, index (\d+).*$/, "index out of bounds: $1"],
  [/^Invalid duration string: .*$/, "type conversion error from 'string' to 'google.protobuf.Duration'"],
  [/^timestamp\(\) .*$/, "type conversion error from 'string' to 'google.protobuf.Timestamp'"],
];

/** Upstream's words for what the engine says otherwise. */
export const reworded = (line: string): string =>
  REWORDED.reduce((text, [pattern, words]) => text.replace(pattern, words), line);
