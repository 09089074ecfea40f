/** A `metrics.k8s.io` beside the API: what a pod uses is what its annotations `usage/CONTAINER` say (`cpu=100m,memory=1Mi`). */
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { formatTime, isAlreadyExists, type KubeClient, type Pod, PODS, type Resource, SERVICES } from "@travelops/kube";
import { testCertificate } from "@travelops/cluster/network/testing/certificate";

const VERSION = "metrics.k8s.io/v1beta1";
const API_SERVICES: Resource = {
  group: "apiregistration.k8s.io",
  version: "v1",
  resource: "apiservices",
  kind: "APIService",
  namespaced: false,
};

const DISCOVERY: Readonly<Record<string, object>> = {
  [`/apis/${VERSION}`]: {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion: VERSION,
    resources: [{ name: "pods", singularName: "pod", namespaced: true, kind: "PodMetrics", verbs: ["get", "list"] }],
  },
  "/apis/metrics.k8s.io": {
    kind: "APIGroup",
    apiVersion: "v1",
    name: "metrics.k8s.io",
    versions: [{ groupVersion: VERSION, version: "v1beta1" }],
    preferredVersion: { groupVersion: VERSION, version: "v1beta1" },
  },
};

/** Registers it with the API; `close()` ends it. */
export async function startMetricsServer(client: KubeClient): Promise<{ close(): Promise<void> }> {
  const server = createServer(testCertificate(["localhost"]), (request, response) => {
    const url = new URL(request.url ?? "/", "https://localhost");
    const answer = (status: number, body: object): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    const known = DISCOVERY[url.pathname];
    if (known !== undefined) return answer(200, known);
    const namespace = new RegExp(`^/apis/${VERSION}/namespaces/([^/]+)/pods$`).exec(url.pathname)?.[1];
    if (namespace === undefined) return answer(404, { kind: "Status", apiVersion: "v1", status: "Failure", code: 404 });
    client.list<Pod>(PODS, { namespace, labelSelector: url.searchParams.get("labelSelector") ?? "" }).then(
      ({ items }) =>
        answer(200, { kind: "PodMetricsList", apiVersion: VERSION, metadata: {}, items: items.flatMap(metricsOf) }),
      () => answer(500, { kind: "Status", apiVersion: "v1", status: "Failure", code: 500 }),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await client.create(SERVICES, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "metrics", namespace: "kube-system" },
    spec: { type: "ExternalName", externalName: "localhost", ports: [{ port }] },
  });
  const spec = {
    ...{ group: "metrics.k8s.io", version: "v1beta1", groupPriorityMinimum: 100, versionPriority: 100 },
    ...{ insecureSkipTLSVerify: true, service: { namespace: "kube-system", name: "metrics", port } },
  };
  const metadata = { name: "v1beta1.metrics.k8s.io" };
  try {
    await client.create(API_SERVICES, { apiVersion: "apiregistration.k8s.io/v1", kind: "APIService", metadata, spec });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    // Ours has one built in.
    await client.patch(API_SERVICES, "", metadata.name, "application/merge-patch+json", { spec });
  }
  return {
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

function metricsOf({ metadata, spec }: Pod): object[] {
  const containers = spec.containers.flatMap(({ name }) => {
    const said = metadata.annotations?.[`usage/${name}`];
    if (said === undefined) return [];
    return [{ name, usage: Object.fromEntries(said.split(",").map((one) => one.split("="))) as object }];
  });
  if (containers.length === 0) return [];
  const { name, namespace } = metadata;
  return [{ metadata: { name, namespace }, timestamp: formatTime(Date.now()), window: "1s", containers }];
}
