import { describe, expect, it } from "vitest";
import type { ResourceRow } from "./node.ts";
import { openApiV2, V2Document, v2Part, openApiV3 } from "./openapi.ts";
import { fromStructuralSchema } from "./structural.ts";
import { builtinRows } from "./table.ts";

interface Operation {
  readonly parameters: { name: string }[];
  readonly requestBody: { content: object };
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
  components: {
    schemas: Record<string, Record<string, unknown> & { properties?: Record<string, Record<string, unknown>> }>;
  };
  definitions: Record<string, unknown>;
}

const v3 = (groupVersion: string, rows: readonly ResourceRow[] = builtinRows()): Document =>
  openApiV3(groupVersion, rows) as unknown as Document;

const custom: ResourceRow = {
  group: "x.io",
  version: "v1",
  resource: "foos",
  singular: "foo",
  kind: "Foo",
  listKind: "FooList",
  namespaced: true,
  verbs: ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
  shortNames: [],
  categories: [],
  subresources: new Map([["status", { group: "x.io", version: "v1", kind: "Foo", verbs: ["get", "patch", "update"] }]]),
  schema: fromStructuralSchema({
    type: "object",
    properties: {
      spec: {
        type: "object",
        required: ["size"],
        properties: {
          size: { type: "integer", minimum: 1, description: "How many." },
          port: { "x-kubernetes-int-or-string": true },
          hosts: { type: "array", items: { type: "string" }, "x-kubernetes-list-type": "set" },
          any: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        },
      },
    },
  }),
};

describe("OpenAPI v3", () => {
  it("tells kubectl that a kind takes fieldValidation on patch", () => {
    const patch = v3("apps/v1").paths["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]?.["patch"];
    expect(patch).toMatchObject({
      operationId: "patchAppsV1NamespacedDeployment",
      "x-kubernetes-action": "patch",
      "x-kubernetes-group-version-kind": { group: "apps", version: "v1", kind: "Deployment" },
    });
    expect(patch?.parameters.map((p) => p.name)).toEqual(["dryRun", "fieldManager", "fieldValidation", "force"]);
    expect(Object.keys(patch?.requestBody.content ?? {})).toContain("application/strategic-merge-patch+json");
  });

  it("carries what a client needs for a strategic merge", () => {
    const { schemas } = v3("v1").components;
    expect(schemas["io.k8s.api.core.v1.PodSpec"]?.properties?.["containers"]).toMatchObject({
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      "x-kubernetes-patch-strategy": "merge",
      "x-kubernetes-patch-merge-key": "name",
    });
    expect(schemas["io.k8s.api.core.v1.Pod"]?.["x-kubernetes-group-version-kind"]).toEqual([
      { group: "", version: "v1", kind: "Pod" },
    ]);
  });

  it("holds every schema that it refers to", () => {
    for (const groupVersion of new Set(
      builtinRows().map((r) => (r.group === "" ? r.version : `${r.group}/${r.version}`)),
    )) {
      const document = v3(groupVersion);
      for (const [, name] of JSON.stringify(document).matchAll(/#\/components\/schemas\/([^"]+)/g)) {
        expect(document.components.schemas).toHaveProperty([name ?? ""]);
      }
    }
  });

  it("publishes a custom resource with its own words and markers, without strategic merge", () => {
    const document = v3("x.io/v1", [...builtinRows(), custom]);
    const spec = document.components.schemas["io.x.v1.Foo"]?.properties?.["spec"] as {
      properties: object;
      required: string[];
    };
    expect(spec.required).toEqual(["size"]);
    expect(spec.properties).toMatchObject({
      size: { type: "integer", minimum: 1, description: "How many." },
      port: { "x-kubernetes-int-or-string": true },
      hosts: { type: "array", "x-kubernetes-list-type": "set" },
      any: { "x-kubernetes-preserve-unknown-fields": true },
    });
    const patch = document.paths["/apis/x.io/v1/namespaces/{namespace}/foos/{name}"]?.["patch"];
    expect(Object.keys(patch?.requestBody.content ?? {})).not.toContain("application/strategic-merge-patch+json");
    expect(document.components.schemas).toHaveProperty(["io.x.v1.FooList"]);
    expect(Object.keys(document.paths).every((path) => path.startsWith("/apis/x.io/v1/"))).toBe(true);
  });
});

describe("OpenAPI v2", () => {
  it("is one document whose references all resolve", () => {
    const document = openApiV2([...builtinRows(), custom]) as unknown as Pick<Document, "definitions">;
    for (const [, name] of JSON.stringify(document).matchAll(/#\/definitions\/([^"]+)/g))
      expect(document.definitions).toHaveProperty([name ?? ""]);
    // What v2 has no words for: alternatives, and null as a value.
    expect(/"(oneOf|anyOf)":\[|"nullable":true/.exec(JSON.stringify(document))).toBeNull();
  });

  it("put together from parts, is what it is in one piece, in both forms", async () => {
    const whole = openApiV2([...builtinRows(), custom]);
    const now = (): undefined => undefined;
    for (const form of ["json", "protobuf"] as const) {
      const own = await v2Part(openApiV2(builtinRows()), form, undefined, now);
      const more = await v2Part(openApiV2([custom]), form, own.definitions, now);
      const parts = new V2Document([own, more], form, "v1");
      const once = new V2Document([await v2Part(whole, form, undefined, now)], form, "v1");
      expect(parts.body().equals(once.body())).toBe(true);
      expect(parts.etag).not.toBe(new V2Document([own], form, "v1").etag);
      expect([...more.definitions.keys()].toSorted()).toEqual(["io.x.v1.Foo", "io.x.v1.FooList"]);
      if (form === "json") expect(JSON.parse(parts.body().toString("utf8"))).toMatchObject(whole);
    }
  });
});
