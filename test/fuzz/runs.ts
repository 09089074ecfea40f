/** How often each property is tried: enough to find something in a CI run, far more when asked. */
import type fc from "fast-check";

export const RUNS = Number(process.env["TRAVELOPS_FUZZ_RUNS"] ?? 150);

const seed = process.env["TRAVELOPS_FUZZ_SEED"];

/** fast-check prints the seed of a failure; TRAVELOPS_FUZZ_SEED repeats it. */
export const PARAMETERS: fc.Parameters<unknown> = {
  numRuns: RUNS,
  endOnFailure: process.env["TRAVELOPS_FUZZ_SHRINK"] === undefined && RUNS > 1000,
  ...(seed === undefined ? {} : { seed: Number(seed) }),
};
export const TIMEOUT_MS = 60_000 + RUNS * 100;
