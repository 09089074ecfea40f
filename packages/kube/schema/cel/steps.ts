/** Steps that a plan is made of. */
import type { Attribute } from "./attributes.ts";
import { attempt, Failure, type Frame, type Run } from "./frame.ts";
import type { FunctionTable } from "./functions.ts";
import { fault, kindOf, Uint } from "./kinds.ts";
import type { CelType } from "./sizes.ts";
import type { Tree } from "./syntax.ts";

/** A part of an expression, ready to run. */
export interface Step {
  readonly run: Run;
  readonly type: CelType;
  /** The way it goes, where more steps may follow. */
  readonly attribute?: Attribute;
  /** Known before anything runs. */
  readonly constant?: { readonly value: unknown };
}

/** A place that a loop keeps a value in. */
export interface Slot {
  readonly at: number;
  readonly type: CelType;
  /** Makes the value when it is first asked for. */
  readonly init?: Run | undefined;
}
export type Scope = ReadonlyMap<string, Slot>;

/** Stands in a place whose value nobody has asked for. */
export const UNSET = Symbol("unset");

/** What plans steps. */
export interface Plans {
  readonly functions: FunctionTable;
  plan(tree: Tree, scope: Scope): Step;
  /** A step that starts a way; `free`: it costs nothing itself. */
  way(attribute: Attribute, type: CelType, free?: boolean): Step;
  newSlot(type: CelType, init?: Run): Slot;
}

export const constant = (value: unknown, type: CelType): Step => ({ run: () => value, type, constant: { value } });

export const attributeOf = (step: Step): Attribute => step.attribute ?? { kind: "of", base: step.run, qualifiers: [] };

const NOWHERE = { variables: {}, slots: [], cost: 0, charge(): void {} } as unknown as Frame;

/** Evaluates what is made of constants only. */
export const evaluateNow = (run: Run): unknown => run(NOWHERE);

const KEYS: ReadonlySet<string> = new Set(["string", "bool", "int", "uint"]);

/** Sets an entry of a map that is being made. */
export function put(map: Map<unknown, unknown>, key: unknown, value: unknown): void {
  if (!KEYS.has(kindOf(key))) fault(`unsupported key type: ${kindOf(key)}`);
  const known =
    key instanceof Uint ? [...map.keys()].find((one) => one instanceof Uint && one.value === key.value) : key;
  map.set(known ?? key, value);
}

/** Reads what a loop holds; an error that it held back is one again. */
export function slotReader({ at, init }: Slot): Run {
  return (frame) => {
    let value = frame.slots[at];
    if (value === UNSET && init !== undefined) value = frame.slots[at] = fresh(attempt(init, frame));
    if (value instanceof Failure) throw value.error;
    return value;
  };
}

/** What a loop collects in is its own. */
function fresh(value: unknown): unknown {
  if (Array.isArray(value) && value.length === 0) return [];
  return value instanceof Map && value.size === 0 ? new Map() : value;
}

/** `a.b.c` of names only. */
export function qualifiedName(tree: Tree): string | undefined {
  if (tree.op === "name") return tree.name;
  if (tree.op !== "select" || tree.test) return undefined;
  const prefix = qualifiedName(tree.of);
  return prefix === undefined ? undefined : `${prefix}.${tree.field}`;
}

export function literalType(value: unknown): CelType {
  const kind = kindOf(value);
  return { kind: kind as "string" };
}
