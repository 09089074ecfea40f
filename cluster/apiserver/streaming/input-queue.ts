/** What arrives by events, read as an async sequence; tells when its reader lags behind. */
export class InputQueue<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  readonly #size: (item: T) => number;
  readonly #onPressure: (high: boolean) => void;
  #waiting = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(size: (item: T) => number = () => 0, onPressure: (high: boolean) => void = () => {}) {
    this.#size = size;
    this.#onPressure = onPressure;
  }

  push(item: T): void {
    if (this.#ended) return;
    this.#items.push(item);
    const before = this.#waiting;
    this.#waiting += this.#size(item);
    if (before <= HIGH_WATER && this.#waiting > HIGH_WATER) this.#onPressure(true);
    this.#wake?.();
  }

  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      while (this.#items.length > 0) {
        const item = this.#items.shift() as T;
        const before = this.#waiting;
        this.#waiting -= this.#size(item);
        if (before > HIGH_WATER && this.#waiting <= HIGH_WATER) this.#onPressure(false);
        yield item;
      }
      if (this.#ended) return;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
  }
}

const HIGH_WATER = 1024 * 1024;
