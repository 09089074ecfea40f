import fc from "fast-check";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import {
  anyJson,
  apiVersionOf,
  bend,
  bentObject,
  collectionOf,
  hostileText,
  KINDS,
  type Json,
} from "./arbitrary-json.ts";
import { startFuzzServer, type FuzzServer } from "./fuzz-server.ts";
import { PARAMETERS, TIMEOUT_MS } from "./runs.ts";

let server: FuzzServer;
const DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/target";

const template = {
  metadata: { labels: { app: "target" } },
  spec: {
    containers: [
      {
        name: "a",
        image: "busybox",
        ports: [{ containerPort: 80 }, { containerPort: 81, protocol: "UDP" }],
        env: [{ name: "E", value: "1" }],
      },
      { name: "b", image: "busybox" },
    ],
    tolerations: [{ key: "k", operator: "Exists" }],
  },
};
const target = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: {
    name: "target",
    namespace: "default",
    labels: { app: "target" },
    finalizers: ["example.com/one"],
    annotations: { a: "b" },
  },
  spec: { replicas: 1, selector: { matchLabels: { app: "target" } }, template },
};

const JSON_TYPE = { "content-type": "application/json" };

beforeAll(async () => {
  server = await startFuzzServer();
  const made = await server.ask({
    method: "POST",
    path: DEPLOYMENT.replace("/target", ""),
    headers: JSON_TYPE,
    body: JSON.stringify(target),
  });
  if (made?.status !== 201) throw new Error(`the target was not made: ${made?.text}`);
});
afterEach(() => server.stillServes());
afterAll(() => server.close());

const subresource = fc.constantFrom("", "", "", "/status", "/scale");
const query = fc.constantFrom(
  "",
  "?dryRun=All",
  "?fieldManager=a",
  "?fieldManager=b&force=true",
  "?fieldValidation=Strict",
);

async function patch(type: string, body: string, sub: string, parameters: string): Promise<void> {
  const headers = { "content-type": type };
  const needed = type.includes("apply-patch") && parameters === "" ? "?fieldManager=c" : parameters;
  await server.hold({ method: "PATCH", path: DEPLOYMENT + sub + needed, headers, body });
  // The target may have been made unreadable by what was accepted: it must not.
  const seen = await server.hold({ method: "GET", path: DEPLOYMENT });
  expect(seen?.status).toBe(200);
}

const pointer = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        "metadata",
        "spec",
        "template",
        "containers",
        "0",
        "1",
        "-",
        "name",
        "ports",
        "labels",
        "app",
        "replicas",
        "finalizers",
        "~0",
        "~1",
        "~2",
        "01",
        "-1",
        "1e3",
        "__proto__",
        "managedFields",
        "",
        "status",
        "99999999999",
      ),
      fc.string({ maxLength: 3 }),
    ),
    { maxLength: 6 },
  )
  .map((parts) => (parts.length === 0 ? "" : `/${parts.join("/")}`));
const operation = fc.record(
  {
    op: fc.oneof(
      { weight: 9, arbitrary: fc.constantFrom<Json>("add", "remove", "replace", "move", "copy", "test") },
      { weight: 1, arbitrary: anyJson },
    ),
    path: fc.oneof({ weight: 9, arbitrary: pointer as fc.Arbitrary<Json> }, { weight: 1, arbitrary: anyJson }),
    from: pointer,
    value: anyJson,
  },
  { requiredKeys: ["op", "path"] },
);

it("answers any JSON patch", { timeout: TIMEOUT_MS }, async () => {
  const body = fc.oneof(
    { weight: 9, arbitrary: fc.array(operation, { maxLength: 4 }) as fc.Arbitrary<unknown> },
    { weight: 1, arbitrary: anyJson },
  );
  await fc.assert(
    fc.asyncProperty(body, subresource, query, (value, sub, parameters) =>
      patch("application/json-patch+json", JSON.stringify(value), sub, parameters),
    ),
    PARAMETERS,
  );
});

const DIRECTIVES: readonly Json[] = [
  { $patch: "replace" },
  { $patch: "delete" },
  { $patch: "merge" },
  { $patch: "x" },
  { $patch: 1 },
  { $retainKeys: ["a"] },
  { $retainKeys: "a" },
  { $retainKeys: [1] },
  { "$setElementOrder/containers": [{ name: "b" }, { name: "a" }] },
  { "$setElementOrder/containers": "x" },
  { "$setElementOrder/containers": [{ nome: "b" }] },
  { "$deleteFromPrimitiveList/finalizers": ["example.com/one"] },
  { "$deleteFromPrimitiveList/finalizers": {} },
  [{ $patch: "delete", name: "a" }],
  [{ $patch: "replace" }],
  [{ $patch: "delete" }],
  [{ name: null }],
  [{ $patch: "delete", name: 1 }],
  [null],
  [[]],
  [{ name: "a", $patch: null }],
];

/** The target with pieces and directives put anywhere. */
const mergePatch = fc
  .array(fc.tuple(fc.array(fc.nat(9), { maxLength: 8 }), fc.oneof(fc.constantFrom(...DIRECTIVES), anyJson)), {
    maxLength: 4,
  })
  .map((bends) => bends.reduce<Json>((bent, [way, piece]) => bend(bent, way, piece), target as unknown as Json));

it("answers any merge patch, plain and strategic", { timeout: TIMEOUT_MS }, async () => {
  const type = fc.constantFrom("application/merge-patch+json", "application/strategic-merge-patch+json");
  await fc.assert(
    fc.asyncProperty(type, fc.oneof(mergePatch, anyJson), subresource, query, (kind, value, sub, parameters) =>
      patch(kind, JSON.stringify(value), sub, parameters),
    ),
    PARAMETERS,
  );
});

it("answers any server-side apply", { timeout: TIMEOUT_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(mergePatch, anyJson), subresource, query, (value, sub, parameters) =>
      patch("application/apply-patch+yaml", JSON.stringify(value), sub, parameters),
    ),
    PARAMETERS,
  );
});

it("answers an apply of any kind, twice", { timeout: TIMEOUT_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(bentObject, async ({ kindOf, object }) => {
      const where = `${collectionOf(kindOf)}/applied`;
      const body = JSON.stringify({
        ...(object as object),
        apiVersion: apiVersionOf(kindOf),
        kind: kindOf.kind,
        metadata: { name: "applied" },
      });
      const headers = { "content-type": "application/apply-patch+yaml" };
      for (const manager of ["one", "two"])
        await server.hold({ method: "PATCH", path: `${where}?fieldManager=${manager}&force=true`, headers, body });
      await server.hold({ method: "DELETE", path: `${where}?gracePeriodSeconds=0` });
    }),
    PARAMETERS,
  );
});

const fieldName = fc.oneof(
  fc.constantFrom(
    ".",
    "f:metadata",
    "f:spec",
    "f:template",
    "f:containers",
    'k:{"name":"a"}',
    "k:{",
    'k:{"name":{}}',
    "k:[]",
    "k:null",
    'v:"example.com/one"',
    "v:",
    "v:{}",
    "i:0",
    "i:x",
    "f:",
    "x",
    "",
    "f:labels",
    "f:replicas",
    "f:__proto__",
  ),
  fc.string({ maxLength: 4 }),
);
const fields = fc.letrec<{ set: Json }>((tie) => ({
  set: fc.oneof({ maxDepth: 5 }, fc.constant({}), fc.dictionary(fieldName, tie("set"), { maxKeys: 4 }), anyJson),
})).set;
const managedFields = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.array(
      fc.record(
        {
          manager: fc.oneof(fc.constantFrom<Json>("a", "b", ""), anyJson),
          operation: fc.oneof(
            { weight: 5, arbitrary: fc.constantFrom<Json>("Apply", "Update") },
            { weight: 1, arbitrary: anyJson },
          ),
          apiVersion: fc.oneof(
            { weight: 5, arbitrary: fc.constantFrom<Json>("apps/v1", "v1", "apps/v1beta1", "x/y/z") },
            { weight: 1, arbitrary: anyJson },
          ),
          time: fc.oneof(fc.constantFrom<Json>("2020-01-01T00:00:00Z", "x"), anyJson),
          fieldsType: fc.oneof(
            { weight: 5, arbitrary: fc.constant<Json>("FieldsV1") },
            { weight: 1, arbitrary: anyJson },
          ),
          fieldsV1: fields,
          subresource: fc.constantFrom("", "status", "scale", "x"),
        },
        { requiredKeys: [] },
      ),
      { maxLength: 3 },
    ) as fc.Arbitrary<unknown>,
  },
  { weight: 1, arbitrary: anyJson },
);

it("answers any managedFields, and goes on tracking after them", { timeout: TIMEOUT_MS }, async () => {
  await fc.assert(
    fc.asyncProperty(managedFields, fc.boolean(), async (managed, replace) => {
      const metadata = { name: "target", managedFields: managed };
      if (replace)
        await server.hold({
          method: "PUT",
          path: DEPLOYMENT,
          headers: JSON_TYPE,
          body: JSON.stringify({ ...target, metadata: { ...target.metadata, ...metadata } }),
        });
      else await patch("application/merge-patch+json", JSON.stringify({ metadata }), "", "");
      await patch("application/apply-patch+yaml", JSON.stringify(target), "", "?fieldManager=after&force=true");
    }),
    PARAMETERS,
  );
});

const metadataField = fc.constantFrom(
  "name",
  "generateName",
  "namespace",
  "labels",
  "annotations",
  "finalizers",
  "ownerReferences",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "managedFields",
  "selfLink",
);
const owner = fc.record(
  {
    apiVersion: hostileText,
    kind: hostileText,
    name: hostileText,
    uid: hostileText,
    controller: fc.oneof(fc.boolean(), fc.constant(null)),
    blockOwnerDeletion: fc.boolean(),
  },
  { requiredKeys: [] },
);

it("answers any metadata on any kind", { timeout: TIMEOUT_MS }, async () => {
  const metadata = fc.dictionary(
    metadataField,
    fc.oneof(
      anyJson,
      fc.array(owner as unknown as fc.Arbitrary<Json>, { maxLength: 2 }),
      fc.dictionary(hostileText, hostileText, { maxKeys: 3 }),
    ),
    { maxKeys: 5 },
  );
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...KINDS), metadata, async (kindOf, value) => {
      const body = JSON.stringify({ apiVersion: apiVersionOf(kindOf), kind: kindOf.kind, metadata: value });
      await server.hold({ method: "POST", path: collectionOf(kindOf), headers: JSON_TYPE, body });
    }),
    PARAMETERS,
  );
});
