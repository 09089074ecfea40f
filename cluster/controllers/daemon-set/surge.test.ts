import { afterAll, beforeAll, expect, test } from "vitest";
import { DAEMON_SETS, NODES, PODS } from "@travelops/kube";
import { eventually } from "../../../test/api-under-test.ts";
import { nodeOf } from "./plan.ts";
import { node } from "../../scheduler/testing/objects.ts";
import { startScheduler } from "../../scheduler/start-scheduler.ts";
import { type Harness, podsOf, startHarness } from "../testing/harness.ts";

let harness: Harness;
let ready = true;
beforeAll(async () => {
  harness = await startHarness({
    kubelet: { outcome: (pod) => (ready || pod.spec.containers[0]?.image === "app:1" ? "ready" : "running") },
    beside: (client, signal) => startScheduler({ client, signal }),
  });
  for (const name of ["a", "b"]) {
    await harness.client.create(NODES, node(name));
    await harness.client.patch(
      NODES,
      "",
      name,
      "application/merge-patch+json",
      { status: node(name).status },
      { subresource: "status" },
    );
    await harness.client.patch(NODES, "", name, "application/merge-patch+json", { spec: { taints: null } });
  }
}, 90_000);
afterAll(() => harness.close());

test("with a surge the new pod comes before the old one goes, on one node after the other", async () => {
  const namespace = await harness.namespace();
  const get = () => harness.client.get(DAEMON_SETS, namespace, "d");
  await harness.client.create(DAEMON_SETS, {
    apiVersion: "apps/v1",
    kind: "DaemonSet",
    metadata: { name: "d", namespace },
    spec: {
      selector: { matchLabels: { app: "d" } },
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
      template: { metadata: { labels: { app: "d" } }, spec: { containers: [{ name: "main", image: "app:1" }] } },
    },
  });
  await eventually(async () => (await get()).status?.numberAvailable === 2);
  ready = false;
  await harness.client.patch(DAEMON_SETS, namespace, "d", "application/merge-patch+json", {
    spec: { template: { spec: { containers: [{ name: "main", image: "app:2" }] } } },
  });
  const three = await eventually(async () => {
    const pods = await podsOf(harness.client, namespace);
    return pods.length === 3 && pods;
  });
  const fresh = three.filter((pod) => pod.spec.containers[0]?.image === "app:2");
  expect(fresh).toHaveLength(1);
  expect(three.filter((pod) => nodeOf(pod) === nodeOf(fresh[0] ?? three[0]!))).toHaveLength(2);
  expect((await get()).status).toMatchObject({ desiredNumberScheduled: 2, numberAvailable: 2 });
  ready = true;
  const [pod] = fresh;
  await harness.client.delete(PODS, namespace, pod?.metadata.name ?? "", { gracePeriodSeconds: 0 });
  const done = await eventually(async () => {
    const set = await get();
    return set.status?.updatedNumberScheduled === 2 && set.status.numberAvailable === 2 && set;
  });
  expect(done.status).toMatchObject({ currentNumberScheduled: 2, numberMisscheduled: 0 });
  await eventually(async () => (await podsOf(harness.client, namespace)).length === 2);
}, 30_000);
