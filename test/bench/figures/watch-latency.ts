/** From sending a write to its event at each of 100 watchers, at 100 writes a second. */
import { fork } from "node:child_process";
import path from "node:path";
import type { ApiFigure } from "../figure.ts";
import { connectH2 } from "../h2-client.ts";
import { percentile, spread } from "../statistics.ts";
import type { ReportOrder, WatcherReport, WatchOrder } from "./watchers.ts";

const WATCHERS = 100;
const WRITES_A_SECOND = 100;
const COLLECTION = "/api/v1/namespaces/default/configmaps";

export const watchLatency: ApiFigure = {
  kind: "api",
  id: "watch",
  async measure(subject, { quick, directory, say }) {
    const { address, close } = await subject.start(directory);
    // The watchers stand in a process of their own: a busy writer must not delay what they see.
    const watchers = fork(path.join(import.meta.dirname, "watchers.ts"), [], { serialization: "advanced" });
    const client = await connectH2(address);
    try {
      await new Promise((resolve, reject) => {
        watchers.once("message", resolve).once("error", reject);
        watchers.send({
          address,
          paths: Array<string>(WATCHERS).fill(`${COLLECTION}?watch=true`),
        } satisfies WatchOrder);
      });
      const seconds = quick ? 3 : 10;
      const wanted = seconds * WRITES_A_SECOND * WATCHERS;
      const rounds: WatcherReport[] = [];
      for (let round = 0; round <= (quick ? 2 : 3); round++) {
        await writeAtRate(seconds, (n) =>
          client.request(
            "POST",
            COLLECTION,
            `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"w${round}-${n}"},"data":{"sent":"@${process.hrtime.bigint()}@","rest":"${"x".repeat(900)}"}}`,
          ),
        );
        const report = new Promise<WatcherReport>((resolve) => watchers.once("message", resolve));
        watchers.send({ reportAfter: wanted } satisfies ReportOrder);
        const seen = await report;
        if (round > 0) rounds.push(seen);
        if (seen.latencies.length === 0) throw new Error("the watchers saw nothing");
        if (seen.latencies.length < wanted) say(`only ${seen.latencies.length} of ${wanted} events came`);
      }
      const at = (share: number): number[] => rounds.map(({ latencies }) => percentile([...latencies], share));
      return [
        {
          id: "watch-p50",
          what: `write → watch event, ${WATCHERS} watchers, ${WRITES_A_SECOND} writes a second, p50`,
          unit: "ms",
          value: spread(at(0.5)),
        },
        {
          id: "watch-p99",
          what: `write → watch event, ${WATCHERS} watchers, ${WRITES_A_SECOND} writes a second, p99`,
          unit: "ms",
          budget: { limit: 10, better: "lower" },
          value: spread(at(0.99)),
        },
      ];
    } finally {
      watchers.kill("SIGKILL");
      client.close();
      await close();
    }
  },
};

/** One write every 10 ms by the clock, however long the last one took; resolves when all are answered. */
async function writeAtRate(seconds: number, write: (n: number) => Promise<unknown>): Promise<void> {
  const begin = performance.now();
  const writes: Promise<unknown>[] = [];
  for (let n = 0; n < seconds * WRITES_A_SECOND; n++) {
    const due = begin + (n * 1000) / WRITES_A_SECOND;
    const early = due - performance.now();
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
    writes.push(write(n));
  }
  await Promise.all(writes);
}
