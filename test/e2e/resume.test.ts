/** kill -9 of everything that is ours, then `up`: the same objects, the same pods, every pushed commit. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { PODS } from "@travelops/kube/client/resources";
import type { RunState } from "../../cli/run-state.ts";
import { descendantsOf, survivors } from "../crash/process-tree.ts";
import { bringUp, patternIn, type PatternUnderTest, removeAll, scratchDirectory } from "./pattern-under-test.ts";
import { portals } from "./travel-control.ts";
import { until } from "./until.ts";

let dataDir = "";
let pattern: PatternUnderTest;

beforeAll(async () => {
  dataDir = await scratchDirectory();
  await bringUp([], { dataDir });
  pattern = patternIn(dataDir);
});
afterAll(async () => {
  pattern?.close();
  await removeAll(dataDir);
});

const pods = async (): Promise<string[]> =>
  (await pattern.client.list(PODS)).items
    .map((pod) => `${pod.metadata.namespace}/${pod.metadata.name} ${pod.metadata.uid} ${pod.status?.podIP ?? ""}`)
    .toSorted();

test("up resumes a cluster that was killed", async () => {
  const clone = await pattern.clone();
  const values = await clone.read("charts/all/travel-portal/values.yaml");
  const commit = await clone.push("Another country", {
    "charts/all/travel-portal/values.yaml": values.replace("country: France", "country: Gaul"),
  });
  const before = await pattern.settled(commit);
  await until(
    "the old pod is gone",
    async () => (await pods()).filter((pod) => pod.includes("/voyages-v1-")).length === 1,
  );
  const podsBefore = await pods();

  const { clusters } = JSON.parse(await readFile(path.join(dataDir, "run.json"), "utf8")) as RunState;
  const pid = clusters[0]?.pid ?? 0;
  const tree = descendantsOf(pid);
  expect(tree.length).toBeGreaterThan(13);
  process.kill(pid, "SIGKILL");
  await until("nothing of it is left", () => survivors(tree, dataDir).length === 0);
  expect((await pattern.travelops("status")).code).toBe(3);

  const up = await pattern.travelops("up", "--detach");
  expect(up.code, up.stderr).toBe(0);
  expect(up.stderr).toContain("✓ Repository: as it was left");
  const after = await pattern.settled(commit);
  expect(after.urls).toEqual(before.urls);
  expect(after.clusters).toEqual(before.clusters);

  // The same names, UIDs and addresses: a pod that was running is started again, not replaced.
  expect(await pods()).toEqual(podsBefore);
  const control = after.urls.find((each) => each.name === "control")?.url ?? "";
  const voyages = await until("the portal answers with what was pushed", async () =>
    (await portals(control)).find((each) => each.name === "voyages.fr" && !each.status.error),
  );
  expect(voyages.country).toBe("Gaul");

  await clone.git("fetch", "--quiet");
  expect((await clone.git("rev-parse", "origin/main")).trim()).toBe(commit);
  const next = await clone.push("And back", { "charts/all/travel-portal/values.yaml": values });
  await pattern.settled(next);
  await clone.remove();
});
