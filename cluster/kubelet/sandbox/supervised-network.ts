/** The pods' network over the lives of podhosts: what listens in it is opened anew in each. */
import type { Server, Socket } from "node:net";
import type { Logger } from "@travelops/kube/api/logger.ts";
import type { PodNetworkHost } from "../pod-network-host.ts";

export interface SupervisedNetworkOptions {
  /** That of the podhost that lives; waits for one. */
  readonly host: () => Promise<PodNetworkHost>;
  readonly onRestart: (listener: () => void) => () => void;
  readonly log: Logger;
}

export function supervisedNetwork(first: PodNetworkHost, options: SupervisedNetworkOptions): PodNetworkHost {
  return {
    sandbox: first.sandbox,
    async listen(address, port) {
      const server = await (await options.host()).listen(address, port);
      // In the bare sandbox it is a socket of this machine, which outlives podhost.
      if (first.sandbox === "namespaces") reopenWith(options, server, address, port);
      return server;
    },
    async runDaemon(spec) {
      for (;;) {
        const host = await options.host();
        try {
          return await host.runDaemon(spec);
        } catch (error) {
          // It ended meanwhile: the next one runs it.
          if ((await options.host()) === host) throw error;
        }
      }
    },
  };
}

/** Users keep the server they were given: connections to its successors appear as its own. */
function reopenWith(options: SupervisedNetworkOptions, server: Server, address: string, port: number): void {
  let successor: Server | undefined;
  let closed = false;
  const reopen = async (): Promise<void> => {
    successor?.close();
    successor = undefined;
    const next = await (await options.host()).listen(address, port);
    if (closed) return void next.close();
    successor = next;
    const { allowHalfOpen, noDelay, pauseOnConnect } = server as Server & Record<string, unknown>;
    Object.assign(next, { allowHalfOpen, noDelay, pauseOnConnect });
    next.on("connection", (socket: Socket) => server.emit("connection", socket));
  };
  const forget = options.onRestart(() => {
    reopen().catch((error: unknown) =>
      options.log.error("a socket in the pods' network was not opened again", { address, port, err: error }),
    );
  });
  server.once("close", () => {
    closed = true;
    forget();
    successor?.close();
  });
}
