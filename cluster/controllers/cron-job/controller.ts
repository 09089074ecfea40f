/** CronJobs: a Job at each time of the schedule. */
import type { CronJob, Informer, Job, ObjectReference } from "@travelops/kube";
import {
  controllerReference,
  CRON_JOBS,
  findCondition,
  formatTime,
  isAlreadyExists,
  JOBS,
  keyOf,
  type ReconcileResult,
  runController,
  sourceOf,
  splitKey,
} from "@travelops/kube";
import type { ControllerContext } from "../context.ts";
import { BY_CONTROLLER } from "../informers.ts";
import { ownerKeys } from "../shared/owner-keys.ts";
import { isNamespaceTerminating, messageOf } from "../shared/pod-control.ts";
import { created, deleteExactly, writeStatus } from "../shared/write.ts";
import { isFinishedJob } from "../job/verdict.ts";
import { missedTimes, parseSchedule, type Schedule, ScheduleError, timeIn } from "./schedule.ts";

const WORKERS = 5;
const SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/** Runs the controller until the signal aborts. */
export async function cronJobController(context: ControllerContext): Promise<void> {
  const { informers, signal, clock, log } = context;
  const crons = informers.of(CRON_JOBS);
  const jobs = informers.of(JOBS);
  const reconciler = new CronJobReconciler(context, crons, jobs);
  await runController({
    name: "cronjob",
    workers: WORKERS,
    signal,
    clock,
    log,
    sources: [
      sourceOf(crons, (event) => [keyOf(event.object)]),
      sourceOf(
        jobs,
        ownerKeys(crons, () => undefined),
      ),
    ],
    reconcile: (key) => reconciler.reconcile(key),
  });
}

const timeOf = (text: string | null | undefined): number =>
  text === undefined || text === null ? 0 : Date.parse(text);

class CronJobReconciler {
  readonly #context: ControllerContext;
  readonly #crons: Informer<CronJob>;
  readonly #jobs: Informer<Job>;

  constructor(context: ControllerContext, crons: Informer<CronJob>, jobs: Informer<Job>) {
    this.#context = context;
    this.#crons = crons;
    this.#jobs = jobs;
  }

  async reconcile(key: string): Promise<ReconcileResult> {
    const { namespace, name } = splitKey(key);
    const cron = this.#crons.get(namespace, name);
    if (cron === undefined || cron.metadata.deletionTimestamp !== undefined) return;
    let schedule: Schedule;
    try {
      schedule = parseSchedule(cron.spec.schedule, cron.spec.timeZone);
    } catch (error) {
      if (!(error instanceof ScheduleError)) throw error;
      this.#record(cron, "Warning", "UnparseableSchedule", `unparseable schedule: ${error.message}`);
      return;
    }
    // One time for the whole pass: else a time that comes up in between would be neither due nor next.
    const now = this.#context.clock.now();
    await this.#tidy(cron);
    const scheduled = cron.spec.suspend === true ? undefined : await this.#start(cron, schedule, now);
    await this.#report(cron, scheduled);
    if (cron.spec.suspend === true) return;
    const next = schedule.next(now);
    return next === undefined ? undefined : { requeueAfterMs: next - now };
  }

  #jobsOf(cron: CronJob): Job[] {
    return this.#jobs.byIndex(BY_CONTROLLER, cron.metadata.uid ?? "");
  }

  #activeOf(cron: CronJob): Job[] {
    return this.#jobsOf(cron).filter((job) => !isFinishedJob(job) && job.metadata.deletionTimestamp === undefined);
  }

  /** Makes the Job of the latest time that has passed; the time, when that is settled. */
  async #start(cron: CronJob, schedule: Schedule, now: number): Promise<number | undefined> {
    const deadline = cron.spec.startingDeadlineSeconds;
    const since = Math.max(
      timeOf(cron.status?.lastScheduleTime ?? cron.metadata.creationTimestamp),
      deadline === undefined ? 0 : now - deadline * 1000,
    );
    const { last, count } = missedTimes(schedule, since, now);
    if (last === undefined) return undefined;
    if (count > 100) {
      this.#record(
        cron,
        "Warning",
        "TooManyMissedTimes",
        "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew",
      );
    }
    const active = this.#activeOf(cron);
    if (cron.spec.concurrencyPolicy === "Forbid" && active.length > 0) {
      this.#record(
        cron,
        "Normal",
        "JobAlreadyActive",
        "Not starting job because prior execution is running and concurrency policy is Forbid",
      );
      return undefined;
    }
    if (cron.spec.concurrencyPolicy === "Replace") {
      for (const job of active) {
        await deleteExactly(this.#context.client, JOBS, job, { propagationPolicy: "Background" });
        this.#record(cron, "Normal", "SuccessfulDelete", `Deleted job ${job.metadata.name}`);
      }
    }
    return (await this.#create(cron, last)) ? last : undefined;
  }

  async #create(cron: CronJob, at: number): Promise<boolean> {
    const { jobTemplate } = cron.spec;
    // The name follows from the time: a second attempt, after a crash say, finds the first one's Job.
    const name = `${cron.metadata.name}-${Math.floor(at / 60_000)}`;
    const job: Job = {
      apiVersion: "batch/v1",
      kind: "Job",
      metadata: {
        name,
        namespace: cron.metadata.namespace,
        labels: jobTemplate.metadata?.labels,
        annotations: { ...jobTemplate.metadata?.annotations, [SCHEDULED_AT]: timeIn(cron.spec.timeZone, at) },
        ownerReferences: [controllerReference(cron, CRON_JOBS)],
      },
      spec: jobTemplate.spec,
    };
    try {
      await created(this.#context.client, this.#jobs, job);
      this.#record(cron, "Normal", "SuccessfulCreate", `Created job ${name}`);
      return true;
    } catch (error) {
      if (isAlreadyExists(error)) return true;
      if (isNamespaceTerminating(error)) return false;
      this.#record(cron, "Warning", "FailedCreate", `Error creating job: ${messageOf(error)}`);
      throw error;
    }
  }

  async #report(cron: CronJob, scheduled: number | undefined): Promise<void> {
    const active: ObjectReference[] = this.#activeOf(cron).map((job) => ({
      apiVersion: "batch/v1",
      kind: "Job",
      name: job.metadata.name,
      namespace: job.metadata.namespace,
      uid: job.metadata.uid,
    }));
    const successes = this.#jobsOf(cron).map((job) => timeOf(job.status?.completionTime));
    const lastSuccess = Math.max(timeOf(cron.status?.lastSuccessfulTime), 0, ...successes);
    const before = new Set((cron.status?.active ?? []).map((one) => one.uid));
    for (const job of this.#jobsOf(cron)) {
      if (!before.has(job.metadata.uid) || !isFinishedJob(job)) continue;
      const how = findCondition(job.status?.conditions, "Complete")?.status === "True" ? "Complete" : "Failed";
      this.#record(cron, "Normal", "SawCompletedJob", `Saw completed job: ${job.metadata.name}, condition: ${how}`);
    }
    await writeStatus(this.#context.client, this.#crons, cron, {
      active: active.length === 0 ? undefined : active,
      lastScheduleTime: scheduled === undefined ? cron.status?.lastScheduleTime : formatTime(scheduled),
      lastSuccessfulTime: lastSuccess === 0 ? undefined : formatTime(lastSuccess),
    });
  }

  /** Keeps only so many finished Jobs of each kind. */
  async #tidy(cron: CronJob): Promise<void> {
    const finished = this.#jobsOf(cron).filter(
      (job) => isFinishedJob(job) && job.metadata.deletionTimestamp === undefined,
    );
    const succeeded = (job: Job): boolean => findCondition(job.status?.conditions, "Complete")?.status === "True";
    const surplus = (jobs: Job[], limit: number): Job[] =>
      jobs.toSorted((a, b) => timeOf(b.status?.startTime) - timeOf(a.status?.startTime)).slice(limit);
    const old = [
      ...surplus(finished.filter(succeeded), cron.spec.successfulJobsHistoryLimit ?? 3),
      ...surplus(
        finished.filter((job) => !succeeded(job)),
        cron.spec.failedJobsHistoryLimit ?? 1,
      ),
    ];
    for (const job of old) {
      await deleteExactly(this.#context.client, JOBS, job, { propagationPolicy: "Background" });
      this.#record(cron, "Normal", "SuccessfulDelete", `Deleted job ${job.metadata.name}`);
    }
  }

  #record(cron: CronJob, type: "Normal" | "Warning", reason: string, message: string): void {
    this.#context.recorder("cronjob-controller").record(cron, type, reason, message);
  }
}
