import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "../api-under-test.ts";
import { startClusterProcess } from "../cluster-under-test.ts";
import { descendantsOf, survivors } from "../crash/process-tree.ts";
import { controlGroupsOf, holdingsOf, type Holdings } from "./holdings.ts";
import { createPods, deletePods, untilUp } from "./pods.ts";
import { SIZE } from "./size.ts";

let scratch: string;
beforeAll(() => void (scratch = mkdtempSync(path.join(tmpdir(), "travelops-soak-"))));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

describe.runIf(process.platform === "linux").each(["auto", "bare"] as const)("pods come and go (%s)", (sandbox) => {
  it(
    `leaves nothing behind: ${SIZE.atOnce} at once, ${SIZE.rounds} times ${SIZE.perRound}`,
    { timeout: 600_000 },
    async () => {
      const dataDir = path.join(scratch, sandbox);
      const cluster = await startClusterProcess({ dataDir, nodes: 2, sandbox });
      const { client, pid } = cluster;
      const look = (): Holdings => holdingsOf(pid, dataDir, Number(new URL(cluster.ready.apiServer).port));
      // What is opened once, with the first pods, stays.
      await createPods(client, "first", 5);
      await untilUp(client, 5, 60_000);
      await deletePods(client, 60_000);
      const before = await settled(look);
      await createPods(client, "flood", SIZE.atOnce);
      await untilUp(client, SIZE.atOnce, 240_000);
      expect(look().podDirectories).toBe(SIZE.atOnce);
      await deletePods(client, 120_000);
      for (let round = 0; round < SIZE.rounds; round++) {
        await createPods(client, `round-${round}`, SIZE.perRound);
        // Some are deleted before they run.
        if (round % 2 === 0) await untilUp(client, SIZE.perRound, 120_000);
        await deletePods(client, 120_000);
      }
      const after = await settled(look, before);
      expect(after).toEqual(before);
      const family = descendantsOf(pid);
      await cluster.stop();
      await eventually(() => survivors(family, "no marker").length === 0, 10_000);
      expect(controlGroupsOf(pid)).toBe(0);
    },
  );
});

/** What is held once it no longer changes, or is as wanted; idle connections and ending processes take a moment. */
async function settled(look: () => Holdings, wanted?: Holdings): Promise<Holdings> {
  const deadline = Date.now() + 30_000;
  let last = "";
  let same = 0;
  for (;;) {
    const now = look();
    const text = JSON.stringify(now);
    same = text === last ? same + 1 : 0;
    last = text;
    if (wanted === undefined ? same >= 8 : isDeepStrictEqual(now, wanted)) return now;
    if (Date.now() > deadline) return now;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
