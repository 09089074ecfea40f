import type { StoreEvent } from "./store.ts";

/** The latest events, in memory: what most watches that resume ask for. Bounded by count and by bytes. */
export class EventWindow {
  readonly #maxEvents: number;
  readonly #maxBytes: number;
  #events: StoreEvent[] = [];
  /** Events before this position are dropped; the array is cut when half of it is. */
  #start = 0;
  #bytes = 0;
  #after: number;

  constructor(after: number, maxEvents: number, maxBytes: number) {
    this.#after = after;
    this.#maxEvents = maxEvents;
    this.#maxBytes = maxBytes;
  }

  /** The window holds every event after this revision. */
  get after(): number {
    return this.#after;
  }

  push(event: StoreEvent): void {
    this.#events.push(event);
    this.#bytes += event.object.bytes.length;
    while (this.#events.length - this.#start > this.#maxEvents || this.#bytes > this.#maxBytes) this.#drop();
    if (this.#start > 64 && this.#start * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#start);
      this.#start = 0;
    }
  }

  /** Events of a table after `revision`, oldest first. */
  *since(revision: number, table: string): Generator<StoreEvent> {
    const events = this.#events;
    let low = this.#start;
    let high = events.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((events[middle] as StoreEvent).revision <= revision) low = middle + 1;
      else high = middle;
    }
    const end = events.length;
    for (let at = low; at < end; at++) {
      const event = events[at] as StoreEvent;
      if (event.object.key.table === table) yield event;
    }
  }

  #drop(): void {
    const event = this.#events[this.#start] as StoreEvent;
    this.#start++;
    this.#bytes -= event.object.bytes.length;
    this.#after = event.revision;
  }
}
