/** What a kubelet knows of a pod's containers; everything the API shows of them is computed from this. */
import type { Container, ContainerStatus, Pod, ResourceRequirements } from "@travelops/kube/api/types/index.ts";
import type { SandboxContainer } from "../sandbox/sandbox.ts";
import { findContainer } from "./kubelet-context.ts";
import type { PendingResize } from "./resize.ts";
import { shouldRestart } from "./restart-policy.ts";

/** `init` runs to its end; `sidecar` is an init container that keeps running; `main`; `ephemeral` is for debugging. */
export type ContainerRole = "init" | "sidecar" | "main" | "ephemeral";

export interface Termination {
  readonly exitCode: number;
  readonly signal?: number;
  readonly reason: string;
  readonly message?: string;
  readonly startedAt: number | undefined;
  readonly finishedAt: number | undefined;
  readonly containerID: string | undefined;
}

export type ContainerState =
  | { readonly kind: "waiting"; readonly reason: string; readonly message?: string }
  | { readonly kind: "running"; readonly startedAt: number; readonly handle: SandboxContainer | undefined }
  | ({ readonly kind: "terminated" } & Termination);

export interface ContainerRecord {
  readonly name: string;
  readonly role: ContainerRole;
  state: ContainerState;
  last: Termination | undefined;
  restartCount: number;
  containerID: string | undefined;
  imageID: string;
  /** What it was started with, or has been given since. */
  resources: ResourceRequirements | undefined;
  /** No program stands behind it. */
  simulated: boolean;
  /** The startup probe has passed, or there is none and the container runs. */
  started: boolean;
  ready: boolean;
  /** Next start not before this time; the wait that follows doubles. */
  backoff: { until: number; delayMs: number };
  /** The same, for the image. */
  pull: { until: number; delayMs: number; failure: string } | undefined;
  /** When it ended, in steady time. */
  endedAt: number;
  /** Events that are said once a spell. */
  said: Set<string>;
}

const isRestartable = (container: Container): boolean => container.restartPolicy === "Always";

export function newRecord(name: string, role: ContainerRole, reason: string): ContainerRecord {
  return {
    name,
    role,
    state: { kind: "waiting", reason },
    last: undefined,
    restartCount: 0,
    containerID: undefined,
    imageID: "",
    resources: undefined,
    simulated: false,
    started: false,
    ready: false,
    backoff: { until: 0, delayMs: 0 },
    pull: undefined,
    endedAt: 0,
    said: new Set(),
  };
}

export interface PodRecord {
  readonly init: ContainerRecord[];
  readonly main: ContainerRecord[];
  readonly ephemeral: ContainerRecord[];
  podIP: string | undefined;
  startTime: number;
  /** The same in steady time. */
  startedAt: number;
  sandboxReady: boolean;
  /** The pod has ended for good: why, as status.reason and status.message. */
  ended: { phase: "Failed" | "Succeeded" | undefined; reason?: string; message?: string } | undefined;
  /** Why new resources cannot be given (yet). */
  pendingResize: PendingResize | undefined;
}

const roleOf = (container: Container): ContainerRole => (isRestartable(container) ? "sidecar" : "init");

/** The records of a pod that this process has not seen before; what its status says is taken over. */
export function recordOf(pod: Pod, now: number, steady: number = now): PodRecord {
  const status = pod.status ?? {};
  const waiting = (pod.spec.initContainers?.length ?? 0) > 0 ? "PodInitializing" : "ContainerCreating";
  const take = (
    containers: readonly Container[] | undefined,
    statuses: readonly ContainerStatus[] | undefined,
    role: (c: Container) => ContainerRole,
  ): ContainerRecord[] =>
    (containers ?? []).map((container) =>
      takeOver(
        newRecord(container.name, role(container), waiting),
        statuses?.find((s) => s.name === container.name),
        now,
        steady,
      ),
    );
  const main = take(pod.spec.containers, status.containerStatuses, () => "main");
  const init = take(pod.spec.initContainers, status.initContainerStatuses, roleOf);
  const startTime = status.startTime === undefined ? now : Date.parse(status.startTime);
  const record: PodRecord = {
    init,
    main,
    ephemeral: take(pod.spec.ephemeralContainers, status.ephemeralContainerStatuses, () => "ephemeral"),
    podIP: status.podIP,
    startTime,
    startedAt: steady - Math.max(0, now - startTime),
    sandboxReady: false,
    ended: undefined,
    pendingResize: undefined,
  };
  initializeAgain(pod, record);
  return record;
}

/** A new sandbox is initialized anew, as upstream does, unless the pod's work is done. */
export function initializeAgain(pod: Pod, record: PodRecord): void {
  if (!isDone(pod, record)) for (const one of record.init) rerun(one);
}

/** No main container will run again. */
export const isDone = (pod: Pod, record: PodRecord): boolean => record.main.every((one) => isOver(pod, one));

/** The container has ended and will not be started again. */
export function isOver(pod: Pod, record: ContainerRecord): boolean {
  const ended = record.state.kind === "terminated" ? record.state : undefined;
  if (ended === undefined || record.role === "sidecar") return false;
  if (record.role === "ephemeral" || (record.role === "init" && ended.exitCode === 0)) return true;
  return !shouldRestart(pod, findContainer(pod, record.name), ended.exitCode);
}

function rerun(record: ContainerRecord): void {
  if (record.role !== "init" || record.state.kind !== "terminated" || record.state.exitCode !== 0) return;
  const { kind: _, ...ended } = record.state;
  record.last = ended;
  record.state = { kind: "waiting", reason: "PodInitializing" };
}

/** A container that ran before is gone with the process that ran it: it ended, in a way nobody saw. */
function takeOver(
  record: ContainerRecord,
  status: ContainerStatus | undefined,
  now: number,
  steady: number,
): ContainerRecord {
  if (status === undefined) return record;
  record.restartCount = status.restartCount;
  record.containerID = status.containerID;
  record.imageID = status.imageID;
  const past = (state: ContainerStatus["state"]): Termination | undefined =>
    state?.terminated === undefined
      ? undefined
      : {
          exitCode: state.terminated.exitCode,
          ...(state.terminated.signal === undefined ? {} : { signal: state.terminated.signal }),
          reason: state.terminated.reason ?? "Error",
          ...(state.terminated.message === undefined ? {} : { message: state.terminated.message }),
          startedAt: parse(state.terminated.startedAt),
          finishedAt: parse(state.terminated.finishedAt),
          containerID: state.terminated.containerID,
        };
  record.last = past(status.lastState);
  const ended = past(status.state);
  if (ended !== undefined) record.state = { kind: "terminated", ...ended };
  else if (status.state?.waiting !== undefined && record.last !== undefined)
    record.state = { kind: "waiting", reason: status.state.waiting.reason ?? "" };
  else if (status.state?.running !== undefined)
    record.state = {
      kind: "terminated",
      exitCode: 137,
      reason: "ContainerStatusUnknown",
      message: "The container could not be located when the node was restarted.  The container used to be Running",
      startedAt: parse(status.state.running.startedAt),
      finishedAt: now,
      containerID: status.containerID,
    };
  const finished = record.state.kind === "terminated" ? record.state.finishedAt : record.last?.finishedAt;
  record.endedAt = steady - Math.max(0, now - (finished ?? now));
  return record;
}

const parse = (time: string | undefined): number | undefined => (time === undefined ? undefined : Date.parse(time));

export const allRecords = (record: PodRecord): ContainerRecord[] => [
  ...record.init,
  ...record.main,
  ...record.ephemeral,
];

export const isRunning = (record: ContainerRecord): boolean => record.state.kind === "running";
