/** Calls of functions: which ones they may be, and what they cost. */
import { resultType } from "./call-costs.ts";
import { type Price, priceOf } from "./call-prices.ts";
import { attempt, Failure, type Frame, type Run } from "./frame.ts";
import { dispatch, type Overload } from "./functions.ts";
import { CelFault, CelOptional, fault, kindOf, noOverload, ProgramFault } from "./kinds.ts";
import type { CelType } from "./sizes.ts";
import { constant, evaluateNow, type Plans, qualifiedName, type Scope, type Step } from "./steps.ts";
import { compilePattern } from "../pattern.ts";
import type { Tree } from "./syntax.ts";

type Call = Extract<Tree, { op: "call" }>;

/** Made once, where they are made of a constant. */
const CONVERSIONS: ReadonlySet<string> = new Set(
  "bool bytes double duration dyn int string timestamp type uint".split(" "),
);

const PATTERNS: ReadonlySet<string> = new Set(["matches", "find", "findAll"]);

/** What they cost is told by what they give. */
const BY_RESULT: ReadonlySet<string> = new Set(["join", "slice", "reverse", "lists.range"]);

export function planCall(plans: Plans, call: Call, scope: Scope): Step {
  const { target, args } = call;
  const spaced = target === undefined ? undefined : spacedName(plans, call, scope);
  const name = spaced ?? call.name;
  const member = target !== undefined && spaced === undefined;
  const trees = member ? [target, ...args] : args;
  const steps = trees.map((tree) => plans.plan(tree, scope));
  if (name === "@not_strictly_false") return running(steps);
  if (member && (name === "or" || name === "orValue") && steps.length === 2) return fallback(name, steps);
  const overloads = plans.functions.find(name, member, steps.length);
  if (overloads.length === 0) return unknown(plans, name, member, steps);
  const types = steps.map(({ type }) => type);
  const type = typeOfCall(name, member, steps, overloads);
  const apply = (values: readonly unknown[]): unknown => dispatch(overloads, values);
  if (!member && steps.length === 1 && CONVERSIONS.has(name) && steps[0]?.constant !== undefined)
    return constant(
      once(() => apply([steps[0]?.constant?.value])),
      type,
    );
  checkPattern(name, steps);
  const runs = steps.map(({ run }) => run);
  return { run: calling(runs, apply, priceOf(name, types, member), BY_RESULT.has(name)), type };
}

/** A pattern that is written out is read at once. */
function checkPattern(name: string, [, pattern]: readonly Step[]): void {
  if (!PATTERNS.has(name) || typeof pattern?.constant?.value !== "string") return;
  const compiled = compilePattern(pattern.constant.value);
  if (typeof compiled === "string") throw new ProgramFault(compiled);
}

function once(make: () => unknown): unknown {
  try {
    return evaluateNow(make);
  } catch (error) {
    throw error instanceof CelFault ? new ProgramFault(error.message) : error;
  }
}

/** `sets.contains`: a function of that whole name, unless its first part is a variable of a loop. */
function spacedName(plans: Plans, { target, name }: Call, scope: Scope): string | undefined {
  const prefix = target === undefined ? undefined : qualifiedName(target);
  if (prefix === undefined || scope.has(prefix.split(".", 1)[0] ?? "")) return undefined;
  const whole = `${prefix}.${name}`;
  return plans.functions.has(whole) ? whole : undefined;
}

function unknown(plans: Plans, name: string, member: boolean, steps: readonly Step[]): never {
  if (!plans.functions.has(name)) return fault(`undeclared reference to '${name}' (in container '')`);
  const types = steps.map(({ type }) => type.kind);
  const shown = member ? `${types[0] ?? ""}.(${types.slice(1).join(", ")})` : `(${types.join(", ")})`;
  return fault(`found no matching overload for '${name}' applied to '${shown}'`);
}

function typeOfCall(name: string, member: boolean, steps: readonly Step[], overloads: readonly Overload[]): CelType {
  const [target, ...args] = steps;
  if (name === "dyn") return { kind: "dyn" };
  const known = resultType(member ? { name, target, args } : { name, target: undefined, args: steps });
  if (known.kind !== "dyn") return known;
  const [first, ...others] = overloads;
  return first !== undefined && others.every(({ result }) => result.kind === first.result.kind)
    ? first.result
    : { kind: "dyn" };
}

/** Up to two operands are all evaluated, even if one of them is an error; of more, those up to the first error. */
function calling(
  runs: readonly Run[],
  apply: (values: readonly unknown[]) => unknown,
  price: Price,
  byResult: boolean,
): Run {
  const few = runs.length <= 2;
  return (frame) => {
    const values: unknown[] = [];
    let failed: Failure | undefined;
    for (const run of runs) {
      const value = attempt(run, frame);
      if (value instanceof Failure) {
        if (!few) throw value.error;
        failed ??= value;
      }
      values.push(value);
    }
    if (failed !== undefined || !byResult) frame.charge(price(values, undefined));
    if (failed !== undefined) throw failed.error;
    return byResult
      ? paidByResult(
          frame,
          () => apply(values),
          (result) => price(values, result),
        )
      : apply(values);
  };
}

function paidByResult(frame: Frame, run: () => unknown, price: (result: unknown) => number): unknown {
  const result = attempt(run, frame);
  frame.charge(price(result));
  if (result instanceof Failure) throw result.error;
  return result;
}

/** Whether a loop goes on: an error does not end it. */
function running([step]: readonly Step[]): Step {
  const run: Run = (frame) => {
    const value = step === undefined ? true : attempt(step.run, frame);
    frame.charge(1);
    return typeof value === "boolean" ? value : true;
  };
  return { run, type: { kind: "bool" } };
}

/** `or` and `orValue` cost nothing themselves, and evaluate what they fall back to only where they must. */
function fallback(name: "or" | "orValue", [first, second]: readonly Step[]): Step {
  if (first === undefined || second === undefined) return fault(`no operand for ${name}`);
  const run: Run = (frame) => {
    const held = first.run(frame);
    if (!(held instanceof CelOptional)) return noOverload();
    if (held.hasValue()) return name === "or" ? held : held.value();
    const other = second.run(frame);
    return name === "or" && kindOf(other) !== "optional" ? noOverload() : other;
  };
  return { run, type: resultType({ name, target: first, args: [second] }) };
}
