/** Workload controllers: generation first, then what their status counts say. */
import type { Condition, KubeObject } from "@travelops/kube";
import type { ApplicationStatus } from "../application/types.ts";
import type { Health } from "./health.ts";

interface WorkloadSpec {
  replicas?: number;
  paused?: boolean;
  suspend?: boolean;
  updateStrategy?: { type?: string; rollingUpdate?: { partition?: number } };
}

interface WorkloadStatus {
  observedGeneration?: number;
  replicas?: number;
  updatedReplicas?: number;
  availableReplicas?: number;
  readyReplicas?: number;
  updateRevision?: string;
  currentRevision?: string;
  desiredNumberScheduled?: number;
  updatedNumberScheduled?: number;
  numberAvailable?: number;
  conditions?: Condition[];
}

const specOf = (object: KubeObject): WorkloadSpec => (object["spec"] ?? {}) as WorkloadSpec;
const statusOf = (object: KubeObject): WorkloadStatus => (object["status"] ?? {}) as WorkloadStatus;

const healthy = (message?: string): Health => ({
  status: "Healthy",
  ...(message === undefined ? {} : { message }),
});
const progressing = (message: string): Health => ({ status: "Progressing", message });

const observed = (object: KubeObject): boolean =>
  (statusOf(object).observedGeneration ?? 0) >= (object.metadata.generation ?? 0);

export function deploymentHealth(object: KubeObject): Health {
  const spec = specOf(object);
  const status = statusOf(object);
  if (spec.paused === true) return { status: "Suspended", message: "Deployment is paused" };
  if (!observed(object))
    return progressing("Waiting for rollout to finish: observed deployment generation less than desired generation");
  const failing = status.conditions?.find(
    (condition) => condition.type === "Progressing" && condition.reason === "ProgressDeadlineExceeded",
  );
  if (failing !== undefined)
    return {
      status: "Degraded",
      message: `Deployment "${object.metadata.name}" exceeded its progress deadline`,
    };
  const wanted = spec.replicas ?? 1;
  const updated = status.updatedReplicas ?? 0;
  const total = status.replicas ?? 0;
  const available = status.availableReplicas ?? 0;
  if (updated < wanted)
    return progressing(`Waiting for rollout to finish: ${updated} out of ${wanted} new replicas have been updated...`);
  if (total > updated)
    return progressing(`Waiting for rollout to finish: ${total - updated} old replicas are pending termination...`);
  if (available < updated)
    return progressing(`Waiting for rollout to finish: ${available} of ${updated} updated replicas are available...`);
  return healthy();
}

export function statefulSetHealth(object: KubeObject): Health {
  const spec = specOf(object);
  const status = statusOf(object);
  if (!observed(object)) return progressing("Waiting for statefulset spec update to be observed...");
  const wanted = spec.replicas ?? 1;
  const ready = status.readyReplicas ?? 0;
  if (ready < wanted) return progressing(`Waiting for ${wanted - ready} pods to be ready...`);
  const partition = spec.updateStrategy?.rollingUpdate?.partition ?? 0;
  if (spec.updateStrategy?.type === "OnDelete") return healthy(`statefulset has ${ready} ready pods`);
  if (partition > 0) {
    const updated = status.updatedReplicas ?? 0;
    if (updated < wanted - partition)
      return progressing(
        `Waiting for partitioned roll out to finish: ${updated} out of ${wanted - partition} new pods have been updated...`,
      );
    return healthy(`partitioned roll out complete: ${updated} new pods have been updated...`);
  }
  if (status.updateRevision !== status.currentRevision)
    return progressing(
      `waiting for statefulset rolling update to complete ${status.updatedReplicas ?? 0} pods at revision ${status.updateRevision ?? ""}...`,
    );
  return healthy();
}

export function daemonSetHealth(object: KubeObject): Health {
  const status = statusOf(object);
  if (!observed(object))
    return progressing("Waiting for rollout to finish: observed daemon set generation less than desired generation");
  const wanted = status.desiredNumberScheduled ?? 0;
  if (specOf(object).updateStrategy?.type !== "OnDelete") {
    const updated = status.updatedNumberScheduled ?? 0;
    if (updated < wanted)
      return progressing(
        `Waiting for daemon set rollout to finish: ${updated} out of ${wanted} new pods have been updated...`,
      );
  }
  const available = status.numberAvailable ?? 0;
  if (available < wanted)
    return progressing(
      `Waiting for daemon set rollout to finish: ${available} of ${wanted} updated pods are available...`,
    );
  return healthy();
}

export function replicaSetHealth(object: KubeObject): Health {
  const status = statusOf(object);
  if (!observed(object))
    return progressing("Waiting for rollout to finish: observed replica set generation less than desired generation");
  const failure = status.conditions?.find(
    (condition) => condition.type === "ReplicaFailure" && condition.status === "True",
  );
  if (failure !== undefined) return { status: "Degraded", message: failure.message ?? "replica failure" };
  const wanted = specOf(object).replicas ?? 1;
  const available = status.availableReplicas ?? 0;
  return available < wanted
    ? progressing(`Waiting for rollout to finish: ${available} out of ${wanted} new replicas are available...`)
    : healthy();
}

export function jobHealth(object: KubeObject): Health {
  const conditions = statusOf(object).conditions ?? [];
  const holds = (type: string): Condition | undefined =>
    conditions.find((condition) => condition.type === type && condition.status === "True");
  const failed = holds("Failed");
  if (failed !== undefined) return { status: "Degraded", message: failed.message ?? "job failed" };
  const complete = holds("Complete");
  if (complete !== undefined) return healthy(complete.message);
  if (specOf(object).suspend === true || holds("Suspended") !== undefined)
    return { status: "Suspended", message: "Job is suspended" };
  return progressing("Job is running");
}

export function hpaHealth(object: KubeObject): Health {
  const conditions = statusOf(object).conditions ?? [];
  const failing = conditions.find(
    (condition) =>
      condition.status === "False" &&
      (condition.type === "AbleToScale" ||
        (condition.type === "ScalingActive" && condition.reason !== "ScalingDisabled")),
  );
  if (failing !== undefined) return { status: "Degraded", message: failing.message ?? failing.type };
  const able = conditions.find((condition) => condition.type === "AbleToScale" || condition.type === "ScalingLimited");
  return able === undefined ? progressing("Waiting to Autoscale") : healthy(able.message);
}

/** As Validated Patterns ships it: an app of apps waits for its children to be synced as well. */
export function appHealth(object: KubeObject): Health {
  const status = (object["status"] ?? {}) as ApplicationStatus;
  const health = status.health?.status;
  if (health === undefined) return progressing("Waiting for the application to be reconciled");
  if (health === "Healthy" && status.sync?.status !== "Synced")
    return progressing(`Application is ${status.sync?.status ?? "Unknown"}`);
  return {
    status: health,
    ...(status.health?.message === undefined ? {} : { message: status.health.message }),
  };
}
