/** ReplicaSets, and ReplicationControllers as their elders: as many pods of a template as asked for. */
import type { Informer, LabelSelector, Pod, ReplicaSet, ReplicationController, Resource } from "@travelops/kube";
import {
  controllerOf,
  controllerReference,
  keyOf,
  PODS,
  type ReconcileResult,
  REPLICA_SETS,
  REPLICATION_CONTROLLERS,
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

type Replicated = ReplicaSet | ReplicationController;

/** In what the two kinds differ. */
interface Kind<O extends Replicated> {
  readonly name: string;
  readonly component: string;
  readonly resource: Resource<O>;
  readonly selectorOf: (owner: O) => LabelSelector;
  readonly reportsTerminating: boolean;
}

const REPLICA_SET: Kind<ReplicaSet> = {
  name: "replicaset",
  component: "replicaset-controller",
  resource: REPLICA_SETS,
  selectorOf: (set) => set.spec.selector,
  reportsTerminating: true,
};

const REPLICATION_CONTROLLER: Kind<ReplicationController> = {
  name: "replicationcontroller",
  component: "replication-controller",
  resource: REPLICATION_CONTROLLERS,
  selectorOf: ({ spec }) => ({ matchLabels: spec.selector ?? {} }),
  reportsTerminating: false,
};

/** Runs the controller of ReplicaSets until the signal aborts. */
export const replicaSetController = (context: ControllerContext): Promise<void> => run(context, REPLICA_SET);

/** Runs the controller of ReplicationControllers until the signal aborts. */
export const replicationController = (context: ControllerContext): Promise<void> =>
  run(context, REPLICATION_CONTROLLER);

async function run<O extends Replicated>(context: ControllerContext, kind: Kind<O>): Promise<void> {
  const sets = context.informers.of(kind.resource);
  const pods = context.informers.of(PODS);
  const reconciler = new ReplicaReconciler(context, kind, sets, pods);
  await runController({
    name: kind.name,
    workers: WORKERS,
    signal: context.signal,
    clock: context.clock,
    log: context.log,
    sources: [sourceOf(sets, (event) => [keyOf(event.object)]), sourceOf(pods, ownerKeys(sets, kind.selectorOf))],
    reconcile: (key) => reconciler.reconcile(key),
  });
}

class ReplicaReconciler<O extends Replicated> {
  readonly #context: ControllerContext;
  readonly #kind: Kind<O>;
  readonly #sets: Informer<O>;
  readonly #pods: Informer<Pod>;
  readonly #control: PodControl;

  constructor(context: ControllerContext, kind: Kind<O>, sets: Informer<O>, pods: Informer<Pod>) {
    this.#context = context;
    this.#kind = kind;
    this.#sets = sets;
    this.#pods = pods;
    this.#control = new PodControl(context.client, pods, context.recorder(kind.component));
  }

  async reconcile(key: string): Promise<ReconcileResult> {
    const { namespace, name } = splitKey(key);
    const set = this.#sets.get(namespace, name);
    if (set === undefined) return;
    const { client, clock } = this.#context;
    const owned = await claimChildren({
      client,
      owner: set,
      ownerResource: this.#kind.resource,
      children: this.#pods,
      selector: requirementsOf(this.#kind.selectorOf(set)),
      adoptable: (pod) => !isFinished(pod),
    });
    const failure = set.metadata.deletionTimestamp === undefined ? await this.#manage(set, owned) : undefined;
    const now = clock.now();
    const pods = this.#owned(set);
    const latest = this.#sets.get(namespace, name) ?? set;
    const isActive = (pod: Pod): boolean => this.#control.isActive(pod);
    const { terminatingReplicas, ...status } = replicaSetStatus(set, pods, isActive, failure, now);
    const reported = this.#kind.reportsTerminating ? { ...status, terminatingReplicas } : status;
    await writeStatus(client, this.#sets, latest, reported);
    if (failure !== undefined && !isNamespaceTerminating(failure.error)) throw failure.error;
    const wait = nextAvailableIn(set, pods.filter(isActive), now);
    return wait === undefined ? undefined : { requeueAfterMs: wait };
  }

  #owned(set: O): Pod[] {
    return this.#pods.byIndex(BY_CONTROLLER, set.metadata.uid ?? "");
  }

  async #manage(set: O, owned: readonly Pod[]): Promise<ManageFailure | undefined> {
    const active = owned.filter((pod) => this.#control.isActive(pod));
    const missing = (set.spec.replicas ?? 1) - active.length;
    if (missing > 0) return this.#create(set, Math.min(missing, BURST));
    if (missing < 0) return this.#delete(set, active, Math.min(-missing, BURST));
    return undefined;
  }

  async #create(set: O, count: number): Promise<ManageFailure | undefined> {
    const { template } = set.spec;
    if (template === undefined) return undefined;
    const pod = podFromTemplate(template, set.metadata.namespace ?? "", controllerReference(set, this.#kind.resource));
    const named = { ...pod, metadata: { ...pod.metadata, generateName: podPrefix(set) } };
    const error = await slowStart(count, () => this.#control.create(set, named));
    return error === undefined ? undefined : { reason: "FailedCreate", error };
  }

  async #delete(set: O, active: readonly Pod[], count: number): Promise<ManageFailure | undefined> {
    const victims = active.toSorted(byDeletionRank(this.#related(set), this.#context.clock.now())).slice(0, count);
    const results = await Promise.allSettled(victims.map((pod) => this.#control.delete(set, pod)));
    const failed = results.find((result) => result.status === "rejected");
    return failed === undefined ? undefined : { reason: "FailedDelete", error: failed.reason };
  }

  /** Pods of all ReplicaSets of the same owner: a rollout spreads its losses over the nodes. */
  #related(set: O): Pod[] {
    const uid = controllerOf(set)?.uid;
    const sets = uid === undefined ? [set] : this.#sets.byIndex(BY_CONTROLLER, uid);
    return sets.flatMap((one) => this.#owned(one));
  }
}
