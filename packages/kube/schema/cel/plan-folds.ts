/** Loops: what macros are made of. An error within a step is held back, since a later step may make it good. */
import { attempt, type Frame, type Run } from "./frame.ts";
import { entriesOf, fault, keysOf, kindOf } from "./kinds.ts";
import type { CelType } from "./sizes.ts";
import { type Plans, type Scope, type Slot, type Step, UNSET } from "./steps.ts";
import type { Fold } from "./syntax.ts";
import { DYN } from "./type-rules.ts";

const INT: CelType = { kind: "int" };

/** The types of the variables of a loop over something. */
function variableTypes(range: CelType, two: boolean): readonly [CelType, CelType] {
  if (range.kind === "list") return two ? [INT, range.element] : [range.element, DYN];
  return range.kind === "map" ? [range.key, range.element] : [DYN, DYN];
}

/** What is held at the end: what steps make of what was held at the start. */
const heldType = (init: CelType, step: CelType): CelType => (init.kind === "list" || init.kind === "map" ? step : init);

export function planFold(plans: Plans, fold: Fold, scope: Scope): Step {
  const range = plans.plan(fold.range, scope);
  const init = plans.plan(fold.init, scope);
  const [first, second] = fold.names;
  const types = variableTypes(range.type, second !== undefined);
  const held = plans.newSlot(init.type, init.run);
  const [one, two] = [plans.newSlot(types[0]), plans.newSlot(types[1])];
  const inner = new Map(scope).set(fold.held, held).set(first, one);
  if (second !== undefined) inner.set(second, two);
  const condition = fold.condition === undefined ? undefined : plans.plan(fold.condition, inner).run;
  const step = plans.plan(fold.step, inner);
  const outer = new Map(scope).set(fold.held, { ...held, type: heldType(init.type, step.type) });
  const result = plans.plan(fold.result, outer);
  const loop: Loop = { held: held.at, one: one.at, two: two.at, condition, step: step.run };
  const through = second === undefined ? throughItems : throughEntries;
  const run: Run = (frame) => {
    const over = range.run(frame);
    frame.slots[loop.held] = UNSET;
    through(frame, loop, over);
    return result.run(frame);
  };
  return { run, type: result.type };
}

interface Loop {
  readonly held: Slot["at"];
  readonly one: Slot["at"];
  readonly two: Slot["at"];
  readonly condition: Run | undefined;
  readonly step: Run;
}

/** False ends the loop. */
function stepOver(frame: Frame, { held, condition, step }: Loop): boolean {
  if (condition !== undefined && attempt(condition, frame) === false) return false;
  frame.slots[held] = attempt(step, frame);
  return true;
}

function throughItems(frame: Frame, loop: Loop, over: unknown): void {
  const items = Array.isArray(over) ? (over as unknown[]) : kindOf(over) === "map" ? keysOf(over) : undefined;
  if (items === undefined) return fault(`got '${kindOf(over)}', expected iterable type`);
  for (const item of items) {
    frame.slots[loop.one] = item;
    if (!stepOver(frame, loop)) return;
  }
}

function throughEntries(frame: Frame, loop: Loop, over: unknown): void {
  if (!Array.isArray(over) && kindOf(over) !== "map")
    return fault(`unsupported comprehension range type: ${kindOf(over)}`);
  const entries = Array.isArray(over) ? over.map((item, i) => [BigInt(i), item] as const) : entriesOf(over);
  for (const [key, value] of entries) {
    frame.slots[loop.one] = key;
    frame.slots[loop.two] = value;
    if (!stepOver(frame, loop)) return;
  }
}
