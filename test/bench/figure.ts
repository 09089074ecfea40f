/** What a figure is: one budget of the design, how it is measured, and what was seen. */
import type { Spread } from "./statistics.ts";
import type { Subject, SubjectName } from "./subject.ts";

export type Unit = "µs" | "ms" | "s" | "KB" | "MB" | "%" | "% of a core" | "a second";

export interface Budget {
  readonly limit: number;
  /** Times and sizes must stay below the limit, rates above it. */
  readonly better: "lower" | "higher";
}

export interface Measurement {
  /** Stable, for JSON readers: `creates`, `watch-p99`. */
  readonly id: string;
  readonly what: string;
  readonly unit: Unit;
  /** Absent: shown for its own sake. */
  readonly budget?: Budget;
  readonly subject: SubjectName;
  readonly value: Spread;
}

export type Measured = Omit<Measurement, "subject">;

export interface BenchContext {
  /** Fewer and shorter runs, for a look; the figures are rougher. */
  readonly quick: boolean;
  /** A scratch directory on the disk that is measured; removed at the end. */
  readonly directory: string;
  readonly say: (text: string) => void;
}

/** Measured on every API there is. */
export interface ApiFigure {
  readonly kind: "api";
  readonly id: string;
  measure(subject: Subject, context: BenchContext): Promise<Measured[]>;
}

/** Measured on this project alone: there is no peer on this machine. */
export interface OwnFigure {
  readonly kind: "own";
  readonly id: string;
  measure(context: BenchContext): Promise<Measured[]>;
}

export type Figure = ApiFigure | OwnFigure;

export const meets = ({ budget, value }: Pick<Measurement, "budget" | "value">): boolean | undefined => {
  if (budget === undefined) return undefined;
  return budget.better === "lower" ? value.median <= budget.limit : value.median >= budget.limit;
};
