/** Keys to be worked on: each at most once at a time, however often it is added; with back-off for those that fail. */
import { type Clock, systemClock } from "../api/clock.ts";

export interface WorkQueueOptions {
  clock?: Clock;
  /** First wait after a failure; doubles with each. */
  firstBackoffMs?: number;
  longestBackoffMs?: number;
}

interface Timer {
  readonly at: number;
  readonly cancel: () => void;
}

export class WorkQueue<K extends string = string> {
  readonly #clock: Clock;
  readonly #first: number;
  readonly #longest: number;
  /** In order; also holds what must run again when its present run is done. */
  readonly #dirty = new Set<K>();
  #queue: K[] = [];
  /** Keys before this position are taken; the array is cut when half of it is: shifting a long one moves all of it. */
  #taken = 0;
  readonly #processing = new Set<K>();
  readonly #failures = new Map<K, number>();
  readonly #timers = new Map<K, Timer>();
  readonly #waiting: ((key: K | undefined) => void)[] = [];
  #closed = false;

  constructor(options: WorkQueueOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#first = options.firstBackoffMs ?? 5;
    this.#longest = options.longestBackoffMs ?? 1_000_000;
  }

  /** Keys that wait (not those being worked on, nor those whose time has not come). */
  get length(): number {
    return this.#queue.length - this.#taken;
  }

  add(key: K): void {
    if (this.#closed || this.#dirty.has(key)) return;
    this.#dirty.add(key);
    if (this.#processing.has(key)) return;
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#queue.push(key);
    else {
      this.#start(key);
      waiting(key);
    }
  }

  /** Adds `key` once `ms` have passed; of several times the earliest counts. */
  addAfter(key: K, ms: number): void {
    if (this.#closed) return;
    if (ms <= 0) {
      this.add(key);
      return;
    }
    const at = this.#clock.now() + ms;
    const known = this.#timers.get(key);
    if (known !== undefined && known.at <= at) return;
    known?.cancel();
    const cancel = this.#clock.setTimeout(() => {
      this.#timers.delete(key);
      this.add(key);
    }, ms);
    this.#timers.set(key, { at, cancel });
  }

  /** Adds `key` after its back-off, which grows until `forget`. */
  addRateLimited(key: K): void {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    this.addAfter(key, Math.min(this.#first * 2 ** Math.min(failures, 40), this.#longest));
  }

  /** How often `key` has failed since it was last forgotten. */
  failures(key: K): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: K): void {
    this.#failures.delete(key);
  }

  /** The next key, or undefined once the queue is closed. Give it back with `done`. */
  get(): Promise<K | undefined> {
    const key = this.#take();
    if (key !== undefined) {
      this.#start(key);
      return Promise.resolve(key);
    }
    if (this.#closed) return Promise.resolve(undefined);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  done(key: K): void {
    this.#processing.delete(key);
    if (!this.#dirty.has(key)) return;
    this.#dirty.delete(key);
    this.add(key);
  }

  close(): void {
    this.#closed = true;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
    this.#queue = [];
    this.#taken = 0;
    this.#dirty.clear();
    for (const waiting of this.#waiting.splice(0)) waiting(undefined);
  }

  #take(): K | undefined {
    const key = this.#queue[this.#taken];
    if (key === undefined) return undefined;
    this.#taken++;
    if (this.#taken * 2 > this.#queue.length) {
      this.#queue = this.#queue.slice(this.#taken);
      this.#taken = 0;
    }
    return key;
  }

  #start(key: K): void {
    this.#dirty.delete(key);
    this.#processing.add(key);
  }
}
