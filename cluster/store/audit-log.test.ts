import { readFileSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { fakeClock } from "@travelops/kube/api/clock";
import { configMap, keyOf, put, storeFixture } from "./store-fixture.ts";
import type { StoreFixture } from "./store-fixture.ts";

let fixture: StoreFixture;
beforeEach(() => {
  fixture = storeFixture();
});
afterEach(() => fixture.dispose());

const lines = (file: string): Record<string, unknown>[] =>
  readFileSync(join(fixture.dir, file), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const names = (file: string): unknown[] => {
  try {
    return lines(file).map((line) => line["name"]);
  } catch {
    return [];
  }
};

it("names who wrote what, and no values", async () => {
  const store = await fixture.open({ clock: fakeClock(Date.UTC(2026, 0, 2)) });
  const node = { apiVersion: "v1", kind: "Node", metadata: { name: "one" } };
  await store.write(keyOf("nodes.", "", "one"), { user: "system:node:one", verb: "create" }, () => ({
    op: "put",
    object: node,
  }));
  await put(store, "secrets.", configMap("a", "s", "topsecret"));
  await store.close();
  expect(lines("audit.log")).toEqual([
    {
      time: "2026-01-02T00:00:00.000Z",
      user: "system:node:one",
      verb: "create",
      table: "nodes.",
      name: "one",
      revision: 1,
    },
    {
      time: "2026-01-02T00:00:00.000Z",
      user: "tester",
      verb: "test",
      table: "secrets.",
      namespace: "a",
      name: "s",
      revision: 2,
    },
  ]);
  expect(readFileSync(join(fixture.dir, "audit.log"), "utf8")).not.toContain("topsecret");
});

it("rotates by size, keeps a few files, and goes on where it was after a restart", async () => {
  for (let start = 0; start < 8; start++) {
    const store = await fixture.open({ audit: { maxBytes: 300, keep: 2 } });
    for (let n = 0; n < 3; n++) await put(store, "configmaps.", configMap("a", `n${n}`, ""));
    await store.close();
  }
  expect(
    readdirSync(fixture.dir)
      .filter((name) => name.startsWith("audit"))
      .toSorted(),
  ).toEqual(["audit.log", "audit.log.1", "audit.log.2"]);
  const revisions = ["audit.log.2", "audit.log.1", "audit.log"].flatMap((file) =>
    lines(file).map((line) => line["revision"] as number),
  );
  expect(revisions).toEqual(Array.from({ length: revisions.length }, (_, n) => 25 - revisions.length + n));
});

it("is made anew when somebody has moved it away", async () => {
  const clock = fakeClock();
  const store = await fixture.open({ clock });
  await put(store, "configmaps.", configMap("a", "before", ""));
  await vi.waitUntil(() => names("audit.log").includes("before"));
  renameSync(join(fixture.dir, "audit.log"), join(fixture.dir, "kept"));
  clock.advance(10_000);
  await put(store, "configmaps.", configMap("a", "after", ""));
  await store.close();
  expect(names("kept")).toEqual(["before"]);
  expect(names("audit.log")).toEqual(["after"]);
});
