import { describe, expect, it } from "vitest";
import { formatApiVersion } from "../api/object.ts";
import { descriptions } from "./descriptions.ts";
import type { SchemaNode } from "./node.ts";
import { openApiV3 } from "./openapi.ts";
import { builtinRows, shortName } from "./table.ts";

/** Device allocation is served, and nothing here acts on it: its fields need no words. */
const NOT_DESCRIBED = /^resource\./;

function structsOf(node: SchemaNode, found: Map<string, readonly string[]>): void {
  if (node.kind === "list") return structsOf(node.items, found);
  if (node.kind === "map") return structsOf(node.values, found);
  if (node.kind !== "struct" || node.typeName === undefined) return;
  const name = shortName(node.typeName);
  if (found.has(name)) return;
  found.set(name, [...node.fields.keys()]);
  for (const field of node.fields.values()) structsOf(field.node, found);
}

describe("descriptions", () => {
  it("speak of most types and fields, and of all that a pod spec shows", () => {
    const types = new Map<string, readonly string[]>();
    for (const row of builtinRows()) structsOf(row.schema, types);
    const bare: string[] = [];
    let fields = 0;
    for (const [type, names] of types) {
      if (NOT_DESCRIBED.test(type)) continue;
      for (const name of names) {
        fields++;
        if (descriptions().ofField(type, name) === undefined) bare.push(`${type}.${name}`);
      }
    }
    expect(bare.length / fields).toBeLessThan(0.05);
    expect(bare.filter((field) => /^(core\.v1\.(Pod(Spec|Status)|Container|Probe)|apps|batch)\./.test(field))).toEqual(
      [],
    );
  });

  it("stand in the OpenAPI document, of a type and beside a reference", () => {
    const document = openApiV3(formatApiVersion("apps", "v1"), builtinRows()) as {
      components: {
        schemas: Record<string, { description: string; properties: Record<string, { description: string }> }>;
      };
    };
    const spec = document.components.schemas["io.k8s.api.apps.v1.DeploymentSpec"];
    expect(spec?.description).toBe("Which pods, how many, and how they are replaced.");
    expect(spec?.properties["strategy"]?.description).toBe("How old pods are replaced.");
    expect(spec?.properties["replicas"]?.description).toBe("How many pods are wanted. Default 1.");
  });

  it("take a condition's status for what it is", () => {
    expect(descriptions().ofField("core.v1.PodCondition", "status")).toContain("True, False or Unknown");
    expect(descriptions().ofField("core.v1.Pod", "status")).toContain("observed state");
  });
});
