/** A netlink socket by way of the C library: Node has none of its own. Loaded with the first Service or NetworkPolicy. */

/** A netlink socket of nf_tables; `exchange` sends one batch and gives back what the kernel said. */
export interface NetlinkSocket {
  exchange(bytes: Buffer): Buffer;
  close(): void;
}

declare module "node:ffi" {
  interface Signature {
    readonly return: string;
    readonly arguments: readonly string[];
  }
  export function dlopen(
    path: string | null,
    definitions: Readonly<Record<string, Signature>>,
  ): { functions: Record<string, (...args: (number | bigint | Buffer)[]) => number | bigint> };
}

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0o2000000;
const NETLINK_NETFILTER = 12;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SEND_BUFFER = 1024 * 1024;
const MSG_DONTWAIT = 0x40;

/** Rejects where the C library cannot be called or the kernel gives no such socket. */
export async function openNetlink(): Promise<NetlinkSocket> {
  const { dlopen } = await import("node:ffi");
  const { functions } = dlopen(null, {
    socket: { return: "i32", arguments: ["i32", "i32", "i32"] },
    bind: { return: "i32", arguments: ["i32", "pointer", "u32"] },
    setsockopt: { return: "i32", arguments: ["i32", "i32", "i32", "pointer", "u32"] },
    send: { return: "i64", arguments: ["i32", "pointer", "u64", "i32"] },
    recv: { return: "i64", arguments: ["i32", "pointer", "u64", "i32"] },
    close: { return: "i32", arguments: ["i32"] },
  });
  const call = (name: string, ...args: (number | bigint | Buffer)[]): number =>
    Number(functions[name]?.(...args) ?? -1);
  const fd = call("socket", AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  if (fd < 0) throw new Error("the kernel has no netlink socket of netfilter for this user");
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF_NETLINK);
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32LE(SEND_BUFFER);
  call("setsockopt", fd, SOL_SOCKET, SO_SNDBUF, buffer, 4);
  if (call("bind", fd, address, address.length) < 0) {
    call("close", fd);
    throw new Error("the netlink socket of netfilter cannot be bound");
  }
  const answer = Buffer.alloc(64 * 1024);
  return {
    exchange(bytes) {
      if (call("send", fd, bytes, BigInt(bytes.length), 0) !== bytes.length)
        throw new Error(`the kernel did not take ${bytes.length} bytes of nf_tables rules`);
      // A batch is worked off within `send`: whatever the kernel says of it is there.
      const parts: Buffer[] = [];
      for (;;) {
        const size = call("recv", fd, answer, BigInt(answer.length), MSG_DONTWAIT);
        if (size <= 0) break;
        parts.push(Buffer.from(answer.subarray(0, size)));
      }
      if (parts.length === 0) throw new Error("the kernel has no nf_tables, or does not allow them here");
      return Buffer.concat(parts);
    },
    close: () => void call("close", fd),
  };
}
