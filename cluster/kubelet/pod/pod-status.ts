/** A pod's status from its spec and what runs, in upstream's words; pure. */
import { formatTime } from "@travelops/kube/api/clock.ts";
import type { Condition } from "@travelops/kube";
import type {
  Container,
  ContainerState,
  ContainerStatus,
  Pod,
  PodPhase,
  PodStatus,
  ResourceRequirements,
} from "@travelops/kube/api/types/index.ts";
import { findCondition, setCondition } from "@travelops/kube/controller/conditions.ts";
import { allRecords, type ContainerRecord, type PodRecord, type Termination } from "./pod-record.ts";
import { findContainer } from "./kubelet-context.ts";
import { qosClass } from "./qos.ts";
import { pendingResize } from "./resize.ts";
import { shouldRestart } from "./restart-policy.ts";
import { shownMessage } from "./termination-message.ts";

const terminated = (t: Termination, containers: number): NonNullable<ContainerState["terminated"]> => ({
  exitCode: t.exitCode,
  ...(t.signal === undefined ? {} : { signal: t.signal }),
  reason: t.reason,
  ...(t.message === undefined || t.message === "" ? {} : { message: shownMessage(t.message, containers) }),
  ...(t.startedAt === undefined ? {} : { startedAt: formatTime(t.startedAt) }),
  ...(t.finishedAt === undefined ? {} : { finishedAt: formatTime(t.finishedAt) }),
  ...(t.containerID === undefined ? {} : { containerID: t.containerID }),
});

function stateOf(record: ContainerRecord, containers: number): ContainerState {
  const { state } = record;
  switch (state.kind) {
    case "waiting":
      return { waiting: { reason: state.reason, ...(state.message === undefined ? {} : { message: state.message }) } };
    case "running":
      return { running: { startedAt: formatTime(state.startedAt) } };
    case "terminated":
      return { terminated: terminated(state, containers) };
  }
}

function containerStatus(container: Container, record: ContainerRecord, containers: number): ContainerStatus {
  const mounts = (container.volumeMounts ?? []).map((mount) => ({
    name: mount.name,
    mountPath: mount.mountPath,
    // What is mounted has no mounts below it: read-only is so all the way down.
    ...(mount.readOnly === true
      ? {
          readOnly: true,
          recursiveReadOnly: ["Enabled", "IfPossible"].includes(mount.recursiveReadOnly ?? "") ? "Enabled" : "Disabled",
        }
      : {}),
  }));
  return {
    name: record.name,
    state: stateOf(record, containers),
    lastState: record.last === undefined ? {} : { terminated: terminated(record.last, containers) },
    ready: record.ready,
    restartCount: record.restartCount,
    image: container.image ?? "",
    imageID: record.imageID,
    ...(record.containerID === undefined ? {} : { containerID: record.containerID }),
    started: record.started,
    ...resourcesOf(record.resources ?? container.resources),
    ...(mounts.length === 0 ? {} : { volumeMounts: mounts }),
  };
}

function resourcesOf(resources: ResourceRequirements | undefined): Partial<ContainerStatus> {
  if (resources === undefined || Object.keys(resources).length === 0) return {};
  const { requests } = resources;
  return { ...(requests === undefined ? {} : { allocatedResources: requests }), resources };
}

const isDone = (record: ContainerRecord): boolean => record.state.kind === "terminated" && record.state.exitCode === 0;

/** An init container that no longer holds the pod up. */
export const hasInitialized = (record: ContainerRecord): boolean =>
  record.role === "sidecar" ? record.started : isDone(record);

/** Upstream's getPhase. `over`: the pod will not be run again (evicted, deleted, past its deadline). */
export function podPhase(pod: Pod, record: PodRecord, over: boolean): PodPhase {
  const isFinal = (one: ContainerRecord, exitCode: number): boolean =>
    !shouldRestart(pod, findContainer(pod, one.name), exitCode);
  let restarts = false;
  let initFailed = false;
  let pendingInit = 0;
  let failedInit = 0;
  for (const one of record.init) {
    if (one.role === "sidecar") {
      if (!one.started) pendingInit++;
      continue;
    }
    if (one.state.kind === "terminated") {
      if (one.state.exitCode !== 0) failedInit++;
      initFailed ||= one.state.exitCode !== 0 && isFinal(one, one.state.exitCode);
    } else if (one.state.kind === "waiting" && one.last !== undefined && one.last.exitCode !== 0) failedInit++;
    else pendingInit++;
  }
  if (initFailed) return "Failed";
  let running = 0;
  let waiting = 0;
  let stopped = 0;
  let succeeded = 0;
  for (const one of record.main) {
    if (one.state.kind === "running") running++;
    else if (one.state.kind === "terminated") {
      stopped++;
      if (one.state.exitCode === 0) succeeded++;
      restarts ||= !isFinal(one, one.state.exitCode);
    } else if (one.last !== undefined) {
      stopped++;
      restarts = true;
    } else waiting++;
  }
  if (over && running === 0 && waiting > 0 && stopped === 0) return "Failed";
  const begun = running > 0 || stopped > 0;
  if ((pendingInit > 0 || failedInit > 0) && !begun) return over ? "Failed" : "Pending";
  if (waiting > 0 && !over) return "Pending";
  if (running > 0) return "Running";
  if (over) return stopped > 0 && stopped === succeeded ? "Succeeded" : "Failed";
  if (restarts) return "Running";
  return stopped === succeeded ? "Succeeded" : "Failed";
}

const list = (names: readonly string[]): string => `[${names.join(" ")}]`;

type Wanted = Omit<Condition, "lastTransitionTime">;

function initializedCondition(record: PodRecord, phase: PodPhase): Wanted {
  const pending = record.init.filter((one) => !hasInitialized(one)).map((one) => one.name);
  if (phase === "Succeeded") return { type: "Initialized", status: "True", reason: "PodCompleted" };
  if (pending.length === 0) return { type: "Initialized", status: "True" };
  return {
    type: "Initialized",
    status: "False",
    reason: "ContainersNotInitialized",
    message: `containers with incomplete status: ${list(pending)}`,
  };
}

function containersReadyCondition(record: PodRecord, phase: PodPhase): Wanted {
  if (phase === "Succeeded") return { type: "ContainersReady", status: "False", reason: "PodCompleted" };
  if (phase === "Failed") return { type: "ContainersReady", status: "False", reason: "PodFailed" };
  const unready = [...record.init.filter((one) => one.role === "sidecar"), ...record.main]
    .filter((one) => !one.ready)
    .map((one) => one.name);
  if (unready.length === 0) return { type: "ContainersReady", status: "True" };
  return {
    type: "ContainersReady",
    status: "False",
    reason: "ContainersNotReady",
    message: `containers with unready status: ${list(unready)}`,
  };
}

function readyCondition(pod: Pod, containers: Wanted): Wanted {
  if (containers.status !== "True") return { ...containers, type: "Ready" };
  const missing: string[] = [];
  for (const { conditionType } of pod.spec.readinessGates ?? []) {
    const gate = findCondition(pod.status?.conditions, conditionType);
    if (gate === undefined)
      missing.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
    else if (gate.status !== "True")
      missing.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${gate.status}`);
  }
  if (missing.length === 0) return { type: "Ready", status: "True" };
  return { type: "Ready", status: "False", reason: "ReadinessGatesNotReady", message: missing.join(", ") };
}

/** The whole status as it ought to stand; `over` as for `podPhase`. */
export function podStatus(
  pod: Pod,
  record: PodRecord,
  options: { hostIP: string; now: number; over: boolean },
): PodStatus {
  const phase = record.ended?.phase ?? podPhase(pod, record, options.over || record.ended !== undefined);
  const containers = containersReadyCondition(record, phase);
  const generation = pod.metadata.generation;
  let conditions = pod.status?.conditions;
  const wanted: Wanted[] = [
    { type: "PodReadyToStartContainers", status: record.sandboxReady ? "True" : "False" },
    initializedCondition(record, phase),
    readyCondition(pod, containers),
    containers,
  ];
  for (const condition of wanted) {
    // A message that no longer holds has to go, not to stay from the time before.
    const cleared = {
      reason: undefined,
      message: undefined,
      ...condition,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    };
    conditions = setCondition(conditions, cleared, options.now);
  }
  conditions = conditions?.filter(({ type }) => type !== "PodResizePending" || record.pendingResize !== undefined);
  if (record.pendingResize !== undefined)
    conditions = setCondition(
      conditions,
      {
        ...pendingResize(record.pendingResize),
        ...(generation === undefined ? {} : { observedGeneration: generation }),
      },
      options.now,
    );
  if (record.ended?.reason === "Evicted")
    conditions = setCondition(
      conditions,
      {
        type: "DisruptionTarget",
        status: "True",
        reason: "TerminationByKubelet",
        message: record.ended.message ?? "",
        ...(generation === undefined ? {} : { observedGeneration: generation }),
      },
      options.now,
    );
  const ip = record.podIP;
  const containerCount = allRecords(record).length;
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    phase,
    conditions,
    ...(record.ended?.reason === undefined ? {} : { reason: record.ended.reason }),
    ...(record.ended?.message === undefined ? {} : { message: record.ended.message }),
    hostIP: options.hostIP,
    hostIPs: [{ ip: options.hostIP }],
    ...(ip === undefined ? {} : { podIP: ip, podIPs: [{ ip }] }),
    startTime: formatTime(record.startTime),
    qosClass: pod.status?.qosClass ?? qosClass(pod),
    ...statuses("initContainerStatuses", pod.spec.initContainers, record.init, containerCount),
    ...statuses("containerStatuses", pod.spec.containers, record.main, containerCount),
    ...statuses("ephemeralContainerStatuses", pod.spec.ephemeralContainers, record.ephemeral, containerCount),
  };
}

function statuses(
  field: string,
  containers: readonly Container[] | undefined,
  records: readonly ContainerRecord[],
  count: number,
): Partial<PodStatus> {
  if (records.length === 0) return {};
  return {
    [field]: records.map((record) =>
      containerStatus(containers?.find((c) => c.name === record.name) ?? { name: record.name }, record, count),
    ),
  };
}
