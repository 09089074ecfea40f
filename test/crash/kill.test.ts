import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { eventually } from "../api-under-test.ts";
import { startClusterProcess, type ClusterProcess } from "../cluster-under-test.ts";
import { Ledger } from "./ledger.ts";
import { descendantsOf, liveProcesses, survivors, type ProcessInfo } from "./process-tree.ts";
import { seededRandom } from "./seeded-random.ts";
import { replay, snapshotOf, type Snapshot } from "./watch-replay.ts";
import { createWorkload, REPLICAS, runningContainers } from "./workload.ts";
import { CONFIG_MAPS, configMap, revisionOf, writeUntilCutOff } from "./writer.ts";

const ROUNDS = Number(process.env["TRAVELOPS_CRASH_ROUNDS"] ?? 100);
const SEED = Number(process.env["TRAVELOPS_CRASH_SEED"] ?? Date.now() % 1_000_000);
/** Every so many rounds the pods are waited for, and a watch goes back as far as it can. */
const LONG_ROUND = 10;
/** Every so many rounds the kill comes before the API is ready. */
const EARLY_ROUND = 4;
/** Every so many rounds the kill comes just as the pods' first processes show. */
const PODS_ROUND = 3;
const WRITERS = 8;
const NAMES = 6;

let scratch: string;
beforeAll(() => void (scratch = mkdtempSync(path.join(tmpdir(), "travelops-crash-"))));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const random = seededRandom(SEED);
const ledger = new Ledger();
let sentinels = 0;
const marker = `travelops-crash-${process.pid}-${SEED}`;

it.runIf(process.platform === "linux")(
  `loses no acknowledged write and leaves no process in ${ROUNDS} kills at random moments (seed ${SEED})`,
  { timeout: 300_000 },
  async () => {
    let last: Snapshot | undefined;
    let first: Snapshot | undefined;
    let containers: readonly string[] = [];
    const dataDir = path.join(scratch, "cluster");
    let restarts = 0;
    for (let round = 1; round <= ROUNDS; round++) {
      const where = `round ${round}, TRAVELOPS_CRASH_SEED=${SEED}`;
      if (round % EARLY_ROUND === 0) {
        await killWhileStarting(dataDir, sandboxOf(round), where);
        continue;
      }
      const cluster = await startClusterProcess({ dataDir, nodes: 1, sandbox: sandboxOf(round) });
      if (round === 1) await createWorkload(cluster.client, marker);
      else await checkHistory(cluster, last, where);
      if (round % LONG_ROUND === 1) {
        if (first !== undefined) await checkHistory(cluster, first, where);
        const now = await eventually(() => runningContainers(cluster.client), 30_000);
        expect(now, where).toHaveLength(REPLICAS);
        expect(
          now.filter((id) => containers.includes(id)),
          `${where}: containers of a cluster that was killed`,
        ).toEqual([]);
        if (containers.length > 0) restarts++;
        containers = now;
        first = last;
      }
      last = await snapshotOf(cluster.client);
      await killWhileWriting(cluster, round % PODS_ROUND === 0, where);
    }
    const cluster = await startClusterProcess({ dataDir, nodes: 1 });
    await checkHistory(cluster, last, "the last resume");
    await cluster.stop();
    expect(restarts).toBe(Math.max(0, Math.ceil(ROUNDS / LONG_ROUND) - 1));
    expect(ledger.acknowledged).toBeGreaterThan(ROUNDS * 10);
  },
);

/** Both sandboxes in turn, each resuming what the other left: `auto` takes namespaces where the kernel gives them. */
const sandboxOf = (round: number): "auto" | "bare" => (Math.floor(round / LONG_ROUND) % 2 === 0 ? "auto" : "bare");

/** Everything acknowledged is there, revisions only grew, and a watch from `from` tells exactly what happened since. */
async function checkHistory(cluster: ClusterProcess, from: Snapshot | undefined, where: string): Promise<void> {
  const { client } = cluster;
  const found = await snapshotOf(client);
  expect(ledger.settle(found.values), where).toEqual([]);
  expect(found.revision, where).toBeGreaterThanOrEqual(ledger.revision);
  // Never the same twice: an update that changes nothing makes no revision.
  const value = `${where}, ${++sentinels}`;
  const sentinel = configMap("sentinel", value);
  ledger.begin("sentinel", value);
  const written = revisionOf(
    await (found.values.has("sentinel") ? client.update : client.create)(CONFIG_MAPS, sentinel),
  );
  ledger.acknowledge("sentinel", value, written);
  expect(written, where).toBeGreaterThan(found.revision);
  if (from === undefined) return;
  const told = await replay(client, from, written);
  if (told.kind === "gone") return;
  expect(told, `${where}: the watch from ${from.revision}`).toEqual({
    kind: "state",
    values: (await snapshotOf(client)).values,
  });
}

/** Kills after a random time: during the first writes, in full swing, or with pods just starting. */
async function killWhileWriting(cluster: ClusterProcess, asPodsStart: boolean, where: string): Promise<void> {
  const writing = writeUntilCutOff({
    client: cluster.client,
    ledger,
    random,
    writers: WRITERS,
    names: NAMES,
  });
  if (asPodsStart) await eventually(podsAppear, 2_000).catch(() => undefined);
  const delay = random.below(asPodsStart ? 20 : 400);
  await new Promise((resolve) => setTimeout(resolve, delay));
  const family = descendantsOf(cluster.pid);
  await cluster.kill();
  await writing;
  await nothingOutlives(family, where);
}

/** A container is most easily forgotten in the moment between its fork and the word that it runs. */
const podsAppear = (): boolean => liveProcesses().some(({ command }) => command.includes(marker));

/** At any moment from the first instruction on: keys half written, the sandbox half made. */
async function killWhileStarting(dataDir: string, sandbox: "auto" | "bare", where: string): Promise<void> {
  let family: ProcessInfo[] = [];
  const onSpawn = (pid: number): void =>
    void setTimeout(() => {
      family = descendantsOf(pid);
      process.kill(pid, "SIGKILL");
    }, random.below(700));
  // Where the start was faster than the kill, the connection it made is of no use.
  await startClusterProcess({ dataDir, nodes: 1, sandbox, onSpawn }).then(
    (cluster) => cluster.exited,
    () => undefined,
  );
  await nothingOutlives(family, where);
}

async function nothingOutlives(family: readonly ProcessInfo[], where: string): Promise<void> {
  await eventually(() => survivors(family, marker).length === 0, 5_000).catch(() => undefined);
  expect(survivors(family, marker), `${where}: processes that outlived the cluster`).toEqual([]);
}
