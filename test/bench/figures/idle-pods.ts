/** CPU of everything that runs for a cluster with 50 pods which do nothing: control plane, podhost, dataplane, pods. */
import path from "node:path";
import { startClusterProcess } from "../../cluster-under-test.ts";
import { descendantsOf } from "../../crash/process-tree.ts";
import type { OwnFigure } from "../figure.ts";
import { cpuSeconds } from "../process-usage.ts";
import { spread } from "../statistics.ts";
import { allRunning, PODS, serviceAccount, sleepingPod } from "./pod-start.ts";

const COUNT = 50;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export const idlePods: OwnFigure = {
  kind: "own",
  id: "idle-pods",
  async measure({ quick, directory }) {
    const cluster = await startClusterProcess({ dataDir: path.join(directory, "idle-pods"), nodes: 2 });
    try {
      const { client } = cluster;
      await serviceAccount(client);
      const names = Array.from({ length: COUNT }, (_, n) => `idle-${n}`);
      await Promise.all(names.map((name) => client.create(PODS, sleepingPod(name))));
      await allRunning(client, COUNT);
      await wait(quick ? 5_000 : 15_000);
      const pids = [cluster.pid, ...descendantsOf(cluster.pid).map(({ pid }) => pid)];
      const used = (): number => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
      const shares: number[] = [];
      const slice = quick ? 5_000 : 20_000;
      for (let run = 0; run < 3; run++) {
        const before = used();
        await wait(slice);
        shares.push(((used() - before) / slice) * 100_000);
      }
      return [
        {
          id: "idle-pods",
          what: `a cluster with ${COUNT} idle pods: CPU of all its processes`,
          unit: "% of a core",
          budget: { limit: 1, better: "lower" },
          value: spread(shares),
        },
      ];
    } finally {
      await cluster.stop();
    }
  },
};
