/** `PodNetworkHost` on top of podhost: sockets made there, daemons started there. */
import type { Server } from "node:net";
import type { PodNetworkDaemon, PodNetworkHost } from "../pod-network-host.ts";
import type { Handle, PodhostClient } from "./podhost-client.ts";

export function podhostNetwork(
  sandbox: "namespaces" | "bare",
  client: PodhostClient,
  where: (address: string, port: number) => { address: string; port: number },
  baseEnv: Readonly<Record<string, string>>,
): PodNetworkHost {
  let count = 0;
  return {
    sandbox,
    listen: async (address, port) => (await client.requestHandle("listen", where(address, port))) as Server,
    async runDaemon({ name, file, env }): Promise<PodNetworkDaemon> {
      const id = `daemon/${name}/${count++}`;
      const listeners: ((message: unknown, handle?: Handle) => void)[] = [];
      const early: [unknown, Handle | undefined][] = [];
      const exited = new Promise<number | string>((resolve) => {
        client.on(id, (event) => {
          if (event.ev === "exit") {
            client.off(id);
            resolve(event.signal ?? event.code ?? 0);
          }
          if (event.ev !== "daemon") return;
          if (listeners.length === 0) early.push([event.message, event.handle]);
          for (const listener of listeners) listener(event.message, event.handle);
        });
        void client.exited.then((how) => resolve(how));
      });
      await client.request("daemon", { id, file, env: { ...baseEnv, ...env } });
      return {
        send: (message, handle) => client.tell("daemon-send", { id, message }, handle),
        onMessage(listener) {
          listeners.push(listener);
          for (const [message, handle] of early.splice(0)) listener(message, handle);
        },
        exited,
        kill: () => client.tell("daemon-kill", { id }),
      };
    },
  };
}
