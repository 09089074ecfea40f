/**
 * One operation as a machine of steps. What was done stands in `status.operationState`; from that and the live state
 * alone the next step follows, so that a controller killed at any line goes on where it was.
 */
import { healthOf } from "../health/health.ts";
import { deletePolicies } from "./hooks.ts";
import { describeKey } from "../application/resource-key.ts";
import type { KubeObject } from "@travelops/kube";
import { taskKey, type SyncTask } from "./tasks.ts";

export type Step =
  /** Check all of it against the server before anything is changed. */
  | { do: "dry-run"; tasks: SyncTask[] }
  | { do: "run"; tasks: SyncTask[] }
  | { do: "wait"; message: string }
  | { do: "succeed"; message: string; finishedHooks: KubeObject[] }
  | { do: "fail"; message: string; finishedHooks: KubeObject[] };

type Progress =
  | { state: "pending" }
  | { state: "running"; message: string }
  | { state: "done" }
  | { state: "failed"; message: string };

/** Where a task is, by its recorded result and by the health of what it made. */
function progressOf(task: SyncTask, multiStep: boolean): Progress {
  if (task.result === undefined) return { state: "pending" };
  if (task.result.status === "SyncFailed" || task.result.hookPhase === "Failed" || task.result.hookPhase === "Error")
    return { state: "failed", message: task.result.message ?? "" };
  if (task.kind === "prune") return pruneProgress(task);
  if (task.kind !== "hook" && !multiStep) return { state: "done" };
  if (task.result.hookPhase === "Succeeded") return { state: "done" };
  return healthProgress(task);
}

function pruneProgress(task: SyncTask): Progress {
  if (task.result?.status === "PruneSkipped" || task.live === undefined) return { state: "done" };
  return task.live.metadata.deletionTimestamp === undefined
    ? { state: "done" }
    : { state: "running", message: `waiting for deletion of ${describeKey(taskKey(task))}` };
}

function healthProgress(task: SyncTask): Progress {
  const name = describeKey(taskKey(task));
  if (task.live === undefined)
    return task.kind === "hook" ? { state: "done" } : { state: "running", message: `waiting for ${name} to appear` };
  const health = healthOf(task.live);
  switch (health?.status) {
    case undefined:
    case "Healthy":
    case "Suspended":
      return { state: "done" };
    case "Degraded":
      return { state: "failed", message: `${name}: ${health.message ?? "degraded"}` };
    default:
      return { state: "running", message: `waiting for healthy state of ${name}` };
  }
}

const groupOf = (task: SyncTask): string => `${task.phase}/${task.wave}`;

/** Several groups, or any hook: then each group must be healthy before the next one starts. */
function isMultiStep(tasks: readonly SyncTask[]): boolean {
  return (
    tasks.some((task) => task.kind === "hook") ||
    new Set(tasks.filter((task) => task.skip === undefined).map(groupOf)).size > 1
  );
}

export function nextStep(tasks: readonly SyncTask[]): Step {
  const multiStep = isMultiStep(tasks);
  const main = tasks.filter((task) => task.phase !== "SyncFail");
  const progress = new Map(tasks.map((task) => [task, progressOf(task, multiStep)]));
  const failed = main.filter((task) => progress.get(task)?.state === "failed");
  if (failed.length > 0) return afterFailure(tasks, failed, progress);
  if (main.length > 0 && main.every((task) => progress.get(task)?.state === "pending"))
    return { do: "dry-run", tasks: main };
  const running = main.flatMap((task) => {
    const at = progress.get(task);
    return at?.state === "running" ? [at.message] : [];
  });
  if (running[0] !== undefined)
    return {
      do: "wait",
      message: running.length === 1 ? running[0] : `${running[0]} and ${running.length - 1} more resources`,
    };
  const first = main.find((task) => progress.get(task)?.state === "pending");
  if (first !== undefined)
    return {
      do: "run",
      tasks: main.filter((task) => groupOf(task) === groupOf(first) && progress.get(task)?.state === "pending"),
    };
  return {
    do: "succeed",
    message: "successfully synced (all tasks run)",
    finishedHooks: finishedHooks(main, "HookSucceeded"),
  };
}

/** The SyncFail hooks run once, then the operation has failed. */
function afterFailure(
  tasks: readonly SyncTask[],
  failed: readonly SyncTask[],
  progress: ReadonlyMap<SyncTask, Progress>,
): Step {
  const rescue = tasks.filter((task) => task.phase === "SyncFail");
  const pending = rescue.filter((task) => progress.get(task)?.state === "pending");
  if (pending.length > 0) return { do: "run", tasks: pending };
  const running = rescue.find((task) => progress.get(task)?.state === "running");
  if (running !== undefined)
    return { do: "wait", message: `waiting for the SyncFail hook ${describeKey(taskKey(running))}` };
  const reasons = failed.map((task) => {
    const at = progress.get(task);
    return at?.state === "failed" ? at.message : "";
  });
  const summary = `one or more synchronization tasks completed unsuccessfully: ${[...new Set(reasons)].join("; ")}`;
  return { do: "fail", message: summary, finishedHooks: finishedHooks(tasks, "HookFailed") };
}

function finishedHooks(tasks: readonly SyncTask[], policy: "HookSucceeded" | "HookFailed"): KubeObject[] {
  return tasks
    .filter((task) => task.kind === "hook" && task.live !== undefined && deletePolicies(task.object).includes(policy))
    .map((task) => task.object);
}
