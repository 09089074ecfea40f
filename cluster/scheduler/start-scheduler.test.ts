import { afterAll, beforeAll, expect, test } from "vitest";
import type { KubeClient, Pod } from "@travelops/kube";
import { EVENTS, findCondition, NODES, PODS } from "@travelops/kube";
import { type ApiUnderTest, eventually, startApiUnderTest } from "../../test/api-under-test.ts";
import { startFakeKubelet } from "../controllers/testing/fake-kubelet.ts";
import { startScheduler } from "./start-scheduler.ts";
import { node, pod } from "./testing/objects.ts";

let api: ApiUnderTest;
let client: KubeClient;
const abort = new AbortController();
let parts: Promise<unknown>;
beforeAll(async () => {
  api = await startApiUnderTest();
  ({ client } = api);
  const kubelet = startFakeKubelet({ client, signal: abort.signal });
  parts = Promise.all([startScheduler({ client, signal: abort.signal }), kubelet.done]);
  for (const name of ["a", "b"]) {
    await client.create(NODES, node(name, { cpu: "2" }));
    await client.patch(NODES, "", name, "application/merge-patch+json", { spec: { taints: null } });
    await client.patch(
      NODES,
      "",
      name,
      "application/merge-patch+json",
      { status: node(name, { cpu: "2" }).status },
      { subresource: "status" },
    );
  }
}, 90_000);
afterAll(async () => {
  abort.abort();
  await parts;
  await api.close();
});

const make = (one: Pod): Promise<Pod> =>
  client.create(PODS, {
    ...one,
    metadata: { name: one.metadata.name, namespace: "default", labels: one.metadata.labels },
  });
const get = (name: string): Promise<Pod> => client.get(PODS, "default", name);
const placed = (name: string) => eventually(async () => (await get(name)).spec.nodeName);
const gone = (...names: string[]) => Promise.all(names.map((name) => client.delete(PODS, "default", name)));

test("pods are spread and bound, and the event says where", async () => {
  await Promise.all([make(pod("one", { requests: { cpu: "1" } })), make(pod("two", { requests: { cpu: "1" } }))]);
  const nodes = await Promise.all([placed("one"), placed("two")]);
  expect(nodes.toSorted()).toEqual(["a", "b"]);
  expect(findCondition((await get("one")).status?.conditions, "PodScheduled")?.status).toBe("True");
  const event = await eventually(
    async () => (await client.list(EVENTS, { fieldSelector: "involvedObject.name=one,reason=Scheduled" })).items[0],
  );
  expect(event.message).toBe(`Successfully assigned default/one to ${nodes[0]}`);
  await gone("one", "two");
});

test("a pod that fits nowhere says why, and is bound the moment there is room", async () => {
  await make(pod("big", { requests: { cpu: "2" } }));
  await make(pod("other", { requests: { cpu: "2" } }));
  await Promise.all([placed("big"), placed("other")]);
  await make(pod("waits", { requests: { cpu: "1500m" } }));
  const condition = await eventually(async () =>
    findCondition((await get("waits")).status?.conditions, "PodScheduled"),
  );
  expect(condition).toMatchObject({
    status: "False",
    reason: "Unschedulable",
    message:
      "0/2 nodes are available: 2 Insufficient cpu. no new claims to deallocate, preemption: 0/2 nodes are available: 2 No preemption victims found for incoming pod.",
  });
  await eventually(
    async () =>
      (await client.list(EVENTS, { fieldSelector: "involvedObject.name=waits,reason=FailedScheduling" })).items[0],
  );
  await client.delete(PODS, "default", "big");
  await placed("waits");
  await client.patch(NODES, "", "a", "application/merge-patch+json", { spec: { unschedulable: true } });
  await client.patch(NODES, "", "b", "application/merge-patch+json", { spec: { unschedulable: true } });
  await make(pod("cordoned"));
  await eventually(async () =>
    (await get("cordoned")).status?.conditions?.some((one) => one.message?.includes("2 node(s) were unschedulable")),
  );
  await client.patch(NODES, "", "b", "application/merge-patch+json", { spec: { unschedulable: null } });
  expect(await placed("cordoned")).toBe("b");
  await client.patch(NODES, "", "a", "application/merge-patch+json", { spec: { unschedulable: null } });
  await gone("other", "waits", "cordoned");
});

test("many pods at once: none is lost and no node is overbooked", async () => {
  const names = Array.from({ length: 40 }, (_, i) => `m${i}`);
  await Promise.all(names.map((name) => make(pod(name, { requests: { cpu: "100m" } }))));
  await eventually(async () => {
    const pods = (await client.list(PODS, { namespace: "default" })).items.filter((one) =>
      one.metadata.name?.startsWith("m"),
    );
    return (
      pods.filter((one) => one.spec.nodeName === "a").length === 20 &&
      pods.filter((one) => one.spec.nodeName === "b").length === 20
    );
  });
  await gone(...names);
  expect(names).toHaveLength(40);
});
