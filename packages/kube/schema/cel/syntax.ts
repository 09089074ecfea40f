/** Expressions as a small tree: the engine's parser reads them, and macros are written out as the loops they stand for. */
import type { EngineNode } from "./evaluation.ts";
import { CelFault, Uint } from "./kinds.ts";

export type Tree =
  | { readonly op: "value"; readonly value: unknown }
  | { readonly op: "name"; readonly name: string }
  | { readonly op: "select"; readonly of: Tree; readonly field: string; readonly test: boolean }
  | { readonly op: "index"; readonly of: Tree; readonly at: Tree; readonly optional: boolean }
  | { readonly op: "call"; readonly name: string; readonly target: Tree | undefined; readonly args: readonly Tree[] }
  | { readonly op: "operator"; readonly name: string; readonly args: readonly Tree[] }
  | { readonly op: "list"; readonly items: readonly Tree[]; readonly optional: ReadonlySet<number> }
  | { readonly op: "map"; readonly entries: readonly (readonly [Tree, Tree])[]; readonly optional: ReadonlySet<number> }
  | Fold;

/** A loop: `init` is asked for when it is first needed. */
export interface Fold {
  readonly op: "fold";
  readonly range: Tree;
  readonly names: readonly [string] | readonly [string, string];
  readonly held: string;
  readonly init: Tree;
  /** Undefined: all items are gone through. */
  readonly condition: Tree | undefined;
  readonly step: Tree;
  readonly result: Tree;
}

/** What a macro has collected so far; no expression can name it. */
const HELD = "@result";
const SORTED = "@__sortBy_input__";

const value = (one: unknown): Tree => ({ op: "value", value: one });
const name = (one: string): Tree => ({ op: "name", name: one });
const held = name(HELD);
const operator = (op: string, ...args: readonly Tree[]): Tree => ({ op: "operator", name: op, args });
const call = (fn: string, target: Tree | undefined, ...args: readonly Tree[]): Tree => ({
  op: "call",
  name: fn,
  target,
  args,
});
const NONE: ReadonlySet<number> = new Set();
const list = (...items: readonly Tree[]): Tree => ({ op: "list", items, optional: NONE });
const EMPTY_LIST = list();
const EMPTY_MAP: Tree = { op: "map", entries: [], optional: NONE };

const isNode = (node: unknown): node is EngineNode =>
  typeof node === "object" && node !== null && "op" in node && "args" in node;

type Nodes = readonly EngineNode[];

/** The tree of what was parsed. */
export function treeOf(node: EngineNode): Tree {
  const args = node.args;
  switch (node.op) {
    case "value":
      return value(literal(args));
    case "id":
      return name(args as string);
    case ".": {
      const [of, field] = args as [EngineNode, string];
      return { op: "select", of: treeOf(of), field, test: false };
    }
    case ".?": {
      const [of, field] = args as [EngineNode, string];
      return { op: "index", of: treeOf(of), at: value(field), optional: true };
    }
    case "[]":
    case "[?]": {
      const [of, at] = args as [EngineNode, EngineNode];
      return { op: "index", of: treeOf(of), at: treeOf(at), optional: node.op === "[?]" };
    }
    case "list":
      return { op: "list", items: (args as Nodes).map(treeOf), optional: optionalsOf(node) };
    case "map": {
      const entries = (args as [EngineNode, EngineNode][]).map(([key, one]) => [treeOf(key), treeOf(one)] as const);
      return { op: "map", entries, optional: optionalsOf(node) };
    }
    case "call": {
      const [fn, operands] = args as [string, Nodes];
      return fn === "has" && operands.length === 1
        ? presence(operands[0])
        : call(fn, undefined, ...operands.map(treeOf));
    }
    case "rcall": {
      const [fn, target, operands] = args as [string, EngineNode, Nodes];
      return macro(fn, target, operands) ?? call(fn, treeOf(target), ...operands.map(treeOf));
    }
    case "-_":
      return negative(treeOf(args as EngineNode));
    default:
      return operator(node.op, ...(isNode(args) ? [args] : (args as Nodes)).map(treeOf));
  }
}

const optionalsOf = (node: EngineNode): ReadonlySet<number> =>
  (node.meta["optionals"] as ReadonlySet<number> | undefined) ?? NONE;

/** The parser has a class of its own for unsigned numbers. */
function literal(given: unknown): unknown {
  if (typeof given !== "object" || given === null || given instanceof Uint8Array) return given;
  return new Uint(BigInt((given as { toString(): string }).toString()));
}

function negative(of: Tree): Tree {
  const number = of.op === "value" ? of.value : undefined;
  // Only one sign belongs to a literal.
  if ((typeof number === "bigint" && number >= 0n) || (typeof number === "number" && number >= 0))
    return value(-number);
  return operator("-_", of);
}

function presence(field: EngineNode | undefined): Tree {
  if (field?.op !== ".") return fail("invalid argument to has() macro");
  const [of, name] = field.args as [EngineNode, string];
  return { op: "select", of: treeOf(of), field: name, test: true };
}

const variable = (node: EngineNode | undefined): string =>
  node?.op === "id" && typeof node.args === "string" ? node.args : fail("argument must be a simple name");

const fail = (text: string): never => {
  throw new CelFault(text);
};

type Macro = (target: Tree, operands: Nodes) => Tree;

const running = (goesOn: Tree): Tree => call("@not_strictly_false", undefined, goesOn);
const append = (item: Tree): Tree => operator("append", held, list(item));
const whenever = (filter: Tree | undefined, step: Tree): Tree =>
  filter === undefined ? step : operator("?:", filter, step, held);

interface Loop {
  readonly init: Tree;
  readonly condition?: Tree;
  readonly step: Tree;
  readonly result?: Tree;
}

/** A macro over one or two variables; the loop is made of what follows them. */
const looping =
  (variables: 1 | 2, loop: (bodies: readonly Tree[], first: string) => Loop): Macro =>
  (range, operands) => {
    const first = variable(operands[0]);
    const names = variables === 1 ? ([first] as const) : ([first, variable(operands[1])] as const);
    if (names[0] === names[1]) return fail(`duplicate variable name: ${first}`);
    const { init, condition, step, result = held } = loop(operands.slice(variables).map(treeOf), first);
    return { op: "fold", range, names, held: HELD, init, condition, step, result };
  };

const last = (bodies: readonly Tree[]): Tree => bodies.at(-1) ?? fail("missing argument");
const filterOf = (bodies: readonly Tree[]): Tree | undefined => (bodies.length > 1 ? bodies[0] : undefined);

const all = (bodies: readonly Tree[]): Loop => ({
  init: value(true),
  condition: running(held),
  step: operator("&&", held, last(bodies)),
});
const exists = (bodies: readonly Tree[]): Loop => ({
  init: value(false),
  condition: running(operator("!_", held)),
  step: operator("||", held, last(bodies)),
});
const existsOne = (bodies: readonly Tree[]): Loop => ({
  init: value(0n),
  step: operator("?:", last(bodies), operator("+", held, value(1n)), held),
  result: operator("==", held, value(1n)),
});
const map = (bodies: readonly Tree[]): Loop => ({
  init: EMPTY_LIST,
  step: whenever(filterOf(bodies), append(last(bodies))),
});
const filter = (bodies: readonly Tree[], item: string): Loop => ({
  init: EMPTY_LIST,
  step: operator("?:", last(bodies), append(name(item)), held),
});
const transformMap = (bodies: readonly Tree[], key: string): Loop => ({
  init: EMPTY_MAP,
  step: whenever(filterOf(bodies), operator("insert", held, name(key), last(bodies))),
});
const transformEntry = (bodies: readonly Tree[]): Loop => ({
  init: EMPTY_MAP,
  step: whenever(filterOf(bodies), operator("insertAll", held, last(bodies))),
});

/** A name for a value within a body: a loop over nothing. */
const bound = (variableName: string, init: Tree, body: Tree): Tree => ({
  op: "fold",
  range: EMPTY_LIST,
  names: ["#unused"],
  held: variableName,
  init,
  condition: undefined,
  step: name(variableName),
  result: body,
});

const sortBy: Macro = (target, operands) => {
  const keys = looping(1, map)(name(SORTED), operands);
  return bound(SORTED, target, call("sortByAssociatedKeys", name(SORTED), keys));
};

const optional =
  (wraps: boolean): Macro =>
  (target, [node, body]) => {
    const inner = bound(
      variable(node),
      call("value", target),
      body === undefined ? fail("missing argument") : treeOf(body),
    );
    const made = wraps ? call("of", name("optional"), inner) : inner;
    return operator("?:", call("hasValue", target), made, call("none", name("optional")));
  };

const MACROS: Readonly<Record<string, Macro>> = {
  "all/2": looping(1, all),
  "all/3": looping(2, all),
  "exists/2": looping(1, exists),
  "exists/3": looping(2, exists),
  "exists_one/2": looping(1, existsOne),
  "exists_one/3": looping(2, existsOne),
  "existsOne/2": looping(1, existsOne),
  "existsOne/3": looping(2, existsOne),
  "map/2": looping(1, map),
  "map/3": looping(1, map),
  "filter/2": looping(1, filter),
  "transformList/3": looping(2, map),
  "transformList/4": looping(2, map),
  "transformMap/3": looping(2, transformMap),
  "transformMap/4": looping(2, transformMap),
  "transformMapEntry/3": looping(2, transformEntry),
  "transformMapEntry/4": looping(2, transformEntry),
  "sortBy/2": sortBy,
  "optMap/2": optional(true),
  "optFlatMap/2": optional(false),
};

const macro = (fn: string, target: EngineNode, operands: Nodes): Tree | undefined => {
  const key = `${fn}/${operands.length}`;
  return Object.hasOwn(MACROS, key) ? MACROS[key]?.(treeOf(target), operands) : undefined;
};
