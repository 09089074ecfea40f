/** Deployments: ReplicaSets by revision, moved from old to new within the bounds of the strategy. */
import type { Deployment, DeploymentStatus, Informer, Pod, ReplicaSet } from "@travelops/kube";
import {
  controllerOf,
  DEPLOYMENTS,
  isAlreadyExists,
  isControlledBy,
  jsonEqual,
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
import { isNamespaceTerminating, messageOf } from "../shared/pod-control.ts";
import { isFinished } from "../shared/pods.ts";
import { created, deleteExactly, patched, writeStatus } from "../shared/write.ts";
import { activeSets, isScalingEvent, newSize, rollingSteps, scalingSteps, type Step } from "./plan.ts";
import {
  annotationsOfNew,
  desiredOf,
  isRollingUpdate,
  isSame,
  maxRevision,
  newReplicaSet,
  replicaSetFor,
  REVISION,
  sizeAnnotations,
  sizeOf,
  surplusHistory,
  totalOf,
} from "./replica-sets.ts";
import { deadlineIn, deploymentStatus, isComplete, type Progress } from "./status.ts";

const WORKERS = 5;

/** Runs the controller until the signal aborts. */
export async function deploymentController(context: ControllerContext): Promise<void> {
  const { informers, signal, clock, log } = context;
  const deployments = informers.of(DEPLOYMENTS);
  const sets = informers.of(REPLICA_SETS);
  const pods = informers.of(PODS);
  const reconciler = new DeploymentReconciler(context, deployments, sets, pods);
  const ofPod = ownerKeys(sets, () => undefined);
  await runController({
    name: "deployment",
    workers: WORKERS,
    signal,
    clock,
    log,
    sources: [
      sourceOf(deployments, (event) => [keyOf(event.object)]),
      sourceOf(
        sets,
        ownerKeys(deployments, (deployment) => deployment.spec.selector),
      ),
      // Recreate waits for the last old pod to go, which changes no ReplicaSet's status any more.
      sourceOf(pods, (event) =>
        event.type === "deleted" ? ofPod(event).flatMap((key) => deploymentOf(deployments, sets, key)) : [],
      ),
    ],
    reconcile: (key) => reconciler.reconcile(key),
  });
}

function deploymentOf(deployments: Informer<Deployment>, sets: Informer<ReplicaSet>, setKey: string): string[] {
  const { namespace, name } = splitKey(setKey);
  const set = sets.get(namespace, name);
  const owner = set === undefined ? undefined : controllerOf(set);
  const deployment = owner === undefined ? undefined : deployments.get(namespace, owner.name);
  return deployment === undefined ? [] : [keyOf(deployment)];
}

interface Sets {
  readonly fresh: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
}

interface Outcome extends Sets {
  readonly progress?: Progress;
  readonly collisionCount?: number;
  readonly error?: unknown;
}

class DeploymentReconciler {
  readonly #context: ControllerContext;
  readonly #deployments: Informer<Deployment>;
  readonly #sets: Informer<ReplicaSet>;
  readonly #pods: Informer<Pod>;

  constructor(
    context: ControllerContext,
    deployments: Informer<Deployment>,
    sets: Informer<ReplicaSet>,
    pods: Informer<Pod>,
  ) {
    this.#context = context;
    this.#deployments = deployments;
    this.#sets = sets;
    this.#pods = pods;
  }

  async reconcile(key: string): Promise<ReconcileResult> {
    const { namespace, name } = splitKey(key);
    const deployment = this.#deployments.get(namespace, name);
    if (deployment === undefined) return;
    if (jsonEqual(deployment.spec.selector, {})) {
      this.#record(
        deployment,
        "Warning",
        "SelectingAll",
        "This deployment is selecting all pods. A non-empty selector is required.",
      );
      return;
    }
    await claimChildren({
      client: this.#context.client,
      owner: deployment,
      ownerResource: DEPLOYMENTS,
      children: this.#sets,
      selector: requirementsOf(deployment.spec.selector),
    });
    const outcome =
      deployment.metadata.deletionTimestamp === undefined ? await this.#roll(deployment) : this.#look(deployment);
    return this.#report(deployment, outcome);
  }

  /** As they stand now, own writes included. */
  #look(deployment: Deployment): Sets {
    const owned = this.#sets.byIndex(BY_CONTROLLER, deployment.metadata.uid ?? "");
    const fresh = newReplicaSet(deployment, owned);
    return { fresh, old: owned.filter((set) => set !== fresh) };
  }

  async #roll(deployment: Deployment): Promise<Outcome> {
    const before = this.#look(deployment);
    const all = before.fresh === undefined ? before.old : [before.fresh, ...before.old];
    if (deployment.spec.paused === true || isScalingEvent(deployment, all)) {
      const outcome = await this.#syncNew(deployment, before, false);
      await this.#take(deployment, scalingSteps(deployment, outcome.fresh, outcome.old));
      return { ...outcome, ...this.#look(deployment) };
    }
    return isRollingUpdate(deployment) ? this.#rollingUpdate(deployment, before) : this.#recreate(deployment, before);
  }

  async #rollingUpdate(deployment: Deployment, before: Sets): Promise<Outcome> {
    const outcome = await this.#syncNew(deployment, before, true);
    if (outcome.fresh === undefined) return outcome;
    await this.#take(deployment, rollingSteps(deployment, outcome.fresh, outcome.old));
    return { ...outcome, ...this.#look(deployment) };
  }

  async #recreate(deployment: Deployment, before: Sets): Promise<Outcome> {
    const outcome = await this.#syncNew(deployment, before, false);
    const active = activeSets(outcome.old);
    await this.#take(
      deployment,
      active.map((set) => ({ set, size: 0 })),
    );
    if (active.length > 0 || this.#oldPodsRun(outcome.old)) return { ...outcome, ...this.#look(deployment) };
    const next = outcome.fresh === undefined ? await this.#syncNew(deployment, outcome, true) : outcome;
    if (next.fresh === undefined) return next;
    const size = desiredOf(deployment);
    if (sizeOf(next.fresh) !== size) await this.#take(deployment, [{ set: next.fresh, size }]);
    return { ...next, ...this.#look(deployment) };
  }

  #oldPodsRun(old: readonly ReplicaSet[]): boolean {
    return old.some((set) => this.#pods.byIndex(BY_CONTROLLER, set.metadata.uid ?? "").some((pod) => !isFinished(pod)));
  }

  /** Finds or makes the new ReplicaSet, and keeps revisions and handed-on annotations right. */
  async #syncNew(deployment: Deployment, { fresh, old }: Sets, create: boolean): Promise<Outcome> {
    const revision = maxRevision(old) + 1;
    if (fresh === undefined) return create ? this.#create(deployment, old, revision) : { fresh, old };
    const annotations = annotationsOfNew(deployment, fresh, revision);
    const minReadySeconds = deployment.spec.minReadySeconds ?? 0;
    const spec = (fresh.spec.minReadySeconds ?? 0) === minReadySeconds ? undefined : { minReadySeconds };
    let current = fresh;
    if (spec !== undefined || !jsonEqual(annotations, fresh.metadata.annotations ?? {})) {
      current = await patched(this.#context.client, this.#sets, fresh, {
        metadata: { annotations },
        ...(spec === undefined ? {} : { spec }),
      });
    }
    await this.#showRevision(deployment, current);
    return { fresh: current, old, progress: { kind: "found", set: current.metadata.name ?? "" } };
  }

  async #create(deployment: Deployment, old: readonly ReplicaSet[], revision: number): Promise<Outcome> {
    const size = newSize(deployment, 0, totalOf(old, sizeOf));
    const wanted = replicaSetFor(deployment, size, revision);
    const name = wanted.metadata.name ?? "";
    try {
      const fresh = await created(this.#context.client, this.#sets, wanted);
      if (size > 0) this.#scaled(deployment, name, 0, size);
      await this.#showRevision(deployment, fresh);
      return { fresh, old, progress: { kind: "created", set: name } };
    } catch (error) {
      if (isAlreadyExists(error)) return this.#collided(deployment, old, name);
      if (isNamespaceTerminating(error)) return { fresh: undefined, old };
      const why = messageOf(error);
      this.#record(
        deployment,
        "Warning",
        "ReplicaSetCreateError",
        `Failed to create new replica set "${name}": ${why}`,
      );
      return { fresh: undefined, old, progress: { kind: "create-failed", set: name, why }, error };
    }
  }

  /** The name is taken: by our own of a pass that was cut short, or by another template of the same hash. */
  async #collided(deployment: Deployment, old: readonly ReplicaSet[], name: string): Promise<Outcome> {
    const existing = await this.#context.client.get(REPLICA_SETS, deployment.metadata.namespace ?? "", name);
    if (isControlledBy(existing, deployment) && isSame(existing, deployment)) {
      this.#sets.note(existing);
      return { fresh: existing, old };
    }
    return { fresh: undefined, old, collisionCount: (deployment.status?.collisionCount ?? 0) + 1 };
  }

  async #showRevision(deployment: Deployment, fresh: ReplicaSet): Promise<void> {
    const revision = fresh.metadata.annotations?.[REVISION];
    const latest = this.#latest(deployment);
    if (revision === undefined || latest.metadata.annotations?.[REVISION] === revision) return;
    // With the status, as upstream does: there an annotation makes no new generation.
    const patch = { metadata: { annotations: { [REVISION]: revision } } };
    await patched(this.#context.client, this.#deployments, latest, patch, "status");
  }

  #latest(deployment: Deployment): Deployment {
    const known = this.#deployments.get(deployment.metadata.namespace ?? "", deployment.metadata.name ?? "");
    // A newer spec is the matter of the next pass: only what this pass wrote itself may be built on.
    return known !== undefined && known.metadata.generation === deployment.metadata.generation ? known : deployment;
  }

  async #take(deployment: Deployment, steps: readonly Step[]): Promise<void> {
    for (const { set, size } of steps) {
      const annotations = sizeAnnotations(deployment);
      const before = sizeOf(set);
      const annotated = Object.entries(annotations).every(([key, value]) => set.metadata.annotations?.[key] === value);
      if (before === size && annotated) continue;
      await patched(this.#context.client, this.#sets, set, {
        metadata: { annotations },
        spec: { replicas: size },
      });
      if (before !== size) this.#scaled(deployment, set.metadata.name ?? "", before, size);
    }
  }

  #scaled(deployment: Deployment, set: string, from: number, to: number): void {
    const way = to > from ? "up" : "down";
    this.#record(deployment, "Normal", "ScalingReplicaSet", `Scaled ${way} replica set ${set} from ${from} to ${to}`);
  }

  async #report(deployment: Deployment, outcome: Outcome): Promise<ReconcileResult> {
    const { client, clock } = this.#context;
    const now = clock.now();
    const { fresh, old, progress, collisionCount } = outcome;
    const status = deploymentStatus({ deployment, fresh, old, progress, collisionCount, now });
    await writeStatus(client, this.#deployments, this.#latest(deployment), status);
    if (deployment.metadata.deletionTimestamp === undefined && this.#mayTidy(deployment, status)) {
      for (const set of surplusHistory(deployment, old)) await deleteExactly(client, REPLICA_SETS, set);
    }
    if (outcome.error !== undefined) throw outcome.error;
    const left = deadlineIn(deployment, status.conditions, now);
    // A second more, since the API writes times without fractions.
    return left === undefined || left < 0 ? undefined : { requeueAfterMs: left + 1000 };
  }

  #mayTidy(deployment: Deployment, status: DeploymentStatus): boolean {
    return deployment.spec.paused === true || isComplete(deployment, status);
  }

  #record(deployment: Deployment, type: "Normal" | "Warning", reason: string, message: string): void {
    this.#context.recorder("deployment-controller").record(deployment, type, reason, message);
  }
}
