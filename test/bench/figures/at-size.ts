/** A large cluster: how it starts, what it holds in memory, how it lists and watches. */
import { mkdtempSync } from "node:fs";
import path from "node:path";
import { fill, FULL, QUICK } from "../at-size/contents.ts";
import { measureReads } from "../at-size/reads.ts";
import { measureWatching } from "../at-size/watching.ts";
import type { ApiFigure, Measured } from "../figure.ts";
import { connectH2 } from "../h2-client.ts";
import { proportionalMb, residentMb } from "../process-usage.ts";
import { spread } from "../statistics.ts";
import type { RunningSubject } from "../subject.ts";

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const atSize: ApiFigure = {
  kind: "api",
  id: "size",
  async measure(subject, { quick, directory, say }) {
    const size = quick ? QUICK : FULL;
    const what = `${size.objects.toLocaleString("en-US")} objects in ${size.namespaces} namespaces`;
    let running = await subject.start(mkdtempSync(path.join(directory, "size-")));
    try {
      const rate = await filled(running, size);
      say(`${what} are there, ${Math.round(rate)} were made a second`);
      const rows: Measured[] = [
        { id: "size-fill", what: `at size: ${what} made, 64 in flight`, unit: "a second", value: spread([rate]) },
      ];
      const starts: number[] = [];
      const sizes: number[] = [];
      for (let run = 0; run <= (quick ? 2 : 3); run++) {
        running = await running.restart();
        if (run === 0) continue; // Warms the file cache.
        starts.push(running.readyMs);
        await wait(quick ? 4_000 : 10_000);
        sizes.push(sum(running.pids.map(residentMb)));
      }
      say(`PSS ${Math.round(sum(running.pids.map(proportionalMb)))} MB`);
      rows.push(
        {
          id: "size-start",
          what: `at size: process start → API ready, ${what}`,
          unit: "ms",
          budget: { limit: 3_000, better: "lower" },
          value: spread(starts),
        },
        {
          id: "size-rss",
          what: `at size: memory (RSS), ${what}, after a start`,
          unit: "MB",
          budget: { limit: 900, better: "lower" },
          value: spread(sizes),
        },
      );
      const client = await connectH2(running.address);
      try {
        rows.push(...(await measureReads(client, size, quick)));
      } finally {
        client.close();
      }
      return [...rows, ...(await measureWatching(running, size, { quick, say }))];
    } finally {
      await running.close();
    }
  },
};

async function filled(running: RunningSubject, size: typeof FULL): Promise<number> {
  const client = await connectH2(running.address);
  try {
    return await fill(client, size);
  } finally {
    client.close();
  }
}
