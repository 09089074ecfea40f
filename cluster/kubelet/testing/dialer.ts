/** Connections into the pods' network for tests, without a dataplane. */
import type { Duplex } from "node:stream";
import { fileURLToPath } from "node:url";
import type { PodNetworkHost } from "../pod-network-host.ts";

export interface Dialer {
  dial(ip: string, port: number): Promise<Duplex>;
  close(): void;
}

export async function startDialer(host: PodNetworkHost): Promise<Dialer> {
  const daemon = await host.runDaemon({ name: "dialer", file: fileURLToPath(new URL("dialer.cjs", import.meta.url)) });
  const waiting = new Map<number, { resolve: (socket: Duplex) => void; reject: (error: Error) => void }>();
  let next = 0;
  daemon.onMessage((message, handle) => {
    const { id, error } = message as { id: number; error?: string };
    const asked = waiting.get(id);
    waiting.delete(id);
    if (handle !== undefined) asked?.resolve(handle as unknown as Duplex);
    else asked?.reject(new Error(error ?? "refused"));
  });
  return {
    dial: (ip, port) =>
      new Promise((resolve, reject) => {
        const id = next++;
        waiting.set(id, { resolve, reject });
        daemon.send({ id, ip, port });
      }),
    close: () => daemon.kill(),
  };
}
