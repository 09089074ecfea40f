/** Steps in which the embedded API server is known to differ from upstream, kept as data so that each is counted. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { type Bench, type Judge, type Output, strictJudge } from "./run-script.ts";
import type { Step } from "./script.ts";

const FILE = path.join(import.meta.dirname, "known-differences.txt");

/** Lines `script | command`; `#` starts a comment, which says why. */
function readDifferences(): Set<string> {
  const lines = readFileSync(FILE, "utf8").split("\n");
  return new Set(lines.filter((line) => line.trim() !== "" && !line.startsWith("#")));
}

export interface DifferenceLedger {
  /** Whether a step is not expected to go as upstream has it: such a step is run once and not repeated. */
  known(step: Step): boolean;
  readonly judge: Judge;
}

/** A judge that lets the known differences of one script pass, and refuses those that are none any more. */
export function differenceLedger(script: string, real: boolean): DifferenceLedger {
  const all = real ? new Set<string>() : readDifferences();
  const known = (step: Step): boolean => all.has(`${script} | ${step.command}`);
  return {
    known,
    judge(step: Step, output: Output, bench: Bench) {
      if (!known(step)) return strictJudge(step, output, bench);
      try {
        strictJudge(step, output, bench);
      } catch {
        return undefined;
      }
      throw new Error(
        `line ${step.line}: ${step.command}\nis as upstream has it now: take it out of known-differences.txt`,
      );
    },
  };
}

/** Every difference that is written down, for a check that each names a step there is. */
export const writtenDifferences = (): string[] => [...readDifferences()];
