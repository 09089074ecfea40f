import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createKubeClient } from "@travelops/kube/client/kube-client";
import { httpsTransport } from "@travelops/kube/client/https-transport";
import type { KubeClient, KubeObject, Resource } from "@travelops/kube";
import { eventually } from "../../../../test/api-under-test.ts";
import { startConvertingWebhook } from "../../testing/converting-webhook.ts";
import { startTestServer, type TestServer } from "../../testing/start-test-server.ts";
import type { WebhookServer } from "../../testing/webhook-server.ts";

const CRDS: Resource = {
  group: "apiextensions.k8s.io",
  version: "v1",
  resource: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};

const kindOf = (plural: string): string => `${plural.charAt(0).toUpperCase()}${plural.slice(1, -1)}`;

const routes = (plural: string, version: string): Resource => ({
  group: "hooks.example.com",
  version,
  resource: plural,
  kind: kindOf(plural),
  namespaced: true,
});

const spec = (properties: object): object => ({
  openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties } } },
});

function crd(plural: string, clientConfig: object, storage = "v1"): KubeObject {
  const version = (name: string, schema: object, more: object = {}): object => ({
    name,
    served: true,
    storage: storage === name,
    schema,
    ...more,
  });
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.hooks.example.com` },
    spec: {
      group: "hooks.example.com",
      scope: "Namespaced",
      names: { plural, kind: kindOf(plural) },
      versions: [
        version("v1", spec({ hostPort: { type: "string" } })),
        version("v2", spec({ host: { type: "string" }, port: { type: "string" } }), {
          selectableFields: [{ jsonPath: ".spec.host" }],
          additionalPrinterColumns: [{ name: "Host", type: "string", jsonPath: ".spec.host" }],
        }),
      ],
      conversion: { strategy: "Webhook", webhook: { conversionReviewVersions: ["v1"], clientConfig } },
    },
  };
}

const v1 = (resource: Resource, name: string, hostPort: string): KubeObject => ({
  apiVersion: "hooks.example.com/v1",
  kind: resource.kind,
  metadata: { name, namespace: "default" },
  spec: { hostPort },
});

const MERGE = "application/merge-patch+json";

let hook: WebhookServer;
let test: TestServer;
let https: ReturnType<typeof httpsTransport>;
let client: KubeClient;
beforeAll(async () => {
  hook = await startConvertingWebhook(["converter.default.svc"]);
  test = await startTestServer();
  test.server.setNodeAccess({ dialAddress: () => Promise.resolve(connect(hook.port, "127.0.0.1")) } as never);
  https = httpsTransport({ server: test.url, ca: test.caData, token: test.adminToken });
  client = createKubeClient(https);
});
afterAll(async () => {
  https.close();
  await test.close();
  await hook.close();
});

/** A CRD of its own whose webhook answers on `path`. */
async function kind(plural: string, path = "/convert", storage?: string): Promise<{ v1: Resource; v2: Resource }> {
  await client.create(CRDS, crd(plural, { url: hook.url + path, caBundle: hook.caBundle }, storage));
  await eventually(async () => {
    await client.list(routes(plural, "v2"), { namespace: "default" });
    return true;
  });
  return { v1: routes(plural, "v1"), v2: routes(plural, "v2") };
}

const asked = (): number => hook.calls.length;

describe("a custom resource whose versions a webhook converts", () => {
  it("is written in one version and read in another", async () => {
    const { v1: one, v2: two } = await kind("routes");
    const created = await client.create(two, {
      ...v1(one, "a", ""),
      apiVersion: "hooks.example.com/v2",
      spec: { host: "h", port: "80" },
    });
    expect(created["spec"]).toEqual({ host: "h", port: "80" });
    expect(created.metadata.managedFields?.map((entry) => entry.apiVersion)).toEqual(["hooks.example.com/v2"]);
    expect((await client.get(one, "default", "a"))["spec"]).toEqual({ hostPort: "h:80" });
    const patched = await client.patch(two, "default", "a", MERGE, { spec: { port: "81" } });
    expect(patched["spec"]).toEqual({ host: "h", port: "81" });
    expect((await client.get(one, "default", "a"))["spec"]).toEqual({ hostPort: "h:81" });
    const updated = await client.update(two, { ...patched, spec: { host: "i", port: "82" } });
    expect(updated["spec"]).toEqual({ host: "i", port: "82" });
    const stored = test.store.get({ table: "routes.hooks.example.com", namespace: "default", name: "a" });
    expect(stored?.object).toMatchObject({ apiVersion: "hooks.example.com/v1", spec: { hostPort: "i:82" } });
  });

  it("asks nobody for the stored version, and once for a list", async () => {
    const { v1: one, v2: two } = await kind("listed");
    let before = asked();
    for (const name of ["a", "b", "c"]) await client.create(one, v1(one, name, `${name}:1`));
    await client.patch(one, "default", "a", MERGE, { spec: { hostPort: "a:2" } });
    expect((await client.list(one, { namespace: "default" })).items).toHaveLength(3);
    expect(asked()).toBe(before);
    const list = await client.list(two, { namespace: "default" });
    expect(list.items.map((item) => item["spec"])).toEqual([
      { host: "a", port: "2" },
      { host: "b", port: "1" },
      { host: "c", port: "1" },
    ]);
    expect(asked()).toBe(before + 1);
    before = asked();
    const some = await client.list(two, { namespace: "default", fieldSelector: "spec.host=b" });
    expect(some.items.map((item) => item.metadata.name)).toEqual(["b"]);
    expect(asked()).toBe(before);
  });

  it("is applied from the server's side in both versions, which know each other's fields", async () => {
    const { v1: one, v2: two } = await kind("applied");
    const apply = (resource: Resource, manager: string, wanted: object): Promise<KubeObject> =>
      client.apply(
        resource,
        {
          apiVersion: `hooks.example.com/${resource.version}`,
          kind: resource.kind,
          metadata: { name: "a", namespace: "default" },
          spec: wanted,
        },
        { fieldManager: manager },
      );
    expect((await apply(two, "second", { host: "h", port: "1" }))["spec"]).toEqual({ host: "h", port: "1" });
    await expect(apply(two, "third", { port: "2" })).rejects.toThrow('conflict with "second": .spec.port');
    expect((await apply(two, "second", { host: "h", port: "3" }))["spec"]).toEqual({ host: "h", port: "3" });
    expect((await client.get(one, "default", "a"))["spec"]).toEqual({ hostPort: "h:3" });
  });

  it("is watched in order in the version asked for, by fields of that version too", async () => {
    const { v1: one, v2: two } = await kind("watched");
    await client.create(one, v1(one, "a", "x:1"));
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = (async () => {
      for await (const { type, object } of client.watch(two, {
        namespace: "default",
        fieldSelector: "spec.host=x",
        signal: stop.signal,
      }))
        seen.push(
          `${type} ${(object as KubeObject).metadata.name ?? ""} ${JSON.stringify((object as KubeObject)["spec"])}`,
        );
    })().catch(() => {});
    await eventually(() => Promise.resolve(seen.length === 1));
    await client.create(one, v1(one, "b", "y:1"));
    await client.patch(one, "default", "a", MERGE, { spec: { hostPort: "x:2" } });
    await client.patch(one, "default", "b", MERGE, { spec: { hostPort: "x:3" } });
    await client.patch(one, "default", "a", MERGE, { spec: { hostPort: "y:3" } });
    await client.delete(one, "default", "b");
    await eventually(() => Promise.resolve(seen.length === 5));
    stop.abort();
    await watching;
    expect(seen).toEqual([
      'ADDED a {"host":"x","port":"1"}',
      'MODIFIED a {"host":"x","port":"2"}',
      'ADDED b {"host":"x","port":"3"}',
      'DELETED a {"host":"y","port":"3"}',
      'DELETED b {"host":"x","port":"3"}',
    ]);
  });

  it("is reached by Service", async () => {
    await client.create(
      { group: "", version: "v1", resource: "services", kind: "Service", namespaced: true },
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { name: "converter", namespace: "default" },
        spec: { ports: [{ port: 443 }] },
      },
    );
    const service = { name: "converter", namespace: "default", path: "/convert" };
    await client.create(CRDS, crd("served", { service, caBundle: hook.caBundle }));
    await eventually(async () => (await client.list(routes("served", "v2"))).items.length === 0);
    await client.create(routes("served", "v1"), v1(routes("served", "v1"), "a", "h:1"));
    expect((await client.get(routes("served", "v2"), "default", "a"))["spec"]).toEqual({ host: "h", port: "1" });
  });

  it("keeps what a webhook has no say in, and takes its labels", async () => {
    const { v1: one, v2: two } = await kind("relabelled", "/relabel");
    const created = await client.create(one, v1(one, "a", "h:1"));
    const { metadata } = await client.get(two, "default", "a");
    expect(metadata).toEqual({ ...created.metadata, labels: { converted: "yes" } });
  });

  it("loses no write when many write in several versions at once", async () => {
    const { v1: one, v2: two } = await kind("crowded");
    await client.create(one, v1(one, "a", "h:1"));
    const label = (resource: Resource, n: number): Promise<KubeObject> =>
      client.patch(resource, "default", "a", MERGE, { metadata: { labels: { [`l${n}`]: "x" } } });
    await Promise.all(Array.from({ length: 20 }, (_, n) => label(n % 2 === 0 ? one : two, n)));
    const { metadata } = await client.get(one, "default", "a");
    expect(Object.keys(metadata.labels ?? {})).toHaveLength(20);
  });
});

describe("a policy over one version of what a webhook converts", () => {
  const admission = (resource: string, kind: string): Resource => ({
    group: "admissionregistration.k8s.io",
    version: "v1",
    resource,
    kind,
    namespaced: false,
  });

  it("judges writes in every version by that one", async () => {
    const { v1: one, v2: two } = await kind("judged");
    const apiVersion = "admissionregistration.k8s.io/v1";
    await client.create(admission("validatingadmissionpolicies", "ValidatingAdmissionPolicy"), {
      apiVersion,
      kind: "ValidatingAdmissionPolicy",
      metadata: { name: "judged" },
      spec: {
        matchConstraints: {
          matchPolicy: "Equivalent",
          resourceRules: [
            {
              apiGroups: ["hooks.example.com"],
              apiVersions: ["v2"],
              operations: ["CREATE", "UPDATE", "DELETE"],
              resources: ["judged"],
            },
          ],
        },
        validations: [
          {
            expression:
              "object == null ? oldObject.spec.host != 'kept' : object.spec.host != 'bad' && (oldObject == null || oldObject.spec.port == object.spec.port)",
            message: "not so",
          },
        ],
      },
    });
    await client.create(admission("validatingadmissionpolicybindings", "ValidatingAdmissionPolicyBinding"), {
      apiVersion,
      kind: "ValidatingAdmissionPolicyBinding",
      metadata: { name: "judged" },
      spec: { policyName: "judged", validationActions: ["Deny"] },
    });
    const refused = { code: 422, message: expect.stringContaining("denied request: not so") as string };
    await expect(client.create(one, v1(one, "a", "bad:1"))).rejects.toMatchObject(refused);
    const inTwo = (host: string, port: string): KubeObject => ({
      ...v1(one, "b", ""),
      apiVersion: "hooks.example.com/v2",
      spec: { host, port },
    });
    await expect(client.create(two, inTwo("bad", "1"))).rejects.toMatchObject(refused);
    await client.create(one, v1(one, "a", "kept:1"));
    await client.create(two, inTwo("fine", "1"));
    const port = (resource: Resource, change: object): Promise<KubeObject> =>
      client.patch(resource, "default", "a", MERGE, { spec: change });
    await expect(port(one, { hostPort: "kept:2" })).rejects.toMatchObject(refused);
    await expect(port(two, { port: "2" })).rejects.toMatchObject(refused);
    await expect(client.delete(one, "default", "a")).rejects.toMatchObject(refused);
    await expect(client.delete(two, "default", "a")).rejects.toMatchObject(refused);
    await client.delete(one, "default", "b");
    const renamed = await port(one, { hostPort: "free:1" });
    expect(renamed["spec"]).toEqual({ hostPort: "free:1" });
    await client.delete(two, "default", "a");
  });
});

describe("a webhook that fails", () => {
  it.each([
    ["/error", 'failed: an error on the server ("boom") has prevented the request from succeeding'],
    ["/fail", "failed: no luck today"],
    ["/empty", "returned 0 objects, expected 1"],
    ["/rename", "returned invalid object: must have the same name: a != other"],
  ])("is told of by %s", async (path, fault) => {
    const { v1: one, v2: two } = await kind(`broken${path.slice(1)}s`, path);
    await client.create(one, v1(one, "a", "h:1"));
    const said = `conversion webhook for hooks.example.com/v1, Kind=${one.kind} ${fault}`;
    await expect(client.get(two, "default", "a")).rejects.toMatchObject({ code: 500, message: said });
    await expect(client.list(two, { namespace: "default" })).rejects.toMatchObject({ code: 500, message: said });
    await expect(client.patch(two, "default", "a", MERGE, { metadata: { labels: { x: "y" } } })).rejects.toMatchObject({
      code: 500,
      message: said,
    });
    // What is stored is untouched, and the stored version is served on.
    expect((await client.get(one, "default", "a")).metadata.labels).toBeUndefined();
    await client.delete(one, "default", "a");
  });
});
