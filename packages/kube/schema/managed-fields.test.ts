import { describe, expect, test } from "vitest";
import type { ManagedFieldsEntry } from "../api/object.ts";
import { fieldSetOf } from "./field-set.ts";
import { trackUpdate } from "./managed-fields.ts";
import { parentManagedFields, scaleManagedFields } from "./scale-managed-fields.ts";
import { fromStructuralSchema } from "./structural.ts";
import { refusal } from "./testdata/outcome.ts";
import {
  T0,
  T1,
  apply,
  update,
  config,
  container,
  pods,
  stored,
  owners,
  fieldsOf,
} from "./testdata/managed-fields-fixture.ts";

describe("apply", () => {
  test("creates the object and owns what it names, list items by their keys with defaults", () => {
    const made = apply(
      undefined,
      config({
        replicas: 1,
        selector: { matchLabels: { a: "b" } },
        ...pods(container("c", { ports: [{ containerPort: 80 }] })),
      }),
      "m1",
    );
    expect(owners(made)).toEqual([
      {
        manager: "m1",
        operation: "Apply",
        apiVersion: "apps/v1",
        time: "2026-01-01T10:00:00Z",
        fieldsType: "FieldsV1",
        fieldsV1: {
          "f:spec": {
            "f:replicas": {},
            "f:selector": {},
            "f:template": {
              "f:spec": {
                "f:containers": {
                  'k:{"name":"c"}': {
                    ".": {},
                    "f:image": {},
                    "f:name": {},
                    "f:ports": { 'k:{"containerPort":80,"protocol":"TCP"}': { ".": {}, "f:containerPort": {} } },
                  },
                },
              },
            },
          },
        },
      },
    ]);
  });

  test("two appliers of the same value share it; the second gets no time, since it changed nothing", () => {
    const first = stored(apply(undefined, config({ replicas: 1 }), "m1"));
    const second = apply(first, config({ replicas: 1 }), "m2", { now: T1 });
    expect(owners(second).map(({ manager, time }) => [manager, time])).toEqual([
      ["m2", undefined],
      ["m1", "2026-01-01T10:00:00Z"],
    ]);
  });

  test("what another applied is a conflict, told with manager and field", () => {
    const live = stored(apply(undefined, config({ replicas: 1 }), "m1"));
    const error = refusal(() => apply(live, config({ replicas: 2 }), "m2"));
    expect([error.code, error.reason, error.message]).toEqual([
      409,
      "Conflict",
      'Apply failed with 1 conflict: conflict with "m1": .spec.replicas',
    ]);
    expect(error.status.details).toEqual({
      causes: [{ reason: "FieldManagerConflict", message: 'conflict with "m1"', field: ".spec.replicas" }],
    });
  });

  test("several conflicts are listed by manager; an updater is named with its version", () => {
    const created = stored(
      update(undefined, config({ replicas: 1, paused: true, ...pods(container("c")) }), "kubectl-client-side-apply"),
    );
    const live = apply(created, config({ replicas: 1 }), "a");
    const error = refusal(() =>
      apply(live, config({ replicas: 2, paused: false, ...pods(container("c", { image: "other" })) }), "m2"),
    );
    expect(error.message).toBe(
      [
        'Apply failed with 4 conflicts: conflicts with "a":',
        "- .spec.replicas",
        'conflicts with "kubectl-client-side-apply" using apps/v1:',
        "- .spec.paused",
        "- .spec.replicas",
        '- .spec.template.spec.containers[name="c"].image',
      ].join("\n"),
    );
  });

  test("force takes the field over", () => {
    const live = stored(apply(undefined, config({ replicas: 1, paused: true }), "m1"));
    const forced = apply(live, config({ replicas: 2 }), "m2", { force: true });
    expect(forced["spec"]).toEqual({ replicas: 2, paused: true });
    expect(fieldsOf(forced, "m1")).toEqual({ "f:spec": { "f:paused": {} } });
    expect(fieldsOf(forced, "m2")).toEqual({ "f:spec": { "f:replicas": {} } });
  });

  test("what is no longer applied goes, unless someone else owns it or it came of itself", () => {
    const first = stored(
      apply(undefined, config({ replicas: 1, paused: true, ...pods(container("a"), container("b")) }), "m1"),
    );
    const shared = apply(first, config({ paused: true }), "m2");
    const defaulted = update(
      shared,
      { ...shared, spec: { ...(shared["spec"] as object), revisionHistoryLimit: 10 } },
      "server",
    );
    const applied = apply(defaulted, config(pods(container("b"))), "m1");
    expect(applied["spec"]).toEqual({ paused: true, revisionHistoryLimit: 10, ...pods(container("b")) });
  });

  test("items of a list keep their place; new ones come after", () => {
    const live = stored(apply(undefined, config(pods(container("b"), container("a"))), "m1"));
    const more = apply(live, config(pods(container("c"))), "m2");
    expect(JSON.stringify(more["spec"])).toBe(JSON.stringify(pods(container("b"), container("a"), container("c"))));
  });

  test("finalizers are a set: each item has its owners", () => {
    const live = stored(apply(undefined, config({}, { finalizers: ["x.io/a"] }), "m1"));
    const both = apply(live, config({}, { finalizers: ["x.io/b"] }), "m2");
    expect(both.metadata.finalizers).toEqual(["x.io/a", "x.io/b"]);
    expect(fieldsOf(both, "m2")).toEqual({ "f:metadata": { "f:finalizers": { 'v:"x.io/b"': {} } }, "f:spec": {} });
    expect(apply(both, config({}), "m1").metadata.finalizers).toEqual(["x.io/b"]);
  });

  test("an atomic list or struct has one owner", () => {
    const live = stored(
      apply(
        undefined,
        config({ selector: { matchLabels: { a: "b" } }, ...pods(container("c", { args: ["x"] })) }),
        "m1",
      ),
    );
    const error = refusal(() =>
      apply(live, config({ selector: { matchLabels: { c: "d" } }, ...pods(container("c", { args: ["y"] })) }), "m2"),
    );
    expect(error.status.details?.causes?.map((cause) => cause.field)).toEqual([
      ".spec.selector",
      '.spec.template.spec.containers[name="c"].args',
    ]);
  });

  test("applying again changes nothing, not even a time", () => {
    const live = stored(apply(undefined, config({ replicas: 1, ...pods(container("c")) }), "m1"));
    expect(apply(live, config({ replicas: 1, ...pods(container("c")) }), "m1", { now: T1 })).toEqual(live);
  });

  test.each([
    [{ spec: { foo: 1 } }, ".spec.foo: field not declared in schema"],
    [{ spec: { replicas: "x" } }, ".spec.replicas: expected numeric (int or float), got string"],
    [
      { spec: pods(container("c"), container("c")) },
      '.spec.template.spec.containers: duplicate entries for key [name="c"]',
    ],
    [
      { spec: { replicas: true, paused: 3 } },
      "errors:\n  .spec.replicas: expected numeric (int or float), got bool\n  .spec.paused: expected boolean, got &{3}",
    ],
  ])("refuses a configuration that does not fit: %j", (part, text) => {
    const error = refusal(() => apply(undefined, { ...config({}), ...part }, "m1"));
    expect([error.code, error.reason, error.message]).toEqual([
      500,
      "",
      `failed to create typed patch object (shop/web; apps/v1, Kind=Deployment): ${text}`,
    ]);
  });

  test("refuses another kind, and managedFields", () => {
    expect(refusal(() => apply(undefined, { ...config({}), apiVersion: "apps/v2" }, "m1")).message).toBe(
      "invalid object type: apps/v2, Kind=Deployment",
    );
    expect(refusal(() => apply(undefined, config({}, { managedFields: [] }), "m1")).message).toBe(
      "metadata.managedFields must be nil",
    );
  });

  test("what nobody tracked belongs to before-first-apply", () => {
    const live = stored(config({ replicas: 1, paused: true }));
    const applied = apply(live, config({ replicas: 1 }), "m1");
    expect(owners(applied).map(({ manager, operation }) => [manager, operation])).toEqual([
      ["m1", "Apply"],
      ["before-first-apply", "Update"],
    ]);
  });

  test("kubectl takes over what it had applied on the client's side, and keeps the annotation up to date", () => {
    const key = "kubectl.kubernetes.io/last-applied-configuration";
    const before = config({ replicas: 1 }, { annotations: { [key]: JSON.stringify(config({ replicas: 1 })) } });
    const live = stored(update(undefined, before, "kubectl-client-side-apply"));
    expect(refusal(() => apply(live, config({ replicas: 2 }), "helm")).code).toBe(409);
    const taken = apply(live, config({ replicas: 2 }), "kubectl");
    expect((taken["spec"] as { replicas: number }).replicas).toBe(2);
    expect(JSON.parse(taken.metadata.annotations?.[key] ?? "")).toEqual(config({ replicas: 2 }));
    const edited = update(live, { ...live, spec: { replicas: 9 } }, "kubectl-edit");
    expect(refusal(() => apply(edited, config({ replicas: 2 }), "kubectl")).message).toContain(
      'conflict with "kubectl-edit" using apps/v1: .spec.replicas',
    );
  });

  test("the status endpoint owns nothing but status", () => {
    const live = stored(update(undefined, config({ replicas: 1 }), "m1"));
    const through = apply(live, { ...config({ replicas: 1 }), status: { replicas: 3 } }, "ctl", {
      subresource: "status",
      resetFields: fieldSetOf(["spec"], ["metadata"]),
    });
    expect(owners(through).find((entry) => entry.manager === "ctl")).toMatchObject({
      subresource: "status",
      fieldsV1: { "f:status": { "f:replicas": {} } },
    });
  });

  test("an entry of a version that is no longer served ends; other versions are compared in their own shape", () => {
    const live = stored(apply(undefined, config({ replicas: 1 }), "m1"));
    const old = owners(live).map((entry) => ({ ...entry, apiVersion: "apps/v1beta1" }));
    const gone = apply({ ...live, metadata: { ...live.metadata, managedFields: old } }, config({ replicas: 2 }), "m2", {
      convert: () => undefined,
    });
    expect(owners(gone).map((entry) => entry.manager)).toEqual(["m2"]);
  });
});

describe("updates", () => {
  test("own what they change and take it from others", () => {
    const live = stored(apply(undefined, config({ replicas: 1, paused: true }), "m1"));
    const changed = update(live, config({ replicas: 5, paused: true }, { uid: "u1", labels: { a: "b" } }), "editor", {
      now: T1,
    });
    expect(fieldsOf(changed, "m1")).toEqual({ "f:spec": { "f:paused": {} } });
    expect(fieldsOf(changed, "editor")).toEqual({
      "f:metadata": { "f:labels": { ".": {}, "f:a": {} } },
      "f:spec": { "f:replicas": {} },
    });
  });

  test("a field that a Go server always has is not said to have been added", () => {
    const made = update(
      undefined,
      config({ strategy: { type: "Recreate" }, ...pods({ ...container("c"), resources: {} }) }),
      "m1",
    );
    expect(fieldsOf(made, "m1")).toEqual({
      "f:spec": {
        "f:strategy": { "f:type": {} },
        "f:template": {
          "f:spec": {
            "f:containers": { 'k:{"name":"c"}': { ".": {}, "f:image": {}, "f:name": {}, "f:resources": {} } },
          },
        },
      },
    });
  });

  test("a client that does not send managedFields does not lose them; an empty list resets them", () => {
    const live = stored(apply(undefined, config({ replicas: 1 }), "m1"));
    expect(owners(update(live, config({ replicas: 1 }, { uid: "u1" }), "x"))).toEqual(owners(live));
    expect(owners(update(live, config({ replicas: 1 }, { uid: "u1", managedFields: [] }), "x"))).toEqual([]);
    expect(owners(update(live, config({ replicas: 1 }, { uid: "u1", managedFields: [{}] }), "x"))).toEqual([]);
    expect(
      owners(update(live, config({ replicas: 1 }, { uid: "u1", managedFields: [{ operation: "Bogus" }] }), "x")),
    ).toEqual(owners(live));
  });

  test("an object that nobody tracks stays untracked", () => {
    expect(owners(update(stored(config({})), config({ replicas: 2 }, { uid: "u1" }), "x"))).toEqual([]);
  });

  test("no change, no new time", () => {
    const live = stored(update(undefined, config({ replicas: 1 }), "m1"));
    expect(owners(update(live, config({ replicas: 1 }, { uid: "u1" }), "m1", { now: T1 }))).toEqual(owners(live));
  });

  test("more than ten updaters: the oldest become ancient-changes", () => {
    let live = stored(update(undefined, config({}, { labels: { l: "0" } }), "m00"));
    for (let i = 1; i < 14; i++) {
      const name = `m${String(i).padStart(2, "0")}`;
      const labels = { ...live.metadata.labels, [name]: "x" };
      live = update(live, { ...live, metadata: { ...live.metadata, labels } }, name, { now: T0 + i * 1000 });
    }
    expect(owners(live).map((entry) => entry.manager)).toEqual([
      "ancient-changes",
      "m05",
      "m06",
      "m07",
      "m08",
      "m09",
      "m10",
      "m11",
      "m12",
      "m13",
    ]);
  });

  test("a custom resource owns its containers too: nothing is there before it is set", () => {
    const node = fromStructuralSchema({
      type: "object",
      properties: {
        spec: {
          type: "object",
          properties: { free: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
        },
      },
    });
    const made = trackUpdate({
      node,
      before: undefined,
      after: { apiVersion: "x/v1", kind: "X", metadata: { name: "a" }, spec: { free: { a: { b: [1] } } } },
      manager: "m",
      apiVersion: "x/v1",
      now: T0,
    });
    expect(fieldsOf(made, "m")).toEqual({
      "f:spec": { ".": {}, "f:free": { ".": {}, "f:a": { ".": {}, "f:b": {} } } },
    });
  });
});

describe("scale", () => {
  const parent = stored(update(undefined, config({ replicas: 1, paused: true }), "m1"));

  test("shows who owns the replicas, and gives them to who changed them", () => {
    const scale = scaleManagedFields(parent.metadata.managedFields, ["spec", "replicas"]);
    expect(scale).toMatchObject([
      { manager: "m1", apiVersion: "autoscaling/v1", fieldsV1: { "f:spec": { "f:replicas": {} } } },
    ]);
    const hpa: ManagedFieldsEntry = {
      manager: "hpa",
      operation: "Update",
      apiVersion: "autoscaling/v1",
      fieldsType: "FieldsV1",
      fieldsV1: { "f:spec": { "f:replicas": {} } },
      subresource: "scale",
    };
    const after = parentManagedFields(parent.metadata.managedFields, [hpa], "apps/v1", ["spec", "replicas"]);
    expect(after).toMatchObject([
      { manager: "hpa", apiVersion: "apps/v1", subresource: "scale", fieldsV1: { "f:spec": { "f:replicas": {} } } },
      { manager: "m1", fieldsV1: { "f:spec": { "f:paused": {} } } },
    ]);
    expect(parentManagedFields(parent.metadata.managedFields, scale, "apps/v1", ["spec", "replicas"])).toEqual(
      parent.metadata.managedFields,
    );
  });
});
