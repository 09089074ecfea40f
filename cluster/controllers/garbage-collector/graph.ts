/** Who owns whom. Pure bookkeeping: takes observations, answers questions, says whom to look at. */
import type { Observation, Observed } from "../object-monitors.ts";

export const FOREGROUND = "foregroundDeletion";
export const ORPHAN = "orphan";

export const awaitsDependents = (object: Observed): boolean =>
  object.deleting && object.finalizers.includes(FOREGROUND);
export const orphansDependents = (object: Observed): boolean => object.deleting && object.finalizers.includes(ORPHAN);

/** Work that follows from an observation, by uid. */
export interface Agenda {
  /** May have lost its owners, or may wait for nothing any more. */
  readonly check: readonly string[];
  /** Is to let its dependents go. */
  readonly orphan: readonly string[];
}

const NOTHING: Agenda = { check: [], orphan: [] };

export class OwnerGraph {
  readonly #objects = new Map<string, Observed>();
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): Observed | undefined {
    return this.#objects.get(uid);
  }

  dependentsOf(uid: string): Observed[] {
    const found: Observed[] = [];
    for (const dependent of this.#dependents.get(uid) ?? []) {
      const object = this.#objects.get(dependent);
      if (object !== undefined) found.push(object);
    }
    return found;
  }

  /** Those whose owner must not go before them. */
  blockersOf(uid: string): Observed[] {
    return this.dependentsOf(uid).filter((object) =>
      object.owners.some((owner) => owner.uid === uid && owner.blockOwnerDeletion === true),
    );
  }

  apply(observation: Observation): Agenda {
    return observation.type === "seen" ? this.#seen(observation.object) : this.#gone(observation.object);
  }

  #seen(object: Observed): Agenda {
    const before = this.#objects.get(object.uid);
    this.#objects.set(object.uid, object);
    if (before?.owners !== object.owners) this.#relink(object, before);
    const check = new Set<string>();
    // An owner that nobody has seen may never have existed, or be gone already: the server is asked.
    const unseen = object.owners.some((owner) => !this.#objects.has(owner.uid));
    if (unseen && !sameOwners(object, before)) check.add(object.uid);
    if (awaitsDependents(object)) {
      check.add(object.uid);
      for (const dependent of this.#dependents.get(object.uid) ?? []) check.add(dependent);
    }
    // Let go by a dependent, an owner may be free.
    for (const owner of before?.owners ?? []) {
      const known = this.#objects.get(owner.uid);
      if (known !== undefined && awaitsDependents(known) && !sameOwners(object, before)) check.add(owner.uid);
    }
    if (object.owners.some((owner) => isAwaiting(this.#objects.get(owner.uid))) && !sameOwners(object, before))
      check.add(object.uid);
    if (check.size === 0 && !orphansDependents(object)) return NOTHING;
    return { check: [...check], orphan: orphansDependents(object) ? [object.uid] : [] };
  }

  #gone(object: Observed): Agenda {
    const known = this.#objects.get(object.uid) ?? object;
    this.#objects.delete(object.uid);
    for (const owner of known.owners) this.#unlink(owner.uid, object.uid);
    const check = new Set<string>(this.#dependents.get(object.uid));
    for (const owner of known.owners) if (isAwaiting(this.#objects.get(owner.uid))) check.add(owner.uid);
    return check.size === 0 ? NOTHING : { check: [...check], orphan: [] };
  }

  #relink(object: Observed, before: Observed | undefined): void {
    for (const owner of before?.owners ?? []) this.#unlink(owner.uid, object.uid);
    for (const owner of object.owners) {
      let set = this.#dependents.get(owner.uid);
      if (set === undefined) this.#dependents.set(owner.uid, (set = new Set()));
      set.add(object.uid);
    }
  }

  #unlink(owner: string, dependent: string): void {
    const set = this.#dependents.get(owner);
    set?.delete(dependent);
    if (set?.size === 0) this.#dependents.delete(owner);
  }
}

const isAwaiting = (object: Observed | undefined): boolean => object !== undefined && awaitsDependents(object);

function sameOwners(object: Observed, before: Observed | undefined): boolean {
  if (before === undefined || before.owners.length !== object.owners.length) return false;
  return object.owners.every((owner, i) => {
    const other = before.owners[i];
    return other?.uid === owner.uid && other.blockOwnerDeletion === owner.blockOwnerDeletion;
  });
}
