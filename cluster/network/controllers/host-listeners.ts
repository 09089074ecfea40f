/** Sockets of this machine that the dataplane serves: opened here, handed over, and opened again when it was restarted. */
import dgram from "node:dgram";
import net from "node:net";
import type { HostListener } from "../config.ts";

export type HostSocket = net.Server | dgram.Socket;

export interface HostListenersOptions {
  /** Hands an open socket over; the copy here is closed once it has gone. */
  readonly send: (id: string, listener: HostListener, socket: HostSocket) => void;
  readonly drop: (id: string) => void;
  readonly log: (message: string) => void;
}

interface Open {
  readonly listener: HostListener;
  readonly host: string;
  readonly port: number;
}

export class HostListeners {
  readonly #options: HostListenersOptions;
  readonly #open = new Map<string, Open>();
  /** One at a time: a port must not be probed twice at once. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: HostListenersOptions) {
    this.#options = options;
  }

  /** Opens the first of `ports` that is free (0: any) and hands it over. The port is kept for as long as the id is. */
  ensure(id: string, listener: HostListener, ports: readonly number[], host = "127.0.0.1"): Promise<number> {
    return this.#inTurn(async () => {
      const known = this.#open.get(id);
      if (known !== undefined) return known.port;
      const socket = await listenOnFirst(listener, host, ports);
      const { port } = socket.address() as net.AddressInfo;
      this.#open.set(id, { listener, host, port });
      this.#options.send(id, listener, socket);
      return port;
    });
  }

  /** Hands over a socket that someone else opened. */
  adopt(id: string, listener: HostListener, server: net.Server): void {
    const address = server.address();
    if (address === null || typeof address === "string")
      throw new Error(`the ${id} listener of the ingress must be a listening TCP server`);
    this.#open.set(id, { listener, host: address.address, port: address.port });
    this.#options.send(id, listener, server);
  }

  drop(id: string): void {
    if (this.#open.delete(id)) this.#options.drop(id);
  }

  ids(): string[] {
    return [...this.#open.keys()];
  }

  port(id: string): number | undefined {
    return this.#open.get(id)?.port;
  }

  /** After a restart of the dataplane: the same ports again. */
  async reopen(): Promise<void> {
    await this.#inTurn(async () => {
      for (const [id, { listener, host, port }] of Array.from(this.#open)) {
        try {
          this.#options.send(id, listener, await listenOnFirst(listener, host, [port]));
        } catch (error) {
          this.#open.delete(id);
          this.#options.log(
            `cannot listen on ${host}:${port} again for ${id}: ${error instanceof Error ? error.message : String(error)}`,
          );
        }
      }
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turn.then(work);
    this.#turn = result.catch(() => {});
    return result;
  }
}

const isUdp = (listener: HostListener): boolean => listener.kind === "service" && listener.protocol === "UDP";

async function listenOnFirst(listener: HostListener, host: string, ports: readonly number[]): Promise<HostSocket> {
  let last: unknown;
  for (const port of ports) {
    try {
      return await (isUdp(listener) ? bind(host, port) : listen(host, port));
    } catch (error) {
      last = error;
    }
  }
  throw last instanceof Error ? last : new Error(`no port of ${host} is free`);
}

function bind(host: string, port: number): Promise<dgram.Socket> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket("udp4");
    socket.once("error", reject).bind({ address: host, port, exclusive: true }, () => resolve(socket));
  });
}

function listen(host: string, port: number): Promise<net.Server> {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    // Until the dataplane has it, nobody here may serve a connection.
    server.on("connection", (socket) => socket.destroy());
    server.once("error", reject);
    server.listen({ host, port, exclusive: true }, () => resolve(server));
  });
}
