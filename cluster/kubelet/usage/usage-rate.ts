/** From what containers have used so far to what they use. Pure. */

/** One look at one container. */
export interface UsageSample {
  /** Id of the container. */
  readonly key: string;
  readonly at: number;
  /** Since it was started. */
  readonly cpuMs: number;
  readonly memoryBytes: number;
}

export interface UsageRate {
  readonly at: number;
  readonly windowMs: number;
  readonly cpuNanoCores: number;
  readonly memoryBytes: number;
}

/** Between two looks; without an earlier one since the start, when it had used nothing. */
export function usageRate(before: UsageSample | undefined, sample: UsageSample, startedAt: number): UsageRate {
  const from = before ?? { at: startedAt, cpuMs: 0 };
  const windowMs = Math.max(1, sample.at - from.at);
  // A process that ends between two looks may take its time along.
  const used = Math.max(0, sample.cpuMs - from.cpuMs);
  return {
    at: sample.at,
    windowMs,
    cpuNanoCores: Math.round((used / windowMs) * 1e9),
    memoryBytes: sample.memoryBytes,
  };
}
