import { readFileSync } from "node:fs";
import type { KubeObject } from "@travelops/kube";
import { parseApiVersion } from "@travelops/kube";
import { defaultBuiltin } from "@travelops/kube/schema/builtin-defaults";
import type { ResourceRow } from "@travelops/kube/schema/node";
import { builtinRows } from "@travelops/kube/schema/table";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraryOf, deepFreeze } from "@travelops/kube/schema/testdata/arbitrary";
import { scheduleFault } from "./workloads/cron-schedule.ts";
import type { AdmissionAttributes } from "../access.ts";
import { defaultTolerationSeconds } from "../admission/default-toleration-seconds.ts";
import type { ClusterView } from "../admission/plugin.ts";
import { withMatchLabelKeys } from "../registry/strategies/match-label-keys.ts";
import { withAddresses } from "../registry/strategies/service-families.ts";
import { needsHealthCheck } from "../registry/strategies/service-taking.ts";
import { validateBuiltin } from "./validate-builtin.ts";

interface Refused {
  readonly old?: KubeObject;
  readonly input: KubeObject;
  /** `field: message`, as kube-apiserver 1.35 answered when asked; its diffs of internal structs are left out. */
  readonly faults: readonly string[];
}

const load = <T>(path: string): T => JSON.parse(readFileSync(new URL(path, import.meta.url), "utf8")) as T;
const refused = load<readonly Refused[]>("./testdata/refused.json");
const accepted = load<readonly { expected: KubeObject }[]>(
  "../../../packages/kube/schema/testdata/builtin-defaults.json",
);

function rowOf(object: KubeObject): ResourceRow {
  const { group, version } = parseApiVersion(object.apiVersion);
  const row = builtinRows().find((r) => r.group === group && r.version === version && r.kind === object.kind);
  if (row === undefined) throw new Error(`no row for ${object.apiVersion} ${object.kind}`);
  return row;
}

function faultsOf(object: KubeObject, old?: KubeObject): string[] {
  const row = rowOf(object);
  const before = old === undefined ? undefined : deepFreeze(reserved(row, defaultBuiltin(row, old), undefined));
  const complete = reserved(row, admitted(row, defaultBuiltin(row, object)), before);
  return validateBuiltin(row, deepFreeze(complete), before).map(
    // What a forbidden change is compared with has tests of its own.
    (e) => `${e.field}: ${e.message.split("\n")[0]}`,
  );
}

/** What a Service has by the time it is checked: both fields for addresses, and the port that was taken for it. */
function reserved(row: ResourceRow, object: KubeObject, old: KubeObject | undefined): KubeObject {
  if (row.group !== "" || row.resource !== "services") return object;
  const taken = needsHealthCheck(object) ? { healthCheckNodePort: 30_000 } : {};
  const spec = { ...taken, ...(object["spec"] as object | undefined) };
  return withAddresses({ ...object, spec }, old);
}

/** What admission and its strategy give every pod, the ones before an update had already. */
function admitted(row: ResourceRow, object: KubeObject): KubeObject {
  const attributes = { group: row.group, resource: row.resource, subresource: "" } as AdmissionAttributes;
  const given = defaultTolerationSeconds.mutate?.(object, attributes, {} as ClusterView) ?? object;
  return row.resource === "pods" ? withMatchLabelKeys(given) : given;
}

/** Of a new job the server makes the selector, which the cases here do not have yet. */
const isJob = (object: KubeObject): boolean => object.kind === "Job";

describe("validation of built-in objects", () => {
  it.each(refused.map((c) => [`${c.input.kind} ${c.input.metadata.name}`, c] as const))(
    "says of %s what the real server says",
    (_name, c) => {
      expect(faultsOf(c.input, c.old).sort()).toEqual([...c.faults].sort());
    },
  );

  it("tells twenty thousand equal topologies one by one, not each with all others", () => {
    const terms = Array.from({ length: 20_000 }, () => ({ matchLabelExpressions: [{ key: "zone", values: ["a"] }] }));
    const storage = {
      apiVersion: "storage.k8s.io/v1",
      kind: "StorageClass",
      metadata: { name: "a" },
      provisioner: "x.y/z",
    };
    expect(faultsOf({ ...storage, allowedTopologies: terms })).toHaveLength(19_999);
  });

  it("finds nothing wrong with what the real server accepts, new or unchanged", () => {
    const objects = accepted.map((c) => c.expected).filter((object) => !isJob(object));
    expect(objects.flatMap((object) => [...faultsOf(object), ...faultsOf(object, object)])).toEqual([]);
  });

  it("never throws, and never changes what it is shown", () => {
    for (const row of builtinRows()) {
      const apiVersion = row.group === "" ? row.version : `${row.group}/${row.version}`;
      const objects = arbitraryOf(row.schema).map(
        (value) => ({ ...(value as object), apiVersion, kind: row.kind, metadata: { name: "a" } }) as KubeObject,
      );
      fc.assert(
        fc.property(objects, objects, (object, old) => {
          expect([faultsOf(object), faultsOf(object, old)].every(Array.isArray)).toBe(true);
        }),
        { numRuns: 25 },
      );
    }
  });

  it("lets a running pod get another image, but nothing else", () => {
    const pod = (image: string, extra: object = {}): KubeObject => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p" },
      spec: { containers: [{ name: "c", image }], ...extra },
    });
    expect(faultsOf(pod("b"), pod("a"))).toEqual([]);
    expect(faultsOf(pod("a", { tolerations: [{ operator: "Exists" }] }), pod("a"))).toEqual([]);
    expect(faultsOf(pod("a", { hostNetwork: true }), pod("a"))[0]).toMatch(
      /^spec: Forbidden: pod updates may not change fields other than/,
    );
  });

  it("takes the selector made from a job's uid", () => {
    const labels = {
      "batch.kubernetes.io/controller-uid": "u",
      "batch.kubernetes.io/job-name": "j",
      "controller-uid": "u",
      "job-name": "j",
    };
    const job: KubeObject = {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: { name: "j", uid: "u" },
      spec: {
        selector: { matchLabels: { "batch.kubernetes.io/controller-uid": "u" } },
        template: { metadata: { labels }, spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } },
      },
    };
    expect(faultsOf(job)).toEqual([]);
    expect(faultsOf({ ...job, metadata: { name: "j", uid: "other" } })).toEqual([
      expect.stringMatching(/^spec.template.metadata.labels\[controller-uid\]: .*must be 'other'$/),
      expect.stringMatching(
        /^spec.template.metadata.labels\[batch.kubernetes.io\/controller-uid\]: .*must be 'other'$/,
      ),
      expect.stringMatching(/^spec.selector: .*`selector` not auto-generated$/),
    ]);
  });
});

describe("schedules", () => {
  it.each([
    "* * * * *",
    "*/5 0-6,12 1,15 JAN-mar Mon",
    "@hourly",
    "@every 1h30m",
    "0 0 31 2 *",
    "? * * * ?",
    "10/5 * * * *",
  ])("takes %s", (schedule) => {
    expect(scheduleFault(schedule)).toBeUndefined();
  });

  it("answers any text", () => {
    const anything = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."*/-,0123456789 @evry".split("")) }));
    const answered = (schedule: string): boolean => ["undefined", "string"].includes(typeof scheduleFault(schedule));
    expect(answered("")).toBe(true);
    fc.assert(fc.property(anything, answered));
  });
});
