/** Jobs: pods that run to their end, counted exactly once. */
import type { Informer, Job, Pod } from "@travelops/kube";
import {
  controllerOf,
  findCondition,
  isNotFound,
  JOBS,
  keyOf,
  PODS,
  type ReconcileResult,
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
import { deleteExactly, writeStatus } from "../shared/write.ts";
import { jobPod, nextIndexes, surplusIndexed, wantedActive } from "./plan.ts";
import { jobStatus } from "./status.ts";
import {
  isFailed,
  isIndexed,
  isSucceeded,
  isTracked,
  replacesOnlyFailed,
  type Tally,
  tally,
  TRACKING,
} from "./tally.ts";
import { backoffIn, deadlineIn, isFinishedJob, type Verdict, verdictOf } from "./verdict.ts";

const WORKERS = 5;
const BURST = 500;
const OWN_CONTROLLER = "kubernetes.io/job-controller";

/** Runs the controller until the signal aborts. */
export async function jobController(context: ControllerContext): Promise<void> {
  const { informers, signal, clock, log } = context;
  const jobs = informers.of(JOBS);
  const pods = informers.of(PODS);
  const reconciler = new JobReconciler(context, jobs, pods);
  const common = { workers: WORKERS, signal, clock, log };
  await Promise.all([
    runController({
      ...common,
      name: "job",
      sources: [
        sourceOf(jobs, (event) => [keyOf(event.object)]),
        sourceOf(
          pods,
          ownerKeys(jobs, (job) => job.spec.selector),
        ),
      ],
      reconcile: (key) => reconciler.reconcile(key),
    }),
    runController({
      ...common,
      name: "job-orphans",
      sources: [
        sourceOf(pods, ({ type, object }) => (type !== "deleted" && isTracked(object) ? [keyOf(object)] : [])),
        sourceOf(jobs, ({ type, object }) =>
          type === "deleted" ? pods.byIndex(BY_CONTROLLER, object.metadata.uid ?? "").map(keyOf) : [],
        ),
      ],
      reconcile: (key) => reconciler.releaseOrphan(key),
    }),
  ]);
}

/** `held`: on their way out, but not to be replaced before they have ended. */
interface Look {
  readonly pods: readonly Pod[];
  readonly active: readonly Pod[];
  readonly held: readonly Pod[];
  readonly counts: Tally;
}

class JobReconciler {
  readonly #context: ControllerContext;
  readonly #jobs: Informer<Job>;
  readonly #pods: Informer<Pod>;
  readonly #control: PodControl;

  constructor(context: ControllerContext, jobs: Informer<Job>, pods: Informer<Pod>) {
    this.#context = context;
    this.#jobs = jobs;
    this.#pods = pods;
    this.#control = new PodControl(context.client, pods, context.recorder("job-controller"));
  }

  async reconcile(key: string): Promise<ReconcileResult> {
    const { namespace, name } = splitKey(key);
    const job = this.#jobs.get(namespace, name);
    if (job === undefined || (job.spec.managedBy ?? OWN_CONTROLLER) !== OWN_CONTROLLER) return;
    if (isFinishedJob(job)) return this.#afterEnd(job);
    const { client } = this.#context;
    // One time for the whole pass: what is not yet due now must not count as past when the next look is set.
    const now = this.#context.clock.now();
    await claimChildren({
      client,
      owner: job,
      ownerResource: JOBS,
      children: this.#pods,
      selector: requirementsOf(job.spec.selector ?? {}),
    });

    const before = this.#look(job, undefined);
    const verdict = verdictOf(job, before.pods, before.counts, before.active.length + before.held.length, now);
    const { wait, error } = await this.#manage(job, before, verdict, now);
    const after = this.#look(job, verdict);
    // Ending pods may have decided it meanwhile; the next event says so.
    const status = jobStatus({ job, ...after, verdict, now });
    const written = await writeStatus(client, this.#jobs, job, status);
    this.#tell(job, written);
    await this.#release(after.pods, after.counts);
    if (error !== undefined && !isNamespaceTerminating(error)) throw error;
    if (isFinishedJob(written)) return this.#afterEnd(written);
    const deadline = verdict === undefined ? deadlineIn(written, now) : undefined;
    const waits = [wait, deadline].filter((one) => one !== undefined);
    return waits.length === 0 ? undefined : { requeueAfterMs: Math.min(...waits) };
  }

  #look(job: Job, verdict: Verdict | undefined): Look {
    const pods = this.#pods.byIndex(BY_CONTROLLER, job.metadata.uid ?? "");
    const [ending = [], active = []] = [true, false].map((deleting) =>
      pods.filter((pod) => !isFinished(pod) && this.#control.isDeleting(pod) === deleting),
    );
    return {
      pods,
      active,
      held: replacesOnlyFailed(job) ? ending : [],
      counts: tally(job, pods, verdict !== undefined),
    };
  }

  async #manage(
    job: Job,
    { pods, active, held, counts }: Look,
    verdict: Verdict | undefined,
    now: number,
  ): Promise<{ wait?: number; error?: unknown }> {
    if (verdict !== undefined) {
      // What a success makes superfluous has not failed; what a failure ends has.
      if (verdict.success) await this.#discard(job, active);
      else await Promise.all(active.map((pod) => this.#control.delete(job, pod)));
      return {};
    }
    if (job.metadata.deletionTimestamp !== undefined) return {};
    if (job.spec.suspend === true) {
      await this.#discard(job, active);
      return {};
    }
    const surplus = surplusIndexed(job, active);
    const rest = active.filter((pod) => !surplus.includes(pod));
    const missing = wantedActive(job, counts, rest.length + held.length) - rest.length - held.length;
    // What is on its way out is not given up twice.
    const tooMany = Math.min(rest.length, -missing);
    if (tooMany > 0) surplus.push(...rest.toSorted(byDeletionRank(rest, now)).slice(0, tooMany));
    await this.#discard(job, surplus);
    if (missing <= 0) return {};
    const wait = backoffIn(job, pods, now);
    return wait > 0 ? { wait } : this.#start(job, [...rest, ...held], counts, Math.min(missing, BURST), now);
  }

  async #start(
    job: Job,
    taken: readonly Pod[],
    counts: Tally,
    count: number,
    now: number,
  ): Promise<{ wait?: number; error?: unknown }> {
    if (!isIndexed(job))
      return { error: await slowStart(count, () => this.#control.create(job, jobPod(job, undefined))) };
    const { indexes, wait } = nextIndexes(job, taken, counts, count, now);
    const error = await slowStart(indexes.length, (i) => {
      const index = indexes[i] ?? 0;
      return this.#control.create(job, jobPod(job, index, counts.awaiting.get(index)));
    });
    return { wait, error };
  }

  /** Pods that are no longer wanted do not count: they lose the finalizer before they are deleted. */
  async #discard(job: Job, pods: readonly Pod[]): Promise<void> {
    await Promise.all(
      pods.map(async (pod) => {
        await this.#untrack(pod);
        await this.#control.delete(job, pod);
      }),
    );
  }

  /** Pods that the status now lists may lose the finalizer. */
  async #release(pods: readonly Pod[], { uncounted, ignored }: Tally): Promise<void> {
    const listed = new Set([...uncounted.succeeded, ...uncounted.failed, ...ignored]);
    await Promise.all(pods.filter((pod) => listed.has(pod.metadata.uid ?? "")).map((pod) => this.#untrack(pod)));
  }

  async #untrack(pod: Pod): Promise<void> {
    if (!isTracked(pod)) return;
    const { namespace = "", name = "", uid, resourceVersion } = pod.metadata;
    const left = (pod.metadata.finalizers ?? []).filter((one) => one !== TRACKING);
    const patch = { metadata: { uid, resourceVersion, finalizers: left.length === 0 ? null : left } };
    try {
      this.#pods.note(await this.#context.client.patch(PODS, namespace, name, "application/merge-patch+json", patch));
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** A Job that is gone counts no more; its pods must not be held for it. */
  async releaseOrphan(key: string): Promise<void> {
    const { namespace, name } = splitKey(key);
    const pod = this.#pods.get(namespace, name);
    if (pod === undefined || !isTracked(pod)) return;
    const owner = controllerOf(pod);
    const job = owner === undefined ? undefined : this.#jobs.get(namespace, owner.name);
    if (job !== undefined && job.metadata.uid === owner?.uid) {
      const ended = isFinishedJob(job) && (isSucceeded(pod) || isFailed(pod, job));
      if (!ended) return;
    } else if (owner?.kind === "Job" && (await this.#exists(namespace, owner.name, owner.uid))) return;
    await this.#untrack(pod);
  }

  async #exists(namespace: string, name: string, uid: string): Promise<boolean> {
    try {
      return (await this.#context.client.get(JOBS, namespace, name)).metadata.uid === uid;
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
  }

  #tell(before: Job, after: Job): void {
    const became = (type: string): boolean =>
      findCondition(before.status?.conditions, type)?.status !== "True" &&
      findCondition(after.status?.conditions, type)?.status === "True";
    const record = (type: "Normal" | "Warning", reason: string, message: string): void =>
      this.#context.recorder("job-controller").record(after, type, reason, message);
    if (became("Complete")) record("Normal", "Completed", "Job completed");
    if (became("Suspended")) record("Normal", "Suspended", "Job suspended");
    const failed = findCondition(after.status?.conditions, "Failed");
    if (became("Failed")) record("Warning", failed?.reason ?? "Failed", failed?.message ?? "");
    const resumed =
      findCondition(before.status?.conditions, "Suspended")?.status === "True" && after.spec.suspend !== true;
    if (resumed) record("Normal", "Resumed", "Job resumed");
  }

  /** Deletes a finished Job once its time is up. */
  async #afterEnd(job: Job): Promise<ReconcileResult> {
    const ttl = job.spec.ttlSecondsAfterFinished;
    if (ttl === undefined || job.metadata.deletionTimestamp !== undefined) return;
    const end = job.status?.conditions?.find(
      (one) => (one.type === "Complete" || one.type === "Failed") && one.status === "True",
    );
    const left = Date.parse(end?.lastTransitionTime ?? "") + ttl * 1000 - this.#context.clock.now();
    if (left > 0) return { requeueAfterMs: left };
    await deleteExactly(this.#context.client, JOBS, job, { propagationPolicy: "Foreground" });
  }
}
