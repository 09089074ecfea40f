import { expect, it } from "vitest";
import { parseApiVersion } from "@travelops/kube";
import { servedKinds } from "./kinds.ts";
import { kindsOf, typeWarnings } from "./type-check.ts";

const crd = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "limits.x.io" },
  spec: {
    group: "x.io",
    names: { plural: "limits", kind: "Limit" },
    versions: [
      {
        name: "v1",
        served: true,
        schema: { openAPIV3Schema: { type: "object", properties: { most: { type: "integer" } } } },
      },
      { name: "v0", served: false },
    ],
  },
};
const kinds = servedKinds([crd], parseApiVersion);
const rule = (resources: readonly string[], group = "apps", version = "v1") => ({
  matchConstraints: { resourceRules: [{ apiGroups: [group], apiVersions: [version], resources }] },
});

it("finds the kinds that rules name, in order, and none behind a star", () => {
  const found = (policy: Parameters<typeof kindsOf>[0]) => kindsOf(policy, kinds).map(({ kind }) => kind);
  expect(found(rule(["replicasets", "deployments", "deployments/scale", "*"]))).toEqual(["Deployment", "ReplicaSet"]);
  expect(found(rule(["deployments"], "*"))).toEqual([]);
  expect(found(rule(["limits"], "x.io"))).toEqual(["Limit"]);
  expect(found(rule(["limits"], "x.io", "v0"))).toEqual([]);
});

it("warns of what cannot be, for objects, parameters and variables", () => {
  const policy = {
    ...rule(["deployments"]),
    paramKind: { apiVersion: "x.io/v1", kind: "Limit" },
    variables: [{ name: "count", expression: "object.spec.replicas" }],
  };
  const check = (expression: string): string | undefined =>
    typeWarnings({ ...policy, validations: [{ expression }] }, kinds)[0]?.warning;
  expect(check("variables.count <= params.most && oldObject == null")).toBeUndefined();
  expect(check("object.spec.template.spec.containers.all(c, c.image.startsWith('x'))")).toBeUndefined();
  expect(check("params.least == 1")).toBe(
    "apps/v1, Kind=Deployment: ERROR: <input>:1:7: undefined field 'least'\n | params.least == 1\n | ......^\n",
  );
  expect(check("variables.count == 'x'")).toMatch(/found no matching overload for '_==_' applied to '\(int, string\)'/);
});
