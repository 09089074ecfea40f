/** Connections into the pods' network from the cluster process, through the dataplane's unix socket. */
import net from "node:net";
import type { Duplex } from "node:stream";

export interface DialOptions {
  /** The pod on whose behalf the connection is made (the egress proxy knows it by its address). */
  readonly source?: string;
  readonly signal?: AbortSignal;
}

/** Rejects with the code of the failure: ECONNREFUSED, ETIMEDOUT, ENOTFOUND, EOUTSIDE (no address or name of the cluster). */
export function dialThrough(
  socketPath: string,
  host: string,
  port: number,
  options: DialOptions = {},
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({
      path: socketPath,
      allowHalfOpen: true,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    let answer = Buffer.alloc(0);
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    // Read with `readable`: whoever gets the socket finds it untouched, neither flowing nor paused.
    const onReadable = (): void => {
      for (
        let chunk: Buffer | null = socket.read() as Buffer | null;
        chunk !== null;
        chunk = socket.read() as Buffer | null
      ) {
        answer = Buffer.concat([answer, chunk]);
        const end = answer.indexOf(10);
        if (end < 0) continue;
        socket.removeListener("readable", onReadable).removeListener("error", fail).removeListener("end", onEnd);
        const reply = JSON.parse(answer.subarray(0, end).toString("utf8")) as {
          ok?: boolean;
          error?: string;
          code?: string;
        };
        if (reply.ok !== true)
          return fail(
            Object.assign(new Error(`cannot connect to ${host}:${port}: ${reply.error ?? "refused"}`), {
              code: reply.code ?? "ECONNREFUSED",
            }),
          );
        if (end + 1 < answer.length) socket.unshift(answer.subarray(end + 1));
        return resolve(socket);
      }
    };
    const onEnd = (): void =>
      fail(
        Object.assign(new Error(`cannot connect to ${host}:${port}: the dataplane closed the connection`), {
          code: "ECONNRESET",
        }),
      );
    socket.on("readable", onReadable).once("error", fail).once("end", onEnd);
    socket.write(
      `${JSON.stringify({ dial: [host, port], ...(options.source === undefined ? {} : { source: options.source }) })}\n`,
    );
  });
}
