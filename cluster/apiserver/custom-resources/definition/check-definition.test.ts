import type { FieldError, KubeObject } from "@travelops/kube";
import { describe, expect, test } from "vitest";
import { formatWarnings } from "./unknown-formats.ts";
import { checkApproval, checkDefinition, checkPreserving } from "./check-definition.ts";

const schema = (properties: object): object => ({
  schema: { openAPIV3Schema: { type: "object", properties: { spec: { type: "object", properties } } } },
});
const version = (more: object = {}, properties: object = {}): object => ({
  name: "v1",
  served: true,
  storage: true,
  ...schema(properties),
  ...more,
});

function crd(spec: object = {}, status: object = { storedVersions: ["v1"] }): KubeObject {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "things.dfz.example" },
    spec: {
      group: "dfz.example",
      scope: "Namespaced",
      names: { plural: "things", singular: "thing", kind: "Thing", listKind: "ThingList" },
      versions: [version()],
      ...spec,
    },
    status,
  } as unknown as KubeObject;
}

function faults(object: KubeObject, old?: KubeObject): string[] {
  const errors: FieldError[] = [];
  for (const check of [checkDefinition, checkApproval, checkPreserving]) check(object, old, errors);
  return errors.map(({ field, message }) => `${field}: ${message}`);
}

const LABEL =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const scale = { specReplicasPath: ".spec.n", statusReplicasPath: ".spec.n", labelSelectorPath: "x" };
const BUNDLE = Buffer.from("b").toString("base64");
const webhook = (caBundle: string): object => ({
  conversion: {
    strategy: "Webhook",
    webhook: { conversionReviewVersions: ["v1"], clientConfig: { url: "https://a.example/x", caBundle } },
  },
});
const ESTABLISHED = { storedVersions: ["v1"], conditions: [{ type: "Established", status: "True" }] };

describe("what kube-apiserver 1.35 says of a CRD", () => {
  test.each<[string, KubeObject, string[]]>([
    ["is well made", crd(), []],
    [
      "says nothing",
      { ...crd(), spec: { conversion: { strategy: "None" } }, status: {} } as unknown as KubeObject,
      [
        "spec.group: Required value",
        "spec.scope: Required value",
        "spec.versions: Invalid value: null: must have exactly one version marked as storage version",
        "spec.names.plural: Required value",
        "spec.names.singular: Required value",
        "spec.names.kind: Required value",
        "spec.names.listKind: Required value",
        "status.storedVersions: Invalid value: null: must have at least one stored version",
      ],
    ],
    [
      "has a category that is no label",
      crd({ names: { plural: "things", singular: "thing", kind: "Thing", listKind: "ThingList", categories: [""] } }),
      [`spec.names.categories[0]: Invalid value: "": ${LABEL}`],
    ],
    [
      "has odd parts that all its versions agree on",
      crd({
        versions: [
          version({
            subresources: { scale },
            additionalPrinterColumns: [{ name: "", type: "", jsonPath: "" }],
            selectableFields: [{ jsonPath: ".spec.a" }, { jsonPath: ".metadata.name" }, { jsonPath: ".spec['a']" }],
            deprecationWarning: "old",
          }),
        ],
      }),
      [
        'spec.versions[0].deprecationWarning: Invalid value: "old": can only be set for deprecated versions',
        'spec.subresources.scale.statusReplicasPath: Invalid value: ".spec.n": should be a json path under .status',
        'spec.subresources.scale.labelSelectorPath: Invalid value: "x": must be a simple json path starting with .',
        "spec.additionalPrinterColumns[0].name: Required value",
        "spec.additionalPrinterColumns[0].type: Required value: must be one of boolean,date,integer,number,string",
        "spec.additionalPrinterColumns[0].JSONPath: Required value",
        'spec.selectableFields[0].jsonPath: Invalid value: ".spec.a": is an invalid path: does not refer to a valid field',
        'spec.selectableFields[1].jsonPath: Invalid value: ".metadata.name": is an invalid path: does not refer to a valid field',
        `spec.selectableFields[2].jsonPath: Invalid value: ".spec['a']": is an invalid path: array notation is not allowed`,
      ],
    ],
    [
      "has versions that differ",
      crd({ versions: [version({}, { a: {} }), version({ name: "v2", storage: false }, { a: { type: "x" } })] }),
      [
        "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties[a].type: Required value: must not be empty for specified object fields",
        'spec.versions[1].schema.openAPIV3Schema.properties[spec].properties[a].type: Unsupported value: "x": supported values: "array", "boolean", "integer", "number", "object", "string"',
      ],
    ],
    [
      "is converted by nobody, and says by whom",
      crd({ conversion: { strategy: "None", webhook: { conversionReviewVersions: ["v1"], clientConfig: {} } } }),
      [
        "spec.conversion.webhookClientConfig: Forbidden: should not be set when strategy is not set to Webhook",
        "spec.conversion.conversionReviewVersions: Forbidden: should not be set when strategy is not set to Webhook",
      ],
    ],
    [
      "preserves what nobody knows",
      crd({ preserveUnknownFields: true, versions: [version({}, { a: { type: "string", default: "x" } })] }),
      [
        "spec.preserveUnknownFields: Invalid value: true: must be false in order to use defaults in the schema",
        "spec.preserveUnknownFields: Invalid value: true: cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
      ],
    ],
  ])("that %s", (_what, object, expected) => {
    expect(faults(object)).toEqual(expected);
  });

  test("that is served may not lose what it is stored by, nor the certificates of its webhook", () => {
    const changed = crd({ scope: "Cluster", ...webhook(BUNDLE) });
    expect(faults(changed, crd())).toEqual([]);
    expect(faults(changed, crd({}, ESTABLISHED))).toEqual([
      `spec.conversion.webhookClientConfig.caBundle: Invalid value: "${BUNDLE}": unable to load root certificates: unable to parse bytes as PEM block`,
      'spec.scope: Invalid value: "Cluster": field is immutable',
    ]);
    expect(faults(changed, crd({ scope: "Cluster", ...webhook(BUNDLE) }, ESTABLISHED))).toEqual([]);
  });

  test("that asks for formats that nobody checks is warned of once", () => {
    const object = crd({
      versions: [version({}, { a: { type: "string", format: "x" }, b: { type: "integer", format: "y" } })],
    });
    expect(formatWarnings(object)).toEqual(['unrecognized format "x"']);
    expect(formatWarnings(object, object)).toEqual([]);
  });
});
