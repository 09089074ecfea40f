/** StatefulSets: pods with names and claims of their own, in order. */
import type { ControllerRevision, Informer, KubeObject, Pod, StatefulSet, StatefulSetStatus } from "@travelops/kube";
import {
  CONTROLLER_REVISIONS,
  isNotFound,
  keyOf,
  PERSISTENT_VOLUME_CLAIMS,
  PODS,
  type ReconcileResult,
  runController,
  sourceOf,
  splitKey,
  STATEFUL_SETS,
} from "@travelops/kube";
import type { ControllerContext } from "../context.ts";
import { BY_CONTROLLER } from "../informers.ts";
import { ownerKeys } from "../shared/owner-keys.ts";
import { isNamespaceTerminating, messageOf } from "../shared/pod-control.ts";
import { availableIn, countWhere, isFinished, isReady, isTerminating } from "../shared/pods.ts";
import { REVISION_HASH, type Revisions, claimSet, templateOf, trimRevisions } from "../shared/set-history.ts";
import { created, deleteExactly, patched, writeStatus } from "../shared/write.ts";
import { isRolling, isWanted, nextSteps, ordinalOf, replicasOf, type Step } from "./plan.ts";
import { isLeftOver, wantedOwners } from "./claim-owners.ts";
import { claimsFor, podName, statefulPod } from "./pod.ts";

const WORKERS = 5;

/** Runs the controller until the signal aborts. */
export async function statefulSetController(context: ControllerContext): Promise<void> {
  const { informers, signal, clock, log } = context;
  const sets = informers.of(STATEFUL_SETS);
  const pods = informers.of(PODS);
  const reconciler = new StatefulSetReconciler(context, sets, pods, informers.of(CONTROLLER_REVISIONS));
  await runController({
    name: "statefulset",
    workers: WORKERS,
    signal,
    clock,
    log,
    sources: [
      sourceOf(sets, (event) => [keyOf(event.object)]),
      sourceOf(
        pods,
        ownerKeys(sets, (set) => set.spec.selector),
      ),
      sourceOf(informers.of(CONTROLLER_REVISIONS), () => []),
      sourceOf(informers.of(PERSISTENT_VOLUME_CLAIMS), ({ type, object }) =>
        type === "deleted" ? keysOfClaim(sets, object) : [],
      ),
    ],
    reconcile: (key) => reconciler.reconcile(key),
  });
}

/** Sets that wait for a claim's name to be free again. */
const keysOfClaim = (sets: Informer<StatefulSet>, { metadata: { namespace = "", name = "" } }: KubeObject): string[] =>
  sets
    .list(namespace)
    .filter((set) =>
      (set.spec.volumeClaimTemplates ?? []).some((template) =>
        name.startsWith(`${template.metadata.name}-${set.metadata.name}-`),
      ),
    )
    .map(keyOf);

class StatefulSetReconciler {
  readonly #context: ControllerContext;
  readonly #sets: Informer<StatefulSet>;
  readonly #pods: Informer<Pod>;
  readonly #revisions: Informer<ControllerRevision>;
  readonly #deleting = new Set<string>();

  constructor(
    context: ControllerContext,
    sets: Informer<StatefulSet>,
    pods: Informer<Pod>,
    revisions: Informer<ControllerRevision>,
  ) {
    this.#context = context;
    this.#sets = sets;
    this.#pods = pods;
    this.#revisions = revisions;
    pods.onEvent(({ type, object }) => {
      if (type === "deleted" || isTerminating(object)) this.#deleting.delete(object.metadata.uid ?? "");
    });
  }

  async reconcile(key: string): Promise<ReconcileResult> {
    const { namespace, name } = splitKey(key);
    const set = this.#sets.get(namespace, name);
    if (set === undefined) return;
    const { client } = this.#context;
    const now = this.#context.clock.now();
    const revisions = await claimSet({
      client,
      owner: set,
      resource: STATEFUL_SETS,
      pods: this.#pods,
      revisions: this.#revisions,
      adoptable: (pod) => ordinalOf(set, pod) !== undefined,
    });
    if (revisions === undefined) return;
    const current = revisions.all.find((one) => one.metadata.name === set.status?.currentRevision) ?? revisions.update;
    await this.#handClaims(set);
    const steps = nextSteps({
      set,
      pods: this.#owned(set),
      isUpdated: (pod) => pod.metadata.labels?.[REVISION_HASH] === revisions.update.metadata.name,
      isDeleting: (pod) => this.#deleting.has(pod.metadata.uid ?? ""),
      now,
    });
    const errors = (await Promise.allSettled(steps.map((step) => this.#take(set, step, current, revisions.update))))
      .filter((result) => result.status === "rejected")
      .map((result) => result.reason as unknown);
    await this.#report(set, current, revisions, now);
    const error = errors.find((one) => !isNamespaceTerminating(one));
    if (error !== undefined) throw error;
    const waits = this.#owned(set)
      .map((pod) => availableIn(pod, set.spec.minReadySeconds ?? 0, now) ?? 0)
      .filter((wait) => wait > 0);
    return waits.length === 0 ? undefined : { requeueAfterMs: Math.min(...waits) };
  }

  #owned(set: StatefulSet): Pod[] {
    return this.#pods.byIndex(BY_CONTROLLER, set.metadata.uid ?? "");
  }

  async #take(set: StatefulSet, step: Step, current: ControllerRevision, update: ControllerRevision): Promise<void> {
    if (step.do === "create") return this.#create(set, step.ordinal, step.revision === "current" ? current : update);
    const { name, uid = "" } = step.pod.metadata;
    this.#deleting.add(uid);
    try {
      await deleteExactly(this.#context.client, PODS, step.pod);
      this.#record(
        set,
        "Normal",
        "SuccessfulDelete",
        `Delete Pod ${name} in StatefulSet ${set.metadata.name} successful`,
      );
    } catch (error) {
      this.#deleting.delete(uid);
      this.#record(
        set,
        "Warning",
        "FailedDelete",
        `Delete Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${messageOf(error)}`,
      );
      throw error;
    }
  }

  async #create(set: StatefulSet, ordinal: number, revision: ControllerRevision): Promise<void> {
    const { client, informers } = this.#context;
    const name = podName(set, ordinal);
    const claims = informers.of(PERSISTENT_VOLUME_CLAIMS);
    try {
      for (const claim of claimsFor(set, ordinal)) {
        const known = claims.get(set.metadata.namespace ?? "", claim.metadata.name ?? "");
        // It goes with the pod that was here; its deletion wakes this set.
        if (known !== undefined && isLeftOver(known, set, name)) return;
        if (known?.metadata.deletionTimestamp !== undefined)
          throw new Error(`pvc ${known.metadata.name} is being deleted`);
        if (known !== undefined) continue;
        await created(client, claims, claim);
        this.#record(
          set,
          "Normal",
          "SuccessfulCreate",
          `Create Claim ${claim.metadata.name} Pod ${name} in StatefulSet ${set.metadata.name} success`,
        );
      }
      await created(client, this.#pods, statefulPod(set, templateOf(revision), ordinal, revision.metadata.name ?? ""));
      this.#record(
        set,
        "Normal",
        "SuccessfulCreate",
        `Create Pod ${name} in StatefulSet ${set.metadata.name} successful`,
      );
    } catch (error) {
      if (!isNamespaceTerminating(error)) {
        this.#record(
          set,
          "Warning",
          "FailedCreate",
          `Create Pod ${name} in StatefulSet ${set.metadata.name} failed error: ${messageOf(error)}`,
        );
      }
      throw error;
    }
  }

  /** Claims go with the set, with their pod, or with neither: their owners say so. */
  async #handClaims(set: StatefulSet): Promise<void> {
    const claims = this.#context.informers.of(PERSISTENT_VOLUME_CLAIMS);
    for (const pod of (set.spec.volumeClaimTemplates ?? []).length === 0 ? [] : this.#owned(set)) {
      const ordinal = ordinalOf(set, pod);
      for (const { metadata } of ordinal === undefined ? [] : claimsFor(set, ordinal)) {
        const known = claims.get(metadata.namespace ?? "", metadata.name ?? "");
        const ownerReferences = known === undefined ? undefined : wantedOwners(known, set, pod, isWanted(set, ordinal));
        if (known === undefined || ownerReferences === undefined) continue;
        const change = { metadata: { ownerReferences: ownerReferences.length === 0 ? null : ownerReferences } };
        await patched(this.#context.client, claims, known, change).catch((error: unknown) => {
          if (!isNotFound(error)) throw error;
        });
      }
    }
  }

  async #report(set: StatefulSet, current: ControllerRevision, revisions: Revisions, now: number): Promise<void> {
    const { client } = this.#context;
    const minReady = set.spec.minReadySeconds ?? 0;
    const pods = this.#owned(set).filter((pod) => !isFinished(pod));
    const at = (revision: ControllerRevision) => (pod: Pod) =>
      pod.metadata.labels?.[REVISION_HASH] === revision.metadata.name && !isTerminating(pod);
    const ready = countWhere(pods, isReady);
    const updated = countWhere(pods, at(revisions.update));
    const wanted = replicasOf(set);
    // Pods that are replaced by hand never end an update.
    const done = isRolling(set) && updated === wanted && ready === wanted && pods.length === wanted;
    const status: StatefulSetStatus = {
      ...set.status,
      observedGeneration: set.metadata.generation,
      replicas: pods.length,
      readyReplicas: ready === 0 ? undefined : ready,
      availableReplicas: countWhere(pods, (pod) => availableIn(pod, minReady, now) === 0),
      updatedReplicas: updated === 0 ? undefined : updated,
      currentReplicas: (done ? updated : countWhere(pods, at(current))) || undefined,
      currentRevision: (done ? revisions.update : current).metadata.name,
      updateRevision: revisions.update.metadata.name,
      collisionCount: revisions.collisionCount,
    };
    await writeStatus(client, this.#sets, set, status);
    await trimRevisions(client, set, revisions, pods, current.metadata.name);
  }

  #record(set: StatefulSet, type: "Normal" | "Warning", reason: string, message: string): void {
    this.#context.recorder("statefulset-controller").record(set, type, reason, message);
  }
}
