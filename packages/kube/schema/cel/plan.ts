/** From an expression's tree to what runs it, each step at the price that upstream's engine reckons for it. */
import { type Attribute, extend, resolver } from "./attributes.ts";
import { LIST_COST, MAP_COST } from "./estimate.ts";
import { attempt, Failure, type Frame, type Run } from "./frame.ts";
import type { FunctionTable } from "./functions.ts";
import { CelOptional, fault, kindOf, TypeValue } from "./kinds.ts";
import { planCall } from "./plan-calls.ts";
import { planFold } from "./plan-folds.ts";
import { planOperator } from "./plan-operators.ts";
import type { CelType } from "./sizes.ts";
import {
  attributeOf,
  constant,
  evaluateNow,
  literalType,
  type Plans,
  put,
  qualifiedName,
  type Scope,
  type Slot,
  slotReader,
  type Step,
} from "./steps.ts";
import type { Tree } from "./syntax.ts";
import { common, DYN, elementType, fieldType, optional } from "./type-rules.ts";

const TYPES: ReadonlySet<string> = new Set(
  "bool bytes double dyn int list map null_type string type uint optional_type google.protobuf.Timestamp google.protobuf.Duration net.IP net.CIDR kubernetes.URL kubernetes.Quantity".split(
    " ",
  ),
);

export class Planner implements Plans {
  readonly functions: FunctionTable;
  readonly #variables: ReadonlyMap<string, CelType>;
  #slots = 0;

  constructor(functions: FunctionTable, variables: ReadonlyMap<string, CelType>) {
    this.functions = functions;
    this.#variables = variables;
  }

  newSlot(type: CelType, init?: Run): Slot {
    return { at: this.#slots++, type, init };
  }

  plan(tree: Tree, scope: Scope): Step {
    switch (tree.op) {
      case "value":
        return constant(tree.value, literalType(tree.value));
      case "name":
        return this.#name(tree.name, scope);
      case "select":
        return this.#select(tree, scope);
      case "index":
        return this.#index(tree, scope);
      case "call":
        return planCall(this, tree, scope);
      case "operator":
        return planOperator(this, tree.name, tree.args, scope);
      case "list":
        return this.#list(tree, scope);
      case "map":
        return this.#map(tree, scope);
      case "fold":
        return planFold(this, tree, scope);
    }
  }

  /** A step that starts a way. */
  way(attribute: Attribute, type: CelType, free = false): Step {
    const resolve = resolver(attribute);
    if (attribute.kind === "either" || free) return { run: resolve, type, attribute };
    const run: Run = (frame) => {
      frame.charge(1);
      return resolve(frame);
    };
    return { run, type, attribute };
  }

  #name(name: string, scope: Scope): Step {
    const slot = scope.get(name);
    if (slot !== undefined) return this.way({ kind: "of", base: slotReader(slot), qualifiers: [] }, slot.type);
    const variable = this.#variable(name);
    if (variable !== undefined) return variable;
    if (TYPES.has(name)) return constant(new TypeValue(name), { kind: "type" });
    return fault(`undeclared reference to '${name}' (in container '')`);
  }

  #variable(name: string): Step | undefined {
    const type = this.#variables.get(name);
    if (type === undefined) return undefined;
    const base: Run = ({ variables }) => (name in variables ? variables[name] : fault(`no such attribute(s): ${name}`));
    return this.way({ kind: "of", base, qualifiers: [] }, type);
  }

  /** `a.b` where that is the name of a variable or type as a whole. */
  #dotted(tree: Tree, scope: Scope): Step | undefined {
    const name = qualifiedName(tree);
    if (name === undefined || scope.has(name.split(".", 1)[0] ?? "")) return undefined;
    return this.#variable(name) ?? (TYPES.has(name) ? constant(new TypeValue(name), { kind: "type" }) : undefined);
  }

  #select(tree: Extract<Tree, { op: "select" }>, scope: Scope): Step {
    const whole = tree.test ? undefined : this.#dotted(tree, scope);
    if (whole !== undefined) return whole;
    const of = this.plan(tree.of, scope);
    const attribute = extend(attributeOf(of), { key: () => tree.field, optional: false, test: tree.test });
    if (tree.test) {
      const { run } = this.way(attribute, DYN, true);
      const asked: Run = (frame) => {
        const found = run(frame);
        return found instanceof CelOptional ? found.hasValue() : found;
      };
      return { run: asked, type: { kind: "bool" } };
    }
    const type = fieldType(of.type, tree.field);
    return this.way(attribute, of.type.kind === "optional" ? optional(type) : type);
  }

  #index(tree: Extract<Tree, { op: "index" }>, scope: Scope): Step {
    const of = this.plan(tree.of, scope);
    const at = this.plan(tree.at, scope);
    // What is only looked up costs nothing by itself; what is reckoned does.
    const key = at.attribute === undefined ? at.run : resolver(at.attribute);
    const attribute = extend(attributeOf(of), { key, optional: tree.optional, test: false });
    const field = at.constant?.value;
    const type = typeof field === "string" ? fieldType(of.type, field) : elementType(of.type);
    return this.way(attribute, tree.optional || of.type.kind === "optional" ? optional(type) : type);
  }

  #list(tree: Extract<Tree, { op: "list" }>, scope: Scope): Step {
    const items = tree.items.map((item) => this.plan(item, scope));
    const types = items.map(({ type }, i) => (tree.optional.has(i) && type.kind === "optional" ? type.of : type));
    const make = (frame: Frame): unknown[] => {
      const out: unknown[] = [];
      for (let i = 0; i < items.length; i++) {
        const value = items[i]?.run(frame);
        if (!tree.optional.has(i)) out.push(value);
        else if (!(value instanceof CelOptional))
          fault(`cannot initialize optional list element from non-optional value ${kindOf(value)}`);
        else if (value.hasValue()) out.push(value.value());
      }
      return out;
    };
    return made(make, { kind: "list", element: common(types) }, items, LIST_COST);
  }

  #map(tree: Extract<Tree, { op: "map" }>, scope: Scope): Step {
    const entries = tree.entries.map(([key, value]) => [this.plan(key, scope), this.plan(value, scope)] as const);
    const make = (frame: Frame): Map<unknown, unknown> => {
      const out = new Map<unknown, unknown>();
      entries.forEach(([key, value], i) => {
        const at = key.run(frame);
        const given = value.run(frame);
        if (!tree.optional.has(i)) put(out, at, given);
        else if (!(given instanceof CelOptional))
          fault(`cannot initialize optional entry '${String(at)}' from non-optional value ${kindOf(given)}`);
        else if (given.hasValue()) put(out, at, given.value());
        else out.delete(at);
      });
      return out;
    };
    const [keys, values] = [entries.map(([{ type }]) => type), entries.map(([, { type }]) => type)];
    return made(make, { kind: "map", key: common(keys), element: common(values) }, entries.flat(), MAP_COST);
  }
}

/** Lists and maps of nothing but constants are made once, and cost nothing. */
function made(make: Run, type: CelType, parts: readonly Step[], price: number): Step {
  if (parts.every((part) => part.constant !== undefined)) return constant(evaluateNow(make), type);
  const run: Run = (frame) => {
    const value = attempt(make, frame);
    frame.charge(price);
    if (value instanceof Failure) throw value.error;
    return value;
  };
  return { run, type };
}
