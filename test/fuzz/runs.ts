/** How often each property is tried: enough to find something in a CI run, far more when asked. */
import type fc from "fast-check";

export const RUNS = Number(process.env["TRAVELOPS_FUZZ_RUNS"] ?? 150);

export const PARAMETERS: fc.Parameters<unknown> = {
  numRuns: RUNS,
  endOnFailure: process.env["TRAVELOPS_FUZZ_SHRINK"] === undefined && RUNS > 1000,
};
export const TIMEOUT_MS = 60_000 + RUNS * 100;
