/** What the engine's checker has to be told of Kubernetes' macros, and what expressions name. */
import type { Environment } from "@marcbachmann/cel-js";
import { correct } from "./evaluation.ts";

/** What a macro sees of the engine; it has no types for this. */
interface Node {
  readonly op: string;
  args: unknown;
  readonly meta: Readonly<Record<string, unknown>>;
  setMeta(key: string, value: unknown): void;
}
interface Scope {
  forkWithVariable(name: string, type: unknown): Scope;
}
interface Checker {
  check(node: Node, scope: Scope): unknown;
  getType(name: string): unknown;
}
interface MacroCall {
  readonly ast: Node;
  readonly args: readonly Node[];
  readonly receiver: Node;
}

const nameOf = (node: Node | undefined): string => {
  if (node?.op !== "id" || typeof node.args !== "string")
    throw new Error("a macro needs a simple name for its variable");
  return node.args;
};

/** A macro with so many variables, which can be anything; the rest is looked at with them. Nothing is run by it. */
function checked(variables: 1 | 2, result: string) {
  return ({ ast, args, receiver }: MacroCall): object => {
    const names = args.slice(0, variables).map(nameOf);
    return {
      typeCheck(checker: Checker, _macro: unknown, scope: Scope): unknown {
        checker.check(receiver, scope);
        const any = checker.getType("dyn");
        const inner = names.reduce((outer, name) => outer.forkWithVariable(name, any), scope);
        for (const body of args.slice(variables)) checker.check(body, inner);
        ast.setMeta("async", false);
        return checker.getType(result);
      },
      evaluate(): never {
        throw new Error("only checked");
      },
    };
  };
}

export function addMacros(env: Environment): void {
  const register = (signature: string, variables: 1 | 2, result: string): void => {
    env.registerFunction(signature, checked(variables, result) as never);
  };
  for (const receiver of ["list", "map"]) {
    for (const name of ["all", "exists", "existsOne", "exists_one"])
      register(`${receiver}.${name}(ast, ast, ast): bool`, 2, "bool");
    for (const [name, result] of [
      ["transformList", "list"],
      ["transformMap", "map"],
      ["transformMapEntry", "map"],
    ] as const) {
      register(`${receiver}.${name}(ast, ast, ast): ${result}`, 2, result);
      register(`${receiver}.${name}(ast, ast, ast, ast): ${result}`, 2, result);
    }
  }
  register("list.existsOne(ast, ast): bool", 1, "bool");
  register("list.sortBy(ast, ast): list", 1, "list");
  register("optional.optMap(ast, ast): optional<dyn>", 1, "optional");
  register("optional.optFlatMap(ast, ast): optional<dyn>", 1, "optional");
}

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "op" in value && "args" in value;

function childrenOf(node: Node): Node[] {
  const out: Node[] = [];
  const collect = (value: unknown): void => {
    if (isNode(value)) out.push(value);
    else if (Array.isArray(value)) value.forEach(collect);
  };
  collect(node.args);
  return out;
}

/** Makes the checker see what Go's does. */
export function prepare(ast: unknown): void {
  if (!isNode(ast)) return;
  for (const child of childrenOf(ast)) prepare(child);
  correct(ast);
}

/** Whether the expression binds names by `cel.bind`, which the rules of CRDs have not got upstream. */
export function usesBind(ast: unknown): boolean {
  if (!isNode(ast)) return false;
  const [name, of] = ast.op === "rcall" && Array.isArray(ast.args) ? (ast.args as unknown[]) : [];
  return (name === "bind" && isNode(of) && of.args === "cel") || childrenOf(ast).some(usesBind);
}

/** Whether the expression names a variable. */
export function usesVariable(ast: unknown, name: string): boolean {
  if (!isNode(ast)) return false;
  return (ast.op === "id" && ast.args === name) || childrenOf(ast).some((child) => usesVariable(child, name));
}

/**
 * The first field of `self` or `oldSelf` that the expression names and the schema does not have, and why.
 * `fault` says what is wrong with a path of fields.
 */
export function unknownField(
  ast: unknown,
  fault: (path: readonly string[]) => string | undefined,
): { name: string; fault: string } | undefined {
  if (!isNode(ast)) return undefined;
  const path = pathOf(ast);
  // The shortest path that leads nowhere.
  for (const child of childrenOf(ast)) {
    const found = unknownField(child, fault);
    if (found !== undefined) return found;
  }
  const why = path === undefined ? undefined : fault(path);
  return why === undefined ? undefined : { name: path?.at(-1) ?? "", fault: why };
}

/** `self.a.b` → `["a", "b"]`; undefined for what is no such path. */
function pathOf(node: Node): string[] | undefined {
  if (node.op === "id") return node.args === "self" || node.args === "oldSelf" ? [] : undefined;
  if (
    (node.op !== "." && node.op !== ".?") ||
    !Array.isArray(node.args) ||
    !isNode(node.args[0]) ||
    typeof node.args[1] !== "string"
  )
    return undefined;
  const parent = pathOf(node.args[0]);
  return parent === undefined ? undefined : [...parent, node.args[1]];
}
