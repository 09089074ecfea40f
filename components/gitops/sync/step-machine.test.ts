import type { KubeObject } from "@travelops/kube";
import { describe, expect, it } from "vitest";
import type { ResourceResult } from "../application/types.ts";
import { nextStep } from "./step-machine.ts";
import { taskKey, type SyncTask } from "./tasks.ts";

const cm = (name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "ns" },
});
const job = (name: string, condition?: string, annotations?: Record<string, string>): KubeObject => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name, namespace: "ns", ...(annotations === undefined ? {} : { annotations }) },
  status:
    condition === undefined ? {} : { conditions: [{ type: condition, status: "True", message: `${condition}!` }] },
});

const make = (object: KubeObject, fields: Partial<SyncTask> = {}): SyncTask => ({
  kind: "apply",
  phase: "Sync",
  wave: 0,
  object,
  live: undefined,
  version: "v1",
  result: undefined,
  ...fields,
});
const done = (
  task: SyncTask,
  fields: Partial<ResourceResult> = { status: "Synced" },
  live: KubeObject = task.object,
): SyncTask => ({
  ...task,
  live,
  result: { ...taskKey(task), version: "v1", syncPhase: task.phase, ...fields },
});
const hook = (phase: SyncTask["phase"], object: KubeObject): SyncTask => make(object, { kind: "hook", phase });
const ran = (task: SyncTask, live: KubeObject): SyncTask => done(task, { hookPhase: "Running" }, live);
const names = (tasks: readonly SyncTask[]): string[] => tasks.map((task) => task.object.metadata.name ?? "");

describe("the steps of a sync", () => {
  it("checks everything before it changes anything", () => {
    const step = nextStep([make(cm("a")), make(cm("b"), { wave: 1 })]);
    expect(step.do === "dry-run" && names(step.tasks)).toEqual(["a", "b"]);
  });

  it("succeeds as soon as a single wave is applied, healthy or not", () => {
    expect(nextStep([done(make(job("j")))])).toMatchObject({ do: "succeed" });
  });

  it("has nothing to do for nothing", () => {
    expect(nextStep([])).toMatchObject({ do: "succeed" });
  });

  it("waits for a wave to be healthy before it takes the next", () => {
    const next = make(cm("b"), { wave: 1 });
    const first = make(job("j"));
    expect(nextStep([done(first), next])).toEqual({
      do: "wait",
      message: "waiting for healthy state of Job ns/j",
    });
    const step = nextStep([done(first, { status: "Synced" }, job("j", "Complete")), next]);
    expect(step.do === "run" && names(step.tasks)).toEqual(["b"]);
  });

  it("fails when a wave degrades, and does not take the next", () => {
    const step = nextStep([done(make(job("j")), { status: "Synced" }, job("j", "Failed")), make(cm("b"), { wave: 1 })]);
    expect(step).toMatchObject({ do: "fail", message: expect.stringContaining("Job ns/j: Failed!") });
  });

  it("runs the SyncFail hooks once before it fails", () => {
    const bad = done(make(cm("a")), { status: "SyncFailed", message: "no" });
    const rescue = hook("SyncFail", job("rescue"));
    const step = nextStep([bad, rescue]);
    expect(step.do === "run" && names(step.tasks)).toEqual(["rescue"]);
    expect(nextStep([bad, ran(rescue, job("rescue"))])).toMatchObject({ do: "wait" });
    expect(nextStep([bad, ran(rescue, job("rescue", "Complete"))])).toMatchObject({ do: "fail" });
  });

  it("runs PreSync before Sync before PostSync, and deletes hooks that ask for it", () => {
    const policy = {
      "argocd.argoproj.io/hook": "PreSync",
      "argocd.argoproj.io/hook-delete-policy": "HookSucceeded",
    };
    const pre = hook("PreSync", job("pre", undefined, policy));
    const main = make(cm("a"));
    const post = hook("PostSync", job("post"));
    expect(nextStep([ran(pre, job("pre")), main, post])).toMatchObject({ do: "wait" });
    const preDone = ran(pre, job("pre", "Complete", policy));
    const second = nextStep([preDone, main, post]);
    expect(second.do === "run" && names(second.tasks)).toEqual(["a"]);
    const third = nextStep([preDone, done(main), post]);
    expect(third.do === "run" && names(third.tasks)).toEqual(["post"]);
    const end = nextStep([preDone, done(main), ran(post, job("post", "Complete"))]);
    expect(end.do === "succeed" && end.finishedHooks.map((each) => each.metadata.name)).toEqual(["pre"]);
  });

  it("waits for what it pruned to be gone", () => {
    const prune = make(cm("old"), { kind: "prune" });
    const leaving = {
      ...cm("old"),
      metadata: { name: "old", namespace: "ns", deletionTimestamp: "2026-01-01T00:00:00Z" },
    };
    expect(nextStep([done(prune, { status: "Pruned" }, leaving)])).toMatchObject({
      do: "wait",
      message: "waiting for deletion of ConfigMap ns/old",
    });
    expect(nextStep([{ ...done(prune, { status: "Pruned" }), live: undefined }])).toMatchObject({
      do: "succeed",
    });
  });
});
