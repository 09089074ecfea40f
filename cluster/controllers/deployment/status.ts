/** A Deployment's status, in upstream's words. Pure. */
import type { Condition, Deployment, DeploymentStatus, ReplicaSet } from "@travelops/kube";
import { findCondition, formatTime, removeCondition } from "@travelops/kube";
import { availableOf, desiredOf, maxUnavailable, totalOf } from "./replica-sets.ts";

const INFINITE_DEADLINE = 2 ** 31 - 1;

const hasDeadline = (deployment: Deployment): boolean =>
  deployment.spec.progressDeadlineSeconds !== undefined &&
  deployment.spec.progressDeadlineSeconds !== INFINITE_DEADLINE;

type Input = Pick<Condition, "type" | "status" | "reason" | "message">;

/**
 * As upstream sets a Deployment's condition: nothing moves when status and reason are the same; otherwise
 * lastUpdateTime is now, from which the progress deadline counts.
 */
function withCondition(list: readonly Condition[], condition: Input, now: number): Condition[] {
  const known = findCondition(list, condition.type);
  if (known !== undefined && known.status === condition.status && known.reason === condition.reason) return [...list];
  return replaced(list, condition, known, now);
}

function replaced(
  list: readonly Condition[],
  condition: Input,
  known: Condition | undefined,
  now: number,
): Condition[] {
  const lastTransitionTime = known?.status === condition.status ? known.lastTransitionTime : formatTime(now);
  const next: Condition = { ...condition, lastUpdateTime: formatTime(now), lastTransitionTime };
  return [...list.filter((one) => one.type !== condition.type), next];
}

export type Progress =
  | { readonly kind: "created" | "found"; readonly set: string }
  | { readonly kind: "create-failed"; readonly set: string; readonly why: string };

export interface StatusInput {
  readonly deployment: Deployment;
  readonly fresh: ReplicaSet | undefined;
  readonly old: readonly ReplicaSet[];
  /** What this pass did about the new ReplicaSet. */
  readonly progress?: Progress;
  readonly collisionCount?: number;
  readonly now: number;
}

export function deploymentStatus(input: StatusInput): DeploymentStatus {
  const { deployment, fresh, old, now } = input;
  const all = fresh === undefined ? old : [...old, fresh];
  const replicas = totalOf(all, (set) => set.status?.replicas ?? 0);
  const available = totalOf(all, availableOf);
  const counted: DeploymentStatus = {
    observedGeneration: deployment.metadata.generation,
    replicas: optional(replicas),
    updatedReplicas: optional(fresh?.status?.replicas ?? 0),
    readyReplicas: optional(totalOf(all, (set) => set.status?.readyReplicas ?? 0)),
    availableReplicas: optional(available),
    // What is wanted and not available; also pods wanted by ReplicaSets that have not made them yet.
    unavailableReplicas: optional(Math.max(0, totalOf(all, (set) => set.spec.replicas ?? 1) - available)),
    terminatingReplicas: terminatingOf(all),
    collisionCount: input.collisionCount ?? deployment.status?.collisionCount,
  };
  const conditions = progressing(input, counted, availability(deployment, available, now));
  return { ...counted, conditions: failures(conditions, all, fresh, now) };
}

const optional = (count: number): number | undefined => (count === 0 ? undefined : count);

/** Known only once every ReplicaSet reports it. */
function terminatingOf(sets: readonly ReplicaSet[]): number | undefined {
  let sum = 0;
  for (const set of sets) {
    const terminating = set.status?.terminatingReplicas;
    if (terminating === undefined) return undefined;
    sum += terminating;
  }
  return sum;
}

function availability(deployment: Deployment, available: number, now: number): Condition[] {
  const enough = available >= desiredOf(deployment) - maxUnavailable(deployment);
  const condition: Input = enough
    ? {
        type: "Available",
        status: "True",
        reason: "MinimumReplicasAvailable",
        message: "Deployment has minimum availability.",
      }
    : {
        type: "Available",
        status: "False",
        reason: "MinimumReplicasUnavailable",
        message: "Deployment does not have minimum availability.",
      };
  return withCondition(deployment.status?.conditions ?? [], condition, now);
}

export function isComplete(deployment: Deployment, status: DeploymentStatus): boolean {
  const desired = desiredOf(deployment);
  return (
    (status.updatedReplicas ?? 0) === desired &&
    (status.replicas ?? 0) === desired &&
    (status.availableReplicas ?? 0) === desired &&
    (status.observedGeneration ?? 0) >= (deployment.metadata.generation ?? 0)
  );
}

function isProgressing(before: DeploymentStatus, after: DeploymentStatus): boolean {
  const updated = (status: DeploymentStatus): number => status.updatedReplicas ?? 0;
  const outdated = (status: DeploymentStatus): number => (status.replicas ?? 0) - updated(status);
  return (
    updated(after) > updated(before) ||
    outdated(after) < outdated(before) ||
    (after.readyReplicas ?? 0) > (before.readyReplicas ?? 0) ||
    (after.availableReplicas ?? 0) > (before.availableReplicas ?? 0)
  );
}

/** Milliseconds until the progress deadline; negative once it has passed. Undefined where none runs. */
export function deadlineIn(
  deployment: Deployment,
  conditions: readonly Condition[] | undefined,
  now: number,
): number | undefined {
  const condition = findCondition(conditions, "Progressing");
  if (!hasDeadline(deployment) || deployment.spec.paused === true || condition?.lastUpdateTime === undefined)
    return undefined;
  if (condition.reason === "NewReplicaSetAvailable" || condition.reason === "ProgressDeadlineExceeded")
    return undefined;
  return Date.parse(condition.lastUpdateTime) + (deployment.spec.progressDeadlineSeconds ?? 0) * 1000 - now;
}

function progressing(input: StatusInput, status: DeploymentStatus, conditions: Condition[]): Condition[] {
  const { deployment, fresh, now } = input;
  if (!hasDeadline(deployment)) return removeCondition(conditions, "Progressing");
  const list = pausing(deployment, begun(input, conditions), now);
  if (deployment.spec.paused === true) return list;
  const set = (reason: string, message: string, value: "True" | "False" = "True"): Condition[] =>
    withCondition(list, { type: "Progressing", status: value, reason, message }, now);
  const subject =
    fresh === undefined ? `Deployment "${deployment.metadata.name}"` : `ReplicaSet "${fresh.metadata.name}"`;
  const known = findCondition(list, "Progressing");
  const done = (status.replicas ?? 0) === (status.updatedReplicas ?? 0) && known?.reason === "NewReplicaSetAvailable";
  if (done) return list;
  if (isComplete(deployment, status)) return set("NewReplicaSetAvailable", `${subject} has successfully progressed.`);
  if (isProgressing(deployment.status ?? {}, status)) {
    // Every step restarts the deadline, so the time moves though the reason stays.
    const condition: Input = {
      type: "Progressing",
      status: "True",
      reason: "ReplicaSetUpdated",
      message: `${subject} is progressing.`,
    };
    return replaced(list, condition, known, now);
  }
  const left = deadlineIn(deployment, list, now);
  if (left !== undefined && left < 0)
    return set("ProgressDeadlineExceeded", `${subject} has timed out progressing.`, "False");
  return list;
}

/** The condition when a rollout begins. */
function begun({ progress, now }: StatusInput, conditions: Condition[]): Condition[] {
  if (progress === undefined) return conditions;
  const set = (reason: string, message: string, status: "True" | "False" = "True"): Condition[] =>
    withCondition(conditions, { type: "Progressing", status, reason, message }, now);
  switch (progress.kind) {
    case "created":
      return set("NewReplicaSetCreated", `Created new replica set "${progress.set}"`);
    case "found":
      if (findCondition(conditions, "Progressing") !== undefined) return conditions;
      return set("FoundNewReplicaSet", `Found new replica set "${progress.set}"`);
    case "create-failed":
      return set(
        "ReplicaSetCreateError",
        `Failed to create new replica set "${progress.set}": ${progress.why}`,
        "False",
      );
  }
}

function pausing(deployment: Deployment, conditions: Condition[], now: number): Condition[] {
  const known = findCondition(conditions, "Progressing");
  if (known?.reason === "ProgressDeadlineExceeded") return conditions;
  const paused = deployment.spec.paused === true;
  if (paused === (known?.reason === "DeploymentPaused")) return conditions;
  const reason = paused ? "DeploymentPaused" : "DeploymentResumed";
  const message = paused ? "Deployment is paused" : "Deployment is resumed";
  return withCondition(conditions, { type: "Progressing", status: "Unknown", reason, message }, now);
}

/** A ReplicaSet that cannot make its pods says why; the Deployment repeats it. */
function failures(
  conditions: Condition[],
  all: readonly ReplicaSet[],
  fresh: ReplicaSet | undefined,
  now: number,
): Condition[] {
  const ordered = fresh === undefined ? all : [fresh, ...all.filter((set) => set !== fresh)];
  for (const set of ordered) {
    const failure = findCondition(set.status?.conditions, "ReplicaFailure");
    if (failure?.status !== "True") continue;
    const { reason, message } = failure;
    return withCondition(conditions, { type: "ReplicaFailure", status: "True", reason, message }, now);
  }
  return removeCondition(conditions, "ReplicaFailure");
}
