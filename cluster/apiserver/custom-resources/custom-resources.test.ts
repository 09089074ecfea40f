import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createKubeClient } from "@travelops/kube/client/kube-client";
import { httpsTransport } from "@travelops/kube/client/https-transport";
import type { KubeClient, KubeObject, Resource } from "@travelops/kube";
import { startTestServer, type TestServer } from "../testing/start-test-server.ts";
import { eventually } from "../../../test/api-under-test.ts";

const CRDS: Resource = {
  group: "apiextensions.k8s.io",
  version: "v1",
  resource: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
};

const resource = (plural: string, kind: string, version = "v1"): Resource => ({
  group: "example.com",
  version,
  resource: plural,
  kind,
  namespaced: true,
});

const SCHEMA = {
  type: "object",
  properties: {
    spec: {
      type: "object",
      required: ["size"],
      properties: { size: { type: "integer", minimum: 1 }, color: { type: "string", default: "red" } },
    },
    status: { type: "object", properties: { size: { type: "integer" }, selector: { type: "string" } } },
  },
};

function crd(
  plural: string,
  kind: string,
  more: Record<string, unknown> = {},
  version: Record<string, unknown> = {},
): KubeObject {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.example.com` },
    spec: {
      group: "example.com",
      names: { plural, kind, shortNames: [`${plural.slice(0, 2)}x`] },
      scope: "Namespaced",
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          subresources: { status: {}, scale: { specReplicasPath: ".spec.size", statusReplicasPath: ".status.size" } },
          additionalPrinterColumns: [{ name: "Size", type: "integer", jsonPath: ".spec.size" }],
          selectableFields: [{ jsonPath: ".spec.color" }],
          schema: { openAPIV3Schema: SCHEMA },
          ...version,
        },
      ],
      ...more,
    },
  };
}

let test: TestServer;
let https: ReturnType<typeof httpsTransport>;
let client: KubeClient;
beforeAll(async () => {
  test = await startTestServer();
  https = httpsTransport({ server: test.url, ca: test.caData, token: test.adminToken });
  client = createKubeClient(https);
});
afterAll(async () => {
  https.close();
  await test.close();
});

const established = (name: string): Promise<boolean> =>
  eventually(async () => {
    const { status } = await client.get<KubeObject & { status?: { conditions?: { type: string; status: string }[] } }>(
      CRDS,
      "",
      name,
    );
    return status?.conditions?.some(({ type, status: is }) => type === "Established" && is === "True") === true;
  });

describe("custom resources", () => {
  it("are served as soon as their CRD is established", async () => {
    const WIDGETS = resource("widgets", "Widget");
    await client.create(CRDS, crd("widgets", "Widget"));
    await established("widgets.example.com");
    const widget = await client.create(WIDGETS, {
      apiVersion: "example.com/v1",
      kind: "Widget",
      metadata: { name: "one", namespace: "default" },
      spec: { size: 2, unknown: true },
      status: { size: 9 },
    });
    expect(widget["spec"]).toEqual({ size: 2, color: "red" });
    expect(widget["status"]).toBeUndefined();
    expect(widget.metadata.generation).toBe(1);
    const byColor = await client.list(WIDGETS, { namespace: "default", fieldSelector: "spec.color=red" });
    expect(byColor.items.map((item) => item.metadata.name)).toEqual(["one"]);
    await expect(client.list(WIDGETS, { fieldSelector: "spec.size=2" })).rejects.toMatchObject({ code: 400 });
    const status = await client.patch(
      WIDGETS,
      "default",
      "one",
      "application/merge-patch+json",
      { spec: { size: 7 }, status: { size: 2 } },
      { subresource: "status" },
    );
    expect(status).toMatchObject({ spec: { size: 2 }, status: { size: 2 }, metadata: { generation: 1 } });
    const scale = await client.patch(
      WIDGETS,
      "default",
      "one",
      "application/merge-patch+json",
      { spec: { replicas: 5 } },
      { subresource: "scale" },
    );
    expect(scale).toMatchObject({ kind: "Scale", spec: { replicas: 5 }, status: { replicas: 2 } });
    const table = await https.call({
      method: "GET",
      path: "/apis/example.com/v1/namespaces/default/widgets",
      headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" },
    });
    expect(table.body).toMatchObject({ kind: "Table", rows: [{ cells: ["one", 5] }] });
  });

  it("refuse what their schema does not allow", async () => {
    const GADGETS = resource("gadgets", "Gadget");
    await client.create(CRDS, crd("gadgets", "Gadget"));
    await established("gadgets.example.com");
    const gadget = (spec: unknown): KubeObject => ({
      apiVersion: "example.com/v1",
      kind: "Gadget",
      metadata: { name: "g", namespace: "default" },
      spec,
    });
    await expect(client.create(GADGETS, gadget({ size: 0 }))).rejects.toMatchObject({
      code: 422,
      message:
        'Gadget.example.com "g" is invalid: spec.size: Invalid value: 0: spec.size in body should be greater than or equal to 1',
    });
    await expect(
      client.create(GADGETS, gadget({ sice: 1, size: 1 }), { fieldValidation: "Strict" }),
    ).rejects.toMatchObject({
      code: 400,
      message: expect.stringContaining('strict decoding error: unknown field "spec.sice"') as string,
    });
    await expect(
      client.patch(GADGETS, "default", "g", "application/strategic-merge-patch+json", {}),
    ).rejects.toMatchObject({ code: 415 });
  });

  it("appear in discovery and OpenAPI", async () => {
    await client.create(CRDS, crd("sprockets", "Sprocket"));
    await established("sprockets.example.com");
    const discovery = await https.call({
      method: "GET",
      path: "/apis",
      headers: { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" },
    });
    expect(JSON.stringify(discovery.body)).toContain('"resource":"sprockets"');
    const index = (await https.call({ method: "GET", path: "/openapi/v3" })).body as {
      paths: Record<string, { serverRelativeURL: string }>;
    };
    const url = index.paths["apis/example.com/v1"]?.serverRelativeURL ?? "";
    const [path = "", hash = ""] = url.split("?hash=");
    const document = await https.call({ method: "GET", path, query: { hash } });
    expect(JSON.stringify(document.body)).toContain("namespaces/{namespace}/sprockets");
  });

  it("change the OpenAPI document of their own group version, as soon as they are established, and no other", async () => {
    const documents = async (): Promise<Map<string, string>> => {
      const { body } = await https.call({ method: "GET", path: "/openapi/v3" });
      const { paths } = body as { paths: Record<string, { serverRelativeURL: string }> };
      return new Map(Object.entries(paths).map(([path, { serverRelativeURL }]) => [path, serverRelativeURL]));
    };
    await client.create(CRDS, crd("cogs", "Cog"));
    await established("cogs.example.com");
    const before = await documents();
    await client.create(CRDS, crd("cams", "Cam"));
    await established("cams.example.com");
    const changed = [...(await documents())].filter(([path, url]) => before.get(path) !== url).map(([path]) => path);
    expect(changed).toEqual(["apis/example.com/v1"]);
  });

  it("are not served while the certificates of their conversion webhook cannot be read", async () => {
    const clientConfig = { url: "https://a.example/x", caBundle: Buffer.from("b").toString("base64") };
    const conversion = { strategy: "Webhook", webhook: { conversionReviewVersions: ["v1"], clientConfig } };
    await client.create(CRDS, crd("locks", "Lock", { conversion }));
    const conditions = async (): Promise<unknown> =>
      ((await client.get(CRDS, "", "locks.example.com"))["status"] as { conditions?: unknown }).conditions;
    await eventually(async () => JSON.stringify(await conditions()).includes("InvalidCABundle"));
    expect(await conditions()).toContainEqual(
      expect.objectContaining({ type: "Established", status: "False", reason: "InvalidCABundle" }),
    );
    const { managedFields } = (await client.get(CRDS, "", "locks.example.com")).metadata;
    expect(managedFields).toContainEqual(
      expect.objectContaining({ manager: "kube-apiserver", operation: "Update", subresource: "status" }),
    );
    await client.delete(CRDS, "", "locks.example.com");
  });

  it("have names that only one CRD of a group may hold", async () => {
    await client.create(CRDS, crd("firsts", "Shared", { names: { plural: "firsts", kind: "Shared" } }));
    await established("firsts.example.com");
    await client.create(CRDS, crd("seconds", "Shared", { names: { plural: "seconds", kind: "Shared" } }));
    const conditions = async (): Promise<string> =>
      JSON.stringify((await client.get(CRDS, "", "seconds.example.com"))["status"]);
    await eventually(async () => (await conditions()).includes("SingularConflict"));
    await client.delete(CRDS, "", "firsts.example.com");
    await established("seconds.example.com");
  });

  it("vanish with their CRD, those with finalizers last", async () => {
    const DOOMED = resource("doomeds", "Doomed");
    await client.create(CRDS, crd("doomeds", "Doomed"));
    await established("doomeds.example.com");
    const doomed = (name: string, finalizers: string[]): KubeObject => ({
      apiVersion: "example.com/v1",
      kind: "Doomed",
      metadata: { name, namespace: "default", finalizers },
      spec: { size: 1 },
    });
    await client.create(DOOMED, doomed("free", []));
    await client.create(DOOMED, doomed("held", ["example.com/hold"]));
    await client.delete(CRDS, "", "doomeds.example.com");
    await eventually(async () => (await client.list(DOOMED)).items.length === 1);
    await expect(client.create(DOOMED, doomed("late", []))).rejects.toMatchObject({
      code: 403,
      message:
        'doomeds.example.com "late" is forbidden: create not allowed while custom resource definition is terminating',
    });
    await client.patch(DOOMED, "default", "held", "application/merge-patch+json", { metadata: { finalizers: null } });
    await eventually(() =>
      client.get(CRDS, "", "doomeds.example.com").then(
        () => false,
        (error: { code?: number }) => error.code === 404,
      ),
    );
    await expect(client.list(DOOMED)).rejects.toMatchObject({ code: 404 });
  });

  it("vanish by the thousand, with their watchers, and leave nothing behind", async () => {
    const CROWD = resource("crowds", "Crowd");
    await client.create(CRDS, crd("crowds", "Crowd"));
    await established("crowds.example.com");
    const held = Array.from({ length: 10 }, (_, i) => `c${i * 100}`);
    for (let i = 0; i < 1000; i += 100) {
      await Promise.all(
        Array.from({ length: 100 }, (_, j) =>
          client.create(CROWD, {
            apiVersion: "example.com/v1",
            kind: "Crowd",
            metadata: { name: `c${i + j}`, namespace: "default", finalizers: j === 0 ? ["example.com/hold"] : [] },
            spec: { size: 1 },
          }),
        ),
      );
    }
    let deleted = 0;
    const watching = (async () => {
      for await (const { type } of client.watch(CROWD, { namespace: "default" })) if (type === "DELETED") deleted++;
    })();
    await client.delete(CRDS, "", "crowds.example.com");
    await eventually(async () => (await client.list(CROWD)).items.length === held.length);
    const { status } = await client.get<KubeObject & { status?: { conditions?: { type: string; reason: string }[] } }>(
      CRDS,
      "",
      "crowds.example.com",
    );
    expect(status?.conditions?.find(({ type }) => type === "Terminating")?.reason).toBe("InstanceDeletionInProgress");
    for (const name of held)
      await client.patch(CROWD, "default", name, "application/merge-patch+json", { metadata: { finalizers: null } });
    await eventually(() =>
      client.get(CRDS, "", "crowds.example.com").then(
        () => false,
        (error: { code?: number }) => error.code === 404,
      ),
    );
    await watching;
    expect(deleted).toBe(1000);
    expect(test.store.count("crowds.example.com")).toBe(0);
    const discovery = await https.call({ method: "GET", path: "/apis/example.com/v1" });
    expect(JSON.stringify(discovery.body)).not.toContain("crowds");
  }, 60_000);

  it("are served in every version, from the one that is stored", async () => {
    const version = (name: string, storage: boolean): unknown => ({
      name,
      served: true,
      storage,
      schema: { openAPIV3Schema: SCHEMA },
    });
    await client.create(CRDS, crd("manies", "Many", { versions: [version("v1", true), version("v2", false)] }));
    await established("manies.example.com");
    const object = {
      apiVersion: "example.com/v2",
      kind: "Many",
      metadata: { name: "m", namespace: "default" },
      spec: { size: 1 },
    };
    const created = await client.create(resource("manies", "Many", "v2"), object);
    expect(created.apiVersion).toBe("example.com/v2");
    expect((await client.get(resource("manies", "Many"), "default", "m")).apiVersion).toBe("example.com/v1");
  });

  it("refuse a CRD that is not well made", async () => {
    const bad = crd("bads", "Bad", {}, { schema: { openAPIV3Schema: { type: "object", properties: { spec: {} } } } });
    await expect(client.create(CRDS, bad)).rejects.toMatchObject({
      code: 422,
      message: expect.stringContaining("Required value: must not be empty for specified object fields") as string,
    });
    await expect(
      client.create(CRDS, { ...crd("goods", "Good"), metadata: { name: "wrong.example.com" } }),
    ).rejects.toMatchObject({
      code: 422,
      message: expect.stringContaining('must be spec.names.plural+"."+spec.group') as string,
    });
  });
});
