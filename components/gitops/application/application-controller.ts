/**
 * Reconciles one Application a pass: what Git wants → what is live → the difference → an operation where one is due →
 * one patch of the status. Level-triggered: all state is in the Application and the cluster.
 */
import { sleep, type Clock } from "@travelops/kube/api/clock";
import type { Logger } from "@travelops/kube/api/logger";
import type { EventRecorder } from "@travelops/kube/controller/events";
import { keyOf as queueKey, splitKey, type Informer } from "@travelops/kube/controller/informer";
import type { KubeClient, KubeObject, Resource } from "@travelops/kube";
import type { LiveCache } from "../cluster/live-cache.ts";
import { Comparer } from "../diff/compare.ts";
import { UnsupportedJqPath } from "../diff/ignore-differences.ts";
import { FIELD_MANAGER, type Executor } from "../sync/execute.ts";
import { isHook } from "../sync/hooks.ts";
import { syncOptions } from "../sync/options.ts";
import { SourceError } from "../source/source-error.ts";
import { ToolError } from "../source/run-tool.ts";
import { autoSync } from "./auto-sync.ts";
import { compareAll, overallSync, type ResourceComparison } from "./comparison.ts";
import { cascade, managedKinds } from "./deletion.ts";
import { ensureNamespace, namespaceWait } from "./namespace.ts";
import { advance, endSuperseded, newAttempt, retryWait, startOperation, type OperationOutcome } from "./operation.ts";
import { destinationAllowed, IN_CLUSTER, kindAllowed, sourceAllowed } from "./project.ts";
import { describeKey, keyOf, keyTextOf } from "./resource-key.ts";
import { statusAfter, statusChanged, type PassResult } from "./status.ts";
import { singleSource, type TargetState, type TargetStates } from "./target-state.ts";
import { applicationInstance, ownerInstance } from "./tracking.ts";
import { APPLICATIONS, type Application, type AppProject, type OperationState } from "./types.ts";

export interface ApplicationControllerDeps {
  client: KubeClient;
  applications: Informer<Application>;
  projects: Informer<AppProject>;
  targets: TargetStates;
  live: LiveCache;
  resourceFor: (object: KubeObject) => Promise<Resource | undefined>;
  events: EventRecorder;
  namespace: string;
  clock: Clock;
  log: Logger;
}

export const REFRESH = "argocd.argoproj.io/refresh";
/** Even with no news, an Application is looked at again (upstream: 120 s and up to 60 s of jitter). */
const RECONCILE_MS = 180_000;

/** A fault of the Application itself: told as a condition, nothing is touched. */
class SpecError extends Error {}

export class ApplicationController {
  readonly #deps: ApplicationControllerDeps;
  readonly #comparer = new Comparer();
  /** Since when an Application is out of sync; forgotten at a restart, which makes the next heal an immediate one. */
  readonly #driftSince = new Map<string, number>();

  constructor(deps: ApplicationControllerDeps) {
    this.#deps = deps;
  }

  async reconcile(key: string, signal: AbortSignal): Promise<{ requeueAfterMs?: number }> {
    const { namespace, name } = splitKey(key);
    const application = this.#deps.applications.get(namespace, name);
    if (application === undefined) return {};
    if (application.metadata.deletionTimestamp !== undefined)
      return cascade(this.#deps, application, this.#instance(application), signal);
    const refresh = application.metadata.annotations?.[REFRESH];
    if (refresh !== undefined) this.#refresh(key, application, refresh);
    const pass: PassResult = {
      revision: undefined,
      type: undefined,
      entries: undefined,
      conditions: [],
      operationState: application.status?.operationState,
    };
    let requeueAfterMs = RECONCILE_MS;
    try {
      requeueAfterMs = Math.min(requeueAfterMs, await this.#pass(key, application, pass, signal));
    } catch (error) {
      if (signal.aborted) return {};
      pass.conditions = [conditionOf(error)];
      // A request in flight on a source that is broken ends in an error as well: it is not left waiting.
      if (application.operation !== undefined) pass.operationState = this.#refused(application, error);
    }
    await this.#write(application, pass, signal);
    return { requeueAfterMs };
  }

  #refresh(key: string, application: Application, kind: string): void {
    const source = application.spec.source ?? application.spec.sources?.[0];
    if (source !== undefined) this.#deps.targets.forgetRepository(source.repoURL);
    if (kind === "hard") this.#deps.targets.forgetApplication(key);
  }

  async #pass(key: string, application: Application, pass: PassResult, signal: AbortSignal): Promise<number> {
    const project = this.#checkSpec(application);
    const revision = await this.#deps.targets.revision(application, signal);
    pass.revision = revision;
    const target = await this.#deps.targets.get(key, application, revision, signal);
    pass.type = target.type;
    await this.#checkKinds(project, target);
    await this.#follow(application, target, signal);
    const compare = () => this.#compare(application, target, signal);
    let entries = await compare();
    pass.conditions = conditionsOf(target, entries);
    const outcome = await this.#operate(application, revision, target, entries, compare, signal);
    if (outcome !== undefined) {
      pass.operationState = outcome.state;
      entries = await compare();
      pass.conditions = conditionsOf(target, entries);
    }
    pass.entries = entries;
    return outcome?.requeueAfterMs ?? RECONCILE_MS;
  }

  #checkSpec(application: Application): AppProject {
    const { spec } = application;
    const project = this.#deps.projects.get(this.#deps.namespace, spec.project === "" ? "default" : spec.project);
    if (project === undefined)
      throw new SpecError(`Application referencing project ${spec.project} which does not exist`);
    const source = singleSource(application);
    const { server, name } = spec.destination;
    if (server === undefined && name === undefined) throw new SpecError("spec.destination: server or name is needed");
    if (
      (server !== undefined && server !== IN_CLUSTER) ||
      (name !== undefined && name !== "" && name !== "in-cluster")
    ) {
      throw new SpecError(
        `spec.destination: cluster ${name ?? server} is not known here: only in-cluster (${IN_CLUSTER}) is supported`,
      );
    }
    if (!sourceAllowed(project, source))
      throw new SpecError(`application repo ${source.repoURL} is not permitted in project '${spec.project}'`);
    if (!destinationAllowed(project, spec.destination)) {
      throw new SpecError(
        `application destination server '${server ?? name}' and namespace '${spec.destination.namespace ?? ""}' do not match any of the allowed destinations in project '${spec.project}'`,
      );
    }
    return project;
  }

  async #checkKinds(project: AppProject, target: TargetState): Promise<void> {
    for (const object of target.objects) {
      const key = keyOf(object);
      const namespaced = object.metadata.namespace !== undefined;
      if (!kindAllowed(project, key, namespaced))
        throw new SpecError(`resource ${key.group}:${key.kind} is not permitted in project ${project.metadata.name}`);
      if (namespaced && !destinationAllowed(project, { server: IN_CLUSTER, namespace: key.namespace })) {
        throw new SpecError(
          `namespace ${key.namespace} of ${describeKey(key)} is not permitted in project ${project.metadata.name}`,
        );
      }
    }
  }

  /** The kinds of the target, and those that were managed before. */
  async #follow(application: Application, target: TargetState, signal: AbortSignal): Promise<void> {
    const kinds = new Map(
      [...managedKinds(application), ...target.objects].map((object) => [
        `${object.apiVersion}/${object.kind}`,
        object,
      ]),
    );
    await Promise.all(
      [...kinds.values()].map(async (object) => {
        const resource = await this.#deps.resourceFor(object);
        if (resource !== undefined) await this.#deps.live.follow(resource, signal);
      }),
    );
  }

  async #compare(application: Application, target: TargetState, signal: AbortSignal): Promise<ResourceComparison[]> {
    const instance = this.#instance(application);
    const extraneous = this.#deps.live.list((object) => ownerInstance(object) === instance);
    const ignore = application.spec.ignoreDifferences ?? [];
    const dryRun = async (object: KubeObject): Promise<KubeObject> => {
      const resource = await this.#deps.resourceFor(object);
      if (resource === undefined) throw new SourceError(`the cluster serves no ${object.kind} of ${object.apiVersion}`);
      return this.#deps.client.apply(resource, object, {
        fieldManager: FIELD_MANAGER,
        force: true,
        dryRun: true,
        signal,
      });
    };
    return compareAll(
      target.objects,
      extraneous,
      (key) => this.#deps.live.get(key),
      (object, live) => this.#comparer.compare(object, live, ignore, dryRun),
    );
  }

  #instance(application: Application): string {
    const { namespace = "", name = "" } = application.metadata;
    return applicationInstance({ namespace, name }, this.#deps.namespace);
  }

  /** Goes on with a running operation, or starts one that was asked for or is due. */
  async #operate(
    application: Application,
    revision: string,
    target: TargetState,
    entries: readonly ResourceComparison[],
    compare: () => Promise<ResourceComparison[]>,
    signal: AbortSignal,
  ): Promise<OperationOutcome | undefined> {
    const now = this.#deps.clock.now();
    const chosen = this.#choose(application, revision, entries, now);
    if ("wait" in chosen)
      return chosen.wait === undefined ? undefined : { state: chosen.state, requeueAfterMs: chosen.wait };
    const options = syncOptions(chosen.state.operation.sync?.syncOptions ?? application.spec.syncPolicy?.syncOptions);
    const executor = this.#executor(target, options, signal);
    if (chosen.state !== application.status?.operationState) this.#event(application, "OperationStarted", chosen.state);
    if (options.createNamespace) {
      const namespace = await ensureNamespace(this.#deps.client, application, signal);
      const requeueAfterMs = namespaceWait(namespace, now);
      const message = `waiting for the namespace ${namespace?.metadata.name} to be gone`;
      if (requeueAfterMs !== undefined) return { state: { ...chosen.state, message }, requeueAfterMs };
    }
    const outcome = await advance(
      {
        application,
        revision,
        compare,
        hooks: target.objects.filter(isHook),
        liveOf: (key) => this.#deps.live.get(key),
        executor,
        now: () => this.#deps.clock.now(),
      },
      chosen.state,
    );
    if (outcome.state.phase !== "Running") this.#event(application, "OperationCompleted", outcome.state);
    return outcome;
  }

  #choose(
    application: Application,
    revision: string,
    entries: readonly ResourceComparison[],
    now: number,
  ): { state: OperationState } | { state: OperationState; wait: number } | { wait: undefined } {
    const state = application.status?.operationState;
    if (application.operation !== undefined)
      return { state: startOperation(application, application.operation, revision, now) };
    const superseded = state?.syncResult?.revision !== revision;
    if (state?.phase === "Running" && !superseded) {
      const wait = retryWait(state, now);
      if (wait === undefined) return { state };
      return wait > 0 ? { state, wait } : { state: newAttempt(state) };
    }
    const key = queueKey(application);
    if (overallSync(entries) === "Synced") this.#driftSince.delete(key);
    else if (!this.#driftSince.has(key)) this.#driftSince.set(key, now);
    const decision = autoSync({
      driftSince: this.#driftSince.get(key) ?? now,
      application,
      revision,
      entries,
      outOfSync: overallSync(entries) === "OutOfSync",
      now,
    });
    if ("start" in decision) return { state: startOperation(application, decision.start, revision, now) };
    if ("waitMs" in decision && state !== undefined) return { state, wait: decision.waitMs };
    if (state?.phase === "Running") return { state: endSuperseded(state, revision, now), wait: RECONCILE_MS };
    return { wait: undefined };
  }

  #executor(target: TargetState, options: Executor["options"], signal: AbortSignal): Executor {
    return {
      client: this.#deps.client,
      resourceFor: this.#deps.resourceFor,
      options,
      signal,
      wait: (ms) => sleep(this.#deps.clock, ms, signal),
      placeOf: (object) => target.places.get(keyTextOf(object)) ?? "",
      written: (object, live) => {
        this.#deps.live.noteWritten(live);
        this.#comparer.applied(object, live);
      },
      deleted: (object) => {
        this.#deps.live.noteDeleted(object);
        this.#comparer.forget(object);
      },
    };
  }

  #refused(application: Application, error: unknown): OperationState {
    const started = startOperation(application, application.operation ?? {}, "", this.#deps.clock.now());
    return { ...started, phase: "Error", message: messageOf(error), finishedAt: started.startedAt };
  }

  #event(application: Application, reason: string, state: OperationState): void {
    const revision = state.syncResult?.revision ?? "";
    const who =
      state.operation.initiatedBy?.automated === true
        ? "automated sync"
        : `sync by ${state.operation.initiatedBy?.username ?? "someone"}`;
    const message =
      reason === "OperationStarted"
        ? `Initiated ${who} to '${revision}'`
        : `Sync operation to ${revision} ${state.phase === "Succeeded" ? "succeeded" : `failed: ${state.message ?? ""}`}`;
    this.#deps.events.record(
      application,
      state.phase === "Failed" || state.phase === "Error" ? "Warning" : "Normal",
      reason,
      message,
    );
  }

  /** The only write to the Application in a pass. */
  async #write(application: Application, pass: PassResult, signal: AbortSignal): Promise<void> {
    const status = statusAfter(application, pass, this.#deps.namespace, this.#deps.clock.now());
    const { namespace = "", name = "", annotations } = application.metadata;
    const refreshed = annotations?.[REFRESH] !== undefined;
    if (!refreshed && application.operation === undefined && !statusChanged(application.status, status)) return;
    const patch: object[] = [{ op: "add", path: "/status", value: status }];
    if (application.operation !== undefined) patch.push({ op: "remove", path: "/operation" });
    if (refreshed) patch.push({ op: "remove", path: `/metadata/annotations/${REFRESH.replaceAll("/", "~1")}` });
    patch.unshift({ op: "test", path: "/metadata/uid", value: application.metadata.uid });
    await this.#deps.client.patch(APPLICATIONS, namespace, name, "application/json-patch+json", patch, {
      fieldManager: FIELD_MANAGER,
      signal,
    });
  }
}

function conditionsOf(
  target: TargetState,
  entries: readonly ResourceComparison[],
): { type: string; message: string }[] {
  const refused = entries.filter((entry) => entry.verdict.error !== undefined);
  const conditions = refused.map((entry) => {
    const place = entry.target === undefined ? "" : (target.places.get(keyTextOf(entry.target)) ?? "");
    return `${place === "" ? "" : `${place}: `}${describeKey(entry.key)}: ${entry.verdict.error?.message ?? ""}`;
  });
  return [
    ...(conditions.length === 0 ? [] : [{ type: "ComparisonError", message: conditions.join("; ") }]),
    ...(target.repeated.length === 0
      ? []
      : [
          {
            type: "RepeatedResourceWarning",
            message: `Resource ${target.repeated.join(", ")} appeared more than once; the last one counts`,
          },
        ]),
  ];
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function conditionOf(error: unknown): { type: string; message: string } {
  if (error instanceof SpecError || error instanceof UnsupportedJqPath)
    return { type: "InvalidSpecError", message: error.message };
  const prefix =
    error instanceof SourceError || error instanceof ToolError
      ? "Failed to load target state: "
      : "Failed to compare: ";
  return { type: "ComparisonError", message: `${prefix}${messageOf(error)}` };
}
