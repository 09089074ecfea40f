/** The public JavaScript client against the API under test: typed calls, patches, watches and informers. */
import { readFileSync } from "node:fs";
import {
  AppsV1Api,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  KubernetesObjectApi,
  makeInformer,
  PatchStrategy,
  setHeaderOptions,
  VersionApi,
  Watch,
  type V1ConfigMap,
} from "@kubernetes/client-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ApiUnderTest, eventually, startApiUnderTest } from "../api-under-test.ts";

const NAMESPACE = "client-node";

describe("@kubernetes/client-node", () => {
  let api: ApiUnderTest;
  const config = new KubeConfig();
  let core: CoreV1Api;

  beforeAll(async () => {
    api = await startApiUnderTest();
    config.loadFromString(readFileSync(api.kubeconfig, "utf8"));
    core = config.makeApiClient(CoreV1Api);
    await core.createNamespace({ body: { metadata: { name: NAMESPACE } } });
  }, 90_000);
  afterAll(() => api.close());

  const make = (name: string, data: Record<string, string> = {}): Promise<V1ConfigMap> =>
    core.createNamespacedConfigMap({ namespace: NAMESPACE, body: { metadata: { name }, data } });

  test("creates, reads, replaces and deletes; a conflict is a 409", async () => {
    const made = await make("typed", { a: "1" });
    expect(made.metadata?.creationTimestamp).toBeInstanceOf(Date);
    const name = { name: "typed", namespace: NAMESPACE };
    const changedTo = (data: Record<string, string>): V1ConfigMap => ({ metadata: made.metadata, data });
    const changed = await core.replaceNamespacedConfigMap({ ...name, body: changedTo({ a: "2" }) });
    expect(changed.data).toEqual({ a: "2" });
    await expect(core.replaceNamespacedConfigMap({ ...name, body: changedTo({}) })).rejects.toMatchObject({
      code: 409,
    });
    await core.deleteNamespacedConfigMap(name);
    await expect(core.readNamespacedConfigMap(name)).rejects.toMatchObject({ code: 404 });
  });

  test("patches in four ways", async () => {
    const apps = config.makeApiClient(AppsV1Api);
    const labels = { app: "web" };
    const name = { name: "web", namespace: NAMESPACE };
    await apps.createNamespacedDeployment({
      namespace: NAMESPACE,
      body: {
        metadata: { name: "web" },
        spec: {
          selector: { matchLabels: labels },
          template: { metadata: { labels }, spec: { containers: [{ name: "web", image: "a" }] } },
        },
      },
    });
    const how = (type: PatchStrategy) => setHeaderOptions("Content-Type", type);
    const json = [{ op: "replace", path: "/spec/replicas", value: 2 }];
    const a = await apps.patchNamespacedDeployment({ ...name, body: json }, how(PatchStrategy.JsonPatch));
    expect(a.spec?.replicas).toBe(2);
    const merge = { spec: { replicas: 3 } };
    const b = await apps.patchNamespacedDeployment({ ...name, body: merge }, how(PatchStrategy.MergePatch));
    expect(b.spec?.replicas).toBe(3);
    const strategic = { spec: { template: { spec: { containers: [{ name: "side", image: "b" }] } } } };
    const c = await apps.patchNamespacedDeployment(
      { ...name, body: strategic },
      how(PatchStrategy.StrategicMergePatch),
    );
    expect(c.spec?.template.spec?.containers.map((each) => each.name)).toEqual(["side", "web"]);
    const applied = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web" }, spec: { replicas: 5 } };
    const d = await apps.patchNamespacedDeployment(
      { ...name, body: applied, fieldManager: "test", force: true },
      how(PatchStrategy.ServerSideApply),
    );
    expect(d.spec?.replicas).toBe(5);
    const scale = await apps.readNamespacedDeploymentScale(name);
    expect([scale.spec?.replicas, scale.status?.selector]).toEqual([5, "app=web"]);
  });

  test("an informer sees what is there, what comes, what changes and what goes", async () => {
    await make("there");
    const seen: string[] = [];
    const informer = makeInformer(config, `/api/v1/namespaces/${NAMESPACE}/configmaps`, () =>
      core.listNamespacedConfigMap({ namespace: NAMESPACE }),
    );
    for (const verb of ["add", "update", "delete"] as const)
      informer.on(verb, (object) => void seen.push(`${verb} ${object.metadata?.name}`));
    await informer.start();
    try {
      await eventually(() => seen.includes("add there"));
      await make("comes");
      await eventually(() => seen.includes("add comes"));
      await core.patchNamespacedConfigMap(
        { name: "comes", namespace: NAMESPACE, body: { data: { x: "y" } } },
        setHeaderOptions("Content-Type", PatchStrategy.MergePatch),
      );
      await eventually(() => seen.includes("update comes"));
      await core.deleteNamespacedConfigMap({ name: "comes", namespace: NAMESPACE });
      await eventually(() => seen.includes("delete comes"));
      expect(informer.get("there", NAMESPACE)?.metadata?.name).toBe("there");
    } finally {
      await informer.stop();
    }
  });

  test("a list comes in chunks, and a watch from its revision tells what came after", async () => {
    for (const name of ["c1", "c2", "c3"]) await make(name);
    const first = await core.listNamespacedConfigMap({ namespace: NAMESPACE, limit: 2 });
    expect(first.items).toHaveLength(2);
    const next = first.metadata?._continue;
    if (next === undefined) throw new Error("the list has no second chunk");
    const rest = await core.listNamespacedConfigMap({ namespace: NAMESPACE, limit: 500, _continue: next });
    expect(rest.items.length).toBeGreaterThan(0);
    const resourceVersion = rest.metadata?.resourceVersion;
    const events: string[] = [];
    const request = await new Watch(config).watch(
      `/api/v1/namespaces/${NAMESPACE}/configmaps`,
      { resourceVersion },
      (type: string, object: V1ConfigMap) => void events.push(`${type} ${object.metadata?.name}`),
      () => undefined,
    );
    await make("later");
    await eventually(() => events.includes("ADDED later"));
    expect(events).toEqual(["ADDED later"]);
    request.abort();
  });

  test("kinds of its own: a CRD, its objects, and any kind by discovery", async () => {
    const objects = KubernetesObjectApi.makeApiClient(config);
    const group = "client.example.com";
    await objects.create({
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: `things.${group}` },
      spec: {
        group,
        scope: "Namespaced",
        names: { plural: "things", kind: "Thing" },
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: "object", properties: { size: { type: "integer" } } } },
          },
        ],
      },
    } as never);
    const custom = config.makeApiClient(CustomObjectsApi);
    const where = { group, version: "v1", namespace: NAMESPACE, plural: "things" };
    const body = { apiVersion: `${group}/v1`, kind: "Thing", metadata: { name: "one" }, size: 3 };
    await eventually(() => custom.createNamespacedCustomObject({ ...where, body }).catch(() => undefined));
    expect(await custom.getNamespacedCustomObject({ ...where, name: "one" })).toMatchObject({ size: 3 });
    const read = await objects.read({
      apiVersion: `${group}/v1`,
      kind: "Thing",
      metadata: { name: "one", namespace: NAMESPACE },
    });
    expect(read.kind).toBe("Thing");
  });

  test("says its version", async () => {
    const version = await config.makeApiClient(VersionApi).getCode();
    expect([version.major, version.minor]).toEqual(["1", "35"]);
  });
});
