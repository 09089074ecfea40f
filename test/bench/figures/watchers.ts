/** The watchers' process: each on a connection of its own, as real clients have it. Started by `watch-latency.ts`. */
import { type ApiAddress, connectH2, type H2Client, keepInFlight } from "../h2-client.ts";

export interface WatcherReport {
  /** Milliseconds, of every event at every watcher since the last report. */
  readonly latencies: Float64Array;
}

export interface WatchOrder {
  readonly address: ApiAddress;
  /** One watch each. */
  readonly paths: readonly string[];
  /** How many events all of them together start with; none where absent. */
  readonly initialEvents?: number;
}

/** All of them stand and have seen what they start with. */
export interface WatchersReady {
  /** From the first request to the last initial event. */
  readonly syncMs: number;
}

export interface ReportOrder {
  /** How many events have to have come. */
  readonly reportAfter: number;
}

let latencies: number[] = [];

/** The time of sending stands between two @ in the object; the clock is the machine's, the same in every process. */
function note(chunk: Buffer, rest: string): string {
  const now = process.hrtime.bigint();
  const text = rest + chunk.toString("latin1");
  let at = 0;
  for (;;) {
    const begin = text.indexOf("@", at);
    const end = begin < 0 ? -1 : text.indexOf("@", begin + 1);
    if (end < 0) return begin < 0 ? "" : text.slice(begin);
    const stamp = text.slice(begin + 1, end);
    if (/^\d+$/.test(stamp)) latencies.push(Number(now - BigInt(stamp)) / 1e6);
    at = end + 1;
  }
}

const CONNECTING = 16;
const LINE_END = 10;

async function watch({ address, paths, initialEvents = 0 }: WatchOrder): Promise<WatchersReady> {
  const clients: H2Client[] = [];
  await keepInFlight(paths.length, CONNECTING, async () => void clients.push(await connectH2(address)));
  let lines = 0;
  const { promise: synced, resolve } = Promise.withResolvers<void>();
  const count = (chunk: Buffer): void => {
    for (let at = chunk.indexOf(LINE_END); at >= 0; at = chunk.indexOf(LINE_END, at + 1)) lines++;
    if (lines >= initialEvents) resolve();
  };
  if (initialEvents === 0) resolve();
  const begin = performance.now();
  await Promise.all(
    clients.map((client, n) => {
      let rest = "";
      return client.stream(paths[n] ?? "", (chunk) => {
        if (lines < initialEvents) count(chunk);
        else rest = note(chunk, rest);
      });
    }),
  );
  await synced;
  return { syncMs: performance.now() - begin };
}

const PATIENCE_MS = 10_000;

/** Once all events have come, or no more are to be expected. */
async function report(wanted: number): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  while (latencies.length < wanted && performance.now() < deadline)
    await new Promise((resolve) => setTimeout(resolve, 20));
  process.send?.({ latencies: Float64Array.from(latencies) } satisfies WatcherReport);
  latencies = [];
}

process.on("message", (message: WatchOrder | ReportOrder) => {
  const done =
    "reportAfter" in message ? report(message.reportAfter) : watch(message).then((ready) => process.send?.(ready));
  done.catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
});
process.on("disconnect", () => process.exit(0));
