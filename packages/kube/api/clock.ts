/** Time as something handed in: whoever waits or stamps takes a `Clock`, so tests turn it by hand. */

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** The same scale, but it only ever goes on: a step of the machine's clock does not move it. Absent where `now` is so. */
  steady?(): number;
  /** Calls `fn` once after `ms`; the result cancels it. */
  setTimeout(fn: () => void, ms: number): () => void;
}

/** For how long things last; `now` is for when they were. */
export const steadyNow = (clock: Clock): number => clock.steady?.() ?? clock.now();

/** Node fires a timer above 2^31-1 ms at once, so longer waits are split. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The machine's clock. Its timers keep the process alive, as Node's own do. */
export const systemClock: Clock = {
  now: () => Date.now(),
  steady: () => Math.floor(performance.timeOrigin + performance.now()),
  setTimeout: (fn, ms) => {
    let timer: NodeJS.Timeout;
    const arm = (left: number): void => {
      timer =
        left > LONGEST_TIMER_MS
          ? setTimeout(() => arm(left - LONGEST_TIMER_MS), LONGEST_TIMER_MS)
          : setTimeout(fn, Math.max(0, left));
    };
    arm(ms);
    return () => clearTimeout(timer);
  },
};

export interface FakeClock extends Clock {
  /** Moves time on and runs what falls due, in order of its deadline. */
  advance(ms: number): void;
  /** How many timers wait. */
  readonly pending: number;
  /** Milliseconds until the next timer, or undefined when none waits. */
  nextIn(): number | undefined;
}

interface FakeTimer {
  readonly at: number;
  readonly order: number;
  readonly fn: () => void;
}

/** A clock that stands still until a test moves it. */
export function fakeClock(start: number = Date.UTC(2026, 0, 1)): FakeClock {
  let now = start;
  let order = 0;
  const timers = new Set<FakeTimer>();
  const next = (): FakeTimer | undefined => {
    let first: FakeTimer | undefined;
    for (const timer of timers) {
      if (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order))
        first = timer;
    }
    return first;
  };
  return {
    now: () => now,
    setTimeout(fn, ms) {
      const timer: FakeTimer = { at: now + Math.max(0, ms), order: order++, fn };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    advance(ms) {
      const end = now + ms;
      for (let timer = next(); timer !== undefined && timer.at <= end; timer = next()) {
        timers.delete(timer);
        now = timer.at;
        timer.fn();
      }
      now = end;
    },
    get pending() {
      return timers.size;
    },
    nextIn() {
      const timer = next();
      return timer === undefined ? undefined : timer.at - now;
    },
  };
}

/** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      cancel();
      reject(signal?.reason as Error);
    };
    const cancel = clock.setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

/** A time as the API writes `Time`: RFC 3339 in whole seconds. */
export function formatTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

/** A time as the API writes `MicroTime`. */
export function formatMicroTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`;
}
