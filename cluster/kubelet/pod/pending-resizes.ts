/** Pods of a node that wait for more resources: tried again, in upstream's order, whenever others may have left some. */
import { amounts, specRequests, type Amounts } from "../../scheduler/resources.ts";
import { allRecords } from "./pod-record.ts";
import type { PodWorker } from "./pod-worker.ts";
import { allocatedPod, byResizeRank, type NodeRoom } from "./resize.ts";

export class PendingResizes {
  /** By uid. */
  readonly pending = new Set<string>();
  readonly #workers: () => Iterable<PodWorker>;
  readonly #allocatable: Amounts;

  constructor(workers: () => Iterable<PodWorker>, allocatable: Readonly<Record<string, string>>) {
    this.#workers = workers;
    this.#allocatable = amounts(allocatable);
  }

  room(uid: string): NodeRoom {
    return { allocatable: this.#allocatable, used: () => this.#usedBeside(uid) };
  }

  /** Each looks for itself, in turn: what the first is given the next does not find. */
  retry(): void {
    if (this.pending.size === 0) return;
    [...this.#workers()]
      .flatMap((worker) => {
        const { pendingResize } = worker.record;
        return pendingResize === undefined ? [] : [{ worker, pod: worker.pod, since: pendingResize.since }];
      })
      .sort(byResizeRank)
      .forEach(({ worker }) => worker.wake());
  }

  #usedBeside(uid: string): Amounts {
    const total = new Map<string, number>();
    for (const { pod, record } of this.#workers()) {
      const phase = record.ended?.phase ?? pod.status?.phase;
      if (pod.metadata.uid === uid || phase === "Succeeded" || phase === "Failed") continue;
      for (const [name, value] of specRequests(allocatedPod(pod, allRecords(record))))
        total.set(name, (total.get(name) ?? 0) + value);
    }
    return total;
  }
}
