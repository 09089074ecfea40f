import { afterAll, beforeAll, expect, test } from "vitest";
import type { HorizontalPodAutoscaler, KubeClient } from "@travelops/kube";
import { DEPLOYMENTS, EVENTS, fakeClock, findCondition, HORIZONTAL_POD_AUTOSCALERS, PODS } from "@travelops/kube";
import { eventually } from "../../../test/api-under-test.ts";
import { startTestServer, type TestServer } from "../../apiserver/testing/start-test-server.ts";
import { startControllers } from "../start-controllers.ts";
import { startFakeKubelet } from "../testing/fake-kubelet.ts";
import { deploymentOf } from "../testing/harness.ts";

/** Past the time in which the use of a fresh pod says little. */
const clock = fakeClock(Date.now() + 3_600_000);
const abort = new AbortController();
let server: TestServer;
let client: KubeClient;
let parts: Promise<unknown>;
let cpu = 0.5;
beforeAll(async () => {
  server = await startTestServer();
  client = server.client();
  server.server.setNodeAccess({
    async usage() {
      const { items } = await client.list(PODS);
      return items.map(({ metadata: { name = "", namespace = "" } }) => ({
        node: "n1",
        namespace,
        name,
        containers: [
          { name: "main", at: clock.now(), windowMs: 15_000, cpuNanoCores: cpu * 1e9, memoryBytes: 1 << 20 },
        ],
      }));
    },
    logs: () => Promise.reject(new Error("not here")),
    exec: () => Promise.reject(new Error("not here")),
    attach: () => Promise.reject(new Error("not here")),
    dial: () => Promise.reject(new Error("not here")),
  });
  parts = Promise.all([
    startControllers({
      client: server.client({ name: "system:kube-controller-manager", groups: ["system:authenticated"] }),
      signal: abort.signal,
      clock,
      only: ["horizontal-pod-autoscaler-controller"],
    }),
    startControllers({ client, signal: abort.signal, only: ["deployment-controller", "replicaset-controller"] }),
    startFakeKubelet({ client, signal: abort.signal, bindTo: "n1" }).done,
  ]);
}, 60_000);
afterAll(async () => {
  abort.abort();
  await parts;
  await server.close();
});

const get = (name: string): Promise<HorizontalPodAutoscaler> => client.get(HORIZONTAL_POD_AUTOSCALERS, "default", name);
const create = (name: string, spec: Partial<HorizontalPodAutoscaler["spec"]> = {}): Promise<HorizontalPodAutoscaler> =>
  client.create(HORIZONTAL_POD_AUTOSCALERS, {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name, namespace: "default" },
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name },
      maxReplicas: 5,
      metrics: [
        { type: "Resource", resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } } },
      ],
      ...spec,
    },
  });
/** While the controller's time passes. */
const inTime = <T>(probe: () => Promise<T | undefined | false>): Promise<T> =>
  eventually(() => {
    clock.advance(1000);
    return probe();
  });
const replicasOf = async (name: string): Promise<number | undefined> =>
  (await client.get(DEPLOYMENTS, "default", name)).spec.replicas;
const condition = async (name: string, type: string) => findCondition((await get(name)).status?.conditions, type);
const eventsOf = async (name: string, reason: string) =>
  (await client.list(EVENTS, { namespace: "default", fieldSelector: `involvedObject.name=${name},reason=${reason}` }))
    .items;

test("more use brings more replicas, less takes them away after the window", async () => {
  const deployment = deploymentOf("default", "web", { replicas: 2 });
  const [container] = deployment.spec.template.spec.containers;
  if (container !== undefined) container.resources = { requests: { cpu: "500m" } };
  await client.create(DEPLOYMENTS, deployment);
  await eventually(async () => (await client.get(DEPLOYMENTS, "default", "web")).status?.readyReplicas === 2);
  await create("web");
  await inTime(async () => (await replicasOf("web")) === 4);
  const event = await eventually(async () => (await eventsOf("web", "SuccessfulRescale"))[0]);
  expect(event.message).toBe("New size: 4; reason: cpu resource utilization (percentage of request) above target");
  await inTime(async () => (await replicasOf("web")) === 5);
  expect(
    (
      await inTime(async () => {
        const found = await condition("web", "ScalingLimited");
        return found?.reason === "TooManyReplicas" && found;
      })
    ).status,
  ).toBe("True");
  const { status } = await get("web");
  expect(status).toMatchObject({
    currentMetrics: [
      { type: "Resource", resource: { name: "cpu", current: { averageUtilization: 100, averageValue: "500m" } } },
    ],
  });
  expect(findCondition(status?.conditions, "ScalingActive")).toMatchObject({
    status: "True",
    reason: "ValidMetricFound",
  });
  cpu = 0.01;
  const from = clock.now();
  await inTime(async () => (await replicasOf("web")) === 1);
  expect(clock.now() - from).toBeGreaterThan(240_000);
  expect(
    (
      await eventually(async () =>
        (await eventsOf("web", "SuccessfulRescale")).find(({ message }) => message?.includes("below")),
      )
    ).message,
  ).toBe("New size: 1; reason: All metrics below target");
}, 30_000);

test("the least and the most hold whatever the metrics say, and none is a switch", async () => {
  await client.create(DEPLOYMENTS, deploymentOf("default", "few", { replicas: 1 }));
  await create("few", { minReplicas: 3 });
  await inTime(async () => (await replicasOf("few")) === 3);
  await client.create(DEPLOYMENTS, deploymentOf("default", "off", { replicas: 0 }));
  await create("off");
  const off = await inTime(() => condition("off", "ScalingActive"));
  expect(off).toMatchObject({ status: "False", reason: "ScalingDisabled" });
});

test("what stands in the way is said", async () => {
  await create("nobody");
  const scale = await inTime(() => condition("nobody", "AbleToScale"));
  expect(scale).toMatchObject({
    status: "False",
    reason: "FailedGetScale",
    message: 'the HPA controller was unable to get the target\'s current scale: deployments.apps "nobody" not found',
  });
  await client.create(DEPLOYMENTS, deploymentOf("default", "free", { replicas: 1 }));
  await eventually(async () => (await client.get(DEPLOYMENTS, "default", "free")).status?.readyReplicas === 1);
  await create("free");
  const active = await inTime(async () => {
    const found = await condition("free", "ScalingActive");
    return found?.message?.includes("missing request") === true && found;
  });
  expect(active).toMatchObject({ status: "False", reason: "FailedGetResourceMetric" });
  expect(active.message).toMatch(
    /^the HPA was unable to compute the replica count: failed to get cpu utilization: missing request for cpu in container main of Pod free-/,
  );
  const event = await eventually(async () => (await eventsOf("free", "FailedComputeMetricsReplicas"))[0]);
  expect(event.message).toMatch(
    /^invalid metrics \(1 invalid out of 1\), first error is: failed to get cpu resource metric value: /,
  );
});
