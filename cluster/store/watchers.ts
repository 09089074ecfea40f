import type { Logger } from "@travelops/kube/api/logger";
import type { StoreEvent } from "./store.ts";

interface Watcher {
  readonly listener: (event: StoreEvent) => void;
  /** Last revision it has seen: one that joins while a commit is being told must not hear it twice. */
  seen: number;
}

/** Who listens to which table. */
export class Watchers {
  readonly #logger: Logger;
  readonly #byTable = new Map<string, Set<Watcher>>();
  readonly #commits = new Set<(revision: number) => void>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(table: string, seen: number, listener: (event: StoreEvent) => void): () => void {
    const watcher: Watcher = { listener, seen };
    let watchers = this.#byTable.get(table);
    if (watchers === undefined) this.#byTable.set(table, (watchers = new Set()));
    watchers.add(watcher);
    return () => {
      watchers.delete(watcher);
      if (watchers.size === 0 && this.#byTable.get(table) === watchers) this.#byTable.delete(table);
    };
  }

  addCommit(listener: (revision: number) => void): () => void {
    this.#commits.add(listener);
    return () => this.#commits.delete(listener);
  }

  publish(events: readonly StoreEvent[], revision: number): void {
    for (const event of events) {
      for (const watcher of this.#byTable.get(event.object.key.table) ?? []) {
        if (event.revision <= watcher.seen) continue;
        watcher.seen = event.revision;
        this.#call(() => watcher.listener(event));
      }
    }
    for (const listener of this.#commits) this.#call(() => listener(revision));
  }

  clear(): void {
    this.#byTable.clear();
    this.#commits.clear();
  }

  #call(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      // The write is durable whatever a listener does.
      this.#logger.error("a store listener failed", { err: error });
    }
  }
}
