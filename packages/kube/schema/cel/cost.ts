/** What a rule may cost at most, told from its text and the bounds of its schema, the way upstream's API server does. */
import { callCost, resultType } from "./call-costs.ts";
import type { CallCost } from "./call-costs.ts";
import {
  addSizes,
  byFactor,
  fixed,
  isScalar,
  LIST_COST,
  MAP_COST,
  MOST,
  plus,
  sizeOf,
  TEXT_FACTOR,
  UNKNOWN_SIZE,
  unite,
  uniteEntries,
  upTo,
} from "./estimate.ts";
import type { EntrySize, Estimate, Size } from "./estimate.ts";
import type { EngineNode } from "./evaluation.ts";
import { isComprehension, loop } from "./loop-costs.ts";
import type { CelType, SizedType } from "./sizes.ts";
import { common, elementType, fieldType, optional } from "./type-rules.ts";

/** A variable of a loop or binding. */
export interface Local {
  readonly type: CelType;
  readonly path: readonly string[];
  readonly size: Size | undefined;
  readonly entry: EntrySize | undefined;
}
export type Scope = ReadonlyMap<string, Local>;

/** Estimates a part of an expression where some variables are known. */
export type Walk = (node: EngineNode, scope: Scope) => Estimate;

const DYN: CelType = { kind: "dyn" };
const NAMESPACES: ReadonlySet<string> = new Set([
  "base64",
  "cel",
  "format",
  "ip",
  "jsonpatch",
  "lists",
  "math",
  "optional",
  "sets",
  "strings",
]);

const isNode = (value: unknown): value is EngineNode =>
  typeof value === "object" && value !== null && "op" in value && "args" in value;

/** The most that an expression may cost over values of a type. */
export function mostCost(ast: unknown, root: SizedType, optionalOldSelf: boolean): number {
  if (!isNode(ast)) return 0;
  return new Coster(root, optionalOldSelf).cost(ast);
}

class Coster {
  readonly #root: SizedType;
  readonly #oldType: CelType;

  constructor(root: SizedType, optionalOldSelf: boolean) {
    this.#root = root;
    this.#oldType = optionalOldSelf ? { kind: "optional", of: root } : root;
  }

  cost(ast: EngineNode): number {
    return this.#walk(ast, new Map()).cost;
  }

  /** How large what a path leads to can be. The variable that it starts with is not looked at. */
  #sizeAt(path: readonly string[]): Size | undefined {
    if (path.length === 0) return undefined;
    let at: SizedType | undefined = this.#root;
    for (const step of path.slice(1)) {
      if (step === "@items" || step === "@values")
        at = at.kind === "list" || at.kind === "map" ? at.element : undefined;
      else if (step === "@keys") at = at.kind === "map" ? at.key : undefined;
      else at = at.kind === "struct" ? at.fields.get(step) : undefined;
      if (at === undefined) return undefined;
    }
    return upTo(at.maxElements);
  }

  #size(path: readonly string[], type: CelType): Size | undefined {
    return this.#sizeAt(path) ?? (isScalar(type) ? fixed(1) : undefined);
  }

  /** What a call or operator gives. */
  #made(cost: number, type: CelType, size?: Size, entry?: EntrySize, path: readonly string[] = []): Estimate {
    return { cost, type, path, size: size ?? this.#size(path, type), entry };
  }

  readonly #walk: Walk = (node, scope) => {
    const args = node.args;
    switch (node.op) {
      case "value":
        return literal(args);
      case "id":
        return this.#variable(String(args), scope);
      case ".":
        return this.#select(args as [EngineNode, string], scope);
      case ".?": {
        const base = this.#walk((args as [EngineNode])[0], scope);
        return this.#made(plus(1, base.cost), optional(fieldType(base.type, String((args as unknown[])[1]))));
      }
      case "[]":
      case "[?]":
        return this.#index(node.op, args as [EngineNode, EngineNode], scope);
      case "list":
        return this.#list(args as EngineNode[], scope);
      case "map":
        return this.#map(args as [EngineNode, EngineNode][], scope);
      case "?:":
        return this.#choice(args as [EngineNode, EngineNode, EngineNode], scope);
      case "call": {
        const [name, operands] = args as [string, EngineNode[]];
        return this.#call(name, undefined, operands, scope);
      }
      case "rcall": {
        const [name, target, operands] = args as [string, EngineNode, EngineNode[]];
        return this.#call(name, target, operands, scope);
      }
      default:
        return this.#operator(node.op, Array.isArray(args) ? (args as EngineNode[]) : [args as EngineNode], scope);
    }
  };

  #variable(name: string, scope: Scope): Estimate {
    const local = scope.get(name);
    const path = local?.path ?? [name];
    const type = local?.type ?? (name === "self" ? this.#root : name === "oldSelf" ? this.#oldType : DYN);
    return { cost: 1, type, path, size: this.#size(path, type) ?? local?.size, entry: local?.entry };
  }

  #select([of, field]: readonly [EngineNode, string], scope: Scope): Estimate {
    const base = this.#walk(of, scope);
    const reads = base.type.kind === "map" || base.type.kind === "struct" ? 1 : 0;
    const type = base.type.kind === "optional" ? optional(fieldType(base.type, field)) : fieldType(base.type, field);
    return this.#made(plus(base.cost, reads), type, undefined, undefined, [...base.path, field]);
  }

  #index(op: string, [of, at]: readonly [EngineNode, EngineNode], scope: Scope): Estimate {
    const base = this.#walk(of, scope);
    const cost = plus(1, base.cost, this.#walk(at, scope).cost);
    const type = elementType(base.type);
    if (op === "[?]") return this.#made(cost, optional(type));
    const path = [...base.path, base.type.kind === "list" ? "@items" : "@values"];
    return this.#made(cost, type, base.entry?.value, undefined, path);
  }

  #list(items: readonly EngineNode[], scope: Scope): Estimate {
    const all = items.map((item) => this.#walk(item, scope));
    const value = all.map(sizeOf).reduce(unite, items.length === 0 ? fixed(0) : { min: MOST, max: 0 });
    return {
      cost: plus(LIST_COST, ...all.map(({ cost }) => cost)),
      type: { kind: "list", element: common(all.map(({ type }) => type)) },
      path: [],
      size: fixed(items.length),
      entry: { container: "list", key: fixed(1), value },
    };
  }

  #map(entries: readonly (readonly [EngineNode, EngineNode])[], scope: Scope): Estimate {
    const keys = entries.map(([key]) => this.#walk(key, scope));
    const values = entries.map(([, value]) => this.#walk(value, scope));
    const none = entries.length === 0 ? fixed(0) : { min: MOST, max: 0 };
    return {
      cost: plus(MAP_COST, ...keys.map(({ cost }) => cost), ...values.map(({ cost }) => cost)),
      type: { kind: "map", key: common(keys.map(({ type }) => type)), element: common(values.map(({ type }) => type)) },
      path: [],
      size: fixed(entries.length),
      entry: {
        container: "map",
        key: keys.map(sizeOf).reduce(unite, none),
        value: values.map(sizeOf).reduce(unite, none),
      },
    };
  }

  #choice([when, yes, no]: readonly [EngineNode, EngineNode, EngineNode], scope: Scope): Estimate {
    const [test, a, b] = [this.#walk(when, scope), this.#walk(yes, scope), this.#walk(no, scope)];
    return this.#made(
      plus(test.cost, Math.max(a.cost, b.cost)),
      common([a.type, b.type]),
      unite(sizeOf(a), sizeOf(b)),
      uniteEntries(a.entry, b.entry),
    );
  }

  #operator(op: string, operands: readonly EngineNode[], scope: Scope): Estimate {
    const all = operands.map((operand) => this.#walk(operand, scope));
    const below = plus(...all.map(({ cost }) => cost));
    const [a, b] = all;
    if (a === undefined) return this.#made(below, DYN);
    if (b === undefined) return this.#made(plus(1, below), a.type);
    switch (op) {
      case "&&":
      case "||":
        return this.#made(below, { kind: "bool" });
      case "==":
      case "!=":
        return this.#made(plus(below, equalityCost(op, a, b)), { kind: "bool" });
      case "in":
        return this.#made(plus(below, b.type.kind === "map" ? 1 : sizeOf(b).max), { kind: "bool" });
      case "<":
      case "<=":
      case ">":
      case ">=":
        return this.#made(plus(below, orderCost(a, b)), { kind: "bool" });
      case "+":
        return this.#sum(a, b, below);
      default:
        return this.#made(plus(1, below), a.type.kind === "dyn" ? b.type : a.type);
    }
  }

  #sum(a: Estimate, b: Estimate, below: number): Estimate {
    const type = a.type.kind === "dyn" ? b.type : a.type;
    if (type.kind !== "list" && type.kind !== "string" && type.kind !== "bytes" && type.kind !== "dyn")
      return this.#made(plus(1, below), type);
    const size = addSizes(sizeOf(a), sizeOf(b));
    const cost = type.kind === "list" ? 1 : Math.max(byFactor(size.max, TEXT_FACTOR), type.kind === "dyn" ? 1 : 0);
    return this.#made(plus(cost, below), type, size, uniteEntries(a.entry, b.entry));
  }

  #call(name: string, target: EngineNode | undefined, operands: readonly EngineNode[], scope: Scope): Estimate {
    const space = target?.op === "id" ? String(target.args) : "";
    if (target !== undefined && NAMESPACES.has(space) && !scope.has(space))
      return space === "cel" && name === "bind"
        ? this.#bind(operands, scope)
        : this.#call(`${space}.${name}`, undefined, operands, scope);
    if (name === "has" && target === undefined) return this.#presence(operands[0], scope);
    if (target !== undefined && isComprehension(name, operands.length))
      return loop(this.#walk, name, this.#walk(target, scope), operands, scope);
    if (target !== undefined && (name === "optMap" || name === "optFlatMap"))
      return this.#optional(name, target, operands, scope);
    return this.#plainCall(name, target, operands, scope);
  }

  #plainCall(name: string, target: EngineNode | undefined, operands: readonly EngineNode[], scope: Scope): Estimate {
    const on = target === undefined ? undefined : this.#walk(target, scope);
    const args = operands.map((operand) => this.#walk(operand, scope));
    const below = plus(on?.cost ?? 0, ...args.map(({ cost }) => cost));
    const [arg] = args;
    if (name === "dyn" && arg !== undefined) return { ...arg, type: DYN, path: [], cost: plus(1, below) };
    const call = { name, target: on, args, item: on === undefined ? undefined : this.#itemOf(on) };
    const { cost, size }: CallCost = callCost(call);
    return this.#made(plus(below, cost), resultType(call), size);
  }

  /** What an item of a list is; texts have none. */
  #itemOf(list: Estimate): { size: Size; type: CelType } | undefined {
    if (list.type.kind !== "list") return undefined;
    const known = list.path.length === 0 ? undefined : this.#sizeAt([...list.path, "@items"]);
    return { type: list.type.element, size: known ?? UNKNOWN_SIZE };
  }

  /** To ask whether a field is there costs no more than to get to it. */
  #presence(field: EngineNode | undefined, scope: Scope): Estimate {
    const of = Array.isArray(field?.args) ? (field.args as unknown[])[0] : undefined;
    const cost = isNode(of) ? this.#walk(of, scope).cost : 0;
    return this.#made(cost, { kind: "bool" });
  }

  #bind([name, value, body]: readonly EngineNode[], scope: Scope): Estimate {
    if (name === undefined || value === undefined || body === undefined) return this.#made(0, DYN);
    return this.#bound(String(name.args), this.#walk(value, scope), body, scope);
  }

  /** A binding is a loop over nothing, and costs its empty list. */
  #bound(name: string, value: Estimate, body: EngineNode, scope: Scope): Estimate {
    const inner = this.#walk(body, new Map(scope).set(name, value));
    return { ...inner, path: [], cost: plus(LIST_COST, value.cost, inner.cost) };
  }

  #optional(name: string, target: EngineNode, [variable, body]: readonly EngineNode[], scope: Scope): Estimate {
    const on = this.#walk(target, scope);
    if (variable === undefined || body === undefined) return on;
    const held = on.type.kind === "optional" ? on.type.of : DYN;
    const value = this.#made(plus(1, on.cost), held);
    const inner = this.#bound(String(variable.args), value, body, scope);
    const wraps = name === "optMap" ? 1 : 0;
    // The test, then the larger of what is made and of nothing.
    const cost = plus(1, on.cost, Math.max(plus(wraps, inner.cost), 1));
    return this.#made(cost, name === "optMap" ? optional(inner.type) : inner.type, UNKNOWN_SIZE);
  }
}

function literal(value: unknown): Estimate {
  const whole = { cost: 0, path: [], entry: undefined, literal: value } as const;
  if (typeof value === "string") return { ...whole, type: { kind: "string" }, size: fixed(Array.from(value).length) };
  if (value instanceof Uint8Array) return { ...whole, type: { kind: "bytes" }, size: fixed(value.length) };
  const kind =
    typeof value === "bigint"
      ? "int"
      : typeof value === "number"
        ? "double"
        : typeof value === "boolean"
          ? "bool"
          : value === null
            ? "null"
            : "uint";
  return { ...whole, type: { kind }, size: fixed(1) };
}

const OPAQUE: ReadonlySet<string> = new Set(["quantity", "ip", "cidr", "semver", "authorizer"]);

/** As far as the shorter one reaches. */
const overlap = (a: Estimate, b: Estimate): number => byFactor(Math.min(sizeOf(a).max, sizeOf(b).max), TEXT_FACTOR);

function equalityCost(op: string, a: Estimate, b: Estimate): number {
  return op === "==" && a.type.kind === b.type.kind && OPAQUE.has(a.type.kind) ? 1 : overlap(a, b);
}

function orderCost(a: Estimate, b: Estimate): number {
  const { kind } = a.type.kind === "dyn" ? b.type : a.type;
  if (kind === "string" || kind === "bytes") return overlap(a, b);
  return kind === "dyn" ? Math.max(1, overlap(a, b)) : 1;
}
