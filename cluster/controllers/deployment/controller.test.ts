import { afterAll, beforeAll, expect, test } from "vitest";
import type { Deployment } from "@travelops/kube";
import { DEPLOYMENTS, EVENTS, findCondition, REPLICA_SETS } from "@travelops/kube";
import { eventually } from "../../../test/api-under-test.ts";
import { deploymentOf, type Harness, podsOf, startHarness } from "../testing/harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({
    kubelet: {
      bindTo: "n1",
      outcome: (pod) => (pod.spec.containers[0]?.image === "broken" ? "running" : "ready"),
    },
  });
}, 90_000);
afterAll(() => harness.close());

const get = (namespace: string, name: string): Promise<Deployment> => harness.client.get(DEPLOYMENTS, namespace, name);
const patch = (namespace: string, name: string, body: unknown): Promise<Deployment> =>
  harness.client.patch(DEPLOYMENTS, namespace, name, "application/strategic-merge-patch+json", body);
const image = (value: string) => ({
  spec: { template: { spec: { containers: [{ name: "main", image: value }] } } },
});

async function complete(namespace: string, name: string): Promise<Deployment> {
  return eventually(async () => {
    const deployment = await get(namespace, name);
    const { status, metadata, spec } = deployment;
    const done =
      status?.observedGeneration === metadata.generation &&
      status?.updatedReplicas === spec.replicas &&
      status?.replicas === spec.replicas &&
      status?.availableReplicas === spec.replicas &&
      findCondition(status?.conditions, "Progressing")?.reason === "NewReplicaSetAvailable";
    return done && deployment;
  });
}

test("a Deployment becomes pods, and says so in upstream's words", async () => {
  const namespace = await harness.namespace();
  await harness.client.create(DEPLOYMENTS, deploymentOf(namespace, "web"));
  const deployment = await complete(namespace, "web");
  const [set] = (await harness.client.list(REPLICA_SETS, { namespace })).items;
  expect(set?.metadata.name).toMatch(/^web-[bcdfghjklmnpqrstvwxz2456789]+$/);
  expect(set?.metadata.annotations).toMatchObject({
    "deployment.kubernetes.io/revision": "1",
    "deployment.kubernetes.io/desired-replicas": "3",
    "deployment.kubernetes.io/max-replicas": "4",
  });
  expect(deployment.metadata.annotations).toMatchObject({ "deployment.kubernetes.io/revision": "1" });
  expect(deployment.status?.conditions).toMatchObject([
    {
      type: "Available",
      status: "True",
      reason: "MinimumReplicasAvailable",
      message: "Deployment has minimum availability.",
    },
    {
      type: "Progressing",
      status: "True",
      reason: "NewReplicaSetAvailable",
      message: `ReplicaSet "${set?.metadata.name}" has successfully progressed.`,
    },
  ]);
  const pods = await podsOf(harness.client, namespace);
  expect(pods).toHaveLength(3);
  expect(pods[0]?.metadata.name).toMatch(new RegExp(`^${set?.metadata.name}-[a-z0-9]{5}$`));
  const told = await eventually(async () => {
    const { items } = await harness.client.list(EVENTS, { namespace });
    return items.filter((event) => event.reason === "SuccessfulCreate").length === 3 && items;
  });
  expect(told.find((event) => event.reason === "ScalingReplicaSet")?.message).toBe(
    `Scaled up replica set ${set?.metadata.name} from 0 to 3`,
  );
});

test("a new template rolls within maxSurge and maxUnavailable; undoing it brings the old ReplicaSet back", async () => {
  const namespace = await harness.namespace();
  await harness.client.create(DEPLOYMENTS, deploymentOf(namespace, "web", { replicas: 4, revisionHistoryLimit: 1 }));
  await complete(namespace, "web");
  await patch(namespace, "web", image("app:2"));
  const rolling = eventually(
    async () => (await complete(namespace, "web")).metadata.annotations?.["deployment.kubernetes.io/revision"] === "2",
  );
  let most = 0;
  let over = false;
  const watching = (async () => {
    while (!over) {
      const sets = (await harness.client.list(REPLICA_SETS, { namespace })).items;
      most = Math.max(
        most,
        sets.reduce((sum, set) => sum + (set.spec.replicas ?? 0), 0),
      );
    }
  })();
  await rolling;
  over = true;
  await watching;
  expect(most).toBe(5);
  await patch(namespace, "web", image("app:1"));
  await eventually(
    async () => (await complete(namespace, "web")).metadata.annotations?.["deployment.kubernetes.io/revision"] === "3",
  );
  const sets = (await harness.client.list(REPLICA_SETS, { namespace })).items;
  expect(sets).toHaveLength(2);
  expect(sets.find((set) => set.spec.replicas === 4)?.metadata.annotations).toMatchObject({
    "deployment.kubernetes.io/revision": "3",
    "deployment.kubernetes.io/revision-history": "1",
  });
  await patch(namespace, "web", image("app:3"));
  await eventually(
    async () => (await complete(namespace, "web")).metadata.annotations?.["deployment.kubernetes.io/revision"] === "4",
  );
  await eventually(async () => (await harness.client.list(REPLICA_SETS, { namespace })).items.length === 2);
});

test("scaling, pausing, resuming", async () => {
  const namespace = await harness.namespace();
  await harness.client.create(DEPLOYMENTS, deploymentOf(namespace, "web", { replicas: 1 }));
  await complete(namespace, "web");
  await patch(namespace, "web", { spec: { replicas: 5 } });
  expect((await complete(namespace, "web")).status?.replicas).toBe(5);
  await patch(namespace, "web", { spec: { paused: true, replicas: 2, ...image("app:2").spec } });
  await eventually(async () => {
    const { status } = await get(namespace, "web");
    return status?.replicas === 2 && findCondition(status.conditions, "Progressing")?.reason === "DeploymentPaused";
  });
  expect((await harness.client.list(REPLICA_SETS, { namespace })).items).toHaveLength(1);
  await patch(namespace, "web", { spec: { paused: false } });
  const deployment = await complete(namespace, "web");
  expect(deployment.metadata.annotations?.["deployment.kubernetes.io/revision"]).toBe("2");
});

test("Recreate ends the old pods before it makes new ones", async () => {
  const namespace = await harness.namespace();
  await harness.client.create(
    DEPLOYMENTS,
    deploymentOf(namespace, "web", { replicas: 2, strategy: { type: "Recreate" } }),
  );
  await complete(namespace, "web");
  const before = new Set((await podsOf(harness.client, namespace)).map((pod) => pod.metadata.uid));
  await patch(namespace, "web", image("app:2"));
  await eventually(async () => {
    const pods = await podsOf(harness.client, namespace);
    const old = pods.filter((pod) => before.has(pod.metadata.uid)).length;
    expect(old === 0 || old === pods.length).toBe(true);
    return pods.length === 2 && old === 0;
  });
  await complete(namespace, "web");
});

test("a rollout that does not get ready passes its deadline, and keeps the old pods", async () => {
  const namespace = await harness.namespace();
  await harness.client.create(DEPLOYMENTS, deploymentOf(namespace, "web", { replicas: 4, progressDeadlineSeconds: 1 }));
  await complete(namespace, "web");
  await patch(namespace, "web", image("broken"));
  const condition = await eventually(async () => {
    const { status } = await get(namespace, "web");
    expect(status?.availableReplicas).toBeGreaterThanOrEqual(3);
    const found = findCondition(status?.conditions, "Progressing");
    return found?.status === "False" && found;
  });
  expect(condition.reason).toBe("ProgressDeadlineExceeded");
  expect(condition.message).toMatch(/^ReplicaSet "web-.*" has timed out progressing\.$/);
  expect((await podsOf(harness.client, namespace)).length).toBe(5);
});

test("a deleted pod is made again, a relabelled one let go, a matching orphan taken in", async () => {
  const namespace = await harness.namespace();
  await harness.client.create(DEPLOYMENTS, deploymentOf(namespace, "web", { replicas: 2 }));
  await complete(namespace, "web");
  const pods = { group: "", version: "v1", resource: "pods", kind: "Pod", namespaced: true };
  const [first, second] = await podsOf(harness.client, namespace);
  await harness.client.delete(pods, namespace, first?.metadata.name ?? "");
  const relabel = () =>
    harness.client.patch(pods, namespace, second?.metadata.name ?? "", "application/merge-patch+json", {
      metadata: { labels: { "pod-template-hash": "x" } },
    });
  await relabel();
  await eventually(async () => {
    const all = await podsOf(harness.client, namespace);
    const released = all.find((pod) => pod.metadata.name === second?.metadata.name);
    return all.length === 3 && released?.metadata.ownerReferences === undefined;
  });
  const hash = first?.metadata.labels?.["pod-template-hash"] ?? "";
  await harness.client.patch(pods, namespace, second?.metadata.name ?? "", "application/merge-patch+json", {
    metadata: { labels: { "pod-template-hash": hash } },
  });
  await eventually(async () => {
    const all = await podsOf(harness.client, namespace);
    return all.length === 2 && all.every((pod) => pod.metadata.ownerReferences?.[0]?.kind === "ReplicaSet");
  });
  expect((await complete(namespace, "web")).status?.readyReplicas).toBe(2);
});

test("many Deployments at once never have a pod too many", async () => {
  const namespace = await harness.namespace();
  const names = Array.from({ length: 10 }, (_, i) => `d${i}`);
  await Promise.all(
    names.map((name) => harness.client.create(DEPLOYMENTS, deploymentOf(namespace, name, { replicas: 5 }))),
  );
  await Promise.all(names.map((name) => complete(namespace, name)));
  expect(await podsOf(harness.client, namespace)).toHaveLength(50);
  const { items } = await harness.client.list(EVENTS, { namespace });
  expect(items.filter((event) => event.reason === "SuccessfulDelete")).toEqual([]);
});
