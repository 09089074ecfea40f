import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { eventually } from "../api-under-test.ts";
import { ClusterDidNotStart, startClusterProcess, type ClusterProcess } from "../cluster-under-test.ts";
import { liveProcesses } from "./process-tree.ts";
import { createNamespace } from "./workload.ts";
import { CONFIG_MAPS, configMap, NAMESPACE } from "./writer.ts";

let scratch: string;
let dataDir: string;
const running: ClusterProcess[] = [];

beforeEach(() => {
  scratch = mkdtempSync(path.join(tmpdir(), "travelops-disk-"));
  dataDir = path.join(scratch, "cluster");
});
afterEach(async () => {
  for (const cluster of running.splice(0)) await cluster.kill();
  rmSync(scratch, { recursive: true, force: true });
});

async function start(): Promise<ClusterProcess> {
  const cluster = await startClusterProcess({ dataDir, nodes: 1, sandbox: "bare" });
  running.push(cluster);
  return cluster;
}

const valueOf = async (cluster: ClusterProcess, name: string): Promise<string | undefined> =>
  (await cluster.client.get(CONFIG_MAPS, NAMESPACE, name)).data?.value;

/** A file system of its own that is quickly full; only root may mount one. */
const mayMount =
  process.platform === "linux" &&
  process.getuid?.() === 0 &&
  spawnSync("unshare", ["-m", "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0;

it.skipIf(!mayMount)(
  "says that the disk is full, goes on reading, and writes again once there is room (needs root, to mount a small tmpfs)",
  { timeout: 60_000 },
  async () => {
    mkdirSync(dataDir);
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=24m", "none", dataDir]);
    try {
      const cluster = await start();
      await createNamespace(cluster.client);
      await cluster.client.create(CONFIG_MAPS, configMap("before", "kept"));
      const filler = path.join(dataDir, "filler");
      spawnSync("dd", ["if=/dev/zero", `of=${filler}`, "bs=64k"]);
      const refused = await fillUntilRefused(cluster);
      expect(refused.message).toMatch(/disk is full.*nothing was changed.*make room/);
      expect(await valueOf(cluster, "before")).toBe("kept");

      rmSync(filler);
      await cluster.client.create(CONFIG_MAPS, configMap("after", "written"));
      await cluster.kill();
      const resumed = await start();
      expect([await valueOf(resumed, "before"), await valueOf(resumed, "after")]).toEqual(["kept", "written"]);
      await resumed.kill();
    } finally {
      for (const cluster of running.splice(0)) await cluster.kill();
      execFileSync("umount", ["--lazy", dataDir]);
    }
  },
);

/** What is refused must not be there, and what is accepted must be. */
async function fillUntilRefused(cluster: ClusterProcess): Promise<Error> {
  const big = "x".repeat(200_000);
  for (let n = 0; n < 200; n++) {
    const error = await cluster.client.create(CONFIG_MAPS, configMap(`big-${n}`, big)).then(
      () => undefined,
      (why: unknown) => why as Error,
    );
    if (error === undefined) continue;
    await expect(cluster.client.get(CONFIG_MAPS, NAMESPACE, `big-${n}`)).rejects.toThrow(/not found/);
    return error;
  }
  throw new Error("the disk never got full");
}

it("loses nothing acknowledged when the last record is torn", { timeout: 60_000 }, async () => {
  const cluster = await start();
  await createNamespace(cluster.client);
  for (let n = 0; n < 20; n++) await cluster.client.create(CONFIG_MAPS, configMap(`n${n}`, `${n}`));
  await cluster.kill();
  const log = path.join(dataDir, "store", "store.db-wal");
  // A power cut in the middle of a write leaves part of a record, or a block of rubbish, behind the last whole one.
  writeFileSync(log, Buffer.alloc(5_000, 0xa5), { flag: "a" });
  const resumed = await start();
  for (let n = 0; n < 20; n++) expect(await valueOf(resumed, `n${n}`)).toBe(`${n}`);
  await resumed.client.create(CONFIG_MAPS, configMap("last", "acknowledged"));
  await resumed.kill();
  // Cut short, it loses the last record at the most, and starts.
  truncateSync(log, Math.max(0, statSync(log).size - 100));
  const again = await start();
  for (let n = 0; n < 20; n++) expect(await valueOf(again, `n${n}`)).toBe(`${n}`);
});

it("refuses a data directory that another cluster uses, in one sentence", { timeout: 60_000 }, async () => {
  const first = await start();
  const second = await start().catch((error: unknown) => error);
  expect(second).toBeInstanceOf(ClusterDidNotStart);
  expect((second as Error).message).toMatch(
    /^data directory .* is in use by another process: stop that one first[^\n]*$/,
  );
  await createNamespace(first.client);
  await first.client.create(CONFIG_MAPS, configMap("undisturbed", "yes"));
});

it("ends with whoever started it, in the middle of its start too", { timeout: 60_000 }, async () => {
  const script = `
    import { startClusterProcess } from ${JSON.stringify(path.join(import.meta.dirname, "..", "cluster-under-test.ts"))};
    const [dataDir, after] = process.argv.slice(1);
    await startClusterProcess({ dataDir, onSpawn: () => setTimeout(() => process.kill(process.pid, "SIGKILL"), Number(after)) });
    await new Promise((resolve) => setTimeout(resolve, 60_000));`;
  for (const after of [100, 300, 2_000]) {
    const own = path.join(scratch, `killed-after-${after}`);
    spawnSync(process.execPath, ["--input-type=module-typescript", "-e", script, own, String(after)], {
      cwd: import.meta.dirname,
    });
    await eventually(() => liveProcesses().every(({ command }) => !command.includes(own)), 10_000);
    expect(liveProcesses().filter(({ command }) => command.includes(own))).toEqual([]);
  }
});
