import fc from "fast-check";
import type { KubeObject } from "@travelops/kube";
import { describe, expect, it } from "vitest";
import { compareTasks, needs, orderTasks, waveOf, type OrderedTask } from "./order.ts";

const object = (kind: string, name: string, namespace?: string, apiVersion = "v1"): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
});
const task = (kind: string, name: string, wave = 0, namespace?: string): OrderedTask => ({
  phase: "Sync",
  wave,
  object: object(kind, name, namespace),
});
const names = (tasks: readonly OrderedTask[]): string[] =>
  tasks.map((each) => `${each.object.kind}/${each.object.metadata.name}`);

describe("the order of a sync", () => {
  it("is phase, wave, kind, name", () => {
    const tasks = [
      task("Deployment", "b"),
      task("Deployment", "a"),
      task("Service", "s"),
      task("ConfigMap", "late", 1),
      task("Unknown", "u"),
      { ...task("Job", "pre"), phase: "PreSync" as const },
    ];
    expect(names(orderTasks(tasks))).toEqual([
      "Job/pre",
      "Service/s",
      "Deployment/a",
      "Deployment/b",
      "Unknown/u",
      "ConfigMap/late",
    ]);
  });

  it("moves a Namespace before the first task that lives in it, into that task's wave", () => {
    const ordered = orderTasks([
      task("Namespace", "shop", 5),
      task("ConfigMap", "early", -2, "shop"),
      task("ConfigMap", "first", -3, "other"),
    ]);
    expect(names(ordered)).toEqual(["ConfigMap/first", "Namespace/shop", "ConfigMap/early"]);
    expect(ordered[1]?.wave).toBe(-2);
  });

  it.each([
    [{ "argocd.argoproj.io/sync-wave": "3" }, 3],
    [{ "helm.sh/hook-weight": "-5" }, -5],
    [{ "argocd.argoproj.io/sync-wave": "1", "helm.sh/hook-weight": "9" }, 1],
    [{ "argocd.argoproj.io/sync-wave": "soon" }, 0],
    [{}, 0],
  ])("reads the wave of %j as %i", (annotations, wave) => {
    expect(waveOf({ ...object("ConfigMap", "x"), metadata: { annotations } })).toBe(wave);
  });

  const anyTask = fc.record({
    phase: fc.constantFrom("PreSync" as const, "Sync" as const, "PostSync" as const),
    wave: fc.integer({ min: -2, max: 2 }),
    object: fc
      .tuple(
        fc.constantFrom("Namespace", "ConfigMap", "Deployment", "Service", "Trip"),
        fc.constantFrom("a", "b", "c"),
        fc.constantFrom("a", "b", undefined),
      )
      .map(([kind, name, namespace]) => object(kind, name, kind === "Namespace" ? undefined : namespace)),
  });

  it("loses nothing, is the same for every permutation, and puts each namespace before what lives in it", () => {
    fc.assert(
      fc.property(fc.uniqueArray(anyTask, { selector: (each) => names([each])[0] ?? "", maxLength: 12 }), (tasks) => {
        const ordered = orderTasks(tasks);
        expect(names(ordered).toSorted()).toEqual(names(tasks).toSorted());
        expect(names(orderTasks(tasks.toReversed()))).toEqual(names(ordered));
        for (const [index, each] of ordered.entries()) {
          if (each.object.kind !== "Namespace") continue;
          expect(ordered.slice(0, index).some((before) => needs(before.object, each.object))).toBe(false);
        }
        const others = ordered.filter((each) => each.object.kind !== "Namespace");
        expect(others).toEqual(others.toSorted(compareTasks));
      }),
    );
  });
});
