import type { KubeObject } from "@travelops/kube";
import { describe, expect, it } from "vitest";
import { parseJqPath, rulesFor, UnsupportedJqPath, withoutIgnored } from "./ignore-differences.ts";

const deployment: KubeObject = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: {
    name: "web",
    namespace: "shop",
    annotations: { "a.b/c": "1", keep: "1" },
    managedFields: [
      {
        manager: "hpa",
        operation: "Update",
        fieldsV1: {
          "f:spec": {
            "f:template": { "f:spec": { "f:containers": { 'k:{"name":"app"}': { "f:image": {} } } } },
          },
        },
      },
    ],
  },
  spec: {
    replicas: 3,
    template: {
      spec: {
        containers: [
          { name: "app", image: "x:1" },
          { name: "side", image: "y:1" },
        ],
      },
    },
  },
};

describe("ignoreDifferences", () => {
  it.each([
    [
      { jsonPointers: ["/spec/replicas"] },
      {
        template: {
          spec: {
            containers: [
              { name: "app", image: "x:1" },
              { name: "side", image: "y:1" },
            ],
          },
        },
      },
    ],
    [
      { jqPathExpressions: [".spec.template.spec.containers[].image"] },
      { replicas: 3, template: { spec: { containers: [{ name: "app" }, { name: "side" }] } } },
    ],
    [
      { jqPathExpressions: [".spec.template.spec.containers[1]"] },
      { replicas: 3, template: { spec: { containers: [{ name: "app", image: "x:1" }] } } },
    ],
    [
      { managedFieldsManagers: ["hpa"] },
      { replicas: 3, template: { spec: { containers: [{ name: "app" }, { name: "side", image: "y:1" }] } } },
    ],
  ])("takes %j away", (rule, spec) => {
    const before = structuredClone(deployment);
    expect(withoutIgnored(deployment, [{ kind: "Deployment", group: "apps", ...rule }], deployment)["spec"]).toEqual(
      spec,
    );
    expect(deployment).toEqual(before);
  });

  it("reads escaped names", () => {
    const without = withoutIgnored(
      deployment,
      [{ kind: "Deployment", jsonPointers: ["/metadata/annotations/a.b~1c"] }],
      deployment,
    );
    expect(without.metadata.annotations).toEqual({ keep: "1" });
    expect(parseJqPath('.metadata.annotations["a.b/c"]')).toEqual(["metadata", "annotations", "a.b/c"]);
  });

  it("refuses what it cannot read, by name", () => {
    expect(() => parseJqPath('.spec.containers[] | select(.name == "x")')).toThrow(UnsupportedJqPath);
    expect(() => parseJqPath("")).toThrow(/is no path/);
  });

  it.each([
    [{ kind: "Deployment", group: "apps" }, true],
    [{ kind: "*", group: "*" }, true],
    [{ kind: "Deployment" }, false],
    [{ kind: "Deployment", group: "apps", name: "other" }, false],
    [{ kind: "Deployment", group: "apps", name: "web", namespace: "shop" }, true],
  ])("applies %j: %s", (rule, applies) => {
    expect(rulesFor(deployment, [rule]).length === 1).toBe(applies);
  });
});
