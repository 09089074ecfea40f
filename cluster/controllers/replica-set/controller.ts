/** ReplicaSets: as many pods of a template as asked for. */
import type { Informer, Pod, ReplicaSet } from "@travelops/kube";
import {
  controllerOf,
  controllerReference,
  keyOf,
  PODS,
  type ReconcileResult,
  REPLICA_SETS,
  requirementsOf,
  runController,
  sourceOf,
  splitKey,
} from "@travelops/kube";
import type { ControllerContext } from "../context.ts";
import { BY_CONTROLLER } from "../informers.ts";
import { claimChildren } from "../shared/claim.ts";
import { ownerKeys } from "../shared/owner-keys.ts";
import { isNamespaceTerminating, PodControl, slowStart } from "../shared/pod-control.ts";
import { byDeletionRank, isFinished } from "../shared/pods.ts";
import { podFromTemplate, podPrefix } from "../shared/template.ts";
import { writeStatus } from "../shared/write.ts";
import { type ManageFailure, nextAvailableIn, replicaSetStatus } from "./status.ts";

const BURST = 500;
const WORKERS = 5;

/** Runs the controller until the signal aborts. */
export async function replicaSetController(context: ControllerContext): Promise<void> {
  const sets = context.informers.of(REPLICA_SETS);
  const pods = context.informers.of(PODS);
  const reconciler = new ReplicaSetReconciler(context, sets, pods);
  await runController({
    name: "replicaset",
    workers: WORKERS,
    signal: context.signal,
    clock: context.clock,
    log: context.log,
    sources: [
      sourceOf(sets, (event) => [keyOf(event.object)]),
      sourceOf(
        pods,
        ownerKeys(sets, (set) => set.spec.selector),
      ),
    ],
    reconcile: (key) => reconciler.reconcile(key),
  });
}

class ReplicaSetReconciler {
  readonly #context: ControllerContext;
  readonly #sets: Informer<ReplicaSet>;
  readonly #pods: Informer<Pod>;
  readonly #control: PodControl;

  constructor(context: ControllerContext, sets: Informer<ReplicaSet>, pods: Informer<Pod>) {
    this.#context = context;
    this.#sets = sets;
    this.#pods = pods;
    this.#control = new PodControl(context.client, pods, context.recorder("replicaset-controller"));
  }

  async reconcile(key: string): Promise<ReconcileResult> {
    const { namespace, name } = splitKey(key);
    const set = this.#sets.get(namespace, name);
    if (set === undefined) return;
    const { client, clock } = this.#context;
    const owned = await claimChildren({
      client,
      owner: set,
      ownerResource: REPLICA_SETS,
      children: this.#pods,
      selector: requirementsOf(set.spec.selector),
      adoptable: (pod) => !isFinished(pod),
    });
    const failure = set.metadata.deletionTimestamp === undefined ? await this.#manage(set, owned) : undefined;
    const now = clock.now();
    const pods = this.#owned(set);
    const latest = this.#sets.get(namespace, name) ?? set;
    const isActive = (pod: Pod): boolean => this.#control.isActive(pod);
    await writeStatus(client, this.#sets, latest, replicaSetStatus(set, pods, isActive, failure, now));
    if (failure !== undefined && !isNamespaceTerminating(failure.error)) throw failure.error;
    const wait = nextAvailableIn(set, pods.filter(isActive), now);
    return wait === undefined ? undefined : { requeueAfterMs: wait };
  }

  #owned(set: ReplicaSet): Pod[] {
    return this.#pods.byIndex(BY_CONTROLLER, set.metadata.uid ?? "");
  }

  async #manage(set: ReplicaSet, owned: readonly Pod[]): Promise<ManageFailure | undefined> {
    const active = owned.filter((pod) => this.#control.isActive(pod));
    const missing = (set.spec.replicas ?? 1) - active.length;
    if (missing > 0) return this.#create(set, Math.min(missing, BURST));
    if (missing < 0) return this.#delete(set, active, Math.min(-missing, BURST));
    return undefined;
  }

  async #create(set: ReplicaSet, count: number): Promise<ManageFailure | undefined> {
    const { template } = set.spec;
    if (template === undefined) return undefined;
    const pod = podFromTemplate(template, set.metadata.namespace ?? "", controllerReference(set, REPLICA_SETS));
    const named = { ...pod, metadata: { ...pod.metadata, generateName: podPrefix(set) } };
    const error = await slowStart(count, () => this.#control.create(set, named));
    return error === undefined ? undefined : { reason: "FailedCreate", error };
  }

  async #delete(set: ReplicaSet, active: readonly Pod[], count: number): Promise<ManageFailure | undefined> {
    const victims = active.toSorted(byDeletionRank(this.#related(set), this.#context.clock.now())).slice(0, count);
    const results = await Promise.allSettled(victims.map((pod) => this.#control.delete(set, pod)));
    const failed = results.find((result) => result.status === "rejected");
    return failed === undefined ? undefined : { reason: "FailedDelete", error: failed.reason };
  }

  /** Pods of all ReplicaSets of the same owner: a rollout spreads its losses over the nodes. */
  #related(set: ReplicaSet): Pod[] {
    const uid = controllerOf(set)?.uid;
    const sets = uid === undefined ? [set] : this.#sets.byIndex(BY_CONTROLLER, uid);
    return sets.flatMap((one) => this.#owned(one));
  }
}
