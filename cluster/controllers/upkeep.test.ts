import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Node, PersistentVolumeClaim, Pod } from "@travelops/kube";
import {
  CLUSTER_ROLES,
  DEPLOYMENTS,
  fakeClock,
  findCondition,
  isNotFound,
  LEASES,
  NODES,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  POD_DISRUPTION_BUDGETS,
  PODS,
  RESOURCE_QUOTAS,
  STORAGE_CLASSES,
} from "@travelops/kube";
import { eventually } from "../../test/api-under-test.ts";
import { node, pod } from "../scheduler/testing/objects.ts";
import { deploymentOf, type Harness, startHarness } from "./testing/harness.ts";

const volumesDirectory = mkdtempSync(join(tmpdir(), "travelops-volumes-"));
const clock = fakeClock(Date.now());
let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ kubelet: { bindTo: "n1" }, volumesDirectory, clock });
  await harness.client.create(NODES, node("n1"));
  await report("n1");
}, 90_000);
afterAll(async () => {
  await harness.close();
  rmSync(volumesDirectory, { recursive: true, force: true });
});

const report = (name: string): Promise<Node> =>
  harness.client.patch(
    NODES,
    "",
    name,
    "application/merge-patch+json",
    { status: node(name).status },
    { subresource: "status" },
  );
/** As `eventually`, while the controllers' time passes. */
const inTime = <T>(probe: () => Promise<T | undefined | false>, stepMs = 20): Promise<T> =>
  eventually(() => {
    clock.advance(stepMs);
    return probe();
  });
const claim = (namespace: string, name: string): PersistentVolumeClaim => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name, namespace },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
});

test("a claim gets a directory, keeps it while it is used, and gives it back", async () => {
  const namespace = await harness.namespace();
  await eventually(() => harness.client.get(STORAGE_CLASSES, "", "local"));
  await harness.client.create(PERSISTENT_VOLUME_CLAIMS, claim(namespace, "data"));
  const bound = await inTime(async () => {
    const found = await harness.client.get(PERSISTENT_VOLUME_CLAIMS, namespace, "data");
    return found.status?.phase === "Bound" && found;
  });
  expect(bound.status).toMatchObject({ capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"] });
  const volume = await harness.client.get(PERSISTENT_VOLUMES, "", bound.spec.volumeName ?? "");
  expect(volume.spec).toMatchObject({
    storageClassName: "local",
    persistentVolumeReclaimPolicy: "Delete",
    hostPath: { path: join(volumesDirectory, volume.metadata.name ?? "") },
  });
  expect(volume.status?.phase).toBe("Bound");
  expect(existsSync(volume.spec.hostPath?.path ?? "")).toBe(true);
  await harness.client.delete(PERSISTENT_VOLUME_CLAIMS, namespace, "data");
  await inTime(() =>
    harness.client.get(PERSISTENT_VOLUMES, "", volume.metadata.name ?? "").then(() => false, isNotFound),
  );
  expect(existsSync(volume.spec.hostPath?.path ?? "")).toBe(false);
});

test("a volume made by hand is bound to the claim it suits, and kept when its policy says so", async () => {
  const namespace = await harness.namespace();
  const make = (name: string, storage: string) =>
    harness.client.create(PERSISTENT_VOLUMES, {
      apiVersion: "v1",
      kind: "PersistentVolume",
      metadata: { name },
      spec: {
        capacity: { storage },
        accessModes: ["ReadWriteOnce"],
        storageClassName: "manual",
        persistentVolumeReclaimPolicy: "Retain",
        hostPath: { path: "/data" },
      },
    });
  await Promise.all([make("small", "1Gi"), make("large", "5Gi"), make("tiny", "1Mi")]);
  const wanted = claim(namespace, "data");
  await harness.client.create(PERSISTENT_VOLUME_CLAIMS, {
    ...wanted,
    spec: { ...wanted.spec, storageClassName: "manual" },
  });
  await inTime(
    async () => (await harness.client.get(PERSISTENT_VOLUME_CLAIMS, namespace, "data")).status?.phase === "Bound",
  );
  expect((await harness.client.get(PERSISTENT_VOLUME_CLAIMS, namespace, "data")).spec.volumeName).toBe("small");
  expect((await harness.client.get(PERSISTENT_VOLUMES, "", "large")).status?.phase).toBe("Available");
  await harness.client.delete(PERSISTENT_VOLUME_CLAIMS, namespace, "data");
  await inTime(async () => (await harness.client.get(PERSISTENT_VOLUMES, "", "small")).status?.phase === "Released");
});

test("a node that falls silent is marked and emptied; its pods are no longer ready", async () => {
  const namespace = await harness.namespace();
  await harness.client.create(NODES, node("n2"));
  await report("n2");
  const lease = (at: string) => ({
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: "n2", namespace: "kube-node-lease" },
    spec: { renewTime: at },
  });
  await eventually(() => harness.client.create(LEASES, lease("2026-01-01T00:00:00.000000Z")));
  const on = (name: string, tolerations: Pod["spec"]["tolerations"]): Promise<Pod> => {
    const one = pod(name, { nodeName: "n2", tolerations });
    return inTime(() => harness.client.create(PODS, { ...one, metadata: { name, namespace } }));
  };
  await on("leaves", [
    { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute", tolerationSeconds: 5 },
  ]);
  await on("stays", [{ operator: "Exists" }]);
  await inTime(
    async () =>
      findCondition((await harness.client.get(PODS, namespace, "stays")).status?.conditions, "Ready")?.status ===
      "True",
  );
  clock.advance(30_000);
  expect(findCondition((await harness.client.get(NODES, "", "n2")).status?.conditions, "Ready")?.status).toBe("True");
  const silent = await inTime(async () => {
    const found = await harness.client.get(NODES, "", "n2");
    return (
      found.spec?.taints?.some(
        (taint) => taint.key === "node.kubernetes.io/unreachable" && taint.effect === "NoExecute",
      ) === true && found
    );
  }, 1000);
  expect(findCondition(silent.status?.conditions, "Ready")).toMatchObject({
    status: "Unknown",
    reason: "NodeStatusUnknown",
    message: "Kubelet stopped posting node status.",
  });
  await inTime(() => harness.client.get(PODS, namespace, "leaves").then(() => false, isNotFound), 1000);
  await inTime(
    async () =>
      findCondition((await harness.client.get(PODS, namespace, "stays")).status?.conditions, "Ready")?.status ===
      "False",
  );
  await report("n2");
  await inTime(async () => ((await harness.client.get(NODES, "", "n2")).spec?.taints ?? []).length === 0);
  await harness.client.delete(NODES, "", "n2");
  await inTime(() => harness.client.get(PODS, namespace, "stays").then(() => false, isNotFound), 1000);
});

test("a budget says how many of its pods may go", async () => {
  const namespace = await harness.namespace();
  await harness.client.create(POD_DISRUPTION_BUDGETS, {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: "b", namespace },
    spec: { maxUnavailable: "25%", selector: { matchLabels: { app: "web" } } },
  });
  await inTime(() => harness.client.create(DEPLOYMENTS, deploymentOf(namespace, "web", { replicas: 4 })));
  const { status } = await inTime(async () => {
    const found = await harness.client.get(POD_DISRUPTION_BUDGETS, namespace, "b");
    return found.status?.currentHealthy === 4 && found;
  });
  expect(status).toMatchObject({
    expectedPods: 4,
    desiredHealthy: 3,
    disruptionsAllowed: 1,
    conditions: [{ type: "DisruptionAllowed", status: "True", reason: "SufficientPods" }],
  });
});

test("a quota shows what is used, of every kind", async () => {
  const namespace = await harness.namespace();
  await harness.client.create(RESOURCE_QUOTAS, {
    apiVersion: "v1",
    kind: "ResourceQuota",
    metadata: { name: "q", namespace },
    spec: { hard: { pods: "10", "requests.cpu": "2", configmaps: "10", "count/deployments.apps": "5" } },
  });
  const used = (wanted: Record<string, string>) =>
    inTime(async () => {
      const { status } = await harness.client.get(RESOURCE_QUOTAS, namespace, "q");
      return Object.entries(wanted).every(([item, amount]) => status?.used?.[item] === amount) && status;
    });
  await used({ pods: "0", "requests.cpu": "0" });
  const container = { name: "main", image: "app:1", resources: { requests: { cpu: "250m" } } };
  await inTime(() =>
    harness.client.create(
      DEPLOYMENTS,
      deploymentOf(namespace, "web", {
        replicas: 2,
        template: { metadata: { labels: { app: "web" } }, spec: { containers: [container] } },
      }),
    ),
  );
  const full = await used({ pods: "2", "requests.cpu": "500m", "count/deployments.apps": "1" });
  expect(full.hard).toMatchObject({ pods: "10" });
  await harness.client.delete(DEPLOYMENTS, namespace, "web");
  await used({ pods: "0", "requests.cpu": "0", "count/deployments.apps": "0" });
});

test("a role that gathers others shows their rules", async () => {
  const rules = [{ verbs: ["get"], apiGroups: ["x.io"], resources: ["xs"] }];
  await harness.client.create(CLUSTER_ROLES, {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: { name: "xs-view", labels: { "rbac.authorization.k8s.io/aggregate-to-view": "true" } },
    rules,
  });
  const view = await inTime(async () => {
    const found = await harness.client.get(CLUSTER_ROLES, "", "view");
    return found.rules?.some((rule) => rule.apiGroups?.includes("x.io")) === true && found;
  });
  expect(view.rules?.some((rule) => rule.resources?.includes("pods"))).toBe(true);
});
