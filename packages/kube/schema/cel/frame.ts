/** One evaluation of an expression: what it sees, what it holds on the way, and what it has cost so far. */
import { CelFault, CostExceeded } from "./kinds.ts";

export class Frame {
  readonly variables: Readonly<Record<string, unknown>>;
  /** What loops hold; each knows its places. */
  readonly slots: unknown[] = [];
  cost = 0;
  readonly #limit: number;

  constructor(variables: Readonly<Record<string, unknown>>, limit: number) {
    this.variables = variables;
    this.#limit = limit;
  }

  charge(units: number): void {
    this.cost += units;
    if (this.cost > this.#limit) throw new CostExceeded();
  }
}

export type Run = (frame: Frame) => unknown;

/** An error that was held back: it may yet turn out not to matter. */
export class Failure {
  readonly error: unknown;
  constructor(error: unknown) {
    this.error = error;
  }
}

/** An error that another operand may make good; what ends all is thrown on, and so is what is no expression's fault. */
export function failureOf(error: unknown): Failure {
  if (error instanceof CelFault) return new Failure(error);
  throw error;
}

/** What an expression gives, or the error that it ends with. */
export function attempt(run: Run, frame: Frame): unknown {
  try {
    return run(frame);
  } catch (error) {
    return failureOf(error);
  }
}
