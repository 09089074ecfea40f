/** What was acknowledged about each object, and what was under way when the answer never came. */

/** The value an object holds; undefined: it is not there. */
export type Value = string | undefined;

interface Entry {
  readonly acknowledged: Value;
  /** Asked for and not answered: may or may not have happened. */
  readonly pending: { readonly value: Value } | undefined;
}

export class Ledger {
  readonly #entries = new Map<string, Entry>();
  /** The highest revision that was ever acknowledged or read. */
  revision = 0;
  acknowledged = 0;

  value(name: string): Value {
    return this.#entries.get(name)?.acknowledged;
  }

  begin(name: string, value: Value): void {
    this.#entries.set(name, { acknowledged: this.value(name), pending: { value } });
  }

  acknowledge(name: string, value: Value, revision: number): void {
    this.#entries.set(name, { acknowledged: value, pending: undefined });
    this.revision = Math.max(this.revision, revision);
    this.acknowledged++;
  }

  /** The server said no: nothing has changed. */
  refuse(name: string): void {
    this.#entries.set(name, { acknowledged: this.value(name), pending: undefined });
  }

  /** Compares with what is there after a resume, and takes that as the truth from then on. */
  settle(found: ReadonlyMap<string, string>): string[] {
    const lost: string[] = [];
    for (const [name, { acknowledged, pending }] of this.#entries) {
      const now = found.get(name);
      if (now !== acknowledged && (pending === undefined || now !== pending.value))
        lost.push(`${name}: acknowledged ${show(acknowledged)}, found ${show(now)}`);
      this.#entries.set(name, { acknowledged: now, pending: undefined });
    }
    for (const name of found.keys()) if (!this.#entries.has(name)) lost.push(`${name}: nobody wrote it`);
    return lost;
  }
}

const show = (value: Value): string => (value === undefined ? "deleted" : JSON.stringify(value));
