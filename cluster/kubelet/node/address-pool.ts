/** The pod addresses of one node: a /24, handed out in turn so that an address rests before it is used again. */
export class AddressesExhaustedError extends Error {
  override readonly name = "AddressesExhaustedError";
}

/** `.1` is the node's own. */
const FIRST = 2;
const LAST = 254;

export class NodeAddressPool {
  readonly #prefix: string;
  readonly #taken = new Set<number>();
  #next = FIRST;

  /** `cidr`: `10.128.3.0/24`. */
  constructor(cidr: string) {
    this.#prefix = cidr.slice(0, cidr.lastIndexOf("."));
  }

  allocate(wanted: string | undefined): string {
    const own = wanted === undefined ? undefined : this.#hostPart(wanted);
    if (own !== undefined && !this.#taken.has(own)) return this.#take(own);
    for (let tried = FIRST; tried <= LAST; tried++) {
      const candidate = this.#next;
      this.#next = candidate === LAST ? FIRST : candidate + 1;
      if (!this.#taken.has(candidate)) return this.#take(candidate);
    }
    throw new AddressesExhaustedError(`all ${LAST - FIRST + 1} pod addresses of ${this.#prefix}.0/24 are in use`);
  }

  /** Keeps an address from being handed out to another. */
  reserve(address: string): void {
    const part = this.#hostPart(address);
    if (part !== undefined) this.#next = part === LAST ? FIRST : Math.max(this.#next, part + 1);
  }

  release(address: string): void {
    const part = this.#hostPart(address);
    if (part !== undefined) this.#taken.delete(part);
  }

  #hostPart(address: string): number | undefined {
    const part = Number(address.slice(this.#prefix.length + 1));
    return address.startsWith(`${this.#prefix}.`) && Number.isInteger(part) && part >= FIRST && part <= LAST
      ? part
      : undefined;
  }

  #take(part: number): string {
    this.#taken.add(part);
    return `${this.#prefix}.${part}`;
  }
}
