/** What the macros that go through lists and maps cost: a step for every item. */
import type { Local, Scope, Walk } from "./cost.ts";
import { fixed, LIST_COST, MAP_COST, plus, sizeOf, times, UNKNOWN_SIZE, unite, uniteEntries } from "./estimate.ts";
import type { EntrySize, Estimate, Size } from "./estimate.ts";
import type { EngineNode } from "./evaluation.ts";
import type { CelType } from "./sizes.ts";

const DYN: CelType = { kind: "dyn" };

/** Macros by how many operands they have with one variable; with a second variable they have one more. */
const OPERANDS: Readonly<Record<string, readonly number[]>> = {
  all: [2, 3],
  exists: [2, 3],
  exists_one: [2, 3],
  existsOne: [2, 3],
  map: [2, 3],
  filter: [2],
  transformList: [3, 4],
  transformMap: [3, 4],
  transformMapEntry: [3, 4],
  sortBy: [2],
};

export const isComprehension = (name: string, operands: number): boolean => OPERANDS[name]?.includes(operands) === true;

const usesTwo = (name: string, operands: number): boolean =>
  name.startsWith("transform") || (operands === 3 && name !== "map");

/** Whether steps go through items; all else is gone through by its keys. */
const isList = (range: Estimate): boolean => (range.entry?.container ?? range.type.kind) === "list";

const keyType = (type: CelType): CelType =>
  type.kind === "map" ? type.key : type.kind === "list" ? { kind: "int" } : DYN;
const valueType = (type: CelType): CelType => (type.kind === "map" || type.kind === "list" ? type.element : DYN);

function variable(range: Estimate, part: "@items" | "@values" | "@keys" | "@indices"): Local {
  const ofKey = part === "@keys" || part === "@indices";
  return {
    type: ofKey ? keyType(range.type) : valueType(range.type),
    path: [...range.path, part],
    size: ofKey ? range.entry?.key : range.entry?.value,
    entry: undefined,
  };
}

function variables(name: string, range: Estimate, operands: readonly EngineNode[], scope: Scope): Scope {
  const inner = new Map(scope);
  const list = isList(range);
  const named = (i: number): string => String(operands[i]?.args);
  if (usesTwo(name, operands.length)) {
    inner.set(named(0), variable(range, list ? "@indices" : "@keys"));
    inner.set(named(1), variable(range, list ? "@items" : "@values"));
  } else inner.set(named(0), variable(range, list ? "@items" : "@keys"));
  return inner;
}

/** What one step costs with its condition, the rest of the loop, and what is collected. */
interface Loop {
  readonly step: number;
  readonly rest: number;
  readonly type: CelType;
  readonly size: Size | undefined;
  readonly entry?: EntrySize | undefined;
}

const BOOL: CelType = { kind: "bool" };

/** A macro over what `range` is. */
export function loop(
  walk: Walk,
  name: string,
  range: Estimate,
  operands: readonly EngineNode[],
  scope: Scope,
): Estimate {
  const inner = variables(name, range, operands, scope);
  const bodies = operands.slice(usesTwo(name, operands.length) ? 2 : 1).map((body) => walk(body, inner));
  const made = loopOf(name, range, bodies, name === "filter" ? walk(operands[0] as EngineNode, inner) : undefined);
  return {
    cost: plus(range.cost, made.rest, times(sizeOf(range).max, made.step)),
    type: made.type,
    path: [],
    size: made.size,
    entry: made.entry,
  };
}

/** What a list of things of one size holds after a loop. */
const collected = (size: Size): EntrySize | undefined =>
  uniteEntries(
    { container: "list", key: fixed(1), value: fixed(0) },
    { container: "list", key: fixed(1), value: unite(size, size) },
  );

function loopOf(name: string, range: Estimate, bodies: readonly Estimate[], kept: Estimate | undefined): Loop {
  const body = bodies.at(-1)?.cost ?? 0;
  const size = sizeOf(range);
  switch (name) {
    case "all":
      return { step: plus(3, body), rest: 1, type: BOOL, size: fixed(1) };
    case "exists":
      return { step: plus(4, body), rest: 1, type: BOOL, size: fixed(1) };
    case "exists_one":
    case "existsOne":
      return { step: plus(2, body), rest: 2, type: BOOL, size: fixed(1) };
    case "filter": {
      const entry = kept === undefined ? undefined : collected(sizeOf(kept));
      const type: CelType = { kind: "list", element: kept?.type ?? DYN };
      return { step: plus(3 + LIST_COST, body), rest: LIST_COST + 1, type, size, entry };
    }
    case "transformMap":
    case "transformMapEntry": {
      const test = bodies.length > 1 ? (bodies[0]?.cost ?? 0) : 0;
      const step = plus(test, name === "transformMap" ? 3 : 2, body);
      const element = bodies.at(-1)?.type ?? DYN;
      const type: CelType = name === "transformMap" ? { kind: "map", key: keyType(range.type), element } : element;
      return { step, rest: MAP_COST + 1, type, size };
    }
    case "sortBy": {
      const keys = plus(1, LIST_COST + 1, times(size.max, plus(2 + LIST_COST, body)));
      const sorting = plus(times(times(size.max, size.max), 2), 1 + LIST_COST);
      return { step: 0, rest: plus(LIST_COST, 1, keys, sorting), type: range.type, size: UNKNOWN_SIZE };
    }
    default: {
      const test = bodies.length > 1 ? (bodies[0]?.cost ?? 0) : 0;
      const last = bodies.at(-1);
      const entry = last === undefined ? undefined : collected(sizeOf(last));
      const type: CelType = { kind: "list", element: last?.type ?? DYN };
      return { step: plus(test, 2 + LIST_COST, body), rest: LIST_COST + 1, type, size, entry };
    }
  }
}
