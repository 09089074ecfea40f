import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KubeClient, KubeObject, PatchType, Resource } from "@travelops/kube";
import { startTestServer, type TestServer } from "./testing/start-test-server.ts";

const resource = (name: string, kind: string, group = ""): Resource => ({
  group,
  version: "v1",
  resource: name,
  kind,
  namespaced: true,
});
const CONFIG_MAPS = resource("configmaps", "ConfigMap");
const DEPLOYMENTS = resource("deployments", "Deployment", "apps");
const PODS = resource("pods", "Pod");
const SERVICES = resource("services", "Service");
const NAMESPACES: Resource = { ...resource("namespaces", "Namespace"), namespaced: false };

let test: TestServer;
let client: KubeClient;
beforeAll(async () => {
  test = await startTestServer();
  client = test.client();
});
afterAll(() => test.close());

const configMap = (name: string, metadata: Partial<KubeObject["metadata"]> = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default", ...metadata },
  data: { a: "1" },
});

const deployment = (name: string): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "default" },
  spec: {
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "c", image: "nginx" }] } },
  },
});

const pod = (name: string, labels: Record<string, string> = {}): KubeObject => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", labels },
  spec: { containers: [{ name: "c", image: "nginx" }] },
});

const call = (
  method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  body?: unknown,
  query: Record<string, string> = {},
  contentType?: string,
) => client.transport.call({ method, path, body, query, contentType });

const patch = (name: string, type: PatchType, body: unknown): Promise<KubeObject> =>
  client.patch(CONFIG_MAPS, "default", name, type, body);

describe("creating", () => {
  it("gives names by chance, and tries again when one is taken", async () => {
    const made = await Promise.all(
      Array.from({ length: 20 }, () =>
        client
          .create(CONFIG_MAPS, {
            ...configMap("x"),
            metadata: { generateName: "gen-", namespace: "default" },
          } as KubeObject)
          .catch((error: unknown) => error),
      ),
    );
    const names = made.map((object) => (object as KubeObject).metadata.name);
    expect(new Set(names).size).toBe(20);
    for (const name of names) expect(name).toMatch(/^gen-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
  });

  it("keeps nothing of what only the server may set", async () => {
    const made = await client.create(
      CONFIG_MAPS,
      configMap("server-side", { uid: "mine", deletionTimestamp: "2020-01-01T00:00:00Z", generation: 9 }),
    );
    expect(made.metadata.uid).not.toBe("mine");
    expect(made.metadata.deletionTimestamp).toBeUndefined();
    // Only kinds that count it set it.
    expect(made.metadata.generation).toBe(9);
    await expect(client.create(CONFIG_MAPS, configMap("server-side"))).rejects.toMatchObject({
      code: 409,
      reason: "AlreadyExists",
    });
  });

  it("writes nothing in a dry run, yet answers as if", async () => {
    const before = test.store.revision;
    const made = await client.create(DEPLOYMENTS, deployment("dry"), { dryRun: true });
    expect(made).toMatchObject({ spec: { replicas: 1, strategy: { type: "RollingUpdate" } } });
    expect(test.store.revision).toBe(before);
  });

  it("tells who manages which field", async () => {
    const made = await client.create(CONFIG_MAPS, configMap("managed"), { fieldManager: "me" });
    expect(made.metadata.managedFields).toMatchObject([
      { manager: "me", operation: "Update", fieldsV1: { "f:data": { "f:a": {} } } },
    ]);
  });
});

describe("updating", () => {
  it("counts generations of the spec, and keeps status to /status", async () => {
    const made = await client.create(DEPLOYMENTS, deployment("counted"));
    expect(made.metadata.generation).toBe(1);
    const scaled = await client.patch(DEPLOYMENTS, "default", "counted", "application/merge-patch+json", {
      spec: { replicas: 3 },
      status: { replicas: 9 },
    });
    expect(scaled.metadata.generation).toBe(2);
    expect(scaled["status"]).toEqual({});
    const status = await client.patch(
      DEPLOYMENTS,
      "default",
      "counted",
      "application/merge-patch+json",
      { spec: { replicas: 9 }, status: { replicas: 2 } },
      { subresource: "status" },
    );
    expect(status).toMatchObject({ metadata: { generation: 2 }, spec: { replicas: 3 }, status: { replicas: 2 } });
    const scale = await call("GET", "/apis/apps/v1/namespaces/default/deployments/counted/scale");
    expect(scale.body).toMatchObject({
      kind: "Scale",
      spec: { replicas: 3 },
      status: { replicas: 2, selector: "app=counted" },
    });
  });

  it("spends no revision on a write that changes nothing", async () => {
    const made = await client.create(CONFIG_MAPS, configMap("same"));
    for (const type of ["application/merge-patch+json", "application/strategic-merge-patch+json"] as const) {
      expect((await patch("same", type, { data: { a: "1" } })).metadata.resourceVersion).toBe(
        made.metadata.resourceVersion,
      );
    }
    const { managedFields: _fields, ...metadata } = made.metadata;
    expect((await client.update(CONFIG_MAPS, { ...made, metadata })).metadata.resourceVersion).toBe(
      made.metadata.resourceVersion,
    );
  });

  it("refuses what rests on an old state", async () => {
    const made = await client.create(CONFIG_MAPS, configMap("stale"));
    await patch("stale", "application/merge-patch+json", { data: { b: "2" } });
    await expect(client.update(CONFIG_MAPS, made)).rejects.toMatchObject({
      code: 409,
      message:
        'Operation cannot be fulfilled on configmaps "stale": the object has been modified; please apply your changes to the latest version and try again',
    });
    await expect(
      patch("stale", "application/merge-patch+json", { metadata: { resourceVersion: made.metadata.resourceVersion } }),
    ).rejects.toMatchObject({ code: 409 });
  });

  it("takes concurrent patches of one object one after the other", async () => {
    await client.create(CONFIG_MAPS, configMap("busy"));
    await Promise.all(
      Array.from({ length: 50 }, (_, i) => patch("busy", "application/merge-patch+json", { data: { [`k${i}`]: "v" } })),
    );
    expect(Object.keys((await client.get(CONFIG_MAPS, "default", "busy"))["data"] as object)).toHaveLength(51);
  });

  it("applies on the server: creates, owns, conflicts, is forced", async () => {
    const applied = (value: string): KubeObject => ({ ...configMap("applied"), data: { a: value } });
    const first = await call(
      "PATCH",
      "/api/v1/namespaces/default/configmaps/applied",
      applied("1"),
      { fieldManager: "one" },
      "application/apply-patch+yaml",
    );
    expect(first.code).toBe(201);
    await expect(client.apply(CONFIG_MAPS, applied("2"), { fieldManager: "two" })).rejects.toMatchObject({
      code: 409,
      message: 'Apply failed with 1 conflict: conflict with "one": .data.a',
    });
    expect(await client.apply(CONFIG_MAPS, applied("2"), { fieldManager: "two", force: true })).toMatchObject({
      data: { a: "2" },
    });
    await expect(
      call("PATCH", "/api/v1/namespaces/default/configmaps/applied", applied("3"), {}, "application/apply-patch+yaml"),
    ).rejects.toMatchObject({ code: 422 });
  });

  it("puts lists of containers together by name", async () => {
    await client.create(DEPLOYMENTS, deployment("merged"));
    const merged = await client.patch(DEPLOYMENTS, "default", "merged", "application/strategic-merge-patch+json", {
      spec: {
        template: {
          spec: {
            containers: [
              { name: "c", image: "other" },
              { name: "d", image: "more" },
            ],
          },
        },
      },
    });
    const { containers } = (merged["spec"] as { template: { spec: { containers: { name: string; image: string }[] } } })
      .template.spec;
    expect(containers.map(({ name, image }) => `${name}=${image}`).sort()).toEqual(["c=other", "d=more"]);
  });
});

describe("deleting", () => {
  it("waits for finalizers", async () => {
    await client.create(CONFIG_MAPS, configMap("held", { finalizers: ["example.com/hold"] }));
    await client.delete(CONFIG_MAPS, "default", "held");
    const held = await client.get(CONFIG_MAPS, "default", "held");
    expect(held.metadata).toMatchObject({ deletionTimestamp: expect.any(String), deletionGracePeriodSeconds: 0 });
    await expect(
      patch("held", "application/merge-patch+json", {
        metadata: { finalizers: ["example.com/hold", "example.com/more"] },
      }),
    ).rejects.toMatchObject({ code: 422 });
    await patch("held", "application/merge-patch+json", { metadata: { finalizers: null } });
    await expect(client.get(CONFIG_MAPS, "default", "held")).rejects.toMatchObject({ code: 404 });
  });

  it("leaves a mark for the garbage collector where dependents come first, or stay", async () => {
    for (const [policy, finalizer] of [
      ["Foreground", "foregroundDeletion"],
      ["Orphan", "orphan"],
    ] as const) {
      const name = policy.toLowerCase();
      await client.create(CONFIG_MAPS, configMap(name));
      await client.delete(CONFIG_MAPS, "default", name, { propagationPolicy: policy });
      expect((await client.get(CONFIG_MAPS, "default", name)).metadata.finalizers).toEqual([finalizer]);
    }
  });

  it("holds to its preconditions", async () => {
    const made = await client.create(CONFIG_MAPS, configMap("guarded"));
    await expect(
      client.delete(CONFIG_MAPS, "default", "guarded", { preconditions: { uid: "other" } }),
    ).rejects.toMatchObject({ code: 409 });
    await expect(
      client.delete(CONFIG_MAPS, "default", "guarded", { preconditions: { resourceVersion: "1" } }),
    ).rejects.toMatchObject({ code: 409 });
    await client.delete(CONFIG_MAPS, "default", "guarded", { preconditions: { uid: made.metadata.uid ?? "" } });
  });

  it("lets a bound pod end in its own time, unless it is forced", async () => {
    await client.create(PODS, pod("bound"));
    await client.createSubresource(PODS, "default", "bound", "binding", {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name: "bound" },
      target: { kind: "Node", name: "n" },
    });
    await client.delete(PODS, "default", "bound");
    expect((await client.get(PODS, "default", "bound")).metadata).toMatchObject({ deletionGracePeriodSeconds: 30 });
    await client.delete(PODS, "default", "bound", { gracePeriodSeconds: 5 });
    expect((await client.get(PODS, "default", "bound")).metadata).toMatchObject({ deletionGracePeriodSeconds: 5 });
    await client.delete(PODS, "default", "bound", { gracePeriodSeconds: 0 });
    await expect(client.get(PODS, "default", "bound")).rejects.toMatchObject({ code: 404 });
  });

  it("takes away whole collections by selector", async () => {
    for (const name of ["c1", "c2", "c3"])
      await client.create(CONFIG_MAPS, configMap(name, { labels: { set: name === "c3" ? "no" : "yes" } }));
    await call("DELETE", "/api/v1/namespaces/default/configmaps", undefined, { labelSelector: "set=yes" });
    const left = await client.list(CONFIG_MAPS, { namespace: "default", labelSelector: "set" });
    expect(left.items.map((item) => item.metadata.name)).toEqual(["c3"]);
  });

  it("keeps a namespace until it is finalized", async () => {
    await client.create(NAMESPACES, { apiVersion: "v1", kind: "Namespace", metadata: { name: "going" } });
    await client.delete(NAMESPACES, "", "going");
    const going = await client.get(NAMESPACES, "", "going");
    expect(going).toMatchObject({ status: { phase: "Terminating" }, spec: { finalizers: ["kubernetes"] } });
    await expect(
      client.create(CONFIG_MAPS, { ...configMap("late"), metadata: { name: "late", namespace: "going" } }),
    ).rejects.toMatchObject({ code: 403 });
    await call("PUT", "/api/v1/namespaces/going/finalize", { ...going, spec: { finalizers: [] } });
    await expect(client.get(NAMESPACES, "", "going")).rejects.toMatchObject({ code: 404 });
    await expect(client.delete(NAMESPACES, "", "default")).rejects.toMatchObject({ code: 403 });
  });
});

describe("evictions", () => {
  it("ask the disruption budget", async () => {
    const BUDGETS = resource("poddisruptionbudgets", "PodDisruptionBudget", "policy");
    await client.create(PODS, pod("evicted", { app: "guarded" }));
    const ready = { status: { phase: "Running", conditions: [{ type: "Ready", status: "True" }] } };
    await client.patch(PODS, "default", "evicted", "application/merge-patch+json", ready, { subresource: "status" });
    await client.create(BUDGETS, {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "guard", namespace: "default" },
      spec: { minAvailable: 1, selector: { matchLabels: { app: "guarded" } } },
    });
    const allow = (disruptionsAllowed: number): Promise<unknown> =>
      client.patch(
        BUDGETS,
        "default",
        "guard",
        "application/merge-patch+json",
        {
          status: { observedGeneration: 1, disruptionsAllowed, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 },
        },
        { subresource: "status" },
      );
    const evict = (): Promise<unknown> =>
      client.createSubresource(PODS, "default", "evicted", "eviction", {
        apiVersion: "policy/v1",
        kind: "Eviction",
        metadata: { name: "evicted" },
      });
    await allow(0);
    await expect(evict()).rejects.toMatchObject({
      code: 429,
      status: { details: { causes: [{ reason: "DisruptionBudget" }] } },
    });
    await allow(1);
    await evict();
    await expect(client.get(PODS, "default", "evicted")).rejects.toMatchObject({ code: 404 });
  });
});

describe("services", () => {
  const service = (name: string, spec: Record<string, unknown>): KubeObject => ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "default" },
    spec: { ports: [{ port: 80 }], ...spec },
  });
  const specOf = (object: KubeObject): { clusterIP?: string; ports: { nodePort?: number }[] } =>
    object["spec"] as never;

  it("get an address of the range, and keep it", async () => {
    const made = await client.create(SERVICES, service("plain", {}));
    expect(specOf(made).clusterIP).toMatch(/^10\.64\.\d+\.\d+$/);
    await expect(
      client.create(SERVICES, service("taken", { clusterIP: specOf(made).clusterIP })),
    ).rejects.toMatchObject({ code: 422 });
    await expect(client.create(SERVICES, service("outside", { clusterIP: "1.2.3.4" }))).rejects.toMatchObject({
      code: 422,
    });
    await expect(
      client.patch(SERVICES, "default", "plain", "application/merge-patch+json", { spec: { clusterIP: "10.64.9.9" } }),
    ).rejects.toMatchObject({ code: 422 });
    await client.delete(SERVICES, "default", "plain");
    expect(
      specOf(await client.create(SERVICES, service("again", { clusterIP: specOf(made).clusterIP }))).clusterIP,
    ).toBe(specOf(made).clusterIP);
  });

  it("need none when they are headless or a name", async () => {
    expect(specOf(await client.create(SERVICES, service("headless", { clusterIP: "None" }))).clusterIP).toBe("None");
    expect(
      specOf(await client.create(SERVICES, service("external", { type: "ExternalName", externalName: "a.example" })))
        .clusterIP,
    ).toBeUndefined();
  });

  it("get node ports with their type, and lose them with it", async () => {
    const made = await client.create(SERVICES, service("ported", { type: "NodePort" }));
    const [port] = specOf(made).ports;
    expect(port?.nodePort).toBeGreaterThanOrEqual(30_000);
    await expect(
      client.create(SERVICES, service("clash", { type: "NodePort", ports: [{ port: 80, nodePort: port?.nodePort }] })),
    ).rejects.toMatchObject({ code: 422 });
    const labelled = await client.patch(SERVICES, "default", "ported", "application/merge-patch+json", {
      spec: { ports: [{ port: 80, protocol: "TCP" }] },
    });
    expect(specOf(labelled).ports[0]?.nodePort).toBe(port?.nodePort);
    const plain = await client.patch(SERVICES, "default", "ported", "application/merge-patch+json", {
      spec: { type: "ClusterIP" },
    });
    expect(specOf(plain).ports[0]?.nodePort).toBeUndefined();
    await client.create(
      SERVICES,
      service("heir", { type: "NodePort", ports: [{ port: 80, nodePort: port?.nodePort }] }),
    );
  });

  it("give back what a dry run took", async () => {
    const address = "10.64.77.77";
    await client.create(SERVICES, service("rehearsal", { clusterIP: address }), { dryRun: true });
    await client.create(SERVICES, service("performance", { clusterIP: address }));
  });
});
