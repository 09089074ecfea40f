/** One priority level: so many requests at a time, and queues in which those of one flow do not push out others. */
import type { Clock } from "@travelops/kube/api/clock";
import { tooManyRequests } from "@travelops/kube";
import { mostSeats } from "./list-width.ts";

export interface LevelLimits {
  /** Infinite for exempt requests. */
  readonly seats: number;
  /** Of the seats, those that others may use while they are free. */
  readonly lendable: number;
  /** How many of others' it may use itself. */
  readonly borrowing: number;
  /** 0: what finds no seat is refused at once. */
  readonly queues: number;
  readonly handSize: number;
  readonly queueLength: number;
}

/** Gives the seat back. To be called once. */
export type Leave = () => void;

interface Waiting {
  readonly seats: number;
  readonly admit: () => void;
}

class Queue {
  readonly waiting: Waiting[] = [];
  /** In the level's virtual time: how much this queue has had. */
  start = 0;
}

/** A quarter of a request's minute, as upstream has it. */
const PATIENCE_MS = 15_000;
const RETRY_AFTER_S = 1;

const refusal = () => tooManyRequests("Too many requests, please try again later.", RETRY_AFTER_S);

export class PriorityLevel {
  readonly #clock: Clock;
  readonly #spare: () => number;
  readonly #queues = new Map<number, Queue>();
  #limits: LevelLimits;
  #now = 0;
  /** Requests that are served. */
  executing = 0;
  /** The seats they have. */
  seated = 0;
  waiting = 0;
  dispatched = 0;
  rejected = 0;

  /** `spare`: how many seats other levels lend at this moment. */
  constructor(limits: LevelLimits, clock: Clock, spare: () => number = () => 0) {
    this.#spare = spare;
    this.#limits = limits;
    this.#clock = clock;
  }

  get seats(): number {
    return this.#limits.seats;
  }

  /** The most that one request takes. */
  get mostSeats(): number {
    return mostSeats(this.#limits.seats, this.#limits.handSize);
  }

  /** New limits; those that wait may go on at once. */
  limit(limits: LevelLimits): void {
    this.#limits = limits;
    this.#dispatch();
  }

  /**
   * A seat, or so many, at once where they are free. Throws a 429 where queues are full, rejects with it where the wait is too long.
   * Who asks has a signal only if it has to wait: making one costs more than the rest.
   */
  enter(flow: string, asking: { readonly signal: AbortSignal } | undefined, seats = 1): Leave | Promise<Leave> {
    if (this.waiting === 0 && this.#has(seats)) return this.#sit(seats);
    const { queues, queueLength } = this.#limits;
    const queue = queues === 0 ? undefined : this.#queueOf(flow);
    if (queue === undefined || queue.waiting.length >= queueLength) {
      this.rejected++;
      throw refusal();
    }
    return this.#wait(queue, asking?.signal, seats);
  }

  /** Seats of others that it uses. */
  get borrowed(): number {
    return Math.max(0, this.seated - this.#limits.seats);
  }

  /** Seats of its own that others may use now. */
  get lent(): number {
    const { seats, lendable } = this.#limits;
    return seats === Infinity ? 0 : Math.max(0, Math.min(lendable, seats - this.seated));
  }

  #has(wanted: number): boolean {
    const { seats, borrowing } = this.#limits;
    if (this.seated + wanted <= seats) return true;
    // One without any seat is a jail: what it holds is held. Elsewhere whoever is alone is served, however wide.
    if (seats === 0) return false;
    if (this.seated === 0) return true;
    const more = this.seated + wanted - Math.max(seats, this.seated);
    return this.borrowed + more <= borrowing && this.#spare() >= more;
  }

  readonly #leave: Leave = () => this.#free(1);

  #free(seats: number): void {
    this.executing--;
    this.seated -= seats;
    if (this.waiting > 0) this.#dispatch();
  }

  #sit(seats: number): Leave {
    this.executing++;
    this.seated += seats;
    this.dispatched++;
    return seats === 1 ? this.#leave : () => this.#free(seats);
  }

  #wait(queue: Queue, signal: AbortSignal | undefined, seats: number): Promise<Leave> {
    return new Promise((resolve, reject) => {
      const give = (): void => {
        stop();
        resolve(this.#sit(seats));
      };
      const waiting: Waiting = { seats, admit: give };
      const giveUp = (): void => {
        stop();
        const at = queue.waiting.indexOf(waiting);
        if (at < 0) return;
        queue.waiting.splice(at, 1);
        this.waiting--;
        this.rejected++;
        reject(refusal());
      };
      const cancel = this.#clock.setTimeout(giveUp, PATIENCE_MS);
      const stop = (): void => {
        cancel();
        signal?.removeEventListener("abort", giveUp);
      };
      signal?.addEventListener("abort", giveUp, { once: true });
      if (queue.waiting.length === 0) queue.start = Math.max(queue.start, this.#now);
      queue.waiting.push(waiting);
      this.waiting++;
    });
  }

  /** The shortest queue of the flow's hand: two flows seldom have the same hand. */
  #queueOf(flow: string): Queue {
    let best: Queue | undefined;
    for (const index of handOf(flow, this.#limits.queues, this.#limits.handSize)) {
      let queue = this.#queues.get(index);
      if (queue === undefined) this.#queues.set(index, (queue = new Queue()));
      if (best === undefined || queue.waiting.length < best.waiting.length) best = queue;
    }
    if (best === undefined) throw new Error("a hand has at least one queue");
    return best;
  }

  /** The queue that had least goes first; while there is no room for its first request, nobody else's is served. */
  #dispatch(): void {
    while (this.waiting > 0) {
      let next: Queue | undefined;
      for (const [index, queue] of this.#queues) {
        if (queue.waiting.length === 0) this.#queues.delete(index);
        else if (next === undefined || queue.start < next.start) next = queue;
      }
      const first = next?.waiting[0];
      if (next === undefined || first === undefined || !this.#has(first.seats)) return;
      next.waiting.shift();
      this.#now = next.start;
      next.start += first.seats;
      this.waiting--;
      first.admit();
    }
  }
}

/** `size` different numbers below `deck`, dealt by the flow's hash (shuffle sharding). */
export function handOf(flow: string, deck: number, size: number): number[] {
  let hash = hashOf(flow);
  const hand: number[] = [];
  for (let i = 0; i < Math.min(size, deck); i++) {
    const left = BigInt(deck - i);
    let card = Number(hash % left);
    hash /= left;
    for (const dealt of hand.toSorted((a, b) => a - b)) if (card >= dealt) card++;
    hand.push(card);
  }
  return hand;
}

/** FNV-1a, 64 bits. */
function hashOf(text: string): bigint {
  let hash = 0xcbf29ce484222325n;
  for (let i = 0; i < text.length; i++) hash = BigInt.asUintN(64, (hash ^ BigInt(text.charCodeAt(i))) * 0x100000001b3n);
  return hash;
}
