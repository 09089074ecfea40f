import fc from "fast-check";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { anyJson, bend, hostileText, type Json } from "./arbitrary-json.ts";
import { startFuzzServer, type FuzzServer } from "./fuzz-server.ts";
import { PARAMETERS, TIMEOUT_MS } from "./runs.ts";

let server: FuzzServer;
beforeAll(async () => void (server = await startFuzzServer()));
afterEach(() => server.stillServes());
afterAll(() => server.close());

const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const WIDGETS = "/apis/fuzz.example.com/v1/namespaces/default/widgets";
const JSON_TYPE = { "content-type": "application/json" };

const rule = fc.record(
  {
    rule: fc.oneof(
      fc.constantFrom(
        "self == oldSelf",
        "self.a > 1",
        "has(self.a) && self.a == 'x'",
        "self.all(x, x > 0)",
        "(((",
        "",
        "size(self) < 10",
        "self.matches('(a+)+$')",
        "quantity(self).isLessThan(quantity('1'))",
        "1/0 == 1",
        "self.__proto__ == 1",
      ),
      hostileText,
    ),
    message: hostileText,
    messageExpression: fc.constantFrom("'x' + self", "1", "((("),
    reason: fc.constantFrom("FieldValueInvalid", "x"),
    fieldPath: fc.constantFrom(".a", ".b[0]", "x", ""),
  },
  { requiredKeys: ["rule"] },
);

const scalarSchema = fc.record(
  {
    type: fc.constantFrom<Json>("string", "integer", "boolean", "object"),
    default: anyJson,
    "x-kubernetes-int-or-string": fc.boolean(),
  },
  { requiredKeys: ["type"] },
) as unknown as fc.Arbitrary<{ [key: string]: Json }>;

const schema = fc.letrec<{ node: { [key: string]: Json } }>((tie) => ({
  node: fc.oneof(
    { maxDepth: 3 },
    scalarSchema,
    fc.record(
      {
        type: fc.constantFrom<Json>("object", "string", "integer", "number", "boolean", "array", "nope", 1),
        properties: fc.dictionary(fc.constantFrom("a", "b", "c", "metadata", "kind", "__proto__"), tie("node"), {
          maxKeys: 3,
        }),
        items: tie("node"),
        additionalProperties: fc.oneof(fc.boolean() as fc.Arbitrary<Json>, tie("node") as fc.Arbitrary<Json>),
        required: fc.array(fc.constantFrom("a", "b", "zz"), { maxLength: 2 }),
        enum: fc.array(anyJson, { maxLength: 2 }),
        default: anyJson,
        pattern: fc.constantFrom("^a+$", "(", "(a+)+$", "\\p{L}", "(?i)x", "[[:alpha:]]", "\\"),
        format: fc.constantFrom("int32", "date-time", "byte", "ipv4", "nope"),
        nullable: fc.boolean(),
        minimum: fc.constantFrom(0, -1, 1e308, 0.5),
        maxLength: fc.constantFrom(-1, 0, 3),
        minItems: fc.constantFrom(-1, 1),
        uniqueItems: fc.boolean(),
        multipleOf: fc.constantFrom(0, -1, 0.1),
        allOf: fc.array(tie("node"), { maxLength: 2 }),
        anyOf: fc.array(tie("node"), { maxLength: 2 }),
        not: tie("node"),
        $ref: fc.constant("#/definitions/x"),
        "x-kubernetes-preserve-unknown-fields": fc.boolean(),
        "x-kubernetes-embedded-resource": fc.boolean(),
        "x-kubernetes-int-or-string": fc.boolean(),
        "x-kubernetes-list-type": fc.constantFrom("map", "set", "atomic", "x"),
        "x-kubernetes-list-map-keys": fc.array(fc.constantFrom("a", "b"), { maxLength: 2 }),
        "x-kubernetes-map-type": fc.constantFrom("granular", "atomic", "x"),
        "x-kubernetes-validations": fc.array(rule as unknown as fc.Arbitrary<Json>, { maxLength: 2 }),
      },
      { requiredKeys: [] },
    ) as unknown as fc.Arbitrary<{ [key: string]: Json }>,
  ),
}));

/** Mostly structural, so that enough of them are accepted to be tried further. */
const openApi = fc.oneof(
  fc.constant({ type: "object", "x-kubernetes-preserve-unknown-fields": true }),
  fc.record({ type: fc.constant("object"), properties: fc.record({ spec: schema.node, status: schema.node }) }),
  schema.node,
);

const column = fc.record(
  {
    name: hostileText,
    type: fc.constantFrom("string", "date", "integer", "number", "boolean", "x"),
    jsonPath: fc.constantFrom(
      ".spec",
      ".metadata.name",
      ".spec[0]",
      "$..x",
      ".spec[?(@.a==1)]",
      "{.x}",
      "",
      ".a['b']",
      "[",
      ".__proto__.x",
    ),
    priority: fc.integer(),
  },
  { requiredKeys: ["name", "type", "jsonPath"] },
);

const crd = fc
  .record({
    openAPIV3Schema: openApi,
    columns: fc.array(column, { maxLength: 2 }),
    subresources: fc.constantFrom<Json>(
      null,
      {},
      { status: {} },
      { scale: {} },
      {
        status: {},
        scale: { specReplicasPath: ".spec.a", statusReplicasPath: ".status.a", labelSelectorPath: ".status.b" },
      },
      { scale: { specReplicasPath: "..", statusReplicasPath: "x" } },
    ),
    selectable: fc.constantFrom<Json>([], [{ jsonPath: ".spec.a" }], [{ jsonPath: "x" }]),
  })
  .map(({ openAPIV3Schema, columns, subresources, selectable }): Json => ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "widgets.fuzz.example.com" },
    spec: {
      group: "fuzz.example.com",
      scope: "Namespaced",
      names: { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList", shortNames: ["wi"] },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema } as unknown as Json,
          subresources,
          additionalPrinterColumns: columns as unknown as Json,
          selectableFields: selectable,
        },
      ],
    },
  }));

const bentCrd = fc
  .tuple(
    crd,
    fc.array(fc.tuple(fc.array(fc.nat(9), { minLength: 1, maxLength: 6 }), anyJson), { maxLength: 2 }),
    fc.boolean(),
  )
  .map(([object, bends, straight]) =>
    straight ? object : bends.reduce<Json>((bent, [way, piece]) => bend(bent, way, piece), object),
  );

const WIDGET = { apiVersion: "fuzz.example.com/v1", kind: "Widget", metadata: { name: "w" } };

it(
  "answers any CustomResourceDefinition, and any object of those it accepts",
  { timeout: TIMEOUT_MS * 2 },
  async () => {
    let served = 0;
    const bodies = fc.array(fc.record({ spec: anyJson, status: anyJson }, { requiredKeys: [] }), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(bentCrd, bodies, async (definition, contents) => {
        const made = await server.hold({
          method: "POST",
          path: CRDS,
          headers: JSON_TYPE,
          body: JSON.stringify(definition),
        });
        if (made?.status === 201) served += await tryObjects(contents);
        const name =
          made?.status === 201
            ? (JSON.parse(made.text) as { metadata: { name: string } }).metadata.name
            : "widgets.fuzz.example.com";
        await server.hold({ method: "DELETE", path: `${CRDS}/${encodeURIComponent(name)}` });
      }),
      PARAMETERS,
    );
    expect(served).toBeGreaterThan(0);
  },
);

async function tryObjects(contents: readonly object[]): Promise<number> {
  let served = 0;
  for (const content of contents) {
    const body = JSON.stringify({ ...WIDGET, ...content });
    const answers = [
      await server.hold({ method: "POST", path: WIDGETS, headers: JSON_TYPE, body }),
      await server.hold({ method: "PUT", path: `${WIDGETS}/w`, headers: JSON_TYPE, body }),
      await server.hold({
        method: "PATCH",
        path: `${WIDGETS}/w?fieldManager=f&force=true`,
        headers: { "content-type": "application/apply-patch+yaml" },
        body,
      }),
      await server.hold({
        method: "PATCH",
        path: `${WIDGETS}/w`,
        headers: { "content-type": "application/merge-patch+json" },
        body,
      }),
      await server.hold({ method: "PUT", path: `${WIDGETS}/w/status`, headers: JSON_TYPE, body }),
      await server.hold({ method: "GET", path: `${WIDGETS}/w/scale` }),
      await server.hold({
        method: "PATCH",
        path: `${WIDGETS}/w/scale`,
        headers: { "content-type": "application/merge-patch+json" },
        body: '{"spec":{"replicas":3}}',
      }),
      await server.hold({
        method: "GET",
        path: WIDGETS,
        headers: { accept: "application/json;as=Table;g=meta.k8s.io;v=v1" },
      }),
      await server.hold({ method: "GET", path: `${WIDGETS}?fieldSelector=spec.a%3D1` }),
    ];
    served += answers.filter((answer) => answer !== undefined && answer.status < 300).length;
    await server.hold({ method: "DELETE", path: `${WIDGETS}/w` });
  }
  await server.hold({ method: "GET", path: "/openapi/v3/apis/fuzz.example.com/v1" });
  await server.hold({ method: "GET", path: "/openapi/v2" });
  return served;
}
