/** DNS of the machine, for names outside the cluster: raw queries in, raw answers out. Fast to give up. */
import dgram from "node:dgram";
import dns from "node:dns";
import net from "node:net";
import type { Clock } from "@travelops/kube";

const TIMEOUT_MS = 1500;
/** After a silence nobody waits again for a while: pods would hang on every lookup of an offline machine. */
const SILENT_MS = 15_000;

export class HostResolver {
  readonly #clock: Clock;
  readonly #servers: () => readonly string[];
  #silentUntil = 0;

  constructor(clock: Clock, servers: () => readonly string[] = () => dns.getServers()) {
    this.#clock = clock;
    this.#servers = servers;
  }

  async ask(query: Buffer): Promise<Buffer | undefined> {
    if (this.#clock.now() < this.#silentUntil) return undefined;
    for (const server of this.#servers().slice(0, 2)) {
      const answer = await this.#askOne(server, query);
      if (answer !== undefined) return answer;
    }
    this.#silentUntil = this.#clock.now() + SILENT_MS;
    return undefined;
  }

  #askOne(server: string, query: Buffer): Promise<Buffer | undefined> {
    const { host, port } = splitServer(server);
    return new Promise((resolve) => {
      const socket = dgram.createSocket(net.isIPv6(host) ? "udp6" : "udp4");
      const cancel = this.#clock.setTimeout(() => done(undefined), TIMEOUT_MS);
      const done = (answer: Buffer | undefined): void => {
        cancel();
        socket.removeAllListeners().on("error", () => {});
        socket.close();
        resolve(answer);
      };
      socket.once("error", () => done(undefined));
      socket.on("message", (answer) => {
        if (answer.length >= 12 && answer.readUInt16BE(0) === query.readUInt16BE(0)) done(answer);
      });
      socket.send(query, port, host);
    });
  }
}

/** `1.2.3.4`, `1.2.3.4:5353`, `[::1]:5353`, `::1`. */
function splitServer(server: string): { host: string; port: number } {
  const bracketed = /^\[(.+)\](?::(\d+))?$/.exec(server);
  if (bracketed !== null) return { host: bracketed[1] ?? "", port: Number(bracketed[2] ?? 53) };
  const colon = server.lastIndexOf(":");
  if (colon < 0 || net.isIPv6(server)) return { host: server, port: 53 };
  return { host: server.slice(0, colon), port: Number(server.slice(colon + 1)) };
}
