/** Macros that Kubernetes' CEL has beyond the engine's own, and the counting of steps that bounds what a rule may cost. */
import type { Environment } from "@marcbachmann/cel-js";
import { correct } from "./cel-evaluation.ts";

/** What a macro sees of the engine; it has no types for this. */
interface Node {
  readonly op: string;
  args: unknown;
  readonly meta: Readonly<Record<string, unknown>>;
  setMeta(key: string, value: unknown): void;
}
interface Scope {
  forkWithVariable(name: string, type: unknown): Scope;
  reuse(parent: Scope): Scope;
  setIterValue(value: unknown, evaluator: Evaluator): Scope;
}
interface Checker {
  check(node: Node, scope: Scope): unknown;
  getType(name: string): unknown;
}
interface Evaluator {
  run(node: Node, scope: Scope): unknown;
}
interface MacroCall {
  readonly ast: Node;
  readonly args: readonly Node[];
  readonly receiver: Node;
}
interface OptionalValue {
  hasValue(): boolean;
  value(): unknown;
}

/** Where the steps of the expression that runs are counted. */
export interface StepCounter {
  /** Throws when there are none left. */
  take(steps: number): void;
}

const nameOf = (node: Node | undefined): string => {
  if (node?.op !== "id" || typeof node.args !== "string")
    throw new Error("a macro needs a simple name for its variable");
  return node.args;
};

const truth = (value: unknown): boolean => {
  if (typeof value !== "boolean") throw new Error("a predicate must answer with a bool");
  return value;
};

type Entry = readonly [key: unknown, value: unknown];

function entriesOf(range: unknown): Entry[] {
  if (Array.isArray(range)) return range.map((value, i) => [BigInt(i), value] as const);
  if (range instanceof Map) return [...range] as Entry[];
  if (typeof range === "object" && range !== null) return Object.entries(range);
  throw new Error("only lists and maps can be gone through");
}

type Combine = (
  entries: readonly Entry[],
  run: (entry: Entry, body: Node) => unknown,
  bodies: readonly Node[],
) => unknown;

/** A macro with two variables: index and item of a list, key and value of a map. */
function twoVariables(result: string, combine: Combine, counter: StepCounter) {
  return ({ ast, args, receiver }: MacroCall): object => {
    const [key, value, ...bodies] = args;
    const names = [nameOf(key), nameOf(value)] as const;
    const steps = sizeOf(ast);
    let outer: Scope;
    let inner: Scope;
    return {
      typeCheck(checker: Checker, _macro: unknown, scope: Scope): unknown {
        const any = checker.getType("dyn");
        checker.check(receiver, scope);
        outer = scope.forkWithVariable(names[0], any);
        inner = outer.forkWithVariable(names[1], any);
        for (const body of bodies) checker.check(body, inner);
        ast.setMeta("async", false);
        return checker.getType(result);
      },
      evaluate(evaluator: Evaluator, _macro: unknown, scope: Scope): unknown {
        const run = ([k, v]: Entry, body: Node): unknown => {
          counter.take(steps);
          return evaluator.run(
            body,
            inner.reuse(outer.reuse(scope).setIterValue(k, evaluator)).setIterValue(v, evaluator),
          );
        };
        return combine(entriesOf(evaluator.run(receiver, scope)), run, bodies);
      },
    };
  };
}

const one = (bodies: readonly Node[]): Node => bodies[0] as Node;
const count: Combine = (entries, run, bodies) => entries.filter((entry) => truth(run(entry, one(bodies)))).length === 1;
const all: Combine = (entries, run, bodies) => entries.every((entry) => truth(run(entry, one(bodies))));
const exists: Combine = (entries, run, bodies) => entries.some((entry) => truth(run(entry, one(bodies))));
/** With two bodies the first picks and the second transforms. */
const picked = (
  entries: readonly Entry[],
  run: (entry: Entry, body: Node) => unknown,
  bodies: readonly Node[],
): Entry[] => (bodies.length === 1 ? [...entries] : entries.filter((entry) => truth(run(entry, one(bodies)))));
const transformList: Combine = (entries, run, bodies) =>
  picked(entries, run, bodies).map((entry) => run(entry, bodies.at(-1) as Node));
const transformMap: Combine = (entries, run, bodies) =>
  new Map(picked(entries, run, bodies).map((entry) => [entry[0], run(entry, bodies.at(-1) as Node)] as const));

function takeAll<T>(counter: StepCounter, items: readonly T[]): readonly T[] {
  counter.take(items.length);
  return items;
}

/** `list.sortBy(x, key)`; the order is that of the keys. */
function sortBy(compare: (a: unknown, b: unknown) => number, counter: StepCounter) {
  return ({ ast, args, receiver }: MacroCall): object => {
    const name = nameOf(args[0]);
    const key = args[1] as Node;
    let inner: Scope;
    return {
      typeCheck(checker: Checker, _macro: unknown, scope: Scope): unknown {
        checker.check(receiver, scope);
        inner = scope.forkWithVariable(name, checker.getType("dyn"));
        checker.check(key, inner);
        ast.setMeta("async", false);
        return checker.getType("list");
      },
      evaluate(evaluator: Evaluator, _macro: unknown, scope: Scope): unknown {
        const items = takeAll(
          counter,
          entriesOf(evaluator.run(receiver, scope)).map(([, item]) => item),
        );
        const keyed = items.map((item) => ({
          item,
          key: evaluator.run(key, inner.reuse(scope).setIterValue(item, evaluator)),
        }));
        return keyed.sort((a, b) => compare(a.key, b.key)).map(({ item }) => item);
      },
    };
  };
}

function optionalMap(flat: boolean, of: (value: unknown) => unknown) {
  return ({ ast, args, receiver }: MacroCall): object => {
    const name = nameOf(args[0]);
    const body = args[1] as Node;
    let inner: Scope;
    return {
      typeCheck(checker: Checker, _macro: unknown, scope: Scope): unknown {
        checker.check(receiver, scope);
        inner = scope.forkWithVariable(name, checker.getType("dyn"));
        checker.check(body, inner);
        ast.setMeta("async", false);
        return checker.getType("optional");
      },
      evaluate(evaluator: Evaluator, _macro: unknown, scope: Scope): unknown {
        const held = evaluator.run(receiver, scope) as OptionalValue;
        if (!held.hasValue()) return held;
        const made = evaluator.run(body, inner.reuse(scope).setIterValue(held.value(), evaluator));
        return flat ? made : of(made);
      },
    };
  };
}

export function addMacros(
  env: Environment,
  optionalOf: (value: unknown) => unknown,
  compare: (a: unknown, b: unknown) => number,
  counter: StepCounter,
): void {
  const register = (signature: string, handler: (call: MacroCall) => object): void => {
    env.registerFunction(signature, handler as never);
  };
  for (const receiver of ["list", "map"]) {
    register(`${receiver}.all(ast, ast, ast): bool`, twoVariables("bool", all, counter));
    register(`${receiver}.exists(ast, ast, ast): bool`, twoVariables("bool", exists, counter));
    register(`${receiver}.existsOne(ast, ast, ast): bool`, twoVariables("bool", count, counter));
    register(`${receiver}.transformList(ast, ast, ast): list`, twoVariables("list", transformList, counter));
    register(`${receiver}.transformList(ast, ast, ast, ast): list`, twoVariables("list", transformList, counter));
    register(`${receiver}.transformMap(ast, ast, ast): map`, twoVariables("map", transformMap, counter));
    register(`${receiver}.transformMap(ast, ast, ast, ast): map`, twoVariables("map", transformMap, counter));
  }
  register("list.sortBy(ast, ast): list", sortBy(compare, counter));
  register("optional.optMap(ast, ast): optional<dyn>", optionalMap(false, optionalOf));
  register("optional.optFlatMap(ast, ast): optional<dyn>", optionalMap(true, optionalOf));
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

/** How many nodes an expression has: about what one evaluation of it costs. */
export const sizeOf = (node: Node): number => childrenOf(node).reduce((sum, child) => sum + sizeOf(child), 1);

interface Comprehension {
  step: Node;
  /** Asked before every step; false ends the loop. */
  condition?: (accumulated: unknown) => boolean;
}

/** The loop that the engine made of a macro. */
function loopOf(node: Node): Comprehension | undefined {
  const alternate: unknown = node.meta["alternate"];
  return isNode(alternate) && alternate.op === "comprehension" ? (alternate.args as Comprehension) : undefined;
}

/** Makes the parsed expression count the steps of its loops, and match by RE2. */
export function prepare(ast: unknown, counter: StepCounter): void {
  if (!isNode(ast)) return;
  for (const child of childrenOf(ast)) prepare(child, counter);
  correct(ast);
  if (Array.isArray(ast.args) && (ast.op === "rcall" || ast.op === "call") && ast.args[0] === "matches")
    ast.args[0] = "re2Matches";
  const loop = loopOf(ast);
  if (loop === undefined) return;
  const steps = sizeOf(ast);
  const goesOn = loop.condition;
  loop.condition = (accumulated) => {
    counter.take(steps);
    return goesOn === undefined || goesOn(accumulated);
  };
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
 * The first field of `self` or `oldSelf` that the expression names and the schema does not have.
 * `has` answers whether the fields of a path are there.
 */
export function unknownField(ast: unknown, has: (path: readonly string[]) => boolean): string | undefined {
  if (!isNode(ast)) return undefined;
  const path = pathOf(ast);
  if (path !== undefined && !has(path)) return path.at(-1);
  for (const child of childrenOf(ast)) {
    const found = unknownField(child, has);
    if (found !== undefined) return found;
  }
  return undefined;
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
