/** Looks at what containers use, for as long as somebody wants to know it: nobody asking, nothing is done. */
import type { Clock } from "@travelops/kube/api/clock.ts";
import type { UsageSample } from "./usage-rate.ts";

/** Between two looks while there is interest. */
export const SAMPLE_EVERY_MS = 15_000;
/** How long interest lasts after it was last shown. */
const INTEREST_MS = 60_000;
/** The first answer needs two looks; CPU time is counted in hundredths of a second. */
const FIRST_WINDOW_MS = 1000;

export interface SamplePair {
  readonly before: ReadonlyMap<string, UsageSample>;
  readonly after: ReadonlyMap<string, UsageSample>;
}

const EMPTY: SamplePair = { before: new Map(), after: new Map() };

export class UsageSampler {
  readonly #look: () => Promise<readonly UsageSample[]>;
  readonly #clock: Clock;
  #pair: SamplePair | undefined;
  #first: Promise<SamplePair> | undefined;
  #askedAt = 0;
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(look: () => Promise<readonly UsageSample[]>, clock: Clock) {
    this.#look = look;
    this.#clock = clock;
  }

  /** The last two looks; the first question of a while waits for them. */
  async latest(): Promise<SamplePair> {
    if (this.#closed) return EMPTY;
    this.#askedAt = this.#clock.now();
    if (this.#pair !== undefined) return this.#pair;
    this.#first ??= this.#begin().finally(() => (this.#first = undefined));
    return this.#first;
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  async #begin(): Promise<SamplePair> {
    const before = await this.#sample();
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.setTimeout(resolve, FIRST_WINDOW_MS);
      this.#cancel = () => {
        cancel();
        resolve();
      };
    });
    if (this.#closed) return EMPTY;
    this.#pair = { before, after: await this.#sample() };
    this.#again();
    return this.#pair;
  }

  async #sample(): Promise<ReadonlyMap<string, UsageSample>> {
    return new Map((await this.#look()).map((sample) => [sample.key, sample]));
  }

  #again(): void {
    if (this.#closed) return;
    this.#cancel = this.#clock.setTimeout(() => void this.#next(), SAMPLE_EVERY_MS);
  }

  async #next(): Promise<void> {
    const before = this.#pair?.after;
    if (before === undefined || this.#clock.now() - this.#askedAt > INTEREST_MS) {
      this.#pair = undefined;
      return;
    }
    try {
      this.#pair = { before, after: await this.#sample() };
      this.#again();
    } catch {
      // The sandbox has ended: the next question finds that out by itself.
      this.#pair = undefined;
    }
  }
}
