import type { KubeObject } from "@travelops/kube";
import { age, AGE, array, number, printer, read, since, text, type Cell, type Printer } from "./printer.ts";

const NONE = "<none>";

interface Tally {
  ready: number;
  restarts: number;
  /** When a container last restarted, in milliseconds. */
  lastRestart: number;
}

function reasonOfState(status: unknown): string | undefined {
  const waiting = text(read(status, "state", "waiting", "reason"));
  if (waiting !== "") return waiting;
  const terminated = read(status, "state", "terminated");
  if (terminated === undefined) return undefined;
  const reason = text(read(terminated, "reason"));
  if (reason !== "") return reason;
  const signal = number(read(terminated, "signal"));
  return signal !== 0 ? `Signal:${signal}` : `ExitCode:${number(read(terminated, "exitCode"))}`;
}

const isSidecar = (pod: KubeObject, name: string): boolean =>
  array(read(pod, "spec", "initContainers")).some(
    (c) => read(c, "name") === name && read(c, "restartPolicy") === "Always",
  );

function count(tally: Tally, status: unknown): void {
  tally.restarts += number(read(status, "restartCount"));
  const finished = Date.parse(text(read(status, "lastState", "terminated", "finishedAt")));
  if (!Number.isNaN(finished)) tally.lastRestart = Math.max(tally.lastRestart, finished);
}

/** The reason of the init container that holds the pod up; undefined when all are through. */
function initReason(pod: KubeObject, tally: Tally): string | undefined {
  const total = array(read(pod, "spec", "initContainers")).length;
  const statuses = array(read(pod, "status", "initContainerStatuses"));
  for (const [i, status] of statuses.entries()) {
    count(tally, status);
    const sidecar = isSidecar(pod, text(read(status, "name")));
    const terminated = read(status, "state", "terminated");
    if (terminated !== undefined && number(read(terminated, "exitCode")) === 0) continue;
    if (sidecar && read(status, "started") === true) {
      if (read(status, "ready") === true) tally.ready++;
      continue;
    }
    const waiting = text(read(status, "state", "waiting", "reason"));
    if (terminated !== undefined || (waiting !== "" && waiting !== "PodInitializing")) {
      const reason = reasonOfState(status) ?? "";
      return `Init:${reason}`;
    }
    return `Init:${i}/${total}`;
  }
  return undefined;
}

function mainReason(pod: KubeObject, reason: string, tally: Tally): string {
  let result = reason;
  let running = false;
  const statuses = array(read(pod, "status", "containerStatuses"));
  for (const status of statuses.toReversed()) {
    count(tally, status);
    const state = reasonOfState(status);
    if (state !== undefined) result = state;
    else if (read(status, "ready") === true && read(status, "state", "running") !== undefined) {
      running = true;
      tally.ready++;
    }
  }
  if (result === "Completed" && running) {
    const ready = array(read(pod, "status", "conditions")).some(
      (c) => read(c, "type") === "Ready" && read(c, "status") === "True",
    );
    result = ready ? "Running" : "NotReady";
  }
  return result;
}

/** STATUS of `kubectl get pods`, with what it counts on the way. */
export function podStatus(pod: KubeObject): { status: string; tally: Tally } {
  const tally: Tally = { ready: 0, restarts: 0, lastRestart: 0 };
  let status = text(read(pod, "status", "reason"), text(read(pod, "status", "phase")));
  const gated = array(read(pod, "status", "conditions")).some(
    (c) => read(c, "type") === "PodScheduled" && read(c, "reason") === "SchedulingGated",
  );
  if (gated) status = "SchedulingGated";
  const initialised = { ...tally };
  const init = initReason(pod, initialised);
  if (init !== undefined) {
    return { status: deleted(pod, init), tally: initialised };
  }
  tally.ready = initialised.ready;
  tally.restarts = array(read(pod, "status", "initContainerStatuses"))
    .filter((s) => isSidecar(pod, text(read(s, "name"))))
    .reduce<number>((sum, s) => sum + number(read(s, "restartCount")), 0);
  tally.lastRestart = initialised.lastRestart;
  status = mainReason(pod, status, tally);
  return { status: deleted(pod, status), tally };
}

function deleted(pod: KubeObject, status: string): string {
  if (pod.metadata.deletionTimestamp === undefined) return status;
  if (read(pod, "status", "reason") === "NodeLost") return "Unknown";
  return ["Succeeded", "Failed"].includes(text(read(pod, "status", "phase"))) ? status : "Terminating";
}

function readinessGates(pod: KubeObject): string {
  const gates = array(read(pod, "spec", "readinessGates"));
  if (gates.length === 0) return NONE;
  const passed = gates.filter((gate) =>
    array(read(pod, "status", "conditions")).some(
      (c) => read(c, "type") === read(gate, "conditionType") && read(c, "status") === "True",
    ),
  );
  return `${passed.length}/${gates.length}`;
}

function cells(pod: KubeObject, now: number): Cell[] {
  const { status, tally } = podStatus(pod);
  const sidecars = array(read(pod, "spec", "initContainers")).filter(
    (c) => read(c, "restartPolicy") === "Always",
  ).length;
  const total = array(read(pod, "spec", "containers")).length + sidecars;
  const restarts =
    tally.restarts > 0 && tally.lastRestart > 0
      ? `${tally.restarts} (${since(new Date(tally.lastRestart).toISOString(), now)} ago)`
      : String(tally.restarts);
  return [
    `${tally.ready}/${total}`,
    status,
    restarts,
    age(pod, now),
    text(read(pod, "status", "podIP"), NONE) || NONE,
    text(read(pod, "spec", "nodeName"), NONE) || NONE,
    text(read(pod, "status", "nominatedNodeName"), NONE) || NONE,
    readinessGates(pod),
  ];
}

export const pods: Printer = printer(
  [
    ["Ready", "string", "The aggregate readiness state of this pod for accepting traffic."],
    ["Status", "string", "The aggregate status of the containers in this pod."],
    [
      "Restarts",
      "string",
      "The number of times the containers in this pod have been restarted and when the last container in this pod has restarted.",
    ],
    AGE,
  ],
  [
    [
      "IP",
      "string",
      "podIP address allocated to the pod. Routable at least within the cluster. Empty if not yet allocated.",
    ],
    ["Node", "string", "NodeName indicates in which node this pod is scheduled."],
    ["Nominated Node", "string", "The node that preemption has made room on for this pod."],
    ["Readiness Gates", "string", "Conditions beyond its containers' readiness that this pod waits for."],
  ],
  cells,
);
