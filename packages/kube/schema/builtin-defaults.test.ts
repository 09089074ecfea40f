import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { KubeObject } from "../api/object.ts";
import { parseApiVersion } from "../api/object.ts";
import { defaultBuiltin } from "./builtin-defaults.ts";
import type { ResourceRow } from "./node.ts";
import { prune } from "./prune.ts";
import { builtinRows } from "./table.ts";
import { arbitraryOf, deepFreeze } from "./testdata/arbitrary.ts";

interface Case {
  readonly input: KubeObject;
  readonly expected: KubeObject;
}

const cases = JSON.parse(readFileSync(new URL("./testdata/builtin-defaults.json", import.meta.url), "utf8")) as Case[];

function rowOf(object: KubeObject): ResourceRow {
  const { group, version } = parseApiVersion(object.apiVersion);
  const row = builtinRows().find((r) => r.group === group && r.version === version && r.kind === object.kind);
  if (row === undefined) throw new Error(`no row for ${object.apiVersion} ${object.kind}`);
  return row;
}

const withDefaults = (object: KubeObject): KubeObject => defaultBuiltin(rowOf(object), object);

const pod = (container: Record<string, unknown>, spec: Record<string, unknown> = {}): KubeObject =>
  withDefaults({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "p" },
    spec: { containers: [{ name: "c", ...container }], ...spec },
  });

const firstContainer = (object: KubeObject): unknown => (object["spec"] as { containers: unknown[] }).containers[0];

describe("defaults of built-in kinds", () => {
  it.each(cases.map((c) => [`${c.input.kind} ${c.input.metadata.name}`, c] as const))(
    "fills in %s as the real server does",
    (_name, c) => {
      const input = deepFreeze(c.input);
      const stored = defaultBuiltin(rowOf(input), prune(rowOf(input).schema, input).value);
      expect(stored).toEqual(c.expected);
    },
  );

  it("changes nothing, and copies nothing, the second time", () => {
    for (const c of cases) expect(defaultBuiltin(rowOf(c.expected), deepFreeze(c.expected))).toBe(c.expected);
  });

  it("never changes what it is given, and settles at once, whatever the object", () => {
    for (const row of builtinRows()) {
      const apiVersion = row.group === "" ? row.version : `${row.group}/${row.version}`;
      fc.assert(
        fc.property(arbitraryOf(row.schema), (value) => {
          const object = deepFreeze({
            ...(value as object),
            apiVersion,
            kind: row.kind,
            metadata: { name: "a" },
          }) as KubeObject;
          const once = defaultBuiltin(row, object);
          expect(defaultBuiltin(row, once)).toEqual(once);
        }),
        { numRuns: 20 },
      );
    }
  });

  it.each([
    ["nginx", "Always"],
    ["nginx:latest", "Always"],
    ["nginx:1.2", "IfNotPresent"],
    ["localhost:5000/a", "Always"],
    ["localhost:5000/a:x", "IfNotPresent"],
    [`a@sha256:${"0".repeat(64)}`, "IfNotPresent"],
    ["Not a name/x", "IfNotPresent"],
    ["UPPER/x", "Always"],
  ])("pulls %s by the policy %s", (image, policy) => {
    expect(firstContainer(pod({ image }))).toMatchObject({ imagePullPolicy: policy });
  });

  it("requests what is limited, in canonical quantities", () => {
    expect(
      firstContainer(
        pod({ image: "a:b", resources: { limits: { cpu: "1000m", memory: "0.5Gi" }, requests: { cpu: 0.25 } } }),
      ),
    ).toMatchObject({
      resources: { limits: { cpu: "1", memory: "512Mi" }, requests: { cpu: "250m", memory: "512Mi" } },
    });
  });

  it("keeps a zero that was given on purpose", () => {
    expect(pod({ image: "a" }, { terminationGracePeriodSeconds: 0, enableServiceLinks: false })["spec"]).toMatchObject({
      terminationGracePeriodSeconds: 0,
      enableServiceLinks: false,
    });
  });

  it("turns a secret's texts into data, over what data says", () => {
    const secret = withDefaults({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "s" },
      stringData: { a: "ü", b: "" },
      data: { a: "eA==", c: "eQ==" },
    });
    expect(secret).toEqual({
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "s" },
      type: "Opaque",
      data: { a: "w7w=", b: "", c: "eQ==" },
    });
  });

  it("labels a namespace with its name", () => {
    expect(withDefaults({ apiVersion: "v1", kind: "Namespace", metadata: { name: "n" } }).metadata.labels).toEqual({
      "kubernetes.io/metadata.name": "n",
    });
  });
});
