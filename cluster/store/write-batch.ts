import type { Actor, ObjectKey, StoredObject, StoreEvent } from "./store.ts";

export interface StagedWrite {
  readonly event: StoreEvent;
  readonly actor: Actor;
}

/** The writes of one turn: committed together, or not at all. */
export class WriteBatch {
  readonly writes: StagedWrite[] = [];
  readonly #view = new Map<string, StoredObject | undefined>();
  readonly #waiting: { settle: () => void; reject: (error: Error) => void }[] = [];

  /** What earlier writes of this batch made of an object. */
  staged(key: ObjectKey): { readonly object: StoredObject | undefined } | undefined {
    const id = idOf(key);
    return this.#view.has(id) ? { object: this.#view.get(id) } : undefined;
  }

  /** The last staged state of each object of a namespace that this batch writes; undefined where it deletes. */
  *stagedIn(table: string, namespace: string): Generator<readonly [name: string, object: StoredObject | undefined]> {
    const names = new Set<string>();
    for (const { event } of this.writes) {
      const { key } = event.object;
      if (key.table === table && key.namespace === namespace) names.add(key.name);
    }
    for (const name of names) yield [name, this.#view.get(idOf({ table, namespace, name }))];
  }

  add(write: StagedWrite): void {
    this.writes.push(write);
    this.#view.set(idOf(write.event.object.key), write.event.type === "delete" ? undefined : write.event.object);
  }

  /** A promise that follows the batch: `outcome` tells (or throws) what it settles with once the batch is durable. */
  follow<T>(outcome: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const settle = (): void => {
        try {
          resolve(outcome());
        } catch (error) {
          reject(error as Error);
        }
      };
      this.#waiting.push({ settle, reject });
    });
  }

  succeed(): void {
    for (const waiting of this.#waiting) waiting.settle();
  }

  fail(error: Error): void {
    for (const waiting of this.#waiting) waiting.reject(error);
  }
}

const idOf = (key: ObjectKey): string => `${key.table}\0${key.namespace}\0${key.name}`;
