/**
 * One pod on one node, from the first sight of it to the end. Level-triggered: whatever happens only wakes the worker,
 * which looks at the pod and at what runs, takes the next steps, and writes the status (one patch a pass).
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { steadyNow } from "@travelops/kube/api/clock.ts";
import type { Pod, PodStatus } from "@travelops/kube/api/types/index.ts";
import { showBackoff, type SayEvent } from "./backoff-state.ts";
import { ContainerRunner } from "./container-runner.ts";
import { Deadline } from "./deadline.ts";
import { podLabel, type KubeletContext } from "./kubelet-context.ts";
import { PodGround, type AddressPool } from "./pod-ground.ts";
import { planPod } from "./pod-plan.ts";
import {
  allRecords,
  isDone,
  isRunning,
  newRecord,
  recordOf,
  type ContainerRecord,
  type PodRecord,
} from "./pod-record.ts";
import { podReferences, type ReferenceKind } from "./references.ts";
import { applyResize } from "./apply-resize.ts";
import { podStatus } from "./pod-status.ts";
import { markSimulated, removePod, writeStatus } from "./status-writer.ts";

const RETRY_MS = 1000;
/** As upstream, once a pod is above a limit of its own. */
const EVICTION_GRACE_SECONDS = 1;
const isEvicted = (record: PodRecord): boolean => record.ended?.reason === "Evicted";
/** A pod that was removed without grace still gets this long. */
const REMOVED_GRACE_MS = 1000;

export class PodWorker {
  readonly record: PodRecord;
  readonly directory: string;
  readonly #context: KubeletContext;
  readonly #onGone: () => void;
  readonly #runner: ContainerRunner;
  readonly #ground: PodGround;
  #pod: Pod;
  #starting: Promise<void> | undefined;
  #ending:
    | { deadline: Deadline; graceSeconds: number; done: boolean; published: boolean; removed: boolean }
    | undefined;
  #gone = false;
  #state: "idle" | "scheduled" | "running" | "again" = "idle";
  #cancelTimer: (() => void) | undefined;
  #wakeAt = Number.POSITIVE_INFINITY;
  /** A pod's references cannot change. */
  #references: Set<string> | undefined;
  #closed = false;

  constructor(context: KubeletContext, pod: Pod, addresses: AddressPool, onGone: () => void) {
    this.#context = context;
    this.#pod = pod;
    this.#onGone = onGone;
    this.record = recordOf(pod, context.clock.now(), steadyNow(context.clock));
    this.directory = join(context.podsDirectory, pod.metadata.uid ?? "");
    const owner = {
      pod: () => this.#pod,
      record: this.record,
      directory: this.directory,
      wake: () => this.wake(),
      event: (type: "Normal" | "Warning", reason: string, message: string, container?: string) =>
        this.#event(type, reason, message, container),
    };
    this.#ground = new PodGround(context, addresses, owner);
    this.#runner = new ContainerRunner(context, {
      ...owner,
      sandbox: () => this.#ground.sandbox,
      volumes: this.#ground.volumes,
    });
  }

  get pod(): Pod {
    return this.#pod;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** A newer state of the object. */
  update(pod: Pod): void {
    if (Number(pod.metadata.resourceVersion) < Number(this.#pod.metadata.resourceVersion)) return;
    this.#pod = pod;
    for (const container of pod.spec.ephemeralContainers ?? [])
      if (!this.record.ephemeral.some((one) => one.name === container.name))
        this.record.ephemeral.push(newRecord(container.name, "ephemeral", "ContainerCreating"));
    this.wake();
  }

  /** The object is gone from the API. */
  removed(): void {
    this.#gone = true;
    this.wake();
  }

  /** Objects that the pod may refer to have changed. */
  refresh(): void {
    for (const one of allRecords(this.record))
      if (one.state.kind === "waiting" && one.state.reason === "CreateContainerConfigError")
        one.backoff = { ...one.backoff, until: 0 };
    this.wake();
  }

  refersTo(kind: ReferenceKind, name: string): boolean {
    this.#references ??= podReferences(this.#pod);
    return this.#references.has(`${kind}/${name}`);
  }

  get waitsForVolumes(): boolean {
    return this.#ground.waitsForVolumes;
  }

  /** It ends, or has ended, for good. */
  get ends(): boolean {
    return this.#gone || this.#ending !== undefined;
  }

  /** Ends the pod for the node's sake; its object stays and says why. */
  evict(message: string): void {
    if (this.ends || this.record.ended !== undefined) return;
    this.record.ended = { phase: "Failed", reason: "Evicted", message };
    this.wake();
  }

  wake(): void {
    if (this.#closed) return;
    if (this.#state === "running") this.#state = "again";
    if (this.#state !== "idle") return;
    this.#state = "scheduled";
    setImmediate(() => void this.#run());
  }

  /** Stops looking; the sandbox ends the processes. */
  close(): void {
    this.#closed = true;
    this.#cancelTimer?.();
    this.#ending?.deadline.close();
  }

  async #run(): Promise<void> {
    if (this.#closed) return;
    this.#state = "running";
    this.#wakeAt = Number.POSITIVE_INFINITY;
    try {
      this.#advance();
      const final = this.#ending?.done === true && !this.#ending.published;
      if ((await this.#publish()) && final && this.#ending !== undefined) {
        this.#ending.published = true;
        this.#state = "again";
      }
    } catch (error) {
      this.#context.log.error("a pod could not be synced", { pod: podLabel(this.#pod), err: error });
      this.#wakeBy(this.#now() + RETRY_MS);
    }
    const again = (this.#state as string) === "again";
    this.#state = "idle";
    if (again) this.wake();
    else this.#armTimer();
  }

  /** Takes what steps can be taken now; what takes time goes on by itself and wakes the worker. */
  #advance(): void {
    const now = this.#now();
    if (this.#ending !== undefined || this.#mustEnd(now)) {
      this.#end(now);
      return;
    }
    // Nothing is made anew for a pod that would only end in it.
    if (this.#ground.isLost && isDone(this.#pod, this.record)) {
      this.#end(now);
      return;
    }
    const ground = this.#ground.prepare(now);
    this.#wakeBy(ground.wakeAt);
    if (!ground.ready) return;
    applyResize(this.#context, this.#pod, this.record, this.#runner, (...said) => this.#event(...said));
    const plan = planPod(this.#pod, this.record, now);
    const say: SayEvent = (type, reason, message, container) => this.#event(type, reason, message, container);
    for (const one of plan.backoff) if (showBackoff(this.#pod, one, say)) this.wake();
    this.#wakeBy(plan.wakeAt);
    if (plan.stopSidecars) {
      this.#end(now);
      return;
    }
    if (plan.start.length === 0 || this.#starting !== undefined) return;
    this.#starting = this.#startAll(plan.start).finally(() => {
      this.#starting = undefined;
      this.wake();
    });
  }

  /** In order, as upstream: a postStart hook holds up the containers that follow. */
  async #startAll(records: readonly ContainerRecord[]): Promise<void> {
    for (const record of records) {
      if (this.#ending !== undefined || this.#closed) return;
      if (!isRunning(record)) await this.#runner.start(record);
    }
  }

  #mustEnd(now: number): boolean {
    const { metadata, spec, status } = this.#pod;
    if (this.#gone || metadata.deletionTimestamp !== undefined || isEvicted(this.record)) return true;
    if (status?.phase === "Failed" || status?.phase === "Succeeded") {
      this.record.ended ??= {
        phase: status.phase,
        ...(status.reason === undefined ? {} : { reason: status.reason }),
        ...(status.message === undefined ? {} : { message: status.message }),
      };
      return true;
    }
    const limit = spec.activeDeadlineSeconds;
    if (limit === undefined) return false;
    const at = this.record.startedAt + limit * 1000;
    this.#wakeBy(at);
    if (now < at) return false;
    this.record.ended = {
      phase: "Failed",
      reason: "DeadlineExceeded",
      message: "Pod was active on the node longer than the specified deadline",
    };
    this.#event("Normal", "DeadlineExceeded", "Pod was active on the node longer than the specified deadline");
    return true;
  }

  /** Ends the containers, main ones first; then the sandbox; then, for a deleted pod, the object. */
  #end(now: number): void {
    const { clock } = this.#context;
    const { metadata, spec } = this.#pod;
    const graceSeconds = isEvicted(this.record)
      ? EVICTION_GRACE_SECONDS
      : metadata.deletionTimestamp === undefined
        ? (spec.terminationGracePeriodSeconds ?? 30)
        : (metadata.deletionGracePeriodSeconds ?? 30);
    const at = this.#gone ? now + REMOVED_GRACE_MS : now + graceSeconds * 1000;
    if (this.#ending === undefined) {
      const ending = { deadline: new Deadline(clock, at), graceSeconds, done: false, published: false, removed: false };
      this.#ending = ending;
      void this.#stop(ending.deadline).then(() => {
        ending.deadline.close();
        ending.done = true;
        this.wake();
      });
      return;
    }
    // A second delete may ask for less grace; time that has passed is not given again.
    if (this.#gone || graceSeconds < this.#ending.graceSeconds) {
      this.#ending.deadline.bringForward(at);
      this.#ending.graceSeconds = graceSeconds;
    }
    // The last state is written before the object goes: watchers see how it ended.
    if (this.#ending.done && this.#ending.published && (this.#gone || metadata.deletionTimestamp !== undefined))
      this.#removeFromApi();
  }

  async #stop(deadline: Deadline): Promise<void> {
    await Promise.all([this.#ground.settled(), this.#starting]);
    const said = (one: ContainerRecord): string => `Stopping container ${one.name}`;
    const first = [
      ...this.record.main,
      ...this.record.ephemeral,
      ...this.record.init.filter((one) => one.role === "init"),
    ];
    await Promise.all(first.map((one) => this.#runner.kill(one, deadline, said(one))));
    for (const one of this.record.init.filter((sidecar) => sidecar.role === "sidecar").toReversed())
      await this.#runner.kill(one, deadline, said(one));
    await this.#ground.takeDown();
    // It will not run again: what it kept for itself goes, its logs stay for as long as the object does.
    await rm(join(this.directory, "volumes"), { recursive: true, force: true }).catch(() => {});
    // Told last: while the disk is full an event could not be written.
    if (isEvicted(this.record)) this.#event("Warning", "Evicted", this.record.ended?.message ?? "");
  }

  #removeFromApi(): void {
    const ending = this.#ending;
    if (ending === undefined || ending.removed) return;
    ending.removed = true;
    void (this.#gone ? Promise.resolve() : removePod(this.#context.client, this.#pod)).then(
      () => this.#finish(),
      (error: unknown) => {
        this.#context.log.warn("a pod's object was not removed", { pod: podLabel(this.#pod), err: error });
        ending.removed = false;
        this.#wakeBy(this.#now() + RETRY_MS);
        this.#armTimer();
      },
    );
  }

  #finish(): void {
    if (this.#closed) return;
    this.close();
    void rm(this.directory, { recursive: true, force: true }).catch(() => {});
    this.#onGone();
  }

  /** True once the API has what is known here, or wants to know no more. */
  async #publish(): Promise<boolean> {
    if (this.#gone || this.#closed) return true;
    const { client, log } = this.#context;
    const simulated = allRecords(this.record).filter((one) => one.simulated);
    const marked = await markSimulated(
      client,
      this.#pod,
      simulated.map((one) => one.name),
    );
    if (marked.kind === "written") this.update(marked.pod);
    const written = await writeStatus(client, this.#pod, this.#status());
    if (written.kind === "written") this.update(written.pod);
    if (written.kind !== "failed") return true;
    log.warn("a pod's status was not written", { pod: podLabel(this.#pod), err: written.error });
    this.#wakeBy(this.#now() + RETRY_MS);
    return false;
  }

  #status(): PodStatus {
    const over = this.#ending !== undefined;
    const status = podStatus(this.#pod, this.record, {
      hostIP: this.#context.node.hostIP,
      now: this.#context.clock.now(),
      over,
    });
    if (status.phase !== "Succeeded" && status.phase !== "Failed") return status;
    // Final only once nothing runs any more.
    const running = allRecords(this.record).some(isRunning);
    if (!running && (!over || this.#ending?.done === true)) return status;
    return { ...status, phase: this.#pod.status?.phase === "Pending" && !running ? "Pending" : "Running" };
  }

  #event(type: "Normal" | "Warning", reason: string, message: string, container?: string): void {
    if (this.#gone) return;
    const field =
      this.#pod.spec.initContainers?.some((one) => one.name === container) === true ? "initContainers" : "containers";
    this.#context.events.record(
      this.#pod,
      type,
      reason,
      message,
      container === undefined ? undefined : `spec.${field}{${container}}`,
    );
  }

  /** How long things take does not depend on what the machine's clock is set to. */
  #now(): number {
    return steadyNow(this.#context.clock);
  }

  #wakeBy(at: number): void {
    this.#wakeAt = Math.min(this.#wakeAt, at);
  }

  #armTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    if (this.#closed || this.#wakeAt === Number.POSITIVE_INFINITY) return;
    this.#cancelTimer = this.#context.clock.setTimeout(() => this.wake(), Math.max(1, this.#wakeAt - this.#now()));
  }
}
