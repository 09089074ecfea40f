/** When a server that is too busy wants to be asked again: the same for every transport. */
import type { StatusError } from "../api/status-error.ts";

const TRIES = 5;
const LONGEST_S = 10;

/**
 * Milliseconds to wait before the next attempt; undefined where there should be none.
 * A disruption budget's 429 is an answer, not a throttle.
 */
export function throttledFor(error: StatusError, retryAfterSeconds: number, attempt: number): number | undefined {
  if (error.code !== 429 || attempt >= TRIES) return undefined;
  if (error.status.details?.causes?.some((cause) => cause.reason === "DisruptionBudget") === true) return undefined;
  const usable = Number.isFinite(retryAfterSeconds) && retryAfterSeconds > 0;
  return usable ? Math.min(retryAfterSeconds, LONGEST_S) * 1000 : undefined;
}
