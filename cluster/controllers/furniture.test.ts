import { afterAll, beforeAll, expect, test } from "vitest";
import type { ConfigMap, KubeObject } from "@travelops/kube";
import {
  CONFIG_MAPS,
  CUSTOM_RESOURCE_DEFINITIONS,
  customResource,
  DEPLOYMENTS,
  ENDPOINT_SLICES,
  ENDPOINTS,
  isNotFound,
  NAMESPACES,
  PODS,
  REPLICA_SETS,
  SECRETS,
  SERVICE_ACCOUNTS,
  SERVICES,
} from "@travelops/kube";
import { eventually } from "../../test/api-under-test.ts";
import { deploymentOf, type Harness, podsOf, startHarness } from "./testing/harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ kubelet: { bindTo: "n1" }, rootCa: "CA" });
}, 90_000);
afterAll(() => harness.close());

const map = (namespace: string, name: string, metadata: Partial<KubeObject["metadata"]> = {}): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace, ...metadata },
});
const owned = (by: KubeObject, block = false) => ({
  ownerReferences: [
    {
      apiVersion: by.apiVersion,
      kind: by.kind,
      name: by.metadata.name ?? "",
      uid: by.metadata.uid ?? "",
      blockOwnerDeletion: block,
    },
  ],
});
const gone = (namespace: string, name: string) =>
  eventually(() => harness.client.get(CONFIG_MAPS, namespace, name).then(() => false, isNotFound));

test("every namespace has its ServiceAccount and the CA, also after they are deleted", async () => {
  const namespace = await harness.namespace();
  const account = await eventually(() => harness.client.get(SERVICE_ACCOUNTS, namespace, "default"));
  const ca = await eventually(() => harness.client.get(CONFIG_MAPS, namespace, "kube-root-ca.crt"));
  expect(ca.data).toEqual({ "ca.crt": "CA" });
  await harness.client.delete(SERVICE_ACCOUNTS, namespace, "default");
  await harness.client.patch(CONFIG_MAPS, namespace, "kube-root-ca.crt", "application/merge-patch+json", {
    data: { "ca.crt": "x" },
  });
  await eventually(
    async () =>
      (await harness.client.get(SERVICE_ACCOUNTS, namespace, "default")).metadata.uid !== account.metadata.uid,
  );
  await eventually(
    async () => (await harness.client.get(CONFIG_MAPS, namespace, "kube-root-ca.crt")).data?.["ca.crt"] === "CA",
  );
});

test("a token Secret is filled for its account and goes with it", async () => {
  const namespace = await harness.namespace();
  await harness.client.create(SERVICE_ACCOUNTS, {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "robot", namespace },
  });
  await harness.client.create(SECRETS, {
    apiVersion: "v1",
    kind: "Secret",
    type: "kubernetes.io/service-account-token",
    metadata: { name: "t", namespace, annotations: { "kubernetes.io/service-account.name": "robot" } },
  });
  const secret = await eventually(async () => {
    const found = await harness.client.get(SECRETS, namespace, "t");
    return found.data?.["token"] !== undefined && found;
  });
  expect(Object.keys(secret.data ?? {}).toSorted()).toEqual(["ca.crt", "namespace", "token"]);
  const claims =
    Buffer.from(secret.data?.["token"] ?? "", "base64")
      .toString()
      .split(".")[1] ?? "";
  expect(JSON.parse(Buffer.from(claims, "base64url").toString())).toMatchObject({
    sub: `system:serviceaccount:${namespace}:robot`,
  });
  await harness.client.delete(SERVICE_ACCOUNTS, namespace, "robot");
  await eventually(() => harness.client.get(SECRETS, namespace, "t").then(() => false, isNotFound));
});

test("a Service has slices and Endpoints of its ready pods", async () => {
  const namespace = await harness.namespace();
  await harness.client.create(SERVICES, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "web", namespace },
    spec: { selector: { app: "web" }, ports: [{ port: 80, targetPort: 8080 }] },
  });
  await harness.client.create(DEPLOYMENTS, deploymentOf(namespace, "web", { replicas: 2 }));
  const ready = async (count: number) =>
    eventually(async () => {
      const slices = (
        await harness.client.list(ENDPOINT_SLICES, {
          namespace,
          labelSelector: "kubernetes.io/service-name=web",
        })
      ).items;
      const endpoints = await harness.client.get(ENDPOINTS, namespace, "web");
      const inSlices = slices.flatMap((slice) =>
        (slice.endpoints ?? []).filter((one) => one.conditions?.ready === true),
      );
      return inSlices.length === count && (endpoints.subsets?.[0]?.addresses ?? []).length === count && slices;
    });
  expect(await ready(2)).toHaveLength(1);
  await harness.client.patch(DEPLOYMENTS, namespace, "web", "application/merge-patch+json", {
    spec: { replicas: 5 },
  });
  expect(await ready(5)).toHaveLength(1);
  await harness.client.patch(DEPLOYMENTS, namespace, "web", "application/merge-patch+json", {
    spec: { replicas: 0 },
  });
  await ready(0);
  await harness.client.delete(SERVICES, namespace, "web");
  await eventually(async () => (await harness.client.list(ENDPOINT_SLICES, { namespace })).items.length === 0);
  await eventually(() => harness.client.get(ENDPOINTS, namespace, "web").then(() => false, isNotFound));
});

test("what has lost its owners is collected, in the background, down the whole chain", async () => {
  const namespace = await harness.namespace();
  await harness.client.create(DEPLOYMENTS, deploymentOf(namespace, "web", { replicas: 2 }));
  await eventually(async () => (await podsOf(harness.client, namespace)).length === 2);
  await harness.client.delete(DEPLOYMENTS, namespace, "web", { propagationPolicy: "Background" });
  await eventually(
    async () =>
      (await harness.client.list(REPLICA_SETS, { namespace })).items.length === 0 &&
      (await podsOf(harness.client, namespace)).length === 0,
  );
  const orphan = await harness.client.create(
    CONFIG_MAPS,
    map(namespace, "orphan", {
      ownerReferences: [{ apiVersion: "v1", kind: "Secret", name: "never", uid: "no-such-uid" }],
    }),
  );
  await gone(namespace, orphan.metadata.name ?? "");
  expect((await harness.client.list(CONFIG_MAPS, { namespace, fieldSelector: "metadata.name=orphan" })).items).toEqual(
    [],
  );
});

test("one living owner is enough; the reference to the dead one is dropped", async () => {
  const namespace = await harness.namespace();
  const [a, b] = await Promise.all([
    harness.client.create(CONFIG_MAPS, map(namespace, "a")),
    harness.client.create(CONFIG_MAPS, map(namespace, "b")),
  ]);
  const both = [...owned(a).ownerReferences, ...owned(b).ownerReferences];
  await harness.client.create(CONFIG_MAPS, map(namespace, "child", { ownerReferences: both }));
  await harness.client.delete(CONFIG_MAPS, namespace, "a");
  const child = await eventually(async () => {
    const found = await harness.client.get(CONFIG_MAPS, namespace, "child");
    return found.metadata.ownerReferences?.length === 1 && found;
  });
  expect(child.metadata.ownerReferences?.[0]?.name).toBe("b");
});

test("in the foreground the owner goes last; as orphans the dependents stay", async () => {
  const namespace = await harness.namespace();
  const owner = await harness.client.create(CONFIG_MAPS, map(namespace, "owner"));
  await harness.client.create(
    CONFIG_MAPS,
    map(namespace, "child", { ...owned(owner, true), finalizers: ["test/hold"] }),
  );
  // The collector learns of the child before the owner's deletion begins.
  await eventually(async () => (await harness.client.list(CONFIG_MAPS, { namespace })).items.length >= 2);
  await harness.client.delete(CONFIG_MAPS, namespace, "owner", { propagationPolicy: "Foreground" });
  await eventually(async () => (await harness.client.get(CONFIG_MAPS, namespace, "child")).metadata.deletionTimestamp);
  expect((await harness.client.get(CONFIG_MAPS, namespace, "owner")).metadata.finalizers).toEqual([
    "foregroundDeletion",
  ]);
  await harness.client.patch(CONFIG_MAPS, namespace, "child", "application/merge-patch+json", {
    metadata: { finalizers: null },
  });
  await gone(namespace, "owner");
  const other = await harness.client.create(CONFIG_MAPS, map(namespace, "other"));
  await harness.client.create(CONFIG_MAPS, map(namespace, "stays", owned(other)));
  await harness.client.delete(CONFIG_MAPS, namespace, "other", { propagationPolicy: "Orphan" });
  await gone(namespace, "other");
  expect((await harness.client.get(CONFIG_MAPS, namespace, "stays")).metadata.ownerReferences).toBeUndefined();
});

test("custom resources are collected and end with their namespace", async () => {
  const namespace = await harness.namespace();
  await harness.client.create(CUSTOM_RESOURCE_DEFINITIONS, {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "widgets.test.travelops.io" },
    spec: {
      group: "test.travelops.io",
      names: { plural: "widgets", kind: "Widget" },
      scope: "Namespaced",
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
        },
      ],
    },
  });
  const widgets = customResource("test.travelops.io", "v1", "widgets", "Widget", true);
  const make = (name: string, metadata: object = {}) =>
    eventually(() =>
      harness.client.create(widgets, {
        apiVersion: "test.travelops.io/v1",
        kind: "Widget",
        metadata: { name, namespace, ...metadata },
      }),
    );
  const owner = await make("owner");
  await harness.client.create(CONFIG_MAPS, map(namespace, "of-widget", owned(owner)));
  await make("held", { finalizers: ["test/hold"] });
  await harness.client.delete(widgets, namespace, "owner");
  await gone(namespace, "of-widget");
  await harness.client.delete(NAMESPACES, "", namespace);
  const condition = await eventually(async () => {
    const { status } = await harness.client.get(NAMESPACES, "", namespace);
    return status?.conditions?.find((one) => one.type === "NamespaceFinalizersRemaining" && one.status === "True");
  });
  expect(condition.message).toBe(
    "Some content in the namespace has finalizers remaining: test/hold in 1 resource instances",
  );
  await harness.client.patch(widgets, namespace, "held", "application/merge-patch+json", {
    metadata: { finalizers: null },
  });
  await eventually(() => harness.client.get(NAMESPACES, "", namespace).then(() => false, isNotFound));
  await harness.client.delete(CUSTOM_RESOURCE_DEFINITIONS, "", "widgets.test.travelops.io");
});

test("a namespace takes everything along, running pods too", async () => {
  const namespace = await harness.namespace();
  await harness.client.create(DEPLOYMENTS, deploymentOf(namespace, "web", { replicas: 3 }));
  await eventually(
    async () => (await podsOf(harness.client, namespace)).filter((pod) => pod.status?.phase === "Running").length === 3,
  );
  await harness.client.delete(NAMESPACES, "", namespace);
  await eventually(() => harness.client.get(NAMESPACES, "", namespace).then(() => false, isNotFound));
  expect((await harness.client.list(PODS, { namespace })).items).toEqual([]);
});
