/** A point in (steady) time that may move nearer while someone waits for it. */
import { steadyNow, type Clock } from "@travelops/kube/api/clock.ts";

export class Deadline {
  readonly #clock: Clock;
  readonly #reached = Promise.withResolvers<void>();
  #at: number;
  #cancel: () => void;

  constructor(clock: Clock, at: number) {
    this.#clock = clock;
    this.#at = at;
    this.#cancel = this.#arm();
  }

  get at(): number {
    return this.#at;
  }

  /** Resolves when the time has come. */
  get reached(): Promise<void> {
    return this.#reached.promise;
  }

  /** Later times change nothing. */
  bringForward(at: number): void {
    if (at >= this.#at) return;
    this.#at = at;
    this.#cancel();
    this.#cancel = this.#arm();
  }

  close(): void {
    this.#cancel();
  }

  #arm(): () => void {
    return this.#clock.setTimeout(() => this.#reached.resolve(), Math.max(0, this.#at - steadyNow(this.#clock)));
  }
}
