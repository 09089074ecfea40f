/**
 * Doors to the clusters beside this one: listening sockets in the pods' network, at the addresses that cluster DNS gives
 * their names, each joined to the port of 127.0.0.1 where that cluster answers. Bytes pass as they are: TLS is between
 * the pod and that cluster. Opened when a pod first asks for the name, so that clusters nobody talks to cost nothing.
 */
import net from "node:net";
import type { SiblingAddress } from "../config.ts";
import { join } from "../dataplane/pump.ts";
import type { FindSibling } from "./sibling-clusters.ts";

export interface SiblingDoorsOptions {
  readonly find: FindSibling;
  /** A listening socket in the pods' network; absent where pods use this machine's own ports. */
  readonly listen: ((address: string, port: number) => Promise<net.Server>) | undefined;
  readonly log: (message: string) => void;
}

/** One address: the name by which it was last asked for, and what listens there. */
interface Door {
  host: string;
  readonly servers: Map<number, Promise<net.Server>>;
}

const LOOPBACK = "127.0.0.1";

export class SiblingDoors {
  readonly #options: SiblingDoorsOptions;
  readonly #doors = new Map<string, Door>();
  #closed = false;

  constructor(options: SiblingDoorsOptions) {
    this.#options = options;
  }

  /** The address of a host's cluster, its door open; `undefined` where there is no such cluster (any more). */
  async open(host: string): Promise<SiblingAddress | undefined> {
    const { find, listen } = this.#options;
    const sibling = find(host);
    if (sibling === undefined || listen === undefined || this.#closed) return sibling;
    const door = this.#doors.get(sibling.address) ?? { host, servers: new Map() };
    this.#doors.set(sibling.address, door);
    // A cluster that was deleted may have left its address to another.
    door.host = host;
    const wanted = Object.keys(sibling.ports).map(Number);
    for (const port of door.servers.keys()) if (!wanted.includes(port)) this.#shut(door, port);
    await Promise.all(wanted.map((port) => this.#serve(door, sibling.address, port, listen)));
    return sibling;
  }

  #serve(
    door: Door,
    address: string,
    port: number,
    listen: NonNullable<SiblingDoorsOptions["listen"]>,
  ): Promise<net.Server> {
    const known = door.servers.get(port);
    if (known !== undefined) return known;
    const opened = listen(address, port).then((server) => {
      if (this.#closed) return server.close();
      // A server that came as a handle has none of the options it would be made with.
      Object.assign(server, { allowHalfOpen: true, noDelay: true, pauseOnConnect: true });
      return server.on("connection", (client: net.Socket) => this.#relay(client, door, port));
    });
    door.servers.set(port, opened);
    opened.catch((error: unknown) => {
      door.servers.delete(port);
      this.#options.log(`pods cannot reach ${door.host} at ${address}:${port}: ${String(error)}`);
    });
    return opened;
  }

  #relay(client: net.Socket, door: Door, port: number): void {
    const there = this.#options.find(door.host)?.ports[port];
    client.on("error", () => {});
    if (there === undefined) return void client.resetAndDestroy();
    join(client, net.connect({ host: LOOPBACK, port: there, noDelay: true, allowHalfOpen: true }));
  }

  #shut(door: Door, port: number): void {
    door.servers.get(port)?.then(
      (server) => server.close(),
      () => {},
    );
    door.servers.delete(port);
  }

  close(): void {
    this.#closed = true;
    for (const door of this.#doors.values()) for (const port of door.servers.keys()) this.#shut(door, port);
    this.#doors.clear();
  }
}
