import type { Clock } from "@travelops/kube/api/clock";
import type { Logger } from "@travelops/kube/api/logger";
import type { RevisionLog } from "./revision-log.ts";

/** The history that is kept: a revision goes once it is older than `ms`, or more than `revisions` came after it. */
export interface Retention {
  readonly ms: number;
  readonly revisions: number;
}

const ROWS_A_STEP = 400;
const PAGES_A_STEP = 128;
/** Between two steps requests are served. */
const PAUSE_MS = 2;
const SCRUB_MS = 1_000;
const RETRY_MS = 30_000;

/** Keeps the file bounded: compaction and vacuum in small steps, between which the loop is free. Idle, it does nothing. */
export class Maintenance {
  readonly #log: RevisionLog;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #retention: Retention;
  #cancel: (() => void) | undefined;
  #due = Infinity;
  #cancelScrub: (() => void) | undefined;
  #closed = false;

  constructor(log: RevisionLog, clock: Clock, logger: Logger, retention: Retention) {
    this.#log = log;
    this.#clock = clock;
    this.#logger = logger;
    this.#retention = retention;
    this.#schedule(0);
  }

  /** After each commit. */
  committed(): void {
    const kept = this.#log.revision - this.#log.compacted;
    const slack = Math.min(1_000, Math.ceil(this.#retention.revisions / 10));
    if (kept > this.#retention.revisions + slack) this.#schedule(PAUSE_MS);
    else this.#schedule(this.#retention.ms);
  }

  /** Values were taken out of the history: old pages in the write-ahead log still hold them (encrypted) until it is emptied. */
  scrubbed(): void {
    if (this.#closed) return;
    this.#cancelScrub ??= this.#clock.setTimeout(() => {
      this.#cancelScrub = undefined;
      this.#guard(() => this.#log.checkpoint());
    }, SCRUB_MS);
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#cancelScrub?.();
  }

  #schedule(ms: number): void {
    const due = this.#clock.now() + ms;
    if (this.#closed || due >= this.#due) return;
    this.#cancel?.();
    this.#due = due;
    this.#cancel = this.#clock.setTimeout(() => {
      this.#cancel = undefined;
      this.#due = Infinity;
      this.#guard(() => this.#step());
    }, ms);
  }

  #step(): void {
    const { ms, revisions } = this.#retention;
    const now = this.#clock.now();
    const step = this.#log.compact(ROWS_A_STEP, now - ms, this.#log.revision - revisions);
    if (step.more || this.#log.vacuum(PAGES_A_STEP)) this.#schedule(PAUSE_MS);
    // Not sooner than a sixtieth of the window: old rows then go in bulk.
    else if (step.nextTime !== undefined) this.#schedule(Math.max(step.nextTime + ms - now, ms / 60));
  }

  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#logger.warn("the store's history cannot be compacted, trying again later", { err: error });
      this.#schedule(RETRY_MS);
    }
  }
}
