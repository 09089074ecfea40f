/** A Deployment's ReplicaSets: which is the new one, what revision each stands for. Pure. */
import type { Deployment, PodTemplateSpec, ReplicaSet } from "@travelops/kube";
import { controllerReference, DEPLOYMENTS, jsonEqual } from "@travelops/kube";
import { byAge } from "../shared/pods.ts";
import { TEMPLATE_HASH, templateHash } from "../shared/template.ts";
import { scaled } from "../shared/int-or-percent.ts";

export const REVISION = "deployment.kubernetes.io/revision";
const REVISION_HISTORY = "deployment.kubernetes.io/revision-history";
export const DESIRED = "deployment.kubernetes.io/desired-replicas";
export const MAXIMUM = "deployment.kubernetes.io/max-replicas";

/** Annotations that belong to one object and are not handed on. */
const OWN = new Set([
  "kubectl.kubernetes.io/last-applied-configuration",
  "deprecated.deployment.rollback.revision",
  REVISION,
  REVISION_HISTORY,
  DESIRED,
  MAXIMUM,
]);
const HISTORY_LIMIT = 2000;

export const desiredOf = (deployment: Deployment): number => deployment.spec.replicas ?? 1;
export const sizeOf = (set: ReplicaSet): number => set.spec.replicas ?? 1;
export const availableOf = (set: ReplicaSet): number => set.status?.availableReplicas ?? 0;
export const totalOf = (sets: readonly ReplicaSet[], of: (set: ReplicaSet) => number): number =>
  sets.reduce((sum, set) => sum + of(set), 0);

export const isRollingUpdate = (deployment: Deployment): boolean => deployment.spec.strategy?.type !== "Recreate";

export function maxSurge(deployment: Deployment): number {
  if (!isRollingUpdate(deployment)) return 0;
  return scaled(deployment.spec.strategy?.rollingUpdate?.maxSurge, desiredOf(deployment), "up");
}

export function maxUnavailable(deployment: Deployment): number {
  const desired = desiredOf(deployment);
  if (!isRollingUpdate(deployment) || desired === 0) return 0;
  const unavailable = scaled(deployment.spec.strategy?.rollingUpdate?.maxUnavailable, desired, "down");
  // Both zero would allow no step at all: validation forbids it, but percentages may round down to it.
  const either = unavailable === 0 && maxSurge(deployment) === 0 ? 1 : unavailable;
  return Math.min(either, desired);
}

function withoutHash(template: PodTemplateSpec | undefined): unknown {
  if (template?.metadata?.labels?.[TEMPLATE_HASH] === undefined) return template;
  const { [TEMPLATE_HASH]: _, ...labels } = template.metadata.labels;
  return { ...template, metadata: { ...template.metadata, labels } };
}

function sameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec): boolean {
  return jsonEqual(normal(withoutHash(a)), normal(withoutHash(b)));
}

/** Servers write the empty metadata of a template in more than one way. */
function normal(template: unknown): unknown {
  const { metadata, ...rest } = (template ?? {}) as {
    metadata?: { labels?: object; creationTimestamp?: unknown };
  };
  const { creationTimestamp: _, labels, ...others } = metadata ?? {};
  return { ...rest, metadata: { ...others, labels: labels ?? {} } };
}

/** The oldest that has the Deployment's template. */
export function newReplicaSet(deployment: Deployment, sets: readonly ReplicaSet[]): ReplicaSet | undefined {
  return sets.toSorted(byAge).find((set) => sameTemplate(set.spec.template, deployment.spec.template));
}

export function revisionOf(set: { metadata: ReplicaSet["metadata"] }): number {
  const revision = Number(set.metadata.annotations?.[REVISION] ?? "0");
  return Number.isSafeInteger(revision) ? revision : 0;
}

export const maxRevision = (sets: readonly ReplicaSet[]): number => Math.max(0, ...sets.map(revisionOf));

/** The annotations that say how large the rollout is, for proportional scaling. */
export function sizeAnnotations(deployment: Deployment): Record<string, string> {
  const desired = desiredOf(deployment);
  return { [DESIRED]: String(desired), [MAXIMUM]: String(desired + maxSurge(deployment)) };
}

/** What the new ReplicaSet's annotations should be: the Deployment's own, and at least `revision`. */
export function annotationsOfNew(
  deployment: Deployment,
  set: ReplicaSet | undefined,
  revision: number,
): Record<string, string> {
  const current = set?.metadata.annotations ?? {};
  const next: Record<string, string> = { ...current };
  for (const [key, value] of Object.entries(deployment.metadata.annotations ?? {}))
    if (!OWN.has(key)) next[key] = value;
  const before = current[REVISION];
  if (Number(before ?? "0") < revision) {
    next[REVISION] = String(revision);
    if (before !== undefined) next[REVISION_HISTORY] = historyWith(current[REVISION_HISTORY], before);
  }
  return set === undefined ? { ...next, ...sizeAnnotations(deployment) } : next;
}

/** Revisions a template stood for before it was rolled back to, the oldest cut off when it grows long. */
function historyWith(history: string | undefined, revision: string): string {
  const revisions = history === undefined || history === "" ? [] : history.split(",");
  revisions.push(revision);
  while (revisions.join(",").length > HISTORY_LIMIT && revisions.length > 1) revisions.shift();
  return revisions.join(",");
}

/** The ReplicaSet of the Deployment's present template, not yet made. */
export function replicaSetFor(deployment: Deployment, size: number, revision: number): ReplicaSet {
  const { template, selector, minReadySeconds } = deployment.spec;
  const hash = templateHash(template, deployment.status?.collisionCount ?? 0);
  const labels = { ...template.metadata?.labels, [TEMPLATE_HASH]: hash };
  return {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace,
      labels,
      annotations: annotationsOfNew(deployment, undefined, revision),
      ownerReferences: [controllerReference(deployment, DEPLOYMENTS)],
    },
    spec: {
      replicas: size,
      ...(minReadySeconds === undefined ? {} : { minReadySeconds }),
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [TEMPLATE_HASH]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
    },
  };
}

/** Whether an existing ReplicaSet of the expected name is the one that was to be made. */
export const isSame = (existing: ReplicaSet, deployment: Deployment): boolean =>
  sameTemplate(existing.spec.template, deployment.spec.template);

/** Old ReplicaSets beyond the history limit, oldest revision first; those still in use are kept. */
export function surplusHistory(deployment: Deployment, old: readonly ReplicaSet[]): ReplicaSet[] {
  const limit = deployment.spec.revisionHistoryLimit ?? 10;
  const living = old.filter((set) => set.metadata.deletionTimestamp === undefined);
  const surplus = living.length - limit;
  if (surplus <= 0) return [];
  return living
    .toSorted((a, b) => revisionOf(a) - revisionOf(b))
    .slice(0, surplus)
    .filter(
      (set) =>
        (set.status?.replicas ?? 0) === 0 &&
        sizeOf(set) === 0 &&
        (set.metadata.generation ?? 0) <= (set.status?.observedGeneration ?? 0),
    );
}
