/** Expressions made ready to run. */
import type { EngineNode } from "./evaluation.ts";
import { Frame } from "./frame.ts";
import { FunctionTable } from "./functions.ts";
import { addLibraries } from "./library.ts";
import { Planner } from "./plan.ts";
import type { CelType } from "./sizes.ts";
import { addStandard } from "./standard.ts";
import { addMatches } from "./strings.ts";
import { treeOf } from "./syntax.ts";
import { addTexts } from "./texts.ts";

/** What one expression may cost at most, in upstream's units. */
export const CALL_LIMIT = 1_000_000;

export type Evaluation = { readonly cost: number } & ({ readonly value: unknown } | { readonly error: unknown });

export interface Program {
  readonly type: CelType;
  /** What it gives or ends with, and what that has cost. Throws nothing but what is no error of an expression. */
  evaluate(variables: Readonly<Record<string, unknown>>): Evaluation;
}

/** All functions that Kubernetes' expressions have. */
export function allFunctions(): FunctionTable {
  const table = new FunctionTable();
  addStandard(table);
  addTexts(table);
  addMatches(table);
  addLibraries(table);
  return table;
}

/** Plans what was parsed. Throws `CelFault` for what cannot be. */
export function planProgram(
  ast: EngineNode,
  functions: FunctionTable,
  variables: ReadonlyMap<string, CelType>,
  limit = CALL_LIMIT,
): Program {
  const { run, type } = new Planner(functions, variables).plan(treeOf(ast), new Map());
  return {
    type,
    evaluate(given) {
      const frame = new Frame(given, limit);
      try {
        return { value: run(frame), cost: frame.cost };
      } catch (error) {
        return { error, cost: frame.cost };
      }
    },
  };
}
