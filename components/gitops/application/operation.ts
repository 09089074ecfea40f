/** One pass over an Application's operation: starts it, takes its next step, retries it, ends it. */
import type { KubeObject } from "@travelops/kube";
import type { ResourceComparison } from "./comparison.ts";
import type { ResourceKey } from "./resource-key.ts";
import type { Application, HistoryEntry, Operation, OperationState } from "./types.ts";
import { deleteHooks, dryRunAll, mergeResults, runGroup, type Executor } from "../sync/execute.ts";
import { retryDelay } from "../sync/retry.ts";
import { nextStep, type Step } from "../sync/step-machine.ts";
import { buildTasks, type SyncTask } from "../sync/tasks.ts";
import { sourceOf } from "./auto-sync.ts";

export interface OperationFacts {
  application: Application;
  revision: string;
  compare: () => Promise<readonly ResourceComparison[]>;
  hooks: readonly KubeObject[];
  liveOf: (key: ResourceKey) => KubeObject | undefined;
  executor: Executor;
  now: () => number;
}

export interface OperationOutcome {
  state: OperationState;
  requeueAfterMs?: number;
}

const iso = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

export function startOperation(
  application: Application,
  operation: Operation,
  revision: string,
  now: number,
): OperationState {
  const source = operation.sync?.source ?? sourceOf(application);
  return {
    operation,
    phase: "Running",
    message: "waiting to start",
    startedAt: iso(now),
    syncResult: { revision, ...(source === undefined ? {} : { source }), resources: [] },
  };
}

/** Steps until there is something to wait for; each round is decided by results and live state alone. */
export async function advance(facts: OperationFacts, started: OperationState): Promise<OperationOutcome> {
  let state = started;
  for (;;) {
    const tasks = await tasksFor(facts, state);
    const step = nextStep(tasks);
    if (step.do === "wait") return { state: { ...state, message: step.message } };
    if (step.do === "succeed" || step.do === "fail") return finish(facts, state, step);
    state = await take(facts, state, step, tasks);
  }
}

async function tasksFor(facts: OperationFacts, state: OperationState): Promise<SyncTask[]> {
  return buildTasks({
    comparison: await facts.compare(),
    hooks: facts.hooks,
    state,
    options: facts.executor.options,
    prune: state.operation.sync?.prune === true,
    liveOf: facts.liveOf,
  });
}

type Doing = Extract<Step, { do: "dry-run" } | { do: "run" }>;

async function take(
  facts: OperationFacts,
  state: OperationState,
  step: Doing,
  tasks: readonly SyncTask[],
): Promise<OperationState> {
  const results =
    step.do === "dry-run" ? await dryRunAll(facts.executor, step.tasks) : await runGroup(facts.executor, step.tasks);
  if (step.do === "dry-run" && results.length === 0) return take(facts, state, firstGroup(tasks), tasks);
  return withResults(state, mergeResults(state.syncResult?.resources ?? [], results));
}

/** The group that follows a clean dry run: that the tasks were checked leaves no trace of its own. */
function firstGroup(tasks: readonly SyncTask[]): Doing {
  const first = tasks.find((task) => task.phase !== "SyncFail");
  return {
    do: "run",
    tasks: tasks.filter((task) => task.phase === first?.phase && task.wave === first.wave),
  };
}

const withResults = (
  state: OperationState,
  resources: NonNullable<OperationState["syncResult"]>["resources"],
): OperationState => ({
  ...state,
  syncResult: { ...state.syncResult, revision: state.syncResult?.revision ?? "", resources: resources ?? [] },
});

async function finish(
  facts: OperationFacts,
  state: OperationState,
  step: Extract<Step, { do: "succeed" } | { do: "fail" }>,
): Promise<OperationOutcome> {
  await deleteHooks(facts.executor, step.finishedHooks);
  const ended = endHooks(state, step.do === "succeed");
  const finishedAt = iso(facts.now());
  if (step.do === "succeed") return { state: { ...ended, phase: "Succeeded", message: step.message, finishedAt } };
  return failed(ended, step.message, finishedAt);
}

/** Hooks that ran are told as ended, so that they are not looked at again. */
function endHooks(state: OperationState, well: boolean): OperationState {
  const resources = (state.syncResult?.resources ?? []).map((each) =>
    each.hookPhase === "Running" ? { ...each, hookPhase: well ? ("Succeeded" as const) : ("Failed" as const) } : each,
  );
  return withResults(state, resources);
}

/** Failed for good, or tried again after a pause: then it stays Running, as upstream shows it. */
function failed(state: OperationState, message: string, finishedAt: string): OperationOutcome {
  const retries = state.retryCount ?? 0;
  const delay = retryDelay(state.operation.retry, state.operation.initiatedBy?.automated === true, retries);
  if (delay === undefined) {
    const suffix = retries > 0 ? ` (retried ${retries} times).` : "";
    return { state: { ...state, phase: "Failed", message: `${message}${suffix}`, finishedAt } };
  }
  const at = iso(Date.parse(finishedAt) + delay);
  return {
    state: {
      ...state,
      phase: "Running",
      message: `${message}. Retrying attempt #${retries + 1} at ${at}.`,
      finishedAt,
      retryCount: retries + 1,
    },
    requeueAfterMs: delay,
  };
}

/** What waits for a retry of a revision that Git has left behind: it would wait for ever. */
export const endSuperseded = (state: OperationState, revision: string, now: number): OperationState => ({
  ...state,
  phase: "Failed",
  message: `ended, since ${revision} came: ${(state.message ?? "").replace(/ Retrying attempt .*$/s, "")}`,
  finishedAt: iso(now),
});

/** Milliseconds until a failed attempt is tried again; 0: now; undefined: nothing waits for a retry. */
export function retryWait(state: OperationState, now: number): number | undefined {
  if (state.phase !== "Running" || state.finishedAt === undefined || state.retryCount === undefined) return undefined;
  const delay =
    retryDelay(state.operation.retry, state.operation.initiatedBy?.automated === true, state.retryCount - 1) ?? 0;
  return Math.max(0, Date.parse(state.finishedAt) + delay - now);
}

/** A new attempt of the same operation: results start empty. */
export const newAttempt = (state: OperationState): OperationState => {
  const { finishedAt: _finished, ...rest } = state;
  return withResults({ ...rest, phase: "Running", message: "retrying" }, []);
};

/** A finished full sync goes into the history; partial ones (self-heal) do not. */
export function addHistory(application: Application, state: OperationState): HistoryEntry[] | undefined {
  const history = application.status?.history ?? [];
  if (
    state.phase !== "Succeeded" ||
    state.operation.sync?.resources !== undefined ||
    state.operation.sync?.dryRun === true
  )
    return undefined;
  const limit = application.spec.revisionHistoryLimit ?? 10;
  const entry: HistoryEntry = {
    id: (history.at(-1)?.id ?? -1) + 1,
    revision: state.syncResult?.revision ?? "",
    deployedAt: state.finishedAt ?? state.startedAt,
    deployStartedAt: state.startedAt,
    ...(state.syncResult?.source === undefined ? {} : { source: state.syncResult.source }),
    ...(state.operation.initiatedBy === undefined ? {} : { initiatedBy: state.operation.initiatedBy }),
  };
  return limit === 0 ? [] : [...history, entry].slice(-limit);
}
