import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KubeObject, Resource, WatchFrame } from "@travelops/kube";
import { createKubeClient } from "@travelops/kube/client/kube-client";
import { httpsTransport } from "@travelops/kube/client/https-transport";
import { startTestServer, type TestServer } from "./testing/start-test-server.ts";

const CONFIG_MAPS: Resource = { group: "", version: "v1", resource: "configmaps", kind: "ConfigMap", namespaced: true };

const configMap = (name: string, value: string): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
  data: { value },
});

let test: TestServer;
let https: ReturnType<typeof httpsTransport>;
beforeAll(async () => {
  test = await startTestServer();
  https = httpsTransport({ server: test.url, ca: test.caData, token: test.adminToken });
});
afterAll(async () => {
  https.close();
  await test.close();
});

describe.each(["in process", "https"])("objects %s", (kind) => {
  const client = () => (kind === "https" ? createKubeClient(https) : test.client());
  const name = `it-${kind.replace(" ", "-")}`;

  it("are created, read, listed, updated, patched and deleted", async () => {
    const created = await client().create(CONFIG_MAPS, configMap(name, "1"));
    expect(created.metadata).toMatchObject({
      name,
      namespace: "default",
      uid: expect.any(String),
      resourceVersion: expect.any(String),
    });
    const read = await client().get(CONFIG_MAPS, "default", name);
    expect(read).toEqual(created);
    const list = await client().list(CONFIG_MAPS, { namespace: "default" });
    expect(list.kind).toBe("ConfigMapList");
    expect(list.items).toContainEqual(created);
    const updated = await client().update(CONFIG_MAPS, { ...created, data: { value: "2" } });
    expect(updated["data"]).toEqual({ value: "2" });
    await expect(client().update(CONFIG_MAPS, { ...created, data: { value: "3" } })).rejects.toMatchObject({
      code: 409,
    });
    const same = await client().update(CONFIG_MAPS, updated);
    expect(same.metadata.resourceVersion).toBe(updated.metadata.resourceVersion);
    const patched = await client().patch(CONFIG_MAPS, "default", name, "application/merge-patch+json", {
      data: { more: "x" },
    });
    expect(patched["data"]).toEqual({ value: "2", more: "x" });
    const applied = await client().apply(CONFIG_MAPS, configMap(name, "2"), { fieldManager: "me", force: true });
    expect(applied.metadata.managedFields).toContainEqual(
      expect.objectContaining({ manager: "me", operation: "Apply" }),
    );
    await client().delete(CONFIG_MAPS, "default", name);
    await expect(client().get(CONFIG_MAPS, "default", name)).rejects.toMatchObject({ code: 404 });
  });

  it("are watched, with what is there first and a bookmark after it", async () => {
    const frames: WatchFrame[] = [];
    const stop = new AbortController();
    const watch = `${name}-watch`;
    await client().create(CONFIG_MAPS, configMap(`${watch}-0`, "0"));
    const seen = (async () => {
      for await (const frame of client().watch(CONFIG_MAPS, {
        namespace: "default",
        sendInitialEvents: true,
        signal: stop.signal,
      })) {
        frames.push(frame);
        if (frame.type === "BOOKMARK") {
          const made = await client().create(CONFIG_MAPS, configMap(`${watch}-1`, "1"));
          await client().update(CONFIG_MAPS, { ...made, data: {} });
          await client().delete(CONFIG_MAPS, "default", `${watch}-1`);
        }
        if (frame.type === "DELETED") break;
      }
    })();
    await seen;
    stop.abort();
    const types = frames.map((frame) => frame.type);
    expect(types.slice(types.indexOf("BOOKMARK"))).toEqual(["BOOKMARK", "ADDED", "MODIFIED", "DELETED"]);
    const bookmark = frames[types.indexOf("BOOKMARK")]?.object as KubeObject;
    expect(bookmark.metadata.annotations).toEqual({ "k8s.io/initial-events-end": "true" });
  });
});
