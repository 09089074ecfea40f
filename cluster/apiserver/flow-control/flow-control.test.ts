import type { IncomingMessage } from "node:http";
import https from "node:https";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { KubeClient, Resource } from "@travelops/kube";
import { startTestServer, type TestServer } from "../testing/start-test-server.ts";

const GROUP = { group: "flowcontrol.apiserver.k8s.io", version: "v1", namespaced: false };
const SCHEMAS: Resource = { ...GROUP, resource: "flowschemas", kind: "FlowSchema" };
const LEVELS: Resource = { ...GROUP, resource: "prioritylevelconfigurations", kind: "PriorityLevelConfiguration" };

let server: TestServer;
let client: KubeClient;

beforeAll(async () => {
  server = await startTestServer();
  client = server.client();
});
afterAll(() => server.close());

const ask = (path: string, headers: Record<string, string> = {}) =>
  new Promise<{ code: number; body: string; headers: Record<string, unknown> }>((resolve, reject) => {
    https
      .get(
        `${server.url}${path}`,
        { ca: server.caData, headers: { authorization: `Bearer ${server.adminToken}`, ...headers } },
        (res) => {
          let body = "";
          res.on("data", (chunk: Buffer) => (body += chunk.toString()));
          res.on("end", () => resolve({ code: res.statusCode ?? 0, body, headers: res.headers }));
        },
      )
      .on("error", reject);
  });

/** Names of the schema and the level that a request was put to. */
async function placeOf(path: string, headers: Record<string, string> = {}): Promise<string> {
  const reply = await ask(path, headers);
  const nameOf = async (resource: Resource, uid: unknown): Promise<string> => {
    const { items } = await client.list(resource);
    return items.find(({ metadata }) => metadata.uid === uid)?.metadata.name ?? "";
  };
  const schema = await nameOf(SCHEMAS, reply.headers["x-kubernetes-pf-flowschema-uid"]);
  return `${schema}/${await nameOf(LEVELS, reply.headers["x-kubernetes-pf-prioritylevel-uid"])}`;
}

const as = (user: string, ...groups: string[]): Record<string, string> => ({
  "impersonate-user": user,
  ...(groups.length === 0 ? {} : { "impersonate-group": groups.join(", ") }),
});

test("requests are put where upstream's schemas put them, as headers say, refused ones too", async () => {
  expect(await placeOf("/api/v1/namespaces/default/configmaps")).toBe("exempt/exempt");
  expect(await placeOf("/readyz", as("ann"))).toBe("probes/exempt");
  expect(await placeOf("/api/v1/namespaces/default/configmaps", as("ann"))).toBe("global-default/global-default");
  expect(await placeOf("/api/v1/nodes", as("system:node:n", "system:nodes"))).toBe("system-node-high/node-high");
  expect(await placeOf("/api/v1/pods", as("system:node:n", "system:nodes"))).toBe("system-nodes/system");
  expect(await placeOf("/api/v1/pods", as("system:kube-scheduler"))).toBe("kube-scheduler/workload-high");
  expect(
    await placeOf("/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x", as("system:kube-scheduler")),
  ).toBe("system-leader-election/leader-election");
  expect(await placeOf("/api/v1/pods", as("system:serviceaccount:kube-system:a"))).toBe(
    "kube-system-service-accounts/workload-high",
  );
  expect(await placeOf("/api/v1/pods", as("system:serviceaccount:x:a"))).toBe("service-accounts/workload-low");
});

test("an edit takes effect at once: a level without seats refuses, others are served", async () => {
  await client.create(LEVELS, {
    apiVersion: "flowcontrol.apiserver.k8s.io/v1",
    kind: "PriorityLevelConfiguration",
    metadata: { name: "closed" },
    spec: { type: "Limited", limited: { nominalConcurrencyShares: 0, limitResponse: { type: "Reject" } } },
  });
  await client.create(SCHEMAS, {
    apiVersion: "flowcontrol.apiserver.k8s.io/v1",
    kind: "FlowSchema",
    metadata: { name: "closed" },
    spec: {
      matchingPrecedence: 10,
      priorityLevelConfiguration: { name: "closed" },
      rules: [
        {
          subjects: [{ kind: "User", user: { name: "flooder" } }],
          nonResourceRules: [{ verbs: ["get"], nonResourceURLs: ["/version"] }],
        },
      ],
    },
  });
  const refused = await ask("/version", as("flooder"));
  expect(refused.code).toBe(429);
  expect(refused.headers["retry-after"]).toBe("1");
  expect(JSON.parse(refused.body)).toMatchObject({ kind: "Status", reason: "TooManyRequests" });
  expect((await ask("/version", as("ann"))).code).toBe(200);
  await client.patch(LEVELS, "", "closed", "application/merge-patch+json", {
    spec: { limited: { nominalConcurrencyShares: 1 } },
  });
  expect((await ask("/version", as("flooder"))).code).toBe(200);
});

test("watches give their seat back once they have begun", async () => {
  const path = "/api/v1/namespaces/default/configmaps?watch=true";
  const bindings: Resource = {
    group: "rbac.authorization.k8s.io",
    version: "v1",
    resource: "clusterrolebindings",
    kind: "ClusterRoleBinding",
    namespaced: false,
  };
  await client.create(bindings, {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRoleBinding",
    metadata: { name: "watcher" },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "view" },
    subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "watcher" }],
  });
  // More than the level has seats: if each kept one, the last would wait.
  const open = await Promise.all(
    Array.from(
      { length: 60 },
      () =>
        new Promise<IncomingMessage>((resolve, reject) => {
          const headers = { authorization: `Bearer ${server.adminToken}`, ...as("watcher") };
          https.get(`${server.url}${path}`, { ca: server.caData, headers }, (res) => resolve(res)).on("error", reject);
        }),
    ),
  );
  expect(open.map(({ statusCode }) => statusCode)).toEqual(open.map(() => 200));
  const { body } = await ask("/metrics");
  expect(body).toContain('apiserver_flowcontrol_current_executing_requests{priority_level="global-default"} 0');
  for (const watch of open) watch.destroy();
});

test("what every server has comes back when it is deleted", async () => {
  await client.delete(SCHEMAS, "", "catch-all");
  await expect
    .poll(async () => (await client.list(SCHEMAS)).items.some(({ metadata }) => metadata.name === "catch-all"), {
      timeout: 5000,
    })
    .toBe(true);
});
