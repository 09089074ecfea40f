import { afterAll, beforeAll, expect, test } from "vitest";
import type { EndpointSlice } from "@travelops/kube";
import { ENDPOINT_SLICES, ENDPOINTS, SERVICES } from "@travelops/kube";
import { eventually } from "../../../test/api-under-test.ts";
import { type Harness, startHarness } from "../testing/harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({
    kubelet: false,
    only: ["endpointslice-mirroring-controller", "garbage-collector-controller"],
  });
}, 90_000);
afterAll(() => harness.close());

const slicesOf = async (namespace: string): Promise<EndpointSlice[]> =>
  (await harness.client.list(ENDPOINT_SLICES, { namespace })).items;

test("Endpoints written by hand have slices, until they or their Service are gone or it selects pods", async () => {
  const namespace = await harness.namespace();
  const { client } = harness;
  await client.create(ENDPOINTS, {
    apiVersion: "v1",
    kind: "Endpoints",
    metadata: { name: "db", namespace, labels: { tier: "data" } },
    subsets: [
      {
        addresses: [{ ip: "10.1.0.1", hostname: "one" }],
        notReadyAddresses: [{ ip: "10.1.0.2" }],
        ports: [{ name: "sql", port: 3306 }],
      },
    ],
  });
  await client.create(SERVICES, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "db", namespace },
    spec: { ports: [{ name: "sql", port: 3306 }] },
  });
  const [slice] = await eventually(async () => {
    const found = await slicesOf(namespace);
    return found.length === 1 && found;
  });
  expect(slice).toMatchObject({
    metadata: {
      labels: {
        tier: "data",
        "kubernetes.io/service-name": "db",
        "endpointslice.kubernetes.io/managed-by": "endpointslicemirroring-controller.k8s.io",
      },
      ownerReferences: [{ kind: "Endpoints", name: "db", controller: true }],
    },
    addressType: "IPv4",
    endpoints: [
      { addresses: ["10.1.0.1"], hostname: "one", conditions: { ready: true } },
      { addresses: ["10.1.0.2"], conditions: { ready: false } },
    ],
    ports: [{ name: "sql", port: 3306, protocol: "TCP" }],
  });
  await client.patch(ENDPOINTS, namespace, "db", "application/merge-patch+json", {
    subsets: [{ addresses: [{ ip: "10.1.0.9" }], ports: [{ name: "sql", port: 3306 }] }],
  });
  await eventually(async () => (await slicesOf(namespace))[0]?.endpoints[0]?.addresses[0] === "10.1.0.9");
  await client.patch(SERVICES, namespace, "db", "application/merge-patch+json", { spec: { selector: { app: "db" } } });
  await eventually(async () => (await slicesOf(namespace)).length === 0);
});
