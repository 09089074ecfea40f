/** Runs tasks against the API: dry run, apply, prune, hooks. Every outcome is a ResourceResult; only bugs throw. */
import { isNotFound, StatusError, type KubeClient, type KubeObject, type Resource } from "@travelops/kube";
import { describeKey, keyText, type ResourceKey } from "../application/resource-key.ts";
import type { ResourceResult } from "../application/types.ts";
import { deletePolicies } from "./hooks.ts";
import { resourceOption, type SyncOptions } from "./options.ts";
import { kindRank, needs } from "./order.ts";
import { taskKey, type SyncTask } from "./tasks.ts";

/** As upstream: a CRD that was just applied gets this long to be served. */
const SERVED_MAX_MS = 3000;
const SERVED_POLL_MS = 100;

export const FIELD_MANAGER = "argocd-controller";

export interface Executor {
  client: KubeClient;
  /** Undefined: the cluster serves no such kind. */
  resourceFor: (object: KubeObject) => Promise<Resource | undefined>;
  /** Told of what was written and deleted, so that the next look sees it. */
  written: (target: KubeObject, live: KubeObject) => void;
  deleted: (object: KubeObject) => void;
  /** Where the manifest stands: `charts/x/templates/y.yaml`. "" where unknown. */
  placeOf: (object: KubeObject) => string;
  options: SyncOptions;
  wait: (ms: number) => Promise<void>;
  signal: AbortSignal;
}

const result = (task: SyncTask, fields: Partial<ResourceResult>): ResourceResult => ({
  ...taskKey(task),
  version: task.version,
  syncPhase: task.phase,
  ...(task.kind === "hook" ? { hookType: task.phase } : {}),
  ...fields,
});

/** One sentence: where, what, why. */
function faultOf(executor: Executor, object: KubeObject, key: ResourceKey, error: unknown): string {
  const place = executor.placeOf(object);
  return `${place === "" ? "" : `${place}: `}${describeKey(key)}: ${error instanceof Error ? error.message : String(error)}`;
}

/** Failures of a dry run of every task. What only this sync makes (a namespace, a CRD) is no failure. */
export async function dryRunAll(executor: Executor, tasks: readonly SyncTask[]): Promise<ResourceResult[]> {
  const checked = await Promise.all(
    tasks.filter((task) => task.kind !== "prune").map((task) => dryRun(executor, task, tasks)),
  );
  return checked.filter((each): each is ResourceResult => each !== undefined);
}

async function dryRun(
  executor: Executor,
  task: SyncTask,
  tasks: readonly SyncTask[],
): Promise<ResourceResult | undefined> {
  const { object } = task;
  const resource = await executor.resourceFor(object);
  if (resource === undefined) {
    const madeHere = tasks.some(
      (other) => other.object.kind === "CustomResourceDefinition" && needs(object, other.object),
    );
    if (madeHere || resourceOption(object, "SkipDryRunOnMissingResource=true")) return undefined;
    const message = `the cluster serves no ${object.kind} of ${object.apiVersion}: install its CRD first`;
    return result(task, { status: "SyncFailed", message: faultOf(executor, object, taskKey(task), message) });
  }
  try {
    await executor.client.apply(resource, object, {
      fieldManager: FIELD_MANAGER,
      force: true,
      dryRun: true,
      signal: executor.signal,
    });
    return undefined;
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    if (isNotFound(error) && namespaceIsComing(object, tasks, executor.options)) return undefined;
    return result(task, { status: "SyncFailed", message: faultOf(executor, object, taskKey(task), error) });
  }
}

const namespaceIsComing = (object: KubeObject, tasks: readonly SyncTask[], options: SyncOptions): boolean =>
  options.createNamespace ||
  tasks.some((other) => other.object.kind === "Namespace" && other.object.metadata.name === object.metadata.namespace);

/** One group of tasks: prunes first, then kind by kind (in parallel within a kind). */
export async function runGroup(executor: Executor, tasks: readonly SyncTask[]): Promise<ResourceResult[]> {
  const prunes = await Promise.all(tasks.filter((task) => task.kind === "prune").map((task) => prune(executor, task)));
  const results: ResourceResult[] = [...prunes];
  const rest = tasks.filter((task) => task.kind !== "prune");
  for (const kind of kindsInOrder(rest)) {
    const batch = rest.filter((task) => task.object.kind === kind);
    const done = await Promise.all(
      batch.map((task) => (task.kind === "hook" ? runHook(executor, task) : applyTask(executor, task))),
    );
    results.push(...done);
    // What follows may need what just failed: the rest of the group stays undone.
    if (done.some((each) => each.status === "SyncFailed")) break;
  }
  return results;
}

const kindsInOrder = (tasks: readonly SyncTask[]): string[] =>
  [...new Set(tasks.map((task) => task.object.kind))].toSorted((a, b) => kindRank(a) - kindRank(b) || (a < b ? -1 : 1));

async function prune(executor: Executor, task: SyncTask): Promise<ResourceResult> {
  if (task.skip !== undefined) return result(task, { status: "PruneSkipped", message: task.skip });
  try {
    await remove(executor, task.object);
    return result(task, { status: "Pruned", message: "pruned" });
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return result(task, {
      status: "SyncFailed",
      message: faultOf(executor, task.object, taskKey(task), error),
    });
  }
}

async function remove(executor: Executor, object: KubeObject): Promise<void> {
  const resource = await executor.resourceFor(object);
  if (resource === undefined) return;
  const { namespace = "", name = "", uid, finalizers } = object.metadata;
  try {
    await executor.client.delete(resource, namespace, name, {
      propagationPolicy: executor.options.prunePropagationPolicy,
      ...(uid === undefined ? {} : { preconditions: { uid } }),
      signal: executor.signal,
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  if ((finalizers?.length ?? 0) === 0 && executor.options.prunePropagationPolicy === "Background")
    executor.deleted(object);
}

async function applyTask(executor: Executor, task: SyncTask): Promise<ResourceResult> {
  try {
    const resource = await servedResource(executor, task);
    const before = task.live?.metadata.resourceVersion;
    const live = await write(executor, resource, task);
    executor.written(task.object, live);
    const { name = "" } = live.metadata;
    const plural =
      resource.group === "" ? resource.kind.toLowerCase() : `${resource.kind.toLowerCase()}.${resource.group}`;
    const outcome =
      task.live === undefined ? "created" : before === live.metadata.resourceVersion ? "unchanged" : "configured";
    return result(task, { status: "Synced", message: `${plural}/${name} ${outcome}` });
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return result(task, {
      status: "SyncFailed",
      message: faultOf(executor, task.object, taskKey(task), error),
    });
  }
}

/** A kind whose CRD was applied just before is asked for until the server serves it. */
async function servedResource(executor: Executor, task: SyncTask): Promise<Resource> {
  for (let waited = 0; ; waited += SERVED_POLL_MS) {
    const resource = await executor.resourceFor(task.object);
    if (resource !== undefined) return resource;
    if (waited >= SERVED_MAX_MS) {
      throw new StatusError(404, "NotFound", `the cluster serves no ${task.object.kind} of ${task.object.apiVersion}`);
    }
    await executor.wait(SERVED_POLL_MS);
  }
}

async function write(executor: Executor, resource: Resource, task: SyncTask): Promise<KubeObject> {
  const replace = executor.options.replace || resourceOption(task.object, "Replace=true");
  const force = executor.options.force || resourceOption(task.object, "Force=true");
  const { client, signal } = executor;
  if (replace && task.live !== undefined) {
    const metadata = { ...task.object.metadata, resourceVersion: task.live.metadata.resourceVersion };
    return client.update(resource, { ...task.object, metadata }, { fieldManager: FIELD_MANAGER, signal });
  }
  try {
    return await client.apply(resource, task.object, { fieldManager: FIELD_MANAGER, force: true, signal });
  } catch (error) {
    const immutable = error instanceof StatusError && error.reason === "Invalid" && /immutable/.test(error.message);
    if (!force || !immutable || task.live === undefined) throw error;
    const { namespace = "", name = "" } = task.object.metadata;
    await client.delete(resource, namespace, name, { propagationPolicy: "Background", signal });
    return client.apply(resource, task.object, { fieldManager: FIELD_MANAGER, force: true, signal });
  }
}

/** A hook of an earlier operation is deleted before the new one is made, where its policy says so. */
async function runHook(executor: Executor, task: SyncTask): Promise<ResourceResult> {
  const stale = task.live !== undefined && task.result === undefined;
  try {
    if (stale && deletePolicies(task.object).includes("BeforeHookCreation") && task.live !== undefined) {
      await deleteNow(executor, task.live);
    }
    const live = await executor.client.apply(await servedResource(executor, task), task.object, {
      fieldManager: FIELD_MANAGER,
      force: true,
      signal: executor.signal,
    });
    executor.written(task.object, live);
    return result(task, { hookPhase: "Running", message: `${describeKey(taskKey(task))} created` });
  } catch (error) {
    if (!(error instanceof StatusError)) throw error;
    return result(task, {
      status: "SyncFailed",
      hookPhase: "Error",
      message: faultOf(executor, task.object, taskKey(task), error),
    });
  }
}

async function deleteNow(executor: Executor, object: KubeObject): Promise<void> {
  const resource = await executor.resourceFor(object);
  const { namespace = "", name = "", uid } = object.metadata;
  if (resource === undefined) return;
  try {
    await executor.client.delete(resource, namespace, name, {
      propagationPolicy: "Background",
      ...(uid === undefined ? {} : { preconditions: { uid } }),
      signal: executor.signal,
    });
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  executor.deleted(object);
}

/** Hooks whose policy asks for it go once the operation has ended. */
export async function deleteHooks(executor: Executor, hooks: readonly KubeObject[]): Promise<void> {
  await Promise.all(hooks.map((hook) => deleteNow(executor, hook)));
}

/** New results replace those of the same resource and phase. */
export function mergeResults(before: readonly ResourceResult[], after: readonly ResourceResult[]): ResourceResult[] {
  const id = (each: ResourceResult): string => `${each.syncPhase ?? "Sync"}|${keyText(each)}`;
  const replaced = new Set(after.map(id));
  return [...before.filter((each) => !replaced.has(id(each))), ...after];
}
