/** The kernel's firewall of the pods' network, told over netlink: no root, no `nft`, nothing while no policy exists. */
import type { NetlinkSocket } from "../netfilter/netlink-socket.ts";
import { batch, errorsIn } from "../netfilter/netlink-message.ts";
import { compileFirewall, foundation, removal, replacement, type FirewallPlan } from "./firewall-rules.ts";

/** Kernel buffers of sockets are small: where it is much, sets are filled before the rules that use them. */
const MOST_BYTES = 160 * 1024;

export class Firewall {
  readonly #socket: NetlinkSocket;
  #generation = 0;
  #sets: readonly string[] = [];
  #stands = false;
  /** Rules of a process before this one. */
  #leftover: boolean;

  constructor(socket: NetlinkSocket, rulesMayStand = false) {
    this.#socket = socket;
    this.#leftover = rulesMayStand;
  }

  /** Makes the kernel hold the pods to a plan, all at once; throws when the kernel refuses, and then the old rules stand. */
  enforce(plan: FirewallPlan): void {
    const next = compileFirewall(plan, ++this.#generation);
    const first = this.#stands ? [] : [...removal(), ...foundation()];
    const filling = next.sets.flatMap((set) => [set.create, ...set.elements]);
    // Every batch costs a grace period of the kernel: one, where it all fits.
    const batches = chunks([...first, ...filling], replacement(next, this.#sets));
    try {
      for (const changes of batches) {
        this.#send(changes);
        this.#stands = true;
        this.#leftover = false;
      }
    } catch (error) {
      if (batches.length > 1) this.#startAnew();
      throw error;
    }
    this.#sets = next.sets.map((s) => s.name);
  }

  /** After a plan that went in by half: nothing of it is kept, and the next one starts from the ground. */
  #startAnew(): void {
    this.#send(removal());
    this.#stands = false;
    this.#sets = [];
  }

  /** Lets everything pass again. */
  clear(): void {
    if (!this.#stands && !this.#leftover) return;
    this.#send(removal());
    this.#stands = false;
    this.#leftover = false;
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

/** `last` stays together: it is what makes the change. */
function chunks(messages: readonly Buffer[], last: readonly Buffer[]): Buffer[][] {
  const all: Buffer[][] = [[]];
  let size = 0;
  for (const message of messages) {
    if (size + message.length > MOST_BYTES) {
      all.push([]);
      size = 0;
    }
    all.at(-1)?.push(message);
    size += message.length;
  }
  if (size + last.reduce((sum, message) => sum + message.length, 0) > MOST_BYTES) all.push([]);
  all.at(-1)?.push(...last);
  return all.filter((chunk) => chunk.length > 0);
}
