/** Whether the engine starts an operation by itself: Argo CD's gate for automated sync and self-heal. Pure. */
import { isDeepStrictEqual } from "node:util";
import { healDelay } from "../sync/retry.ts";
import type { ResourceComparison } from "./comparison.ts";
import type { Application, Operation, OperationState } from "./types.ts";

export type AutoSync = { start: Operation } | { waitMs: number } | { skip: string };

export interface AutoSyncFacts {
  application: Application;
  revision: string;
  entries: readonly ResourceComparison[];
  outOfSync: boolean;
  /** When the present drift was first seen, in milliseconds. */
  driftSince: number;
  now: number;
}

export function autoSync(facts: AutoSyncFacts): AutoSync {
  const { application, entries, revision } = facts;
  const automated = application.spec.syncPolicy?.automated;
  if (automated === undefined || automated.enabled === false) return { skip: "automated sync is off" };
  if (application.metadata.deletionTimestamp !== undefined) return { skip: "being deleted" };
  if (!facts.outOfSync) return { skip: "in sync" };
  const prune = automated.prune === true;
  const open = entries.filter((each) => each.status === "OutOfSync");
  if (!prune && open.every((each) => each.requiresPruning))
    return { skip: "only pruning is pending, and automated pruning is off" };
  const targets = entries.filter((each) => each.target !== undefined);
  if (prune && targets.length === 0 && automated.allowEmpty !== true)
    return { skip: "would prune everything, and allowEmpty is off" };
  const operation = operationFor(application, revision, prune);
  if (!attempted(application, revision)) return { start: operation };
  return selfHeal(facts, operation, open);
}

function operationFor(application: Application, revision: string, prune: boolean): Operation {
  return {
    initiatedBy: { automated: true },
    sync: {
      revision,
      prune,
      ...(application.spec.syncPolicy?.syncOptions === undefined
        ? {}
        : { syncOptions: application.spec.syncPolicy.syncOptions }),
    },
    retry: { limit: 5, ...application.spec.syncPolicy?.retry },
  };
}

/** One attempt a revision and source: what failed for it is left to `retry`. */
function attempted(application: Application, revision: string): boolean {
  const result = application.status?.operationState?.syncResult;
  return result?.revision === revision && isDeepStrictEqual(result.source, sourceOf(application));
}

export const sourceOf = (application: Application) => application.spec.source ?? application.spec.sources?.[0];

/** Drift within this time after a heal counts as the same quarrel. */
const FIGHT_MS = 1000;

/** Whether the last operation healed this resource: drift of another one is no quarrel. */
const wasHealed = (last: OperationState, { key }: ResourceComparison): boolean =>
  last.operation.sync?.resources?.some(
    (each) => each.kind === key.kind && each.name === key.name && (each.namespace ?? "") === key.namespace,
  ) === true;

/** Only what drifted is applied, with a growing pause while the same revision is fought over. */
function selfHeal(facts: AutoSyncFacts, operation: Operation, open: readonly ResourceComparison[]): AutoSync {
  const { application } = facts;
  const last = application.status?.operationState;
  if (application.spec.syncPolicy?.automated?.selfHeal !== true)
    return { skip: "this revision was synced already, and self-heal is off" };
  if (last?.phase !== "Succeeded") return { skip: "the last attempt at this revision failed" };
  const attempts = last.operation.sync?.autoHealAttemptsCount ?? 0;
  const sinceEnd = facts.now - Date.parse(last.finishedAt ?? last.startedAt);
  // Drift that comes back at once is a fight with someone; drift that comes later is a new one.
  const fought = facts.driftSince - (facts.now - sinceEnd) < FIGHT_MS && open.some((each) => wasHealed(last, each));
  const count = fought ? attempts : 0;
  const waitMs = healDelay(count) - sinceEnd;
  if (waitMs > 0) return { waitMs };
  const resources = open
    .filter((each) => each.target !== undefined || operation.sync?.prune === true)
    .map(({ key }) => ({
      ...(key.group === "" ? {} : { group: key.group }),
      kind: key.kind,
      name: key.name,
      ...(key.namespace === "" ? {} : { namespace: key.namespace }),
    }));
  return {
    start: { ...operation, sync: { ...operation.sync, resources, autoHealAttemptsCount: count + 1 } },
  };
}
