import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { KubeClient, KubeObject, Resource, WatchFrame } from "@travelops/kube";
import { fakeClock, type FakeClock } from "@travelops/kube/api/clock";
import { startTestServer, type TestServer } from "./testing/start-test-server.ts";
import { eventually } from "../../test/api-under-test.ts";

const CONFIG_MAPS: Resource = { group: "", version: "v1", resource: "configmaps", kind: "ConfigMap", namespaced: true };
const NAMESPACES: Resource = { group: "", version: "v1", resource: "namespaces", kind: "Namespace", namespaced: false };
const PATH = "/api/v1/namespaces";

let test: TestServer;
let client: KubeClient;
let clock: FakeClock;
let namespace = "";
let count = 0;
beforeAll(async () => {
  clock = fakeClock(Date.now());
  test = await startTestServer({ clock });
  client = test.client();
});
afterAll(() => test.close());
beforeEach(async () => {
  namespace = `ns-${++count}`;
  await client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
});

const configMap = (name: string, labels: Record<string, string> = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace, labels },
});

const get = (query: Record<string, string>, path = `${PATH}/${namespace}/configmaps`) =>
  client.transport.call({ method: "GET", path, query });

interface Page {
  metadata: { resourceVersion: string; continue?: string; remainingItemCount?: number };
  items: KubeObject[];
}
const page = async (query: Record<string, string>): Promise<Page> => (await get(query)).body as Page;
const names = (list: Page): (string | undefined)[] => list.items.map((item) => item.metadata.name);

describe("lists", () => {
  it("come in pages that agree with the first one", async () => {
    for (const name of ["a", "b", "c", "d", "e"]) await client.create(CONFIG_MAPS, configMap(name));
    const first = await page({ limit: "2" });
    expect(names(first)).toEqual(["a", "b"]);
    expect(first.metadata.remainingItemCount).toBe(3);
    await client.delete(CONFIG_MAPS, namespace, "c");
    const second = await page({ limit: "2", continue: first.metadata.continue ?? "" });
    expect(names(second)).toEqual(["c", "d"]);
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);
    const last = await page({ limit: "2", continue: second.metadata.continue ?? "" });
    expect(names(last)).toEqual(["e"]);
    expect(last.metadata.continue).toBeUndefined();
  });

  it("count no remaining items where a selector hides how many there are", async () => {
    for (const name of ["a", "b", "c"])
      await client.create(CONFIG_MAPS, configMap(name, { x: name === "b" ? "no" : "yes" }));
    const first = await page({ limit: "1", labelSelector: "x=yes" });
    expect(names(first)).toEqual(["a"]);
    expect(first.metadata.remainingItemCount).toBeUndefined();
    expect(names(await page({ limit: "1", labelSelector: "x=yes", continue: first.metadata.continue ?? "" }))).toEqual([
      "c",
    ]);
  });

  it("are as old as was asked, and refuse the future and what is not there", async () => {
    const made = await client.create(CONFIG_MAPS, configMap("a"));
    await client.create(CONFIG_MAPS, configMap("b"));
    const at = made.metadata.resourceVersion ?? "";
    expect(names(await page({ resourceVersion: at, resourceVersionMatch: "Exact" }))).toEqual(["a"]);
    expect(names(await page({ resourceVersion: at, resourceVersionMatch: "NotOlderThan" }))).toEqual(["a", "b"]);
    await expect(get({ resourceVersion: "999999999" })).rejects.toMatchObject({
      code: 504,
      status: { reason: "Timeout", details: { causes: [{ reason: "ResourceVersionTooLarge" }] } },
    });
    await expect(get({ fieldSelector: "spec.x=y" })).rejects.toMatchObject({ code: 400 });
    await expect(get({ resourceVersionMatch: "Exact" })).rejects.toMatchObject({ code: 422 });
  });
});

class Watching {
  readonly frames: WatchFrame[] = [];
  ended = false;
  readonly #stop = new AbortController();
  readonly done: Promise<void>;
  constructor(query: Record<string, string>, path = `${PATH}/${namespace}/configmaps`) {
    const frames = client.transport.watch({ method: "GET", path, query, signal: this.#stop.signal });
    this.done = (async () => {
      for await (const frame of frames) this.frames.push(frame);
      this.ended = true;
    })();
  }
  stop(): Promise<void> {
    this.#stop.abort();
    return this.done;
  }
  get seen(): string[] {
    return this.frames.map(({ type, object }) => `${type} ${(object as KubeObject).metadata.name ?? ""}`);
  }
}

describe("watches", () => {
  it("tell when an object comes to match a selector, and when it no longer does", async () => {
    const watching = new Watching({ labelSelector: "x=yes" });
    const a = await client.create(CONFIG_MAPS, configMap("a"));
    await client.patch(CONFIG_MAPS, namespace, "a", "application/merge-patch+json", {
      metadata: { labels: { x: "yes" } },
    });
    await client.patch(CONFIG_MAPS, namespace, "a", "application/merge-patch+json", { data: { k: "v" } });
    const left = await client.patch(CONFIG_MAPS, namespace, "a", "application/merge-patch+json", {
      metadata: { labels: { x: "no" } },
    });
    await eventually(() => watching.frames.length === 3);
    await watching.stop();
    expect(watching.seen).toEqual(["ADDED a", "MODIFIED a", "DELETED a"]);
    const gone = watching.frames[2]?.object as KubeObject;
    expect(gone.metadata).toMatchObject({
      uid: a.metadata.uid,
      labels: { x: "yes" },
      resourceVersion: left.metadata.resourceVersion,
    });
  });

  it("go on from a revision, through history and into the present", async () => {
    const a = await client.create(CONFIG_MAPS, configMap("a"));
    await client.create(CONFIG_MAPS, configMap("b"));
    const watching = new Watching({ resourceVersion: a.metadata.resourceVersion ?? "" });
    await eventually(() => watching.frames.length === 1);
    await client.delete(CONFIG_MAPS, namespace, "a");
    await eventually(() => watching.frames.length === 2);
    await watching.stop();
    expect(watching.seen).toEqual(["ADDED b", "DELETED a"]);
  });

  it("see one object by name, and one namespace by its path", async () => {
    const one = new Watching({ fieldSelector: "metadata.name=only" });
    const all = new Watching({ fieldSelector: "metadata.name=only" }, "/api/v1/configmaps");
    await client.create(CONFIG_MAPS, configMap("a"));
    await client.create(CONFIG_MAPS, configMap("only"));
    await eventually(() => one.frames.length === 1 && all.frames.length === 1);
    await Promise.all([one.stop(), all.stop()]);
    expect([...one.seen, ...all.seen]).toEqual(["ADDED only", "ADDED only"]);
  });

  it("start with everything there is and say when that was all", async () => {
    await client.create(CONFIG_MAPS, configMap("a"));
    const watching = new Watching({
      sendInitialEvents: "true",
      resourceVersionMatch: "NotOlderThan",
      allowWatchBookmarks: "true",
    });
    await eventually(() => watching.frames.length === 2);
    await watching.stop();
    expect(watching.frames.map(({ type }) => type)).toEqual(["ADDED", "BOOKMARK"]);
    expect(watching.frames[1]?.object).toMatchObject({
      metadata: { annotations: { "k8s.io/initial-events-end": "true" } },
    });
  });

  it("get a bookmark every minute, and an orderly end when their time is up", async () => {
    const timers = clock.pending;
    const watching = new Watching({
      allowWatchBookmarks: "true",
      timeoutSeconds: "90",
      resourceVersion: String(test.store.revision),
    });
    await eventually(() => clock.pending === timers + 2);
    clock.advance(60_000);
    await eventually(() => watching.frames.length === 1);
    clock.advance(30_000);
    await watching.done;
    expect(watching.frames.map(({ type }) => type)).toEqual(["BOOKMARK", "BOOKMARK"]);
    expect(watching.ended).toBe(true);
  });

  it("end with the server's word when what they ask for is not allowed", async () => {
    await expect(new Watching({ resourceVersionMatch: "Exact" }).done).rejects.toMatchObject({ code: 422 });
    await expect(new Watching({ sendInitialEvents: "true" }).done).rejects.toMatchObject({ code: 422 });
  });
});

describe("forms", () => {
  const accept = (as: string): Record<string, string> => ({ accept: `application/json;as=${as};v=v1;g=meta.k8s.io` });

  it("are tables and bare metadata where a client asks for them", async () => {
    await client.create(CONFIG_MAPS, { ...configMap("a"), data: { k: "v" } });
    const path = `${PATH}/${namespace}/configmaps`;
    const table = await client.transport.call({ method: "GET", path, headers: accept("Table") });
    expect(table.body).toMatchObject({
      kind: "Table",
      rows: [{ cells: ["a", 1, expect.any(String)], object: { kind: "PartialObjectMetadata" } }],
    });
    const list = await client.transport.call({ method: "GET", path, headers: accept("PartialObjectMetadataList") });
    expect(list.body).toMatchObject({
      kind: "PartialObjectMetadataList",
      items: [{ kind: "PartialObjectMetadata", metadata: { name: "a" } }],
    });
    expect(JSON.stringify(list.body)).not.toContain('"data"');
    await expect(
      client.transport.call({ method: "GET", path, headers: { accept: "text/html" } }),
    ).rejects.toMatchObject({ code: 406 });
  });
});
