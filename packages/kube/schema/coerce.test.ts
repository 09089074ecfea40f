import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodeTypeError } from "./coerce.ts";
import type { StructNode } from "./node.ts";
import { builtinRows, kindNode } from "./table.ts";
import { arbitraryOf } from "./testdata/arbitrary.ts";

const node = (group: string, kind: string): StructNode => {
  const found = kindNode(group, "v1", kind);
  if (found === undefined) throw new Error(`no ${kind}`);
  return found;
};

const inContainer = (fields: object): object => ({ spec: { template: { spec: { containers: [fields] } } } });

describe("values of the wrong type, in the words of kube-apiserver 1.35", () => {
  it.each([
    [
      { spec: { replicas: "3" } },
      "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
    ],
    [
      { spec: { replicas: 3.5 } },
      "json: cannot unmarshal number 3.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
    ],
    [
      { spec: { replicas: 99999999999 } },
      "json: cannot unmarshal number 99999999999 into Go struct field DeploymentSpec.spec.replicas of type int32",
    ],
    [
      { spec: { replicas: {} } },
      "json: cannot unmarshal object into Go struct field DeploymentSpec.spec.replicas of type int32",
    ],
    [{ spec: "x" }, "json: cannot unmarshal string into Go struct field Deployment.spec of type v1.DeploymentSpec"],
    [{ spec: [] }, "json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec"],
    [
      { metadata: { uid: 5 } },
      "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.uid of type types.UID",
    ],
    [
      inContainer({ resources: { limits: [] } }),
      "json: cannot unmarshal array into Go struct field ResourceRequirements.spec.template.spec.containers.resources.limits of type v1.ResourceList",
    ],
    [
      inContainer({ securityContext: { capabilities: { add: [5] } } }),
      "json: cannot unmarshal number into Go struct field Capabilities.spec.template.spec.containers.securityContext.capabilities.add of type v1.Capability",
    ],
    [
      { metadata: { labels: { a: 1 } } },
      "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
    ],
    [
      { metadata: { labels: ["a"] } },
      "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string",
    ],
    [
      { spec: { template: { spec: { containers: { a: 1 } } } } },
      "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container",
    ],
    [
      inContainer({ name: 5 }),
      "json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.name of type string",
    ],
    [
      inContainer({ ports: [{ containerPort: "80" }] }),
      "json: cannot unmarshal string into Go struct field ContainerPort.spec.template.spec.containers.ports.containerPort of type int32",
    ],
    [
      inContainer({ livenessProbe: { httpGet: { port: true } } }),
      "json: cannot unmarshal bool into Go struct field HTTPGetAction.spec.template.spec.containers.livenessProbe.ProbeHandler.httpGet.port of type int32",
    ],
    [
      inContainer({ resources: { limits: { cpu: "x" } } }),
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
    [
      { spec: { paused: "true" } },
      "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.paused of type bool",
    ],
    [
      { metadata: { creationTimestamp: "x" } },
      'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"',
    ],
    [
      { metadata: { creationTimestamp: 5 } },
      "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.creationTimestamp of type string",
    ],
    [[], "json: cannot unmarshal array into Go value of type v1.Deployment"],
  ])("%j", (value, message) => {
    expect(decodeTypeError(node("apps", "Deployment"), value)).toBe(message);
  });

  it.each([
    ["!!!", "illegal base64 data at input byte 0"],
    ["abcde", "illegal base64 data at input byte 4"],
    [5, "json: cannot unmarshal number into Go struct field Secret.data of type []uint8"],
  ])("a secret's value %j", (value, message) => {
    expect(decodeTypeError(node("", "Secret"), { data: { a: value } })).toBe(message);
  });

  it.each([
    "2020-13-01T00:00:00Z",
    "2020-02-30T00:00:00Z",
    "2020-01-01 00:00:00Z",
    "2020-01-01T25:00:00Z",
    "2020-01-01T00:00:00",
    "2020-01-01T00:00:00Zx",
  ])("refuses the time %s", (time) => {
    expect(decodeTypeError(node("", "Pod"), { metadata: { creationTimestamp: time } })).toMatch(/^parsing time/);
  });

  it("takes null for unset, and every value its schema allows", () => {
    expect(
      decodeTypeError(node("", "Pod"), { metadata: null, spec: { containers: [null], nodeSelector: { a: null } } }),
    ).toBeUndefined();
    for (const row of builtinRows()) {
      fc.assert(
        fc.property(arbitraryOf(row.schema), (value) => decodeTypeError(row.schema, value) === undefined),
        { numRuns: 10 },
      );
    }
  });
});
