/** Pods that wait for a node: the most important first, then the oldest. Pods that fit nowhere sleep until something changes. */
import type { Pod } from "@travelops/kube";
import { keyOf } from "@travelops/kube";
import { priorityOf } from "./preemption.ts";

export class SchedulingQueue {
  readonly #ready = new Map<string, Pod>();
  readonly #asleep = new Map<string, Pod>();
  readonly #arrival = new Map<string, number>();
  #count = 0;
  #waiting: (() => void) | undefined;
  #closed = false;

  /** A pod to be placed, new or changed. */
  offer(pod: Pod): void {
    const key = keyOf(pod);
    this.#asleep.delete(key);
    if (!this.#arrival.has(key)) this.#arrival.set(key, this.#count++);
    this.#ready.set(key, pod);
    this.#wake();
  }

  /** Keeps the newest form of a pod that waits; the change alone is no reason to try again. */
  refresh(pod: Pod): void {
    const key = keyOf(pod);
    if (this.#ready.has(key)) this.#ready.set(key, pod);
    else if (this.#asleep.has(key)) this.#asleep.set(key, pod);
  }

  remove(pod: Pod): void {
    const key = keyOf(pod);
    this.#ready.delete(key);
    this.#asleep.delete(key);
    this.#arrival.delete(key);
  }

  /** It fits nowhere for now. */
  sleep(pod: Pod): void {
    this.#asleep.set(keyOf(pod), pod);
  }

  /** Something changed that may help. */
  wakeAll(): void {
    if (this.#asleep.size === 0) return;
    for (const [key, pod] of this.#asleep) this.#ready.set(key, pod);
    this.#asleep.clear();
    this.#wake();
  }

  /** Undefined once closed. */
  async next(): Promise<Pod | undefined> {
    while (this.#ready.size === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    if (this.#closed) return undefined;
    let best: Pod | undefined;
    for (const pod of this.#ready.values()) if (best === undefined || this.#before(pod, best)) best = pod;
    if (best !== undefined) this.#ready.delete(keyOf(best));
    return best;
  }

  close(): void {
    this.#closed = true;
    this.#wake();
  }

  #before(a: Pod, b: Pod): boolean {
    const difference = priorityOf(a) - priorityOf(b);
    if (difference !== 0) return difference > 0;
    return (this.#arrival.get(keyOf(a)) ?? 0) < (this.#arrival.get(keyOf(b)) ?? 0);
  }

  #wake(): void {
    this.#waiting?.();
    this.#waiting = undefined;
  }
}
