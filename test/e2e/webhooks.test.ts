/** Admission webhooks that run as pods behind a Service, asked about what users and controllers write. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openPki } from "@travelops/cluster/apiserver/pki/cluster-pki";
import type { KubeClient, KubeObject, Resource } from "@travelops/kube";
import { systemClock } from "@travelops/kube/api/clock";
import { CONFIG_MAPS, DEPLOYMENTS, NAMESPACES, PODS, SECRETS, SERVICES } from "@travelops/kube/client/resources";
import { type ClusterProcess, startClusterProcess } from "../cluster-under-test.ts";
import { until } from "./until.ts";

const NAMESPACE = "hooks";

const configurations = (phase: "Mutating" | "Validating"): Resource => ({
  group: "admissionregistration.k8s.io",
  version: "v1",
  resource: `${phase.toLowerCase()}webhookconfigurations`,
  kind: `${phase}WebhookConfiguration`,
  namespaced: false,
});

/** `/label` marks what it sees, `/deny` refuses ConfigMaps whose data say so. */
const PROGRAM = `
const { createServer } = require("node:https");
createServer({ cert: process.env.CERT, key: process.env.KEY }, async (req, res) => {
  const chunks = [];
  for await (const chunk of req) chunks.push(chunk);
  const { apiVersion, request } = JSON.parse(Buffer.concat(chunks));
  const response = { uid: request.uid, allowed: true };
  if (req.url.startsWith("/deny")) {
    response.allowed = request.object.data?.evil === undefined;
    response.status = { message: "evil is not for us" };
  } else {
    const labels = request.object.metadata.labels ?? {};
    response.patchType = "JSONPatch";
    const patch = [{ op: "add", path: "/metadata/labels", value: { ...labels, marked: request.userInfo.username.split(":").at(-1) } }];
    response.patch = Buffer.from(JSON.stringify(patch)).toString("base64");
  }
  res.setHeader("content-type", "application/json");
  res.end(JSON.stringify({ apiVersion, kind: "AdmissionReview", response }));
}).listen(8443, () => console.log("listening"));
`;

function webhookPod(): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "hook", namespace: NAMESPACE, labels: { app: "hook" } },
    spec: {
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: "hook",
          image: "node",
          command: ["node", "-e", PROGRAM],
          // Without namespaces nothing is mounted at a path of its own.
          env: [
            { name: "CERT", valueFrom: { secretKeyRef: { name: "hook", key: "tls.crt" } } },
            { name: "KEY", valueFrom: { secretKeyRef: { name: "hook", key: "tls.key" } } },
          ],
          ports: [{ name: "https", containerPort: 8443 }],
          readinessProbe: { tcpSocket: { port: "https" }, periodSeconds: 1 },
        },
      ],
    },
  };
}

const RULES = {
  label: { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE"], resources: ["pods", "configmaps"] },
  deny: { apiGroups: [""], apiVersions: ["v1"], operations: ["CREATE", "UPDATE"], resources: ["configmaps"] },
};

function configuration(
  phase: "Mutating" | "Validating",
  name: "label" | "deny",
  ca: string,
  policy: string,
): KubeObject {
  return {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: `${phase}WebhookConfiguration`,
    metadata: { name },
    webhooks: [
      {
        name: `${name}.hooks.example.com`,
        clientConfig: {
          service: { namespace: NAMESPACE, name: "hook", path: `/${name}` },
          caBundle: Buffer.from(ca).toString("base64"),
        },
        rules: [RULES[name]],
        namespaceSelector: { matchLabels: { asked: "yes" } },
        failurePolicy: policy,
        timeoutSeconds: 5,
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
      },
    ],
  };
}

/** The webhook's pod, its Service, and a namespace whose objects it is asked about. */
async function deployWebhook(client: KubeClient, scratch: string): Promise<string> {
  const pki = await openPki({
    dir: path.join(scratch, "hook-pki"),
    clock: systemClock,
    clusterName: "hook",
    serviceAddress: "10.64.0.1",
  });
  const { cert, key } = await pki.issueServer("hook", [`hook.${NAMESPACE}.svc`]);
  const namespace = (name: string, labels: Record<string, string>): KubeObject => ({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name, labels },
  });
  await client.create(NAMESPACES, namespace(NAMESPACE, {}));
  await client.create(NAMESPACES, namespace("asked", { asked: "yes" }));
  await client.create(SECRETS, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "hook", namespace: NAMESPACE },
    type: "kubernetes.io/tls",
    stringData: { "tls.crt": cert, "tls.key": key },
  });
  await client.create(SERVICES, {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "hook", namespace: NAMESPACE },
    spec: { selector: { app: "hook" }, ports: [{ port: 443, targetPort: "https" }] },
  });
  await client.create(PODS, webhookPod());
  return pki.ca;
}

const configMap = (name: string, data: Record<string, string>): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "asked" },
  data,
});

describe.each(["namespaces", "bare"] as const)("a webhook in the cluster, %s sandbox", (sandbox) => {
  let scratch = "";
  let cluster: ClusterProcess;
  let client: KubeClient;
  let ca = "";

  beforeAll(async () => {
    scratch = mkdtempSync(path.join(tmpdir(), "travelops-webhooks-"));
    cluster = await startClusterProcess({ dataDir: path.join(scratch, "data"), sandbox });
    client = cluster.client;
    ca = await deployWebhook(client, scratch);
  }, 60_000);
  afterAll(async () => {
    await cluster?.stop();
    rmSync(scratch, { recursive: true, force: true, maxRetries: 5 });
  });

  test("is asked through its Service, about what users and controllers write", async () => {
    await client.create(configurations("Mutating"), configuration("Mutating", "label", ca, "Fail"));
    await client.create(configurations("Validating"), configuration("Validating", "deny", ca, "Fail"));
    const marked = await until("the webhook answers", () => client.create(CONFIG_MAPS, configMap("good", {})), 30_000);
    expect(marked.metadata.labels).toEqual({ marked: "kubernetes-admin" });
    await expect(client.create(CONFIG_MAPS, configMap("bad", { evil: "1" }))).rejects.toThrow(
      'admission webhook "deny.hooks.example.com" denied the request: evil is not for us',
    );
    await client.create(DEPLOYMENTS, {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "d", namespace: "asked" },
      spec: {
        selector: { matchLabels: { app: "d" } },
        template: {
          metadata: { labels: { app: "d" } },
          spec: { containers: [{ name: "c", image: "node", command: ["node", "-e", "setInterval(() => {}, 1000)"] }] },
        },
      },
    });
    const pod = await until("the Deployment's pod runs", async () => {
      const { items } = await client.list(PODS, { namespace: "asked" });
      return items.find((one) => (one["status"] as { phase?: string } | undefined)?.phase === "Running");
    });
    expect(pod.metadata.labels).toMatchObject({ app: "d", marked: "kube-controller-manager" });
  }, 60_000);

  test("that is down stops what it guards, and nothing else", async () => {
    await client.delete(PODS, NAMESPACE, "hook");
    await until("its pod is gone", async () => {
      const { items } = await client.list(PODS, { namespace: NAMESPACE });
      return items.length === 0;
    });
    await expect(client.create(CONFIG_MAPS, configMap("later", {}))).rejects.toThrow(
      /^Internal error occurred: failed calling webhook "label\.hooks\.example\.com": failed to call webhook: Post "https:\/\/hook\.hooks\.svc:443\/label\?timeout=5s": /,
    );
    await client.create(PODS, webhookPod());
    await until("it answers again", () => client.create(CONFIG_MAPS, configMap("later", {})), 30_000);
  }, 60_000);
});
