import { createServer, type AddressInfo, type Socket } from "node:net";
import type { PluginName } from "./auth/password.ts";
import { Connection } from "./connection.ts";
import type { Engine } from "./engine/engine.ts";
import { errors } from "./errors.ts";
import { framePayload } from "./wire/packet-stream.ts";
import { errorPacket } from "./wire/result-packets.ts";

export interface DatabaseServerOptions {
  readonly engine: Engine;
  readonly host: string | undefined;
  readonly port: number;
  readonly defaultPlugin: PluginName;
  readonly maxConnections?: number;
  /** Hears of errors that are ours, not the client's. */
  readonly failed: (error: unknown) => void;
}

export interface DatabaseServer {
  readonly port: number;
  close(): Promise<void>;
}

/** Listens for MySQL clients. `close` ends their connections; what was acknowledged is on disk. */
export async function startDatabaseServer(options: DatabaseServerOptions): Promise<DatabaseServer> {
  const { engine } = options;
  const stop = new AbortController();
  const running = new Set<Promise<void>>();
  let nextId = 1;
  const accept = (socket: Socket): void => {
    if (running.size >= (options.maxConnections ?? 151)) {
      socket.on("error", () => socket.destroy());
      socket.end(Buffer.concat(framePayload(errorPacket(errors.tooManyConnections()), 0).frames));
      return;
    }
    engine.connections++;
    const { defaultPlugin, failed } = options;
    const connection = new Connection(socket, { engine, id: nextId++, defaultPlugin, failed, signal: stop.signal });
    const served = connection.serve().catch((error: unknown) => {
      failed(error);
      socket.destroy();
    });
    const tracked = served.finally(() => running.delete(tracked));
    running.add(tracked);
  };
  const server = createServer(accept);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      stop.abort();
      await Promise.all([closed, ...running]);
    },
  };
}
