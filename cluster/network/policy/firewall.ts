/** The kernel's bridge firewall of the pods' network, told over netlink: no root, no `nft`, nothing while no policy exists. */
import { batch, errorsIn } from "./netlink-message.ts";
import { compileFirewall, dropSet, foundation, removal, replacement, type FirewallPlan } from "./firewall-rules.ts";

/** A netlink socket of nf_tables; `exchange` sends one batch and gives back what the kernel said. */
export interface NetlinkSocket {
  exchange(bytes: Buffer): Buffer;
  close(): void;
}

/** Kernel buffers of sockets are small: sets are filled before the rules that use them. */
const MOST_BYTES = 64 * 1024;

export class Firewall {
  readonly #socket: NetlinkSocket;
  #generation = 0;
  #sets: readonly string[] = [];
  #stands = false;

  constructor(socket: NetlinkSocket) {
    this.#socket = socket;
  }

  /** Makes the kernel hold the pods to a plan, all at once; throws when the kernel refuses, and then nothing has changed. */
  enforce(plan: FirewallPlan): void {
    const next = compileFirewall(plan, ++this.#generation);
    const made: string[] = [];
    try {
      if (!this.#stands) this.#send([...removal(), ...foundation()]);
      this.#stands = true;
      for (const set of next.sets) {
        this.#send([set.create]);
        made.push(set.name);
        for (const chunk of chunks(set.elements)) this.#send(chunk);
      }
      this.#send(replacement(next, this.#sets));
    } catch (error) {
      if (made.length > 0) this.#send(made.map(dropSet));
      throw error;
    }
    this.#sets = next.sets.map((s) => s.name);
  }

  /** Lets everything pass again. */
  clear(): void {
    if (!this.#stands) return;
    this.#send(removal());
    this.#stands = false;
    this.#sets = [];
  }

  #send(changes: readonly Buffer[]): void {
    const failed = errorsIn(this.#socket.exchange(batch(changes))).find((code) => code !== 0);
    if (failed !== undefined) throw new Error(`the kernel's nf_tables refused a change: error ${-failed}`);
  }

  close(): void {
    this.#socket.close();
  }
}

function chunks(messages: readonly Buffer[]): Buffer[][] {
  const all: Buffer[][] = [];
  let size = MOST_BYTES;
  for (const message of messages) {
    if (size + message.length > MOST_BYTES) {
      all.push([]);
      size = 0;
    }
    all.at(-1)?.push(message);
    size += message.length;
  }
  return all;
}
