import fc from "fast-check";
import { expect, test } from "vitest";
import type { EndpointSlice, Pod, Service } from "@travelops/kube";
import { planSlices } from "./slices.ts";
import { endpointsOf } from "./subsets.ts";

const service = (spec: Partial<Service["spec"]> = {}): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web", namespace: "ns", uid: "s", labels: { team: "x" } },
  spec: {
    selector: { app: "web" },
    clusterIP: "10.64.0.1",
    ports: [{ port: 80, targetPort: "http" }],
    ...spec,
  },
});

const pod = (
  ip: string,
  options: { ready?: boolean; deleting?: boolean; port?: number; phase?: "Running" | "Failed" } = {},
): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: `p-${ip}`,
    namespace: "ns",
    uid: `u-${ip}`,
    ...(options.deleting === true ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {}),
  },
  spec: {
    nodeName: "n1",
    containers: [{ name: "c", ports: [{ name: "http", containerPort: options.port ?? 8080 }] }],
  },
  status: {
    phase: options.phase ?? "Running",
    podIP: ip,
    podIPs: [{ ip }],
    conditions: [{ type: "Ready", status: options.ready === false ? "False" : "True" }],
  },
});

const plan = (one: Service, pods: Pod[], existing: EndpointSlice[] = []) =>
  planSlices(one, pods, existing, () => undefined);

test("a slice holds the pods with their ports and conditions", () => {
  const { create } = plan(service(), [
    pod("10.0.0.1"),
    pod("10.0.0.2", { ready: false }),
    pod("10.0.0.3", { deleting: true }),
    pod("10.0.0.4", { phase: "Failed" }),
  ]);
  expect(create).toHaveLength(1);
  expect(create[0]).toMatchObject({
    addressType: "IPv4",
    ports: [{ name: "", port: 8080, protocol: "TCP" }],
    metadata: {
      generateName: "web-",
      labels: { team: "x", "kubernetes.io/service-name": "web" },
      ownerReferences: [{ kind: "Service", uid: "s" }],
    },
    endpoints: [
      {
        addresses: ["10.0.0.1"],
        conditions: { ready: true, serving: true, terminating: false },
        nodeName: "n1",
        targetRef: { kind: "Pod", name: "p-10.0.0.1" },
      },
      { addresses: ["10.0.0.2"], conditions: { ready: false, serving: false, terminating: false } },
      { addresses: ["10.0.0.3"], conditions: { ready: false, serving: true, terminating: true } },
    ],
  });
});

test("named ports that differ between pods make slices of their own; none makes an empty one", () => {
  expect(plan(service(), [pod("10.0.0.1"), pod("10.0.0.2", { port: 9090 })]).create.map((one) => one.ports)).toEqual([
    [{ name: "", port: 8080, protocol: "TCP" }],
    [{ name: "", port: 9090, protocol: "TCP" }],
  ]);
  expect(plan(service(), []).create).toMatchObject([{ endpoints: [], ports: [] }]);
  expect(
    plan(service({ publishNotReadyAddresses: true }), [pod("10.0.0.1", { ready: false })]).create[0]?.endpoints[0]
      ?.conditions,
  ).toEqual({ ready: true, serving: false, terminating: false });
});

test("Endpoints tell ready from not ready, in order", () => {
  const one = endpointsOf(service(), [
    pod("10.0.0.2"),
    pod("10.0.0.1"),
    pod("10.0.0.3", { ready: false }),
    pod("10.0.0.4", { deleting: true }),
  ]);
  expect(one.subsets).toMatchObject([
    {
      addresses: [{ ip: "10.0.0.1" }, { ip: "10.0.0.2" }],
      notReadyAddresses: [{ ip: "10.0.0.3" }],
      ports: [{ port: 8080, protocol: "TCP" }],
    },
  ]);
  expect(endpointsOf(service(), []).subsets).toBeUndefined();
});

test("whatever changes, every address is in one slice, none is too full, and nothing is written twice", () => {
  const number = fc.integer({ min: 1, max: 250 });
  fc.assert(
    fc.property(fc.array(fc.uniqueArray(number, { maxLength: 220 }), { minLength: 1, maxLength: 4 }), (steps) => {
      let slices: EndpointSlice[] = [];
      let count = 0;
      for (const step of steps) {
        const pods = step.map((n) => pod(`10.0.0.${n}`));
        const { create, update, remove } = plan(service(), pods, slices);
        const updated = new Map(update.map((slice) => [slice.metadata.name, slice]));
        slices = [
          ...slices
            .filter((slice) => !remove.includes(slice))
            .map((slice) => updated.get(slice.metadata.name) ?? slice),
          ...create.map((slice) => ({ ...slice, metadata: { ...slice.metadata, name: `s${count++}` } })),
        ];
        const written = slices.flatMap((slice) => slice.endpoints.map((one) => one.addresses[0] ?? ""));
        expect(written).toHaveLength(pods.length);
        expect(new Set(written)).toEqual(new Set(pods.map((one) => one.status?.podIP)));
        expect(Math.max(...slices.map((slice) => slice.endpoints.length))).toBeLessThanOrEqual(100);
        const again = plan(service(), pods, slices);
        expect([again.create, again.update, again.remove]).toEqual([[], [], []]);
      }
    }),
    { numRuns: 30 },
  );
});
