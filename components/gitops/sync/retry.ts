/** When a failed operation is tried again, and when drift is healed again. Pure. */
import { parseDurationOrSeconds } from "@travelops/kube/api/duration";
import type { RetryStrategy } from "../application/types.ts";

const DEFAULTS = { limit: 5, durationMs: 5000, factor: 2, maxMs: 180_000 };

/** Milliseconds from the end of a failed attempt to the next; undefined: there is none. A limit below 0 is no limit. */
export function retryDelay(
  retry: RetryStrategy | undefined,
  automated: boolean,
  retryCount: number,
): number | undefined {
  const limit = retry?.limit ?? (automated ? DEFAULTS.limit : 0);
  if (limit >= 0 && retryCount >= limit) return undefined;
  const first = parseDurationOrSeconds(retry?.backoff?.duration) ?? DEFAULTS.durationMs;
  const factor = retry?.backoff?.factor ?? DEFAULTS.factor;
  const max = parseDurationOrSeconds(retry?.backoff?.maxDuration) ?? DEFAULTS.maxMs;
  return Math.min(max, first * factor ** retryCount);
}

const HEAL_DELAYS_MS = [0, 500, 2000, 6000, 18_000, 54_000, 162_000];
const HEAL_CAP_MS = 300_000;

/**
 * Pause before the next heal of a quarrel, after this many heals of it. Upstream's row (2 s, then three times as long
 * each, at most 300 s) with one short pause before it, so that two edits by hand are both healed at once.
 */
export const healDelay = (attempts: number): number => HEAL_DELAYS_MS[attempts] ?? HEAL_CAP_MS;
