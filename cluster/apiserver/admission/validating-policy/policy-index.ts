/** The policies and bindings there are, kept from the store's own events: without any, a request pays one comparison. */
import type { Store } from "../../../store/store.ts";
import { type Binding, BINDINGS, POLICIES, type Policy } from "./policy.ts";

export interface BoundPolicy {
  readonly policy: Policy;
  readonly bindings: readonly Binding[];
}

export class PolicyIndex {
  readonly #store: Store;
  readonly #stops: (() => void)[];
  #bound: readonly BoundPolicy[] | undefined;

  constructor(store: Store) {
    this.#store = store;
    const changed = (): void => void (this.#bound = undefined);
    this.#stops = [POLICIES, BINDINGS].map((table) => store.watch(table, store.revision, changed));
  }

  /** Policies that some binding puts to use, both in the order of their names. */
  get bound(): readonly BoundPolicy[] {
    return (this.#bound ??= this.#load());
  }

  close(): void {
    for (const stop of this.#stops) stop();
  }

  #load(): readonly BoundPolicy[] {
    const bindings = Map.groupBy(
      this.#store.list(BINDINGS).items.map(({ object }) => object as Binding),
      ({ spec }) => spec.policyName,
    );
    if (bindings.size === 0) return [];
    return this.#store.list(POLICIES).items.flatMap(({ object }) => {
      const own = bindings.get(object.metadata.name ?? "");
      return own === undefined ? [] : [{ policy: object as Policy, bindings: own }];
    });
  }
}
