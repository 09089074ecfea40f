/** Where the engine's checker goes another way than Go's: what `has()` may ask about. */

/** What is used of the engine's nodes; it has no types for them. */
export interface EngineNode {
  readonly op: string;
  args: unknown;
  readonly meta: Readonly<Record<string, unknown>>;
  setMeta(key: string, value: unknown): void;
}
interface Checker {
  check(node: EngineNode, scope: unknown): unknown;
  getType(name: string): unknown;
}

const isNode = (value: unknown): value is EngineNode =>
  typeof value === "object" && value !== null && "op" in value && "args" in value;

/** `has()` of a field of whatever an expression gives; the engine's own knows only paths of names. */
const hasField = (field: EngineNode) => {
  return {
    typeCheck(checker: Checker, _macro: unknown, scope: unknown): unknown {
      checker.check(field, scope);
      return checker.getType("bool");
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
  if (node.op !== "call" || !Array.isArray(node.args) || node.args[0] !== "has") return;
  const field: unknown = (node.args[1] as unknown[])[0];
  if (isNode(field) && field.op === "." && !isPath(field)) node.setMeta("macro", hasField(field));
}
