import { afterAll, beforeAll, expect, test } from "vitest";
import { type ApiUnderTest, eventually, startApiUnderTest } from "../../../test/api-under-test.ts";
import { isAlreadyExists, isConflict, isNotFound, StatusError } from "../api/status-error.ts";
import type { WatchFrame } from "./transport.ts";
import { discover } from "./discovery.ts";
import { httpsTransport } from "./https-transport.ts";
import { createKubeClient } from "./kube-client.ts";
import { loadKubeconfig } from "./kubeconfig.ts";
import { CONFIG_MAPS, NAMESPACES } from "./resources.ts";

let api: ApiUnderTest;
beforeAll(async () => {
  api = await startApiUnderTest();
}, 90_000);
afterAll(() => api.close());

const configMap = (name: string, data: Record<string, string>) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
  data,
});

test("writes and reads", async () => {
  const { client } = api;
  const made = await client.create(CONFIG_MAPS, configMap("one", { a: "1" }));
  expect(made.metadata.uid).toBeTruthy();
  expect(await client.create(CONFIG_MAPS, configMap("one", {})).catch(isAlreadyExists)).toBe(true);
  const patched = await client.patch(CONFIG_MAPS, "default", "one", "application/merge-patch+json", {
    data: { b: "2" },
  });
  expect(patched.data).toEqual({ a: "1", b: "2" });
  expect(await client.update(CONFIG_MAPS, made).catch(isConflict)).toBe(true);
  const applied = await client.apply(CONFIG_MAPS, configMap("one", { c: "3" }), {
    fieldManager: "t",
    force: true,
  });
  expect(applied.data).toEqual({ a: "1", b: "2", c: "3" });
  const list = await client.list(CONFIG_MAPS, { namespace: "default", fieldSelector: "metadata.name=one" });
  expect(list.items.map((item) => item.metadata.name)).toEqual(["one"]);
  await client.delete(CONFIG_MAPS, "default", "one");
  expect(await client.get(CONFIG_MAPS, "default", "one").catch(isNotFound)).toBe(true);
});

test("a watch gives frames until it is aborted, and a refusal is a StatusError", async () => {
  const abort = new AbortController();
  const seen: string[] = [];
  const frames = api.client.watch(CONFIG_MAPS, {
    namespace: "default",
    labelSelector: "w=1",
    resourceVersion: "0",
    signal: abort.signal,
  });
  const watching = (async () => {
    for await (const frame of frames) {
      seen.push(frame.type);
      if (frame.type === "DELETED") abort.abort();
    }
  })();
  const object = configMap("watched", {});
  await api.client.create(CONFIG_MAPS, { ...object, metadata: { ...object.metadata, labels: { w: "1" } } });
  await eventually(() => seen.includes("ADDED"));
  await api.client.delete(CONFIG_MAPS, "default", "watched");
  await watching;
  expect(seen.filter((type) => type !== "BOOKMARK")).toEqual(["ADDED", "DELETED"]);
  const first = async (frames: AsyncIterable<WatchFrame>) => {
    for await (const frame of frames) return frame;
    return undefined;
  };
  await expect(first(api.client.watch(CONFIG_MAPS, { labelSelector: "a b" }))).rejects.toBeInstanceOf(StatusError);
});

test("a kubeconfig leads to the same API over HTTPS, on more streams than one session holds", async () => {
  const transport = httpsTransport(loadKubeconfig(api.kubeconfig));
  const client = createKubeClient(transport);
  const abort = new AbortController();
  let begun = 0;
  const watches = Array.from({ length: 120 }, async () => {
    const frames = client.watch(NAMESPACES, {
      fieldSelector: "metadata.name=default",
      resourceVersion: "0",
      signal: abort.signal,
    });
    for await (const frame of frames) if (frame.type === "ADDED") begun++;
  });
  await eventually(() => begun === 120);
  expect((await client.get(NAMESPACES, "", "default")).status?.phase).toBe("Active");
  abort.abort();
  await Promise.all(watches);
  await expect(
    createKubeClient(
      httpsTransport({ ...loadKubeconfig(api.kubeconfig), token: "wrong", cert: undefined, key: undefined }),
    ).list(NAMESPACES),
  ).rejects.toMatchObject({ code: 401 });
  transport.close();
  await expect(client.list(NAMESPACES)).rejects.toThrow(/GET .*closed/);
});

test("discovery finds kinds, and looks again for what it does not know", async () => {
  const discovery = discover(api.transport);
  expect(await discovery.resourceFor({ group: "apps", version: "v1", kind: "Deployment" })).toMatchObject({
    resource: "deployments",
    namespaced: true,
  });
  expect(await discovery.resourceFor({ group: "nowhere", version: "v1", kind: "Nothing" })).toBeUndefined();
  expect((await discovery.resourceByName("", "namespaces"))?.namespaced).toBe(false);
  expect(
    (await discovery.all()).some((resource) => resource.resource === "pods" && resource.subresources.includes("log")),
  ).toBe(true);
});
