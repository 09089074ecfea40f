import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KubeClient } from "@travelops/kube";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import { LEASES, NODES } from "@travelops/kube/client/resources.ts";
import { eventually } from "../api-under-test.ts";
import { startClusterProcess } from "../cluster-under-test.ts";
import { descendantsOf, survivors } from "../crash/process-tree.ts";
import { seededRandom } from "../crash/seeded-random.ts";
import { createPods, isUp, listPods, untilUp } from "./pods.ts";
import { FULL, SIZE } from "./size.ts";

/** Longer than a node may be silent. */
const SUSPENDED_MS = 60_000;
const SEED = Number(process.env["TRAVELOPS_CRASH_SEED"] ?? Date.now() % 1_000_000);

let scratch: string;
beforeAll(() => void (scratch = mkdtempSync(path.join(tmpdir(), "travelops-hold-"))));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const readiness = async (client: KubeClient): Promise<string[]> =>
  (await client.list(NODES)).items.map(
    ({ status }) => status?.conditions?.find(({ type }) => type === "Ready")?.status ?? "missing",
  );

const restartsOf = ({ status }: Pod): number[] => (status?.containerStatuses ?? []).map((one) => one.restartCount);

describe.runIf(process.platform === "linux").each(["auto", "bare"] as const)("a cluster holds (%s)", (sandbox) => {
  it("podhost killed: the API stays, nothing of it outlives it, every pod is made again and reached", async () => {
    const dataDir = path.join(scratch, `podhost-${sandbox}`);
    const cluster = await startClusterProcess({ dataDir, nodes: 1, sandbox });
    const { client } = cluster;
    await createPods(client, "kept", 3);
    const before = await untilUp(client, 3, 60_000);
    const family = descendantsOf(cluster.pid);
    const podhost = family.findLast(({ command }) => /^\S*node\S* \S*podhost\.cjs/.test(command));
    process.kill(podhost?.pid ?? 0, "SIGKILL");
    await eventually(() => survivors(family, "no marker").length === 0, 10_000);
    const after = await eventually(async () => {
      const pods = await listPods(client);
      return pods.every((pod) => isUp(pod) && restartsOf(pod).every((count) => count === 1)) && pods;
    }, 60_000);
    const uids = (pods: readonly Pod[]) => new Set(pods.map(({ metadata }) => metadata.uid));
    expect(uids(after)).toEqual(uids(before));
    expect(await readiness(client)).toEqual(["True"]);
    expect(cluster.log()).toMatch(/podhost ended/);
    await cluster.stop();
  }, 120_000);

  it.runIf(FULL)(
    "the machine suspended for a minute: nodes stay, nothing is started anew",
    async () => {
      const dataDir = path.join(scratch, `suspend-${sandbox}`);
      const cluster = await startClusterProcess({ dataDir, nodes: 2, sandbox });
      const { client, pid } = cluster;
      await createPods(client, "sleeper", 10);
      await untilUp(client, 10, 60_000);
      const all = [pid, ...descendantsOf(pid).map((one) => one.pid)];
      const send = (signal: NodeJS.Signals): void => {
        for (const one of all)
          try {
            process.kill(one, signal);
          } catch {
            // A short-lived one that has ended in between.
          }
      };
      send("SIGSTOP");
      await new Promise((resolve) => setTimeout(resolve, SUSPENDED_MS));
      send("SIGCONT");
      const resumed = Date.now();
      const seen = new Set<string>();
      await eventually(async () => {
        for (const status of await readiness(client)) seen.add(status);
        const leases = (await client.list(LEASES, { namespace: "kube-node-lease" })).items;
        return leases.length === 2 && leases.every(({ spec }) => Date.parse(spec?.renewTime ?? "") > resumed);
      }, 30_000);
      for (let look = 0; look < 40; look++) {
        for (const status of await readiness(client)) seen.add(status);
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      expect([...seen]).toEqual(["True"]);
      const pods = await untilUp(client, 10, 1000);
      expect(pods.flatMap(({ status }) => status?.containerStatuses?.map((one) => one.restartCount))).toEqual(
        Array.from({ length: 20 }, () => 0),
      );
      await cluster.stop();
    },
    240_000,
  );
});

describe.runIf(process.platform === "linux").each(["namespaces", "bare"] as const)("podhost (%s)", (sandbox) => {
  it(`ends with its parent, killed ${SIZE.kills} times at random moments (seed ${SEED})`, async () => {
    const random = seededRandom(SEED);
    const child = path.join(import.meta.dirname, "..", "..", "cluster", "kubelet", "testing", "crash-child.ts");
    for (let round = 0; round < SIZE.kills; round++) {
      const marker = `hammer-${process.pid}-${sandbox}-${round}`;
      const parent = spawn(process.execPath, [child, sandbox, path.join(scratch, marker), marker], { stdio: "ignore" });
      await new Promise((resolve) => setTimeout(resolve, random.below(900)));
      const family = descendantsOf(parent.pid ?? 0);
      parent.kill("SIGKILL");
      await eventually(() => survivors(family, marker).length === 0, 5000).catch(() => undefined);
      expect(survivors(family, marker), `round ${round}, TRAVELOPS_CRASH_SEED=${SEED}`).toEqual([]);
    }
  }, 300_000);
});
