/** The clusters beside this one, as the dataplane knows them: asked for by name each time, remembered by address. */
import { parseRange, SIBLING_RANGE } from "../address.ts";
import type { SiblingAddress } from "../config.ts";

/** Where a host of another cluster is for pods; `undefined` when there is no such cluster. */
export type AskSibling = (host: string) => Promise<SiblingAddress | undefined>;

const range = parseRange(SIBLING_RANGE);

export class Siblings {
  readonly #ask: AskSibling;
  readonly #byAddress = new Map<string, SiblingAddress>();

  constructor(ask: AskSibling) {
    this.#ask = ask;
  }

  readonly find: AskSibling = async (host) => {
    const found = await this.#ask(host);
    if (found !== undefined) this.#byAddress.set(found.address, found);
    return found;
  };

  covers(ip: string): boolean {
    return range.contains(ip);
  }

  /** The port of this machine behind an address that `find` gave out: for pods that have no network of their own. */
  onThisMachine(ip: string, port: number): { host: string; port: number } | undefined {
    const there = this.#byAddress.get(ip)?.ports[port];
    return there === undefined ? undefined : { host: "127.0.0.1", port: there };
  }
}
