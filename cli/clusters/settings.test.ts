import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { array, assert, constantFrom, integer, oneof, property, record } from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { removeCluster } from "./remove-cluster.ts";
import { dataDirOf, prepareDataDir, type DataDir } from "../data-dir.ts";
import {
  chooseIndex,
  choosePorts,
  keepSettings,
  knownClusters,
  readSettings,
  settingsOfOthers,
  type ClusterSettings,
} from "./settings.ts";

const settings = (index: number, api: number): ClusterSettings => ({
  index,
  ports: { api, http: api + 1, https: api + 2 },
  nodes: 2,
  sandbox: "auto",
});

describe("the index", () => {
  test("is the lowest free one, never the hub's, and stays free of all others through any history", () => {
    const step = oneof(
      record({ do: constantFrom("create" as const) }),
      record({ do: constantFrom("delete" as const), which: integer({ min: 0, max: 9 }) }),
    );
    assert(
      property(array(step, { maxLength: 40 }), (steps) => {
        const taken: number[] = [];
        for (const each of steps) {
          if (each.do === "delete") taken.splice(each.which, 1);
          else {
            const index = chooseIndex([0, ...taken]);
            expect(taken).not.toContain(index);
            expect(index).toBeGreaterThan(0);
            for (let lower = 1; lower < index; lower++) expect(taken).toContain(lower);
            taken.push(index);
          }
        }
      }),
    );
  });

  test("ends with the address plan, and says what to do", () => {
    const all = Array.from({ length: 59 }, (_, i) => i + 1);
    expect(() => chooseIndex(all)).toThrow("no address range is left");
    expect(chooseIndex(all.filter((each) => each !== 17))).toBe(17);
  });
});

describe("in a data directory", () => {
  let dir: DataDir;
  beforeEach(async () => {
    dir = dataDirOf(await mkdtemp(path.join(tmpdir(), "travelops-settings-")), {}, "/");
    await prepareDataDir(dir);
  });
  afterEach(() => rm(dir.root, { recursive: true }));

  test("a cluster is known by its settings, and they are read as they were kept", async () => {
    expect(await knownClusters(dir)).toEqual([]);
    await keepSettings(dir, "west", settings(2, 20_000));
    await keepSettings(dir, "east", settings(1, 20_010));
    expect(await knownClusters(dir)).toEqual(["east", "west"]);
    expect(await readSettings(dir, "west")).toEqual(settings(2, 20_000));
    expect(await readSettings(dir, "north")).toBeUndefined();
    expect(await settingsOfOthers(dir, "west")).toEqual([settings(1, 20_010)]);
  });

  test("a cluster whose settings are gone is known by its state; one that is deleted is not, however far that got", async () => {
    await mkdir(path.join(dir.cluster("east"), "store"), { recursive: true });
    expect(await knownClusters(dir)).toEqual(["east"]);
    await mkdir(path.join(dir.deletedCluster("west"), "store"), { recursive: true });
    expect(await knownClusters(dir)).toEqual(["east"]);
    await removeCluster(dir, "east");
    expect(await readdir(dir.clusters)).toEqual([".west.deleted"]);
    await removeCluster(dir, "west");
    expect(await readdir(dir.clusters)).toEqual([]);
  });

  test("settings that are no JSON are told with their file", async () => {
    await keepSettings(dir, "east", settings(1, 20_000));
    await writeFile(dir.clusterSettings("east"), "{");
    await expect(readSettings(dir, "east")).rejects.toThrow(dir.clusterSettings("east"));
  });
});

describe("ports", () => {
  const wishes = { name: "east", asked: {}, kept: undefined, others: [] };

  test("stay out of the way of clusters that are not running", async () => {
    const first = await choosePorts(wishes);
    expect(first.chosen).toBe(true);
    const second = await choosePorts({ ...wishes, others: [{ ...settings(1, 0), ports: first.ports }] });
    const all = [...Object.values(first.ports), ...Object.values(second.ports)];
    expect(new Set(all).size).toBe(6);
  });

  test("that were kept or asked for are fixed, and refused when another program has one", async () => {
    const { ports } = await choosePorts(wishes);
    expect(await choosePorts({ ...wishes, kept: ports })).toEqual({ ports, chosen: false });
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const api = typeof address === "object" && address !== null ? address.port : 0;
    try {
      await expect(choosePorts({ ...wishes, kept: { ...ports, api } })).rejects.toThrow(
        `port ${api} (the Kubernetes API of cluster east) is taken by another program`,
      );
      await expect(choosePorts({ ...wishes, name: "hub", asked: { api } })).rejects.toMatchObject({
        exit: 5,
        advice: "free it, or choose another with --api-port",
      });
    } finally {
      server.close();
    }
  });
});
