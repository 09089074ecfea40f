/** The order in which the kernel is told, and what becomes of its refusals; what it then does is in network-policy.test.ts. */
import { describe, expect, it } from "vitest";
import type { PolicyConfig } from "../config.ts";
import type { NetlinkSocket } from "../netfilter/netlink-socket.ts";
import { Firewall } from "./firewall.ts";

/** An answer of the kernel: an acknowledgement, or an error's number. */
function answer(error: number): Buffer {
  const bytes = Buffer.alloc(36);
  bytes.writeUInt32LE(36, 0);
  bytes.writeUInt16LE(2, 4);
  bytes.writeInt32LE(-error, 16);
  return bytes;
}

/** The commands of nf_tables in a batch, in order. */
function commands(bytes: Buffer): number[] {
  const found: number[] = [];
  for (let at = 0; at < bytes.length; at += (bytes.readUInt32LE(at) + 3) & ~3) found.push(bytes.readUInt16LE(at + 4));
  return found.slice(1, -1).map((type) => type & 255);
}

const [NEW_TABLE, DELETE_TABLE, NEW_RULE, DELETE_RULE, NEW_SET, DELETE_SET] = [0, 2, 6, 8, 9, 11];

function kernel(refuse: (batch: number) => number = () => 0): { socket: NetlinkSocket; batches: number[][] } {
  const batches: number[][] = [];
  return {
    batches,
    socket: {
      exchange(bytes) {
        batches.push(commands(bytes));
        return answer(refuse(batches.length));
      },
      close() {},
    },
  };
}

const policy = (pods: readonly string[]): PolicyConfig => ({
  pods,
  ingress: [{ ports: [{ protocol: "TCP", from: 80, to: 80 }] }],
});
const plan = (...policies: PolicyConfig[]) => ({ policies, denied: [], judged: [] });

describe("the firewall", () => {
  it("is told in one batch where that will do, and lets go of the sets before", () => {
    const { socket, batches } = kernel();
    const firewall = new Firewall(socket);
    firewall.enforce(plan(policy(["10.128.0.5"])));
    firewall.enforce(plan(policy(["10.128.0.6"])));
    expect(batches).toHaveLength(2);
    expect(batches[0]?.slice(0, 3)).toEqual([NEW_TABLE, DELETE_TABLE, NEW_TABLE]);
    const [, second = []] = batches;
    expect(second).not.toContain(NEW_TABLE);
    // New sets, the old rules away, the new rules, the old sets away: all in one step.
    const order = [NEW_SET, DELETE_RULE, NEW_RULE, DELETE_SET].map((command) => second.indexOf(command));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    const made = batches[0]?.filter((c) => c === NEW_SET).length ?? 0;
    // All but the memory of flows.
    expect(second.filter((c) => c === DELETE_SET)).toHaveLength(made - 1);
  });

  it("fills large sets first and changes the rules last, at once", () => {
    const { socket, batches } = kernel();
    const pods = Array.from({ length: 20_000 }, (_, i) => `10.128.${(i * 2) >> 8}.${(i * 2) & 255}`);
    new Firewall(socket).enforce(plan(policy(pods)));
    expect(batches.length).toBeGreaterThan(2);
    expect(batches.slice(0, -1).flat()).not.toContain(NEW_RULE);
    expect(batches.at(-1)).toContain(NEW_RULE);
  });

  it("says what the kernel refused, keeps nothing by half, and starts anew the next time", () => {
    const pods = Array.from({ length: 20_000 }, (_, i) => `10.128.${(i * 2) >> 8}.${(i * 2) & 255}`);
    let refused = 2;
    const { socket, batches } = kernel((batch) => (batch === refused ? 12 : 0));
    const firewall = new Firewall(socket);
    expect(() => firewall.enforce(plan(policy(pods)))).toThrow("the kernel's nf_tables refused a change: error 12");
    expect(batches.at(-1)).toEqual([NEW_TABLE, DELETE_TABLE]);
    refused = 0;
    const before = batches.length;
    firewall.enforce(plan(policy(["10.128.0.5"])));
    expect(batches[before]?.slice(0, 3)).toEqual([NEW_TABLE, DELETE_TABLE, NEW_TABLE]);
  });

  it("clears what a process before it left, once", () => {
    const { socket, batches } = kernel();
    const firewall = new Firewall(socket, true);
    firewall.clear();
    firewall.clear();
    expect(batches).toEqual([[NEW_TABLE, DELETE_TABLE]]);
  });

  it("goes without a trace, and asks nothing of the kernel where it never stood", () => {
    const { socket, batches } = kernel();
    const firewall = new Firewall(socket);
    firewall.clear();
    expect(batches).toEqual([]);
    firewall.enforce(plan(policy(["10.128.0.5"])));
    firewall.clear();
    expect(batches.at(-1)).toEqual([NEW_TABLE, DELETE_TABLE]);
  });
});
