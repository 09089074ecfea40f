/** What one operation has to do: an apply or a prune a resource, hooks in their phases. Pure. */
import type { KubeObject } from "@travelops/kube";
import { keyOf, keyText, type ResourceKey } from "../application/resource-key.ts";
import type { OperationState, ResourceResult, SyncPhase } from "../application/types.ts";
import type { ResourceComparison } from "../application/comparison.ts";
import { hookName, hookPhases, isHook } from "./hooks.ts";
import { pruneForbidden, type SyncOptions } from "./options.ts";
import { orderTasks, waveOf } from "./order.ts";

export type TaskKind = "apply" | "prune" | "hook";

export interface SyncTask {
  kind: TaskKind;
  phase: SyncPhase;
  wave: number;
  /** What is applied; for a prune the live object. */
  object: KubeObject;
  live: KubeObject | undefined;
  version: string;
  /** Result of an earlier pass of this operation. */
  result: ResourceResult | undefined;
  /** Prune is not wanted: told as PruneSkipped, never done. */
  skip?: string;
}

export const taskKey = (task: Pick<SyncTask, "object">): ResourceKey => keyOf(task.object);

export interface TaskRequest {
  comparison: readonly ResourceComparison[];
  hooks: readonly KubeObject[];
  state: OperationState;
  options: SyncOptions;
  prune: boolean;
  liveOf: (key: ResourceKey) => KubeObject | undefined;
}

/** A partial sync (resources named) runs no hooks, as upstream. */
export function buildTasks(request: TaskRequest): SyncTask[] {
  const named = request.state.operation.sync?.resources;
  const wanted = (key: ResourceKey): boolean =>
    named === undefined ||
    named.some(
      (each) =>
        (each.group ?? "") === key.group &&
        each.kind === key.kind &&
        each.name === key.name &&
        (each.namespace === undefined || each.namespace === "" || each.namespace === key.namespace),
    );
  const applies: SyncTask[] = [];
  const prunes: SyncTask[] = [];
  for (const entry of request.comparison) {
    if (!wanted(entry.key)) continue;
    if (entry.target !== undefined) {
      if (request.options.applyOutOfSyncOnly && entry.status === "Synced") continue;
      applies.push(task("apply", "Sync", waveOf(entry.target), entry.target, entry.live, entry.version, request.state));
    } else if (entry.live !== undefined && entry.requiresPruning)
      prunes.push(pruneTask(entry.live, entry.version, request));
  }
  const hooks = named === undefined ? hookTasks(request) : [];
  return orderTasks([...applies, ...hooks, ...placePrunes(prunes, applies, request.options)]);
}

function task(
  kind: TaskKind,
  phase: SyncPhase,
  wave: number,
  object: KubeObject,
  live: KubeObject | undefined,
  version: string,
  state: OperationState,
): SyncTask {
  return { kind, phase, wave, object, live, version, result: resultOf(state, keyOf(object), phase) };
}

function resultOf(state: OperationState, key: ResourceKey, phase: SyncPhase): ResourceResult | undefined {
  const text = keyText(key);
  return state.syncResult?.resources?.find((each) => keyText(each) === text && (each.syncPhase ?? "Sync") === phase);
}

function pruneTask(live: KubeObject, version: string, request: TaskRequest): SyncTask {
  const base = task("prune", "Sync", waveOf(live), live, live, version, request.state);
  if (!request.prune) return { ...base, skip: "ignored (requires pruning)" };
  return pruneForbidden(live) ? { ...base, skip: "ignored (no prune)" } : base;
}

function hookTasks(request: TaskRequest): SyncTask[] {
  const started = Math.floor(Date.parse(request.state.startedAt) / 1000);
  const revision = request.state.syncResult?.revision ?? "";
  return request.hooks.filter(isHook).flatMap((hook) =>
    hookPhases(hook).map((phase) => {
      const object = {
        ...hook,
        metadata: { ...hook.metadata, name: hookName(hook, revision, phase, started) },
      };
      return task(
        "hook",
        phase,
        waveOf(hook),
        object,
        request.liveOf(keyOf(object)),
        hook.apiVersion.split("/").at(-1) ?? "",
        request.state,
      );
    }),
  );
}

/** Prunes go in mirrored order of waves (what was made last goes first), or after everything with PruneLast. */
function placePrunes(prunes: SyncTask[], applies: readonly SyncTask[], options: SyncOptions): SyncTask[] {
  if (prunes.length === 0) return prunes;
  if (options.pruneLast) {
    const last = Math.max(0, ...applies.map((each) => each.wave)) + 1;
    return prunes.map((each) => ({ ...each, wave: last }));
  }
  const waves = [...new Set(prunes.map((each) => each.wave))].toSorted((a, b) => a - b);
  const mirrored = new Map(waves.map((wave, index) => [wave, waves[waves.length - 1 - index] ?? wave]));
  return prunes.map((each) => ({ ...each, wave: mirrored.get(each.wave) ?? each.wave }));
}
