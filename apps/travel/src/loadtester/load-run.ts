import type { HttpClient } from "../shared/http-client.ts";
import { errorText } from "../shared/log.ts";
import { pause } from "../shared/pause.ts";

export interface LoadOptions {
  readonly url: string;
  readonly connections: number;
  readonly calls: number;
  /** Calls a second over all connections; 0 is as fast as it goes. */
  readonly rate: number;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

export interface LoadResult {
  readonly seconds: number;
  /** Milliseconds of every call, ascending. */
  readonly latencies: readonly number[];
  /** How often each status was answered; transport errors by their message. */
  readonly outcomes: ReadonlyMap<string, number>;
}

/** Makes the calls over as many connections as asked for. */
export async function runLoad(client: HttpClient, options: LoadOptions): Promise<LoadResult> {
  const latencies: number[] = [];
  const outcomes = new Map<string, number>();
  const began = options.now();
  let next = 0;
  const turn = async (): Promise<void> => {
    for (let call = next++; call < options.calls && !options.signal.aborted; call = next++) {
      if (options.rate > 0) {
        await pause(began + (call * 1000) / options.rate - options.now(), options.signal);
        if (options.signal.aborted) return;
      }
      const sent = options.now();
      const outcome = await client.call(options.url, { signal: options.signal }).then(
        (response) => String(response.status),
        (error: unknown) => errorText(error),
      );
      if (options.signal.aborted) return;
      latencies.push(options.now() - sent);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.connections, options.calls) }, turn));
  return { seconds: (options.now() - began) / 1000, latencies: latencies.toSorted((a, b) => a - b), outcomes };
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

/** One line for people: how many, how fast, what was answered. */
export function summary(result: LoadResult): string {
  const { latencies, seconds, outcomes } = result;
  const rate = seconds > 0 ? latencies.length / seconds : 0;
  const times = [0.5, 0.75, 0.9, 0.99].map((p) => `p${p * 100} ${percentile(latencies, p).toFixed(1)} ms`);
  const codes = [...outcomes].map(([outcome, count]) => `${outcome}: ${count}`);
  return [
    `${latencies.length} calls in ${seconds.toFixed(2)} s (${rate.toFixed(1)} qps)`,
    times.join(", "),
    codes.join(", ") || "no answers",
  ].join(" | ");
}
