import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { applyJsonPatch } from "./json-patch.ts";
import { equalJson, isObject } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import { applyMergePatch } from "./merge-patch.ts";
import type { SchemaNode } from "./node.ts";
import { strategicMerge } from "./strategic-merge.ts";
import { kindNode } from "./table.ts";
import { outcome, refusal } from "./testdata/outcome.ts";

const deployment = kindNode("apps", "v1", "Deployment");
if (deployment === undefined) throw new Error("no Deployment");

describe("JSON patch", () => {
  const object = { a: { b: [1, 2, 3], c: "x" }, "d/e": { "~": 1 } };

  test.each([
    [[{ op: "add", path: "/a/b/1", value: 9 }], { ...object, a: { b: [1, 9, 2, 3], c: "x" } }],
    [[{ op: "add", path: "/a/b/-", value: 9 }], { ...object, a: { b: [1, 2, 3, 9], c: "x" } }],
    [[{ op: "add", path: "/a/b/3", value: 9 }], { ...object, a: { b: [1, 2, 3, 9], c: "x" } }],
    [[{ op: "add", path: "/a/n" }], { ...object, a: { b: [1, 2, 3], c: "x", n: null } }],
    [[{ op: "remove", path: "/a/b/-1" }], { ...object, a: { b: [1, 2], c: "x" } }],
    [[{ op: "remove", path: "/d~1e/~0" }], { ...object, "d/e": {} }],
    [[{ op: "replace", path: "/a/new", value: 1 }], { ...object, a: { b: [1, 2, 3], c: "x", new: 1 } }],
    [[{ op: "replace", path: "", value: { z: 1 } }], { z: 1 }],
    [[{ op: "move", from: "/a/c", path: "/c" }], { a: { b: [1, 2, 3] }, "d/e": { "~": 1 }, c: "x" }],
    [
      [
        { op: "copy", from: "/a/b", path: "/b" },
        { op: "add", path: "/b/-", value: 4 },
      ],
      { ...object, b: [1, 2, 3, 4] },
    ],
    [
      [
        { op: "test", path: "/a/b", value: [1, 2, 3] },
        { op: "test", path: "/none" },
      ],
      object,
    ],
  ])("%j", (patch, expected) => {
    const before = JSON.stringify(object);
    expect(applyJsonPatch(object, patch)).toEqual(expected);
    expect(JSON.stringify(object)).toBe(before);
  });

  test.each([
    [[{ op: "test", path: "/a/c", value: "y" }], "testing value /a/c failed: test failed"],
    [
      [{ op: "remove", path: "/a/none" }],
      "error in remove for path: '/a/none': Unable to remove nonexistent key: none: missing value",
    ],
    [
      [{ op: "add", path: "/x/y", value: 1 }],
      'add operation does not apply: doc is missing path: "/x/y": missing value',
    ],
    [
      [{ op: "add", path: "/a/b/7", value: 1 }],
      "error in add for path: '/a/b/7': Unable to access invalid index: 7: invalid index referenced",
    ],
    [
      [{ op: "replace", path: "/a/b/7", value: 1 }],
      "replace operation does not apply: doc is missing key: /a/b/7: missing value",
    ],
    [[{ op: "bogus", path: "/a" }], "Unexpected kind: bogus"],
    [[{ op: "add", value: 1 }], "add operation failed to decode path: missing value"],
    [
      [{ op: "move", from: "/x/y", path: "/a" }],
      "move operation does not apply: doc is missing from path: /x/y: missing value",
    ],
    [[null], "Unexpected kind: unknown"],
  ])("%j is unprocessable, and the cause says why", (patch, why) => {
    const error = refusal(() => applyJsonPatch(object, patch));
    expect([error.code, error.reason, error.message]).toEqual([
      422,
      "Invalid",
      "the server rejected our request due to an error in our request",
    ]);
    expect([error.status.details, error.cause]).toEqual([{}, why]);
  });

  test.each([
    [{ a: 1 }, "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp"],
    [[1], "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp"],
    [
      [{ op: "add", path: 3 }],
      "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.path of type string",
    ],
  ])("%j is malformed", (patch, text) => {
    const error = refusal(() => applyJsonPatch(object, patch));
    expect([error.code, error.message]).toEqual([400, text]);
  });

  test("copies of copies are bounded", () => {
    const patch = [
      { op: "add", path: "/x", value: ["0123456789"] },
      ...Array.from({ length: 40 }, () => ({ op: "copy", from: "/x", path: "/x/-" })),
    ];
    expect(refusal(() => applyJsonPatch({}, patch)).code).toBe(422);
  });

  test("__proto__ is a key like any other", () => {
    const patched = applyJsonPatch({}, [{ op: "add", path: "/__proto__", value: { polluted: 1 } }]) as object;
    expect(Object.hasOwn(patched, "__proto__")).toBe(true);
    expect("polluted" in {}).toBe(false);
  });

  test("whatever is sent, the answer is a value or a StatusError, and no input changes", () => {
    const pointer = fc.oneof(
      fc.constantFrom("", "/a", "/a/b", "/a/b/0", "/a/b/-", "/a/c", "/x", "/a/b/9"),
      fc.string(),
    );
    const operation = fc.oneof(
      fc.record(
        {
          op: fc.constantFrom("add", "remove", "replace", "move", "copy", "test"),
          path: pointer,
          from: pointer,
          value: fc.jsonValue(),
        },
        { requiredKeys: ["op"] },
      ),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.oneof(fc.array(operation, { maxLength: 6 }), fc.jsonValue()), (patch) => {
        const inputs = JSON.stringify([object, patch]);
        expect(["value", "status"]).toContain(outcome(() => applyJsonPatch(object, patch)));
        expect(JSON.stringify([object, patch])).toBe(inputs);
      }),
      { numRuns: 500 },
    );
  });
});

describe("merge patch", () => {
  test.each([
    [
      { a: 1, b: 2 },
      { b: null, c: 3 },
      { a: 1, c: 3 },
    ],
    [{ a: { b: 1, c: 2 } }, { a: { b: null } }, { a: { c: 2 } }],
    [{ a: [1, 2] }, { a: [3] }, { a: [3] }],
    [{ a: 1 }, { a: { b: null, c: { d: null } } }, { a: { c: {} } }],
    [{}, { a: [{ b: null }, null] }, { a: [{}, null] }],
    [{ a: null }, { a: { b: 1 } }, { a: { b: 1 } }],
    [{ a: 1 }, {}, { a: 1 }],
  ])("%j with %j", (object, patch, expected) => {
    expect(applyMergePatch(object, patch)).toEqual(expected);
  });

  test("a patch that changes nothing gives the same value; one that is no object is refused", () => {
    const object = { a: { b: 1 } };
    expect(applyMergePatch(object, { a: { b: 1 }, c: null })).toBe(object);
    expect(refusal(() => applyMergePatch(object, [1])).code).toBe(400);
  });
});

const pod = (spec: object): object => ({ spec: { template: { spec } } });
const strategic = (object: object, patch: object): unknown => strategicMerge(deployment, object, patch);

describe("strategic merge patch", () => {
  const c = (name: string, more: object = {}): object => ({ name, image: "i", ...more });

  test.each([
    [
      "merges containers by name, new ones first where the patch names them first",
      pod({ containers: [c("a"), c("b")] }),
      pod({ containers: [c("x"), { name: "b", image: "j" }] }),
      pod({ containers: [c("x"), c("a"), { name: "b", image: "j" }] }),
    ],
    [
      "merges env by name and ports by containerPort",
      pod({
        containers: [c("a", { env: [{ name: "E", value: "1" }], ports: [{ containerPort: 80, protocol: "TCP" }] })],
      }),
      pod({
        containers: [
          { name: "a", env: [{ name: "E", value: "2" }, { name: "F" }], ports: [{ containerPort: 80, name: "http" }] },
        ],
      }),
      pod({
        containers: [
          c("a", {
            env: [{ name: "E", value: "2" }, { name: "F" }],
            ports: [{ containerPort: 80, protocol: "TCP", name: "http" }],
          }),
        ],
      }),
    ],
    [
      "deletes an item",
      pod({ containers: [c("a"), c("b")] }),
      pod({ containers: [{ name: "a", $patch: "delete" }] }),
      pod({ containers: [c("b")] }),
    ],
    [
      "replaces a list",
      pod({ containers: [c("a"), c("b")] }),
      pod({ containers: [{ $patch: "replace" }, c("z")] }),
      pod({ containers: [c("z")] }),
    ],
    [
      "replaces a map",
      { metadata: { labels: { a: "1" } } },
      { metadata: { labels: { $patch: "replace", b: "2" } } },
      { metadata: { labels: { b: "2" } } },
    ],
    [
      "empties a map",
      pod({ securityContext: { runAsUser: 1 } }),
      pod({ securityContext: { $patch: "delete" } }),
      pod({ securityContext: {} }),
    ],
    [
      "deletes by null",
      { spec: { replicas: 1, paused: true } },
      { spec: { replicas: null } },
      { spec: { paused: true } },
    ],
    [
      "replaces lists that have no merge key",
      pod({ tolerations: [{ key: "a" }] }),
      pod({ tolerations: [{ key: "b" }] }),
      pod({ tolerations: [{ key: "b" }] }),
    ],
    [
      "keeps only the keys it is told to",
      { spec: { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } } } },
      { spec: { strategy: { $retainKeys: ["type"], type: "Recreate" } } },
      { spec: { strategy: { type: "Recreate" } } },
    ],
    [
      "retains the keys of a volume",
      pod({ volumes: [{ name: "v", emptyDir: {} }] }),
      pod({ volumes: [{ name: "v", $retainKeys: ["name", "secret"], secret: { secretName: "s" } }] }),
      pod({ volumes: [{ name: "v", secret: { secretName: "s" } }] }),
    ],
    [
      "joins finalizers as a set",
      { metadata: { finalizers: ["a", "b"] } },
      { metadata: { finalizers: ["c", "a"] } },
      { metadata: { finalizers: ["c", "a", "b"] } },
    ],
    [
      "deletes from a list of scalars",
      { metadata: { finalizers: ["a", "b"] } },
      { metadata: { "$deleteFromPrimitiveList/finalizers": ["a"] } },
      { metadata: { finalizers: ["b"] } },
    ],
    [
      "orders a list",
      pod({ containers: [c("a"), c("b")] }),
      pod({ "$setElementOrder/containers": [{ name: "b" }, { name: "a" }] }),
      pod({ containers: [c("b"), c("a")] }),
    ],
    [
      "orders a list that it changes",
      pod({ containers: [c("a"), c("b"), c("s")] }),
      pod({ containers: [c("x")], "$setElementOrder/containers": [{ name: "x" }, { name: "b" }, { name: "a" }] }),
      pod({ containers: [c("x"), c("b"), c("a"), c("s")] }),
    ],
  ])("%s", (_name, object, patch, expected) => {
    const before = JSON.stringify([object, patch]);
    expect(JSON.stringify(strategic(object, patch))).toBe(JSON.stringify(expected));
    expect(JSON.stringify([object, patch])).toBe(before);
  });

  test("an item added in the place of one deleted stands where kube-apiserver puts it", () => {
    const patch = pod({
      containers: [c("d"), { name: "a", $patch: "delete" }, { name: "b", image: "j" }],
      "$setElementOrder/containers": [{ name: "d" }, { name: "a" }, { name: "b" }],
    });
    const merged = strategic(pod({ containers: [c("s"), c("a"), c("b")] }), patch);
    expect(merged).toEqual(pod({ containers: [c("s"), c("d"), c("b", { image: "j" })] }));
  });

  test.each([
    [pod({ containers: [{ image: "x" }] }), 500, "map: map[image:x] does not contain declared merge key: name"],
    [pod({ containers: [{ name: "a", $patch: "bogus" }] }), 400, "unknown patch type: bogus"],
    [{ spec: { strategy: { $retainKeys: "type" } } }, 400, "invalid patch format of retainKeys"],
    [{ spec: { strategy: { $retainKeys: ["x"], type: "Recreate" } } }, 400, "invalid patch format of retainKeys"],
    [{ metadata: { $setElementOrder: [] } }, 400, "invalid patch format of setElementOrder list"],
    [
      pod({ containers: [c("b"), c("a")], "$setElementOrder/containers": [{ name: "a" }, { name: "b" }] }),
      400,
      "doesn't match $setElementOrder list",
    ],
    [pod({ containers: [[1]] }), 500, "list element types are not identical: [[map[image:i name:a]] [[1]]]"],
  ])("%j is refused with %i, as kube-apiserver does", (patch, code, text) => {
    const error = refusal(() =>
      strategic(
        { metadata: {}, spec: { strategy: { type: "X" }, template: { spec: { containers: [c("a")] } } } },
        patch,
      ),
    );
    expect(error.code).toBe(code);
    expect(error.message).toContain(text);
  });

  test("the patch that is computed between two objects makes the one of the other", () => {
    const name = fc.constantFrom("a", "b", "c", "d");
    const env = fc.uniqueArray(fc.record({ name, value: fc.constantFrom("1", "2") }, { noNullPrototype: true }), {
      selector: (item) => item.name,
    });
    const one = fc.record(
      { name, image: fc.constantFrom("i", "j"), env, args: fc.array(name, { maxLength: 2 }) },
      { requiredKeys: ["name", "image"], noNullPrototype: true },
    );
    const anyObject = fc
      .record(
        {
          labels: fc.dictionary(name, name, { noNullPrototype: true }),
          replicas: fc.nat(2),
          containers: fc.uniqueArray(one, { minLength: 1, selector: (item) => item.name }),
        },
        { noNullPrototype: true },
      )
      .map(({ labels, replicas, containers }) => ({
        metadata: { labels },
        spec: { replicas, template: { spec: { containers } } },
      }));
    fc.assert(
      fc.property(anyObject, anyObject, (from, to) => {
        expect(strategic(from, diff(deployment, from, to))).toEqual(to);
      }),
      { numRuns: 500 },
    );
  });

  test("whatever is sent, the answer is a value or a StatusError", () => {
    const directive = fc.constantFrom(
      "$patch",
      "$retainKeys",
      "$setElementOrder/containers",
      "$deleteFromPrimitiveList/finalizers",
      "containers",
      "finalizers",
      "metadata",
      "spec",
      "template",
      "name",
      "__proto__",
    );
    const patch = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom(null, 1, "a", "delete", "replace"),
        fc.array(tie("value"), { maxLength: 3 }),
        fc.dictionary(directive, tie("value"), { maxKeys: 4, noNullPrototype: true }),
      ),
    })).value;
    const object = { metadata: { finalizers: ["a"] }, spec: { template: { spec: { containers: [c("a"), c("b")] } } } };
    fc.assert(
      fc.property(patch, (value) => {
        const inputs = JSON.stringify([object, value]);
        expect(["value", "status"]).toContain(outcome(() => strategicMerge(deployment, object, value)));
        expect(JSON.stringify([object, value])).toBe(inputs);
      }),
      { numRuns: 1000 },
    );
  });
});

/** A strategic merge patch from one object to another, as clients compute it. */
function diff(node: SchemaNode, from: JsonObject, to: JsonObject): JsonObject {
  const patch: JsonObject = {};
  for (const key of new Set([...Object.keys(from), ...Object.keys(to)])) {
    const field = node.kind === "struct" ? node.fields.get(key) : undefined;
    const child: SchemaNode = field?.node ?? { kind: "any" };
    const [before, after] = [from[key], to[key]];
    if (equalJson(before, after)) continue;
    const mergeKey = field?.patchMergeKey;
    if (after === undefined) patch[key] = null;
    else if (isObject(before) && isObject(after)) patch[key] = diff(child, before, after);
    else if (Array.isArray(before) && Array.isArray(after) && mergeKey !== undefined && child.kind === "list") {
      const byKey = (items: unknown[]): Map<unknown, JsonObject> =>
        new Map(items.filter(isObject).map((item) => [item[mergeKey], item]));
      const [old, now] = [byKey(before), byKey(after)];
      patch[`$setElementOrder/${key}`] = after.filter(isObject).map((item) => ({ [mergeKey]: item[mergeKey] }));
      patch[key] = [
        ...[...now].map(([id, item]) => ({ ...diff(child.items, old.get(id) ?? {}, item), [mergeKey]: id })),
        ...[...old.keys()].filter((id) => !now.has(id)).map((id) => ({ [mergeKey]: id, $patch: "delete" })),
      ];
    } else patch[key] = after;
  }
  return patch;
}
