import { execFile } from "node:child_process";
import { accessSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { NODES, PODS, type KubeObject, type Resource } from "@travelops/kube";
import { startTestServer, type TestServer } from "../testing/start-test-server.ts";

const resource = (name: string, kind: string, namespaced: boolean): Resource<KubeObject> => ({
  group: "metrics.k8s.io",
  version: "v1beta1",
  resource: name,
  kind,
  namespaced,
});
const POD_METRICS = resource("pods", "PodMetrics", true);
const NODE_METRICS = resource("nodes", "NodeMetrics", false);

let server: TestServer;
const container = {
  name: "main",
  at: Date.UTC(2026, 0, 1),
  windowMs: 15_000,
  cpuNanoCores: 250e6,
  memoryBytes: 64 << 20,
};
beforeAll(async () => {
  server = await startTestServer();
  const client = server.client();
  await client.create(NODES, { apiVersion: "v1", kind: "Node", metadata: { name: "n1" } });
  const allocatable = { cpu: "1", memory: "128Mi" };
  await client.patch(
    NODES,
    "",
    "n1",
    "application/merge-patch+json",
    { status: { allocatable, capacity: allocatable } },
    { subresource: "status" },
  );
  for (const name of ["one", "two"]) {
    await client.create(PODS, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace: "default", labels: { app: name } },
      spec: { nodeName: "n1", containers: [{ name: "main", image: "x" }] },
    });
  }
  server.server.setNodeAccess({
    usage: () => Promise.resolve([{ node: "n1", namespace: "default", name: "one", containers: [container] }]),
    logs: () => Promise.reject(new Error("not here")),
    exec: () => Promise.reject(new Error("not here")),
    attach: () => Promise.reject(new Error("not here")),
    dial: () => Promise.reject(new Error("not here")),
  });
}, 60_000);
afterAll(() => server.close());

test("pods and nodes have metrics, selected by label, and a pod that does not run has none", async () => {
  const client = server.client();
  const { items } = await client.list(POD_METRICS, { namespace: "default" });
  expect(items).toMatchObject([
    {
      metadata: { name: "one", namespace: "default", labels: { app: "one" } },
      timestamp: "2026-01-01T00:00:00Z",
      window: "15s",
      containers: [{ name: "main", usage: { cpu: "250000000n", memory: "65536Ki" } }],
    },
  ]);
  expect((await client.list(POD_METRICS, { labelSelector: "app=two" })).items).toEqual([]);
  expect(await client.get(NODE_METRICS, "", "n1")).toMatchObject({
    kind: "NodeMetrics",
    usage: { cpu: "250000000n", memory: "65536Ki" },
  });
  await expect(client.get(POD_METRICS, "default", "two")).rejects.toThrow(
    'podmetrics.metrics.k8s.io "default/two" not found',
  );
  await expect(client.get(POD_METRICS, "default", "three")).rejects.toThrow("not found");
});

test("nobody writes them, and only who may read them does", async () => {
  const client = server.client();
  await expect(client.delete(POD_METRICS, "default", "one")).rejects.toMatchObject({ status: { code: 405 } });
  const nobody = server.client({ name: "nobody", groups: ["system:authenticated"] });
  await expect(nobody.list(POD_METRICS, { namespace: "default" })).rejects.toThrow(
    'pods.metrics.k8s.io is forbidden: User "nobody" cannot list resource "pods" in API group "metrics.k8s.io"',
  );
});

test("the group is announced as available", async () => {
  const service = await server.client().get(
    {
      group: "apiregistration.k8s.io",
      version: "v1",
      resource: "apiservices",
      kind: "APIService",
      namespaced: false,
    },
    "",
    "v1beta1.metrics.k8s.io",
  );
  expect(service["status"]).toMatchObject({ conditions: [{ type: "Available", status: "True" }] });
});

const hasKubectl = (process.env["PATH"] ?? "").split(":").some((folder) => {
  try {
    accessSync(join(folder, "kubectl"));
    return true;
  } catch {
    return false;
  }
});

test.skipIf(!hasKubectl)(
  "kubectl top and kubectl get",
  async () => {
    const kubeconfig = join(server.dir, "kubeconfig");
    const cluster = { server: server.url, "certificate-authority-data": Buffer.from(server.caData).toString("base64") };
    await writeFile(
      kubeconfig,
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        "current-context": "test",
        clusters: [{ name: "test", cluster }],
        users: [{ name: "admin", user: { token: server.adminToken } }],
        contexts: [{ name: "test", context: { cluster: "test", user: "admin" } }],
      }),
      { mode: 0o600 },
    );
    const kubectl = async (...args: string[]): Promise<string> =>
      (await promisify(execFile)("kubectl", ["--kubeconfig", kubeconfig, ...args])).stdout;
    expect(await kubectl("top", "nodes", "--no-headers")).toMatch(/^n1\s+250m\s+25%\s+64Mi\s+50%/);
    expect(await kubectl("top", "pods", "-l", "app=one", "--containers", "--no-headers")).toMatch(
      /^one\s+main\s+250m\s+64Mi/,
    );
    expect(await kubectl("get", "nodes.metrics.k8s.io")).toMatch(
      /NAME\s+CPU\s+MEMORY\s+WINDOW\nn1\s+250000000n\s+65536Ki\s+15s/,
    );
    expect(await kubectl("explain", "podmetrics.containers")).toContain("usage");
  },
  30_000,
);
