/** DaemonSets: a pod on every node that will have it. */
import type { ControllerRevision, DaemonSet, DaemonSetStatus, Informer, Node, Pod } from "@travelops/kube";
import {
  CONTROLLER_REVISIONS,
  controllerReference,
  DAEMON_SETS,
  jsonEqual,
  keyOf,
  NODES,
  PODS,
  type ReconcileResult,
  runController,
  sourceOf,
  splitKey,
} from "@travelops/kube";
import type { ControllerContext } from "../context.ts";
import { BY_CONTROLLER } from "../informers.ts";
import { ownerKeys } from "../shared/owner-keys.ts";
import { isNamespaceTerminating, PodControl, slowStart } from "../shared/pod-control.ts";
import { availableIn, byAge, countWhere, isReady } from "../shared/pods.ts";
import { hashOf, REVISION_HASH, type Revisions, claimSet, trimRevisions } from "../shared/set-history.ts";
import { podFromTemplate, podPrefix } from "../shared/template.ts";
import { writeStatus } from "../shared/write.ts";
import { daemonPlan, daemonPod, fitOf, nodeOf } from "./plan.ts";

const WORKERS = 2;
/** A daemon that ends is made again ever more slowly. */
const FIRST_BACKOFF_MS = 1000;
const LONGEST_BACKOFF_MS = 900_000;

/** Runs the controller until the signal aborts. */
export async function daemonSetController(context: ControllerContext): Promise<void> {
  const { informers, signal, clock, log } = context;
  const sets = informers.of(DAEMON_SETS);
  const pods = informers.of(PODS);
  const nodes = informers.of(NODES);
  const reconciler = new DaemonSetReconciler(context, sets, pods, nodes, informers.of(CONTROLLER_REVISIONS));
  await runController({
    name: "daemonset",
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
      sourceOf(nodes, ({ object, old }) => (old !== undefined && sameNode(object, old) ? [] : sets.list().map(keyOf))),
      sourceOf(informers.of(CONTROLLER_REVISIONS), () => []),
    ],
    reconcile: (key) => reconciler.reconcile(key),
  });
}

/** Heartbeats move no daemon. */
const sameNode = (a: Node, b: Node): boolean =>
  jsonEqual(a.metadata.labels, b.metadata.labels) && jsonEqual(a.spec, b.spec);

class DaemonSetReconciler {
  readonly #context: ControllerContext;
  readonly #sets: Informer<DaemonSet>;
  readonly #pods: Informer<Pod>;
  readonly #nodes: Informer<Node>;
  readonly #revisions: Informer<ControllerRevision>;
  readonly #control: PodControl;
  readonly #failures = new Map<string, { count: number; at: number }>();

  constructor(
    context: ControllerContext,
    sets: Informer<DaemonSet>,
    pods: Informer<Pod>,
    nodes: Informer<Node>,
    revisions: Informer<ControllerRevision>,
  ) {
    this.#context = context;
    this.#sets = sets;
    this.#pods = pods;
    this.#nodes = nodes;
    this.#revisions = revisions;
    this.#control = new PodControl(context.client, pods, context.recorder("daemonset-controller"));
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
      resource: DAEMON_SETS,
      pods: this.#pods,
      revisions: this.#revisions,
    });
    if (revisions === undefined) return;
    const hash = hashOf(revisions.update);
    const base = this.#base(set, hash);
    const isUpdated = (pod: Pod): boolean => pod.metadata.labels?.[REVISION_HASH] === hash;
    const plan = daemonPlan({
      set,
      base,
      nodes: this.#nodes.list(),
      pods: this.#owned(set),
      isUpdated,
      isDeleting: (pod) => this.#control.isDeleting(pod),
      now,
    });
    const wait = await this.#replaceEnded(set, plan.ended, now);
    await Promise.all(plan.remove.map((pod) => this.#control.delete(set, pod)));
    const error = await slowStart(plan.create.length, (i) =>
      this.#control.create(set, daemonPod(base, plan.create[i] ?? "")),
    );
    await this.#report(set, base, revisions, isUpdated, now);
    if (error !== undefined && !isNamespaceTerminating(error)) throw error;
    return wait === undefined ? this.#untilAvailable(set, now) : { requeueAfterMs: wait };
  }

  #owned(set: DaemonSet): Pod[] {
    return this.#pods.byIndex(BY_CONTROLLER, set.metadata.uid ?? "");
  }

  #base(set: DaemonSet, hash: string): Pod {
    const pod = podFromTemplate(set.spec.template, set.metadata.namespace ?? "", controllerReference(set, DAEMON_SETS));
    const labels = { ...pod.metadata.labels, [REVISION_HASH]: hash };
    return { ...pod, metadata: { ...pod.metadata, labels, generateName: podPrefix(set) } };
  }

  /** Deletes ended pods, failed ones once their back-off is over; the wait for the others. */
  async #replaceEnded(set: DaemonSet, ended: readonly Pod[], now: number): Promise<number | undefined> {
    const waits: number[] = [];
    for (const pod of ended) {
      const where = `daemon pod ${keyOf(pod)} on node ${nodeOf(pod) ?? ""}`;
      if (pod.status?.phase === "Succeeded") {
        this.#record(set, "Normal", "SucceededDaemonPod", `Found succeeded ${where}, will try to delete it`);
      } else {
        const left = this.#backoff(set, nodeOf(pod) ?? "", now);
        if (left > 0) {
          waits.push(left);
          continue;
        }
        this.#record(set, "Warning", "FailedDaemonPod", `Found failed ${where}, will try to kill it`);
      }
      await this.#control.delete(set, pod);
    }
    return waits.length === 0 ? undefined : Math.min(...waits);
  }

  /** How long a node's failed pod has to wait yet; 0 counts as a failure dealt with. */
  #backoff(set: DaemonSet, node: string, now: number): number {
    const key = `${set.metadata.uid}/${node}`;
    const known = this.#failures.get(key) ?? { count: 0, at: 0 };
    const backoff = known.count === 0 ? 0 : Math.min(FIRST_BACKOFF_MS * 2 ** (known.count - 1), LONGEST_BACKOFF_MS);
    const left = known.at + backoff - now;
    if (left <= 0) this.#failures.set(key, { count: known.count + 1, at: now });
    return left;
  }

  #record(set: DaemonSet, type: "Normal" | "Warning", reason: string, message: string): void {
    this.#context.recorder("daemonset-controller").record(set, type, reason, message);
  }

  #untilAvailable(set: DaemonSet, now: number): ReconcileResult {
    const minReady = set.spec.minReadySeconds ?? 0;
    const waits = this.#owned(set)
      .map((pod) => availableIn(pod, minReady, now) ?? 0)
      .filter((wait) => wait > 0);
    return waits.length === 0 ? undefined : { requeueAfterMs: Math.min(...waits) };
  }

  async #report(
    set: DaemonSet,
    base: Pod,
    revisions: Revisions,
    isUpdated: (pod: Pod) => boolean,
    now: number,
  ): Promise<void> {
    const { client } = this.#context;
    const minReady = set.spec.minReadySeconds ?? 0;
    const nodes = this.#nodes.list();
    const wanted = new Set(nodes.filter((node) => fitOf(base, node).shouldRun).map((node) => node.metadata.name));
    const running = this.#owned(set).filter((pod) => !this.#control.isDeleting(pod));
    // A node counts once, by its oldest pod: with a surge it has two for a while.
    const oldestFirst = running.toSorted((a, b) => Number(isUpdated(a)) - Number(isUpdated(b)) || byAge(a, b));
    const onNodes = Map.groupBy(oldestFirst, (pod) => nodeOf(pod) ?? "");
    const placed = [...onNodes].flatMap(([node, [oldest]]) => (oldest !== undefined && wanted.has(node) ? oldest : []));
    const misplaced = countWhere([...onNodes.keys()], (node) => !wanted.has(node));
    const available = countWhere(placed, (pod) => availableIn(pod, minReady, now) === 0);
    const status: DaemonSetStatus = {
      ...set.status,
      currentNumberScheduled: placed.length,
      numberMisscheduled: misplaced,
      desiredNumberScheduled: wanted.size,
      numberReady: countWhere(placed, isReady),
      updatedNumberScheduled: countWhere(placed, isUpdated) || undefined,
      numberAvailable: available || undefined,
      numberUnavailable: wanted.size - available || undefined,
      observedGeneration: set.metadata.generation,
      collisionCount: revisions.collisionCount || undefined,
    };
    await writeStatus(client, this.#sets, set, status);
    await trimRevisions(client, set, revisions, running);
  }
}
