import { afterAll, beforeAll, expect, test } from "vitest";
import type { DaemonSet, StatefulSet } from "@travelops/kube";
import { CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PERSISTENT_VOLUME_CLAIMS, STATEFUL_SETS } from "@travelops/kube";
import { eventually } from "../../../test/api-under-test.ts";
import { startScheduler } from "../../scheduler/start-scheduler.ts";
import { node } from "../../scheduler/testing/objects.ts";
import { type Harness, podsOf, startHarness } from "../testing/harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ beside: (client, signal) => startScheduler({ client, signal }) });
  for (const name of ["a", "b"]) {
    await harness.client.create(NODES, node(name));
    await harness.client.patch(NODES, "", name, "application/merge-patch+json", { spec: { taints: null } });
    await harness.client.patch(
      NODES,
      "",
      name,
      "application/merge-patch+json",
      { status: node(name).status },
      { subresource: "status" },
    );
  }
}, 90_000);
afterAll(() => harness.close());

const template = (image: string) => ({
  metadata: { labels: { app: "x" } },
  spec: { containers: [{ name: "main", image }] },
});
const image = (value: string) => ({ spec: { template: template(value) } });
const statefulSet = (namespace: string, spec: Partial<StatefulSet["spec"]> = {}): StatefulSet => ({
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: { name: "db", namespace },
  spec: {
    replicas: 3,
    serviceName: "db",
    selector: { matchLabels: { app: "x" } },
    template: template("app:1"),
    ...spec,
  },
});

const settled = (namespace: string): Promise<StatefulSet> =>
  eventually(async () => {
    const set = await harness.client.get(STATEFUL_SETS, namespace, "db");
    const { status, spec, metadata } = set;
    const done =
      status?.observedGeneration === metadata.generation &&
      status?.replicas === spec.replicas &&
      (status?.readyReplicas ?? 0) === spec.replicas;
    return (
      done &&
      (status?.updatedReplicas ?? 0) === spec.replicas &&
      status?.currentRevision === status?.updateRevision &&
      set
    );
  });

test("pods come in order, with names, claims and a place in DNS", async () => {
  const namespace = await harness.namespace();
  const claim = {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "data" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
  };
  await harness.client.create(
    STATEFUL_SETS,
    statefulSet(namespace, { volumeClaimTemplates: [claim], replicas: 2, podManagementPolicy: "Parallel" }),
  );
  const pods = await eventually(async () => {
    const found = await podsOf(harness.client, namespace);
    return found.length === 2 && found;
  });
  expect(
    pods.map((pod) => [
      pod.metadata.name,
      pod.spec.hostname,
      pod.spec.subdomain,
      pod.spec.volumes?.find((one) => one.name === "data")?.persistentVolumeClaim?.claimName,
    ]),
  ).toEqual([
    ["db-0", "db-0", "db", "data-db-0"],
    ["db-1", "db-1", "db", "data-db-1"],
  ]);
  expect(
    (await harness.client.list(PERSISTENT_VOLUME_CLAIMS, { namespace })).items.map((one) => one.metadata.name),
  ).toEqual(["data-db-0", "data-db-1"]);
});

test("scales up and down in order, rolls from the last to the first, and comes back", async () => {
  const namespace = await harness.namespace();
  await harness.client.create(STATEFUL_SETS, statefulSet(namespace));
  const first = await settled(namespace);
  const made = (await podsOf(harness.client, namespace)).toSorted(
    (a, b) => Number(a.metadata.resourceVersion) - Number(b.metadata.resourceVersion),
  );
  expect(made.map((pod) => pod.metadata.name)).toEqual(["db-0", "db-1", "db-2"]);
  const patch = (body: unknown) =>
    harness.client.patch(STATEFUL_SETS, namespace, "db", "application/merge-patch+json", body);
  await patch({ spec: { updateStrategy: { rollingUpdate: { partition: 2 } }, ...image("app:2").spec } });
  const images = async () => (await podsOf(harness.client, namespace)).map((pod) => pod.spec.containers[0]?.image);
  await eventually(async () => (await images()).join() === "app:1,app:1,app:2");
  await patch({ spec: { updateStrategy: { rollingUpdate: { partition: 0 } } } });
  const second = await settled(namespace);
  expect(await images()).toEqual(["app:2", "app:2", "app:2"]);
  expect(second.status?.currentRevision).not.toBe(first.status?.currentRevision);
  await patch(image("app:1"));
  expect((await settled(namespace)).status?.currentRevision).toBe(first.status?.currentRevision);
  expect((await harness.client.list(CONTROLLER_REVISIONS, { namespace })).items).toHaveLength(2);
  await patch({ spec: { replicas: 1 } });
  await settled(namespace);
  expect((await podsOf(harness.client, namespace)).map((pod) => pod.metadata.name)).toEqual(["db-0"]);
});

test("a DaemonSet has a pod on every node that will have it, and rolls them", async () => {
  const namespace = await harness.namespace();
  const set: DaemonSet = {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "agent", namespace },
    spec: { selector: { matchLabels: { app: "x" } }, template: template("app:1") },
  };
  await harness.client.create(DAEMON_SETS, set);
  const done = (count: number) =>
    eventually(async () => {
      const found = await harness.client.get(DAEMON_SETS, namespace, "agent");
      const { status, metadata } = found;
      return (
        status?.observedGeneration === metadata.generation &&
        status?.desiredNumberScheduled === count &&
        status?.numberAvailable === count &&
        status?.updatedNumberScheduled === count &&
        found
      );
    });
  await done(2);
  expect((await podsOf(harness.client, namespace)).map((pod) => pod.spec.nodeName).join()).toMatch(/^(a,b|b,a)$/);
  await harness.client.patch(DAEMON_SETS, namespace, "agent", "application/merge-patch+json", image("app:2"));
  await done(2);
  expect(new Set((await podsOf(harness.client, namespace)).map((pod) => pod.spec.containers[0]?.image))).toEqual(
    new Set(["app:2"]),
  );
  await harness.client.patch(NODES, "", "b", "application/merge-patch+json", {
    spec: { taints: [{ key: "away", effect: "NoExecute" }] },
  });
  await done(1);
  await eventually(async () => (await podsOf(harness.client, namespace)).length === 1);
});
