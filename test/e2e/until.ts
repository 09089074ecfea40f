/** Waiting for what a user would wait for: a condition with a deadline, never a length of time. */
import { setTimeout as wait } from "node:timers/promises";

/** Asks again until `probe` gives something; what it last threw or saw is the error's cause. */
export async function until<T>(
  what: string,
  probe: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined && value !== false) return value;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`not within ${timeoutMs} ms: ${what}`, { cause: last });
    await wait(50);
  }
}
