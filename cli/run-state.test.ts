import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { processId } from "@travelops/cluster/process-table";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { dataDirOf, type DataDir } from "./data-dir.ts";
import {
  changeRunState,
  claim,
  liveRunState,
  readRunState,
  release,
  withCluster,
  withoutCluster,
  type ClusterRun,
  type RunState,
} from "./run-state.ts";
import { withStateLock } from "./state-lock.ts";

let dir: DataDir;
beforeEach(async () => {
  dir = dataDirOf(await mkdtemp(path.join(tmpdir(), "travelops-run-")), {}, "/");
});
afterEach(() => rm(dir.root, { recursive: true }));

const GONE = { pid: 2 ** 22 + 1, pidStart: "1" };
const ME = processId(process.pid);

const run = (holder = ME): RunState => ({
  ...holder,
  startedAt: "2026-01-01T00:00:00Z",
  mode: "foreground",
  closing: false,
  images: { unknown: "fail" },
  clusters: [],
});
const cluster = (name: string, id = ME): ClusterRun => ({
  ...id,
  name,
  state: "running",
  apiServer: "",
  kubeconfig: "",
  ingress: { http: 0, https: 0 },
  sandbox: "",
  sandboxNote: "",
});

describe("changes by many at once", () => {
  test("in one process: none is lost", async () => {
    await claim(dir, run());
    const names = Array.from({ length: 40 }, (_, i) => `c${i}`);
    await Promise.all(names.map((name) => changeRunState(dir, (state) => withCluster(state, cluster(name)))));
    expect((await readRunState(dir))?.clusters.map((each) => each.name).toSorted()).toEqual(names.toSorted());
    await Promise.all(names.map((name) => changeRunState(dir, (state) => withoutCluster(state, name))));
    expect((await readRunState(dir))?.clusters).toEqual([]);
  });

  test("in several processes: none is lost", async () => {
    await claim(dir, run());
    const writer = `
      import { changeRunState, withCluster } from ${JSON.stringify(path.join(import.meta.dirname, "run-state.ts"))};
      import { dataDirOf } from ${JSON.stringify(path.join(import.meta.dirname, "data-dir.ts"))};
      const [root, name] = process.argv.slice(1);
      const dir = dataDirOf(root, {}, "/");
      for (let i = 0; i < 10; i++)
        await changeRunState(dir, (state) => withCluster(state, { name: name + i, pid: 0, pidStart: "" }));
    `;
    const writers = ["a", "b", "c"].map((name) =>
      spawn(process.execPath, ["--input-type=module", "-e", writer, dir.root, name], { stdio: "inherit" }),
    );
    const codes = await Promise.all(writers.map(async (each) => ((await once(each, "exit")) as [number])[0]));
    expect(codes).toEqual([0, 0, 0]);
    expect((await readRunState(dir))?.clusters).toHaveLength(30);
  });

  test("what a holder of the lock throws does not keep it", async () => {
    await expect(
      withStateLock(dir, () => {
        throw new Error("no");
      }),
    ).rejects.toThrow("no");
    expect(await withStateLock(dir, () => "free")).toBe("free");
  });
});

describe("who holds a directory", () => {
  test("the second is refused, with the first one's process and exit code 5", async () => {
    await claim(dir, run());
    await expect(claim(dir, run())).rejects.toMatchObject({ exit: 5, message: expect.stringContaining(`${ME.pid}`) });
  });

  test("one that crashed holds nothing; its clusters that still run are given to the next", async () => {
    await claim(dir, run(GONE));
    await changeRunState(dir, (state) => withCluster(withCluster(state, cluster("hub", GONE)), cluster("east")));
    expect((await liveRunState(dir))?.pid).toBe(GONE.pid);
    expect((await claim(dir, run())).map((each) => each.name)).toEqual(["east"]);
    expect((await readRunState(dir))?.clusters).toEqual([]);
  });

  test("a detached hub without its holder still holds it; one that ends with its holder does not", async () => {
    await claim(dir, { ...run(GONE), mode: "detached" });
    await changeRunState(dir, (state) => withCluster(state, cluster("hub")));
    await expect(claim(dir, run())).rejects.toMatchObject({ code: "ALREADY_RUNNING" });
    await changeRunState(dir, (state) => ({ ...state, mode: "foreground" }));
    expect((await claim(dir, run())).map((each) => each.name)).toEqual(["hub"]);
  });

  test("another process of the same pid is not it", async () => {
    await claim(dir, run({ pid: process.pid, pidStart: `${ME.pidStart}0` }));
    expect(await liveRunState(dir)).toBeUndefined();
    await claim(dir, run());
  });

  test("what is released is gone, unless others run there", async () => {
    await claim(dir, run());
    await release(dir);
    expect(await readRunState(dir)).toBeUndefined();
    expect(await changeRunState(dir, (state) => state)).toBeUndefined();
    await claim(dir, run({ pid: process.ppid, pidStart: processId(process.ppid).pidStart }));
    await release(dir);
    expect(await readRunState(dir)).toBeDefined();
  });
});
