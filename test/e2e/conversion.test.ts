/** Custom resources whose versions a pod behind a Service converts. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openPki } from "@travelops/cluster/apiserver/pki/cluster-pki";
import type { KubeClient, KubeObject, Resource } from "@travelops/kube";
import { systemClock } from "@travelops/kube/api/clock";
import { PODS, SECRETS, SERVICES } from "@travelops/kube/client/resources";
import { type ClusterProcess, startClusterProcess } from "../cluster-under-test.ts";
import { until } from "./until.ts";

const NAMESPACE = "default";
const GROUP = "converted.example.com";

const CRDS: Resource = {
  group: "apiextensions.k8s.io",
  version: "v1",
  resource: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};
const routes = (version: string): Resource => ({
  group: GROUP,
  version,
  resource: "routes",
  kind: "Route",
  namespaced: true,
});

/** `hostPort` of v1 is `host` and `port` in v2. */
const PROGRAM = `
const { createServer } = require("node:https");
createServer({ cert: process.env.CERT, key: process.env.KEY }, async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const { apiVersion, request } = JSON.parse(Buffer.concat(chunks));
  const convertedObjects = request.objects.map((object) => {
    const { hostPort = "", host, port } = object.spec ?? {};
    const [h, p] = hostPort.split(":");
    const spec = request.desiredAPIVersion.endsWith("v2") ? { host: h, port: p } : { hostPort: host + ":" + port };
    return { ...object, apiVersion: request.desiredAPIVersion, spec };
  });
  const response = { uid: request.uid, result: { status: "Success" }, convertedObjects };
  res.setHeader("content-type", "application/json");
  res.end(JSON.stringify({ apiVersion, kind: "ConversionReview", response }));
}).listen(8443, () => console.log("listening"));
`;

const pod: KubeObject = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "converter", namespace: NAMESPACE, labels: { app: "converter" } },
  spec: {
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: "converter",
        image: "node",
        command: ["node", "-e", PROGRAM],
        // Without namespaces nothing is mounted at a path of its own.
        env: [
          { name: "CERT", valueFrom: { secretKeyRef: { name: "converter", key: "tls.crt" } } },
          { name: "KEY", valueFrom: { secretKeyRef: { name: "converter", key: "tls.key" } } },
        ],
        ports: [{ name: "https", containerPort: 8443 }],
        readinessProbe: { tcpSocket: { port: "https" }, periodSeconds: 1 },
      },
    ],
  },
};

function definition(ca: string): KubeObject {
  const version = (name: string, storage: boolean): object => ({
    name,
    served: true,
    storage,
    schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
  });
  const service = { namespace: NAMESPACE, name: "converter", path: "/convert" };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `routes.${GROUP}` },
    spec: {
      group: GROUP,
      scope: "Namespaced",
      names: { plural: "routes", kind: "Route" },
      versions: [version("v1", true), version("v2", false)],
      conversion: {
        strategy: "Webhook",
        webhook: {
          conversionReviewVersions: ["v1"],
          clientConfig: { service, caBundle: Buffer.from(ca).toString("base64") },
        },
      },
    },
  };
}

/** The converting pod and its Service; the CA that signed its certificate. */
async function deploy(client: KubeClient, scratch: string): Promise<string> {
  const pki = await openPki({
    dir: path.join(scratch, "converter-pki"),
    clock: systemClock,
    clusterName: "converter",
    serviceAddress: "10.64.0.1",
  });
  const { cert, key } = await pki.issueServer("converter", [`converter.${NAMESPACE}.svc`]);
  await client.create(SECRETS, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "converter", namespace: NAMESPACE },
    type: "kubernetes.io/tls",
    stringData: { "tls.crt": cert, "tls.key": key },
  });
  await client.create(SERVICES, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "converter", namespace: NAMESPACE },
    spec: { selector: { app: "converter" }, ports: [{ port: 443, targetPort: "https" }] },
  });
  await client.create(PODS, pod);
  return pki.ca;
}

describe.each(["namespaces", "bare"] as const)("versions that a pod converts, %s sandbox", (sandbox) => {
  let scratch = "";
  let cluster: ClusterProcess;
  let client: KubeClient;

  beforeAll(async () => {
    scratch = mkdtempSync(path.join(tmpdir(), "travelops-conversion-"));
    cluster = await startClusterProcess({ dataDir: path.join(scratch, "data"), sandbox });
    client = cluster.client;
    await client.create(CRDS, definition(await deploy(client, scratch)));
  }, 60_000);
  afterAll(async () => {
    await cluster?.stop();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  });

  test("are written in one and read in another, one by one and as a list", async () => {
    const object = (version: string, name: string, spec: object): KubeObject => ({
      apiVersion: `${GROUP}/${version}`,
      kind: "Route",
      metadata: { name, namespace: NAMESPACE },
      spec,
    });
    await until(
      "the pod converts",
      () => client.create(routes("v2"), object("v2", "a", { host: "h", port: "1" })),
      40_000,
    );
    await client.create(routes("v1"), object("v1", "b", { hostPort: "i:2" }));
    expect((await client.get(routes("v1"), NAMESPACE, "a"))["spec"]).toEqual({ hostPort: "h:1" });
    const { items } = await client.list(routes("v2"), { namespace: NAMESPACE });
    expect(items.map((item) => item["spec"])).toEqual([
      { host: "h", port: "1" },
      { host: "i", port: "2" },
    ]);
  }, 60_000);

  test("that are not the stored one are refused while the pod is away", async () => {
    await client.delete(PODS, NAMESPACE, "converter");
    await until("its pod is gone", async () => (await client.list(PODS, { namespace: NAMESPACE })).items.length === 0);
    await expect(client.get(routes("v2"), NAMESPACE, "a")).rejects.toThrow(
      /^conversion webhook for converted\.example\.com\/v1, Kind=Route failed: Post "https:\/\/converter\.default\.svc:443\/convert\?timeout=30s": /,
    );
    expect((await client.get(routes("v1"), NAMESPACE, "a"))["spec"]).toEqual({ hostPort: "h:1" });
  }, 60_000);
});
