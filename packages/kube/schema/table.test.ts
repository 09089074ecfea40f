import { describe, expect, it } from "vitest";
import type { SchemaNode } from "./node.ts";
import { builtinRows, kindNode, typeNode } from "./table.ts";

const row = (group: string, resource: string) =>
  builtinRows().find((r) => r.group === group && r.resource === resource);

function walk(node: SchemaNode, seen: Set<SchemaNode>): void {
  if (seen.has(node)) return;
  seen.add(node);
  if (node.kind === "list") walk(node.items, seen);
  if (node.kind === "map") walk(node.values, seen);
  if (node.kind !== "struct") return;
  for (const field of node.fields.values()) walk(field.node, seen);
  for (const inner of node.inline?.values() ?? []) walk(inner, seen);
}

describe("the built-in table", () => {
  it("serves stable versions only, the preferred version of a resource first", () => {
    expect(builtinRows().every((r) => /^v\d+$/.test(r.version))).toBe(true);
    expect(row("autoscaling", "horizontalpodautoscalers")?.version).toBe("v2");
  });

  it("has every type that any row reaches", () => {
    const seen = new Set<SchemaNode>();
    for (const r of builtinRows()) walk(r.schema, seen);
    expect(seen.size).toBeGreaterThan(500);
  });

  it("names a resource as clients call it", () => {
    expect(row("apps", "deployments")).toMatchObject({
      singular: "deployment",
      kind: "Deployment",
      listKind: "DeploymentList",
      namespaced: true,
      shortNames: ["deploy"],
    });
    expect(row("apps", "deployments")?.subresources.get("scale")).toMatchObject({
      group: "autoscaling",
      version: "v1",
      kind: "Scale",
    });
  });

  it("carries merge keys, list types and protobuf numbers", () => {
    const spec = typeNode("io.k8s.api.core.v1.PodSpec");
    if (spec.kind !== "struct") throw new Error("PodSpec is a struct");
    const containers = spec.fields.get("containers");
    expect(containers).toMatchObject({ required: true, patchStrategy: "merge", patchMergeKey: "name", pb: 2 });
    expect(containers?.node).toMatchObject({ kind: "list", listType: "map", listKeys: ["name"] });
    expect(spec.fields.get("volumes")?.patchStrategy).toBe("merge,retainKeys");
    expect(spec.fields.get("nodeSelector")?.node).toMatchObject({ kind: "map", mapType: "atomic" });
  });

  it("knows kinds that are no resource, and options in every group", () => {
    for (const [group, version, kind] of [
      ["autoscaling", "v1", "Scale"],
      ["policy", "v1", "Eviction"],
      ["authentication.k8s.io", "v1", "TokenRequest"],
      ["", "v1", "Status"],
      ["apps", "v1", "DeleteOptions"],
      ["", "v1", "PodList"],
    ] as const) {
      expect(kindNode(group, version, kind)).toBeDefined();
    }
    expect(kindNode("", "v1", "Nonsense")).toBeUndefined();
  });

  it("merges a volume's claim field by field, but other references as a whole", () => {
    const spec = typeNode("io.k8s.api.core.v1.PersistentVolumeSpec");
    if (spec.kind !== "struct") throw new Error("PersistentVolumeSpec is a struct");
    expect(spec.fields.get("claimRef")?.node).toMatchObject({ mapType: "granular" });
    expect(typeNode("io.k8s.api.core.v1.ObjectReference")).toMatchObject({ mapType: "atomic" });
  });
});
