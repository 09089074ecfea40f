/** Operators: logic, choice, arithmetic, comparison, and those that macros collect with. */
import type { Attribute } from "./attributes.ts";
import { one, type Price, priceOf } from "./call-prices.ts";
import { attempt, Failure, failureOf, type Frame, type Run } from "./frame.ts";
import { entriesOf, fault, kindOf, lookup, noOverload } from "./kinds.ts";
import { BINARY, negate, not } from "./operators.ts";
import type { CelType } from "./sizes.ts";
import { attributeOf, constant, type Plans, put, type Scope, type Step } from "./steps.ts";
import type { Tree } from "./syntax.ts";
import { common } from "./type-rules.ts";

const BOOL: CelType = { kind: "bool" };
const PRIMITIVE: ReadonlySet<string> = new Set(["bool", "int", "uint", "double", "string"]);

type Trees = readonly Tree[];

export function planOperator(plans: Plans, name: string, trees: Trees, scope: Scope): Step {
  const steps = trees.map((tree) => plans.plan(tree, scope));
  const [a, b, c] = steps;
  if (a === undefined) return fault(`no operand for ${name}`);
  if (name === "!_") return { run: unary(a.run, not), type: BOOL };
  if (name === "-_") return { run: unary(a.run, negate), type: a.type };
  if (b === undefined) return fault(`no second operand for ${name}`);
  switch (name) {
    case "&&":
    case "||":
      return { run: logical(a.run, b.run, name === "||"), type: BOOL };
    case "?:":
      return c === undefined ? fault("no third operand") : choice(plans, a, b, c);
    case "append":
      return { run: binary(a.run, b.run, append), type: b.type };
    case "insert":
      return c === undefined ? fault("no value") : { run: insertion(a.run, b.run, c.run), type: mapOf(b.type, c.type) };
    case "insertAll":
      return { run: binary(a.run, b.run, insertAll), type: b.type };
    case "in":
      return membership(a, b);
    default:
      return operation(name, a, b);
  }
}

/** A call with one operand: one unit. */
const unary =
  (operand: Run, apply: (value: unknown) => unknown): Run =>
  (frame) => {
    const value = attempt(operand, frame);
    frame.charge(1);
    if (value instanceof Failure) throw value.error;
    return apply(value);
  };

/** Either side decides; where none does, the error of the first is told. */
const logical =
  (first: Run, second: Run, decisive: boolean): Run =>
  (frame) => {
    const left = attempt(first, frame);
    if (left === decisive) return decisive;
    const right = attempt(second, frame);
    if (right === decisive) return decisive;
    for (const value of [left, right]) {
      if (value instanceof Failure) throw value.error;
      if (typeof value !== "boolean") return noOverload();
    }
    return !decisive;
  };

/** Costs nothing but what it goes by; a variable that is chosen is not paid for. */
function choice(plans: Plans, when: Step, yes: Step, no: Step): Step {
  const attribute: Attribute = { kind: "either", when: when.run, yes: attributeOf(yes), no: attributeOf(no) };
  return plans.way(attribute, common([yes.type, no.type]));
}

const NO_VALUE = new Failure(undefined);

/** Both operands are evaluated, even where the first is an error, and paid for. */
export function binary(first: Run, second: Run, apply: (a: unknown, b: unknown) => unknown, price: Price = one): Run {
  const pay = (frame: Frame, a: unknown, b: unknown): void =>
    frame.charge(price === one ? 1 : price([a, b], undefined));
  return (frame) => {
    let [a, b]: [unknown, unknown] = [NO_VALUE, NO_VALUE];
    try {
      a = first(frame);
      b = second(frame);
    } catch (error) {
      const failure = failureOf(error);
      if (a === NO_VALUE) b = attempt(second, frame);
      pay(frame, a, b);
      throw failure.error;
    }
    pay(frame, a, b);
    return apply(a, b);
  };
}

function append(list: unknown, items: unknown): unknown {
  (list as unknown[]).push(...(items as unknown[]));
  return list;
}

function insertOne(map: unknown, key: unknown, value: unknown): unknown {
  if (lookup(map, key) !== undefined) return fault(`insert failed: key ${String(key)} already exists`);
  put(map as Map<unknown, unknown>, key, value);
  return map;
}

function insertAll(map: unknown, entries: unknown): unknown {
  if (kindOf(entries) !== "map") return noOverload();
  for (const [key, value] of entriesOf(entries)) insertOne(map, key, value);
  return map;
}

const insertion =
  (map: Run, key: Run, value: Run): Run =>
  (frame) => {
    const [into, at, given] = [map(frame), key(frame), value(frame)];
    frame.charge(1);
    return insertOne(into, at, given);
  };

const mapOf = (key: CelType, element: CelType): CelType => ({ kind: "map", key, element });

/** Whether something is in a list that is written out costs nothing. */
function membership(a: Step, b: Step): Step {
  const apply = BINARY["in"] as (a: unknown, b: unknown) => unknown;
  const list = b.constant?.value;
  if (Array.isArray(list)) {
    if (list.length === 0) return constant(false, BOOL);
    if (list.every((item) => PRIMITIVE.has(kindOf(item))))
      return { run: (frame) => apply(a.run(frame), list), type: BOOL };
  }
  return { run: binary(a.run, b.run, apply, priceOf("in", [a.type, b.type])), type: BOOL };
}

const COMPARISONS: ReadonlySet<string> = new Set(["==", "!=", "<", "<=", ">", ">="]);

function operation(name: string, a: Step, b: Step): Step {
  const apply = BINARY[name];
  if (apply === undefined) return fault(`unknown operator ${name}`);
  const run = binary(a.run, b.run, apply, priceOf(name, [a.type, b.type]));
  return { run, type: COMPARISONS.has(name) ? BOOL : resultOf(name, a.type, b.type) };
}

function resultOf(name: string, a: CelType, b: CelType): CelType {
  const times = [a.kind, b.kind].filter((kind) => kind === "timestamp").length;
  if (times === 2) return { kind: "duration" };
  if (times === 1) return { kind: "timestamp" };
  if (name === "+" && a.kind === "list" && b.kind === "list") return a.element.kind === "dyn" ? b : a;
  return a.kind === "dyn" ? b : a;
}
