/** The watchers' process: each on a connection of its own, as real clients have it. Started by `watch-latency.ts`. */
import { type ApiAddress, connectH2 } from "../h2-client.ts";

export interface WatcherReport {
  /** Milliseconds, of every event at every watcher since the last report. */
  readonly latencies: Float64Array;
}

interface Order {
  readonly address: ApiAddress;
  readonly watchers: number;
  readonly path: string;
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

async function watch({ address, watchers, path }: Order): Promise<void> {
  for (let n = 0; n < watchers; n++) {
    const client = await connectH2(address);
    let rest = "";
    await client.stream(path, (chunk) => void (rest = note(chunk, rest)));
  }
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

process.on("message", (message: Order | ReportOrder) => {
  const done =
    "reportAfter" in message ? report(message.reportAfter) : watch(message).then(() => process.send?.("ready"));
  done.catch((error: unknown) => {
    process.stderr.write(`${String(error)}\n`);
    process.exit(1);
  });
});
process.on("disconnect", () => process.exit(0));
