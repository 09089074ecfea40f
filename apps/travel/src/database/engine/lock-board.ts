import { errors } from "../errors.ts";

/** Tells sessions that wait for a lock when one may have come free, and keeps LOCK TABLES. */
export class LockBoard {
  #waiting: (() => void)[] = [];
  #tableLocker: object | undefined;

  /** Wakes everyone who waits; called after every end of a transaction. */
  released(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /** Waits for the next release; a lock wait timeout when the deadline comes first. */
  async wait(deadline: number, signal: AbortSignal): Promise<void> {
    const left = deadline - performance.now();
    if (left <= 0) throw errors.lockWait();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, left);
      signal.addEventListener("abort", () => resolve(), { once: true });
      this.#waiting.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    if (signal.aborted) throw errors.shutdown();
  }

  /** Whether LOCK TABLES of another session keeps this one from writing. */
  keepsOut(session: object): boolean {
    return this.#tableLocker !== undefined && this.#tableLocker !== session;
  }

  async lockTables(session: object, deadline: number, signal: AbortSignal): Promise<void> {
    while (this.keepsOut(session)) await this.wait(deadline, signal);
    this.#tableLocker = session;
  }

  unlockTables(session: object): void {
    if (this.#tableLocker !== session) return;
    this.#tableLocker = undefined;
    this.released();
  }
}
