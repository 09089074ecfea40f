import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { KubeObject } from "../api/object.ts";
import { outcome } from "./testdata/outcome.ts";
import { T1, apply, update, config, pods, stored } from "./testdata/managed-fields-fixture.ts";

const label = fc.dictionary(fc.constantFrom("a", "b", "c", "__proto__", "x/y"), fc.constantFrom("1", "2"), {
  noNullPrototype: true,
});
const anyContainer = fc.record(
  {
    name: fc.constantFrom("c1", "c2", "c3"),
    image: fc.constantFrom("i1", "i2"),
    args: fc.array(fc.constantFrom("x", "y"), { maxLength: 2 }),
    ports: fc.uniqueArray(fc.record({ containerPort: fc.constantFrom(80, 443) }), {
      selector: (port) => port.containerPort,
    }),
  },
  { requiredKeys: ["name"], noNullPrototype: true },
);
const anyConfig = fc
  .record(
    {
      labels: label,
      finalizers: fc.uniqueArray(fc.constantFrom("x.io/a", "x.io/b")),
      replicas: fc.nat(3),
      selector: fc.record({ matchLabels: label }, { noNullPrototype: true }),
      containers: fc.uniqueArray(anyContainer, { selector: (one) => one.name }),
    },
    { requiredKeys: [], noNullPrototype: true },
  )
  .map(({ labels, finalizers, replicas, selector, containers }) =>
    config(
      {
        ...(replicas === undefined ? {} : { replicas }),
        ...(selector === undefined ? {} : { selector }),
        ...(containers === undefined ? {} : pods(...containers)),
      },
      { ...(labels === undefined ? {} : { labels }), ...(finalizers === undefined ? {} : { finalizers }) },
    ),
  );

/** Whether `whole` says everything that `part` says; lists by the key of their items. */
function contains(whole: unknown, part: unknown): boolean {
  if (Array.isArray(part)) {
    const items = Array.isArray(whole) ? (whole as unknown[]) : [];
    const keyed = part.every((item) => typeof item === "object");
    if (!keyed && part.every((item) => String(item).includes("/"))) return part.every((item) => items.includes(item));
    return keyed
      ? part.every((item) => items.some((other) => contains(other, item)))
      : JSON.stringify(whole) === JSON.stringify(part);
  }
  if (typeof part !== "object" || part === null) return whole === part;
  return Object.entries(part).every(
    ([key, value]) =>
      typeof whole === "object" &&
      whole !== null &&
      Object.hasOwn(whole, key) &&
      contains((whole as Record<string, unknown>)[key], value),
  );
}

describe("for any configurations", () => {
  const run = (check: (first: KubeObject, second: KubeObject) => void): void =>
    fc.assert(fc.property(anyConfig, anyConfig, check), { numRuns: 300 });

  test("a forced apply contains what was applied, changes no input, and is idempotent", () => {
    run((first, second) => {
      const live = stored(apply(undefined, first, "m1"));
      const inputs = JSON.stringify([live, second]);
      const once = stored(apply(live, second, "m2", { force: true }));
      expect(JSON.stringify([live, second])).toBe(inputs);
      expect(contains(once, second)).toBe(true);
      expect(apply(once, second, "m2", { now: T1 })).toEqual(once);
    });
  });

  test("managers of disjoint fields never conflict, and a manager that applies nothing leaves nothing behind", () => {
    run((first, second) => {
      const labels = config({}, { labels: first.metadata.labels ?? {} });
      const { labels: _, ...metadata } = second.metadata;
      const rest = { ...second, metadata };
      const live = stored(apply(undefined, labels, "m1"));
      const both = apply(live, rest, "m2");
      const alone = apply(both, config({}), "m2");
      expect(alone.metadata.labels ?? {}).toEqual(live.metadata.labels ?? {});
      expect(alone.metadata.finalizers ?? []).toEqual([]);
    });
  });

  test("malformed managedFields and configurations are refused or ignored, never worse", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (managedFields, spec) => {
        const odd = {
          ...config({}),
          spec,
          metadata: { name: "web", uid: "u1", managedFields },
        } as unknown as KubeObject;
        const even = stored(update(undefined, config({ replicas: 1 }), "m1"));
        for (const attempt of [
          () => update(even, odd, "m2"),
          () => apply(odd, config({ replicas: 1 }), "m2"),
          () => apply(even, { ...config({}), spec }, "m2"),
        ]) {
          expect(["value", "status"]).toContain(outcome(() => attempt()));
        }
      }),
      { numRuns: 300 },
    );
  });
});
