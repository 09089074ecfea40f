/** When an API that is just being started first answers. */
import https from "node:https";
import net from "node:net";

export async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no free port");
  return address.port;
}

const PAUSE_MS = 3;
/** A large store on a busy machine takes its time; what takes longer has failed. */
export const LONGEST_START_MS = 120_000;

/** Milliseconds from now to the first 200 of /readyz. Asks seldom enough not to take the CPU from what is starting. */
export async function timeToReady(port: number): Promise<number> {
  const begin = performance.now();
  while (performance.now() - begin < LONGEST_START_MS) {
    if ((await connects(port)) && (await isReady(port))) return performance.now() - begin;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  throw new Error(`nothing answered on port ${port} within ${LONGEST_START_MS / 1000} s`);
}

const connects = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(port, "127.0.0.1");
    const end = (connected: boolean): void => {
      socket.destroy();
      resolve(connected);
    };
    socket.once("connect", () => end(true)).once("error", () => end(false));
  });

/** Whose certificate it is plays no part here: nothing is sent that would need to be trusted. */
const isReady = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const request = https.get(
      { port, host: "127.0.0.1", path: "/readyz", rejectUnauthorized: false, agent: false },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode === 200);
      },
    );
    request.on("error", () => resolve(false));
  });
