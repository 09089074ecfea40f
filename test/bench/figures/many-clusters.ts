/** Ten managed clusters, empty, created at once beside a hub: how long it takes, and what they cost in memory, then and at rest. */
import { mkdtempSync } from "node:fs";
import { readFile, rm } from "node:fs/promises";
import path from "node:path";
import type { RunState } from "../../../cli/run-state.ts";
import { descendantsOf } from "../../crash/process-tree.ts";
import { command } from "../../e2e/command.ts";
import { SMALL_PATTERN, writeFiles } from "../../e2e/fixtures.ts";
import { freePorts, removeAll } from "../../e2e/pattern-under-test.ts";
import type { OwnFigure } from "../figure.ts";
import { proportionalMb } from "../process-usage.ts";
import { spread } from "../statistics.ts";

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const COUNT = 10;
const REST_MS = 5_000;

export const manyClusters: OwnFigure = {
  kind: "own",
  id: "clusters",
  async measure({ directory, quick, say }) {
    const seconds: number[] = [];
    const created: number[] = [];
    const atRest: number[] = [];
    for (let run = 0; run < (quick ? 1 : 3); run++) {
      const seen = await once(mkdtempSync(path.join(directory, "clusters-")));
      const [now, later] = [seen.created, seen.atRest].map(Math.round);
      say(`${COUNT} clusters in ${seen.seconds.toFixed(1)} s, ${now} MB, at rest ${later} MB`);
      seconds.push(seen.seconds);
      created.push(seen.created);
      atRest.push(seen.atRest);
    }
    return [
      {
        id: "clusters-start",
        what: `${COUNT} managed clusters created at once, empty`,
        unit: "s",
        budget: { limit: 20, better: "lower" },
        value: spread(seconds),
      },
      {
        id: "clusters-memory",
        what: `${COUNT} managed clusters, just created: memory of all their processes (shared pages in part)`,
        unit: "MB",
        budget: { limit: 1000, better: "lower" },
        value: spread(created),
      },
      {
        id: "clusters-memory-at-rest",
        what: `the same, ${REST_MS / 1000} s later`,
        unit: "MB",
        value: spread(atRest),
      },
    ];
  },
};

interface Seen {
  readonly seconds: number;
  readonly created: number;
  readonly atRest: number;
}

async function once(dataDir: string): Promise<Seen> {
  const small = `${dataDir}-pattern`;
  await writeFiles(small, SMALL_PATTERN);
  const travelops = async (...args: string[]): Promise<void> => {
    const { code, stderr } = await command(args, { dataDir });
    if (code !== 0) throw new Error(`travelops ${args.join(" ")} ended with ${code}: ${stderr}`);
  };
  try {
    await travelops("up", "--detach", "--pattern", small, ...(await freePorts()));
    const begin = performance.now();
    const names = Array.from({ length: COUNT }, (_, i) => `managed-${i + 1}`);
    await Promise.all(names.map((name) => travelops("cluster", "create", name)));
    const seconds = (performance.now() - begin) / 1000;
    const created = await memoryOf(dataDir, names);
    await wait(REST_MS);
    return { seconds, created, atRest: await memoryOf(dataDir, names) };
  } finally {
    await removeAll(dataDir);
    await rm(small, { recursive: true, force: true });
  }
}

async function memoryOf(dataDir: string, names: readonly string[]): Promise<number> {
  const { clusters } = JSON.parse(await readFile(path.join(dataDir, "run.json"), "utf8")) as RunState;
  const pids = clusters
    .filter(({ name }) => names.includes(name))
    .flatMap(({ pid }) => [pid, ...descendantsOf(pid).map((each) => each.pid)]);
  return [...new Set(pids)].reduce((sum, pid) => sum + proportionalMb(pid), 0);
}
