/** In which order resources are applied: phase, wave, kind, name (gitops-engine pkg/sync/sync_tasks.go). */
import { parseApiVersion, type KubeObject } from "@travelops/kube";
import type { SyncPhase } from "../application/types.ts";

const KIND_ORDER = [
  "Namespace",
  "NetworkPolicy",
  "ResourceQuota",
  "LimitRange",
  "PodSecurityPolicy",
  "PodDisruptionBudget",
  "ServiceAccount",
  "Secret",
  "SecretList",
  "ConfigMap",
  "StorageClass",
  "PersistentVolume",
  "PersistentVolumeClaim",
  "CustomResourceDefinition",
  "ClusterRole",
  "ClusterRoleList",
  "ClusterRoleBinding",
  "ClusterRoleBindingList",
  "Role",
  "RoleList",
  "RoleBinding",
  "RoleBindingList",
  "Service",
  "DaemonSet",
  "Pod",
  "ReplicationController",
  "ReplicaSet",
  "Deployment",
  "HorizontalPodAutoscaler",
  "StatefulSet",
  "Job",
  "CronJob",
  "IngressClass",
  "Ingress",
  "APIService",
] as const;

const RANK: ReadonlyMap<string, number> = new Map(KIND_ORDER.map((kind, index) => [kind, index]));
const PHASE_RANK: Record<SyncPhase, number> = { PreSync: -1, Sync: 0, PostSync: 1, SyncFail: 2 };

export const kindRank = (kind: string): number => RANK.get(kind) ?? KIND_ORDER.length;

export interface OrderedTask {
  phase: SyncPhase;
  wave: number;
  object: KubeObject;
}

export function compareTasks(a: OrderedTask, b: OrderedTask): number {
  return (
    PHASE_RANK[a.phase] - PHASE_RANK[b.phase] ||
    a.wave - b.wave ||
    kindRank(a.object.kind) - kindRank(b.object.kind) ||
    byText(a.object.kind, b.object.kind) ||
    byText(a.object.metadata.name ?? "", b.object.metadata.name ?? "")
  );
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The sync-wave annotation, else Helm's hook weight, else 0. */
export function waveOf(object: KubeObject): number {
  const annotations = object.metadata.annotations;
  const text = annotations?.["argocd.argoproj.io/sync-wave"] ?? annotations?.["helm.sh/hook-weight"];
  const wave = Number.parseInt(text ?? "0", 10);
  return Number.isNaN(wave) ? 0 : wave;
}

/**
 * Sorted, with each Namespace and CustomResourceDefinition moved before the first task that needs it
 * (it takes over that task's phase and wave).
 */
export function orderTasks<T extends OrderedTask>(tasks: readonly T[]): T[] {
  const sorted = tasks.toSorted(compareTasks);
  for (const task of [...sorted]) {
    if (!isPrerequisite(task.object)) continue;
    const own = sorted.indexOf(task);
    const needed = sorted.findIndex((other, index) => index < own && needs(other.object, task.object));
    const user = sorted[needed];
    if (user === undefined) continue;
    sorted.splice(own, 1);
    sorted.splice(needed, 0, { ...task, phase: user.phase, wave: user.wave });
  }
  return sorted;
}

const isPrerequisite = (object: KubeObject): boolean =>
  (object.kind === "Namespace" && object.apiVersion === "v1") || object.kind === "CustomResourceDefinition";

export function needs(object: KubeObject, prerequisite: KubeObject): boolean {
  if (prerequisite.kind === "Namespace")
    return object.metadata.namespace === prerequisite.metadata.name && object.metadata.namespace !== undefined;
  const spec = prerequisite["spec"] as { group?: string; names?: { kind?: string } } | undefined;
  return parseApiVersion(object.apiVersion).group === spec?.group && object.kind === spec?.names?.kind;
}
