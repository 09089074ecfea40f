/** How many pods each ReplicaSet of a Deployment should have next. Pure: from sizes to sizes. */
import type { Deployment, ReplicaSet } from "@travelops/kube";
import { byAge } from "../shared/pods.ts";
import {
  availableOf,
  DESIRED,
  desiredOf,
  isRollingUpdate,
  MAXIMUM,
  maxSurge,
  maxUnavailable,
  sizeOf,
  totalOf,
} from "./replica-sets.ts";

export interface Step {
  readonly set: ReplicaSet;
  readonly size: number;
}

/** Those with pods, or meant to have some. */
export const activeSets = (sets: readonly ReplicaSet[]): ReplicaSet[] => sets.filter((set) => sizeOf(set) > 0);

/** How large the new ReplicaSet may be, next to `others` pods wanted by the old ones. */
export function newSize(deployment: Deployment, current: number, others: number): number {
  const desired = desiredOf(deployment);
  if (!isRollingUpdate(deployment)) return desired;
  const room = desired + maxSurge(deployment) - (current + others);
  return room <= 0 ? current : current + Math.min(room, desired - current);
}

/** The next steps of a rolling update: up the new, then down the old as far as availability allows. */
export function rollingSteps(deployment: Deployment, fresh: ReplicaSet, old: readonly ReplicaSet[]): Step[] {
  const desired = desiredOf(deployment);
  const others = totalOf(old, sizeOf);
  const current = sizeOf(fresh);
  const size = current > desired ? desired : newSize(deployment, current, others);
  const steps: Step[] = size === current ? [] : [{ set: fresh, size }];
  const minAvailable = desired - maxUnavailable(deployment);
  const unavailable = size - Math.min(size, availableOf(fresh));
  const removable = size + others - minAvailable - unavailable;
  if (others === 0 || removable <= 0) return steps;
  return [...steps, ...scaleDownOld(old, availableOf(fresh), minAvailable, removable)];
}

/** Broken pods go first, since they cost nothing; then healthy ones above the minimum. Oldest ReplicaSets first. */
function scaleDownOld(
  old: readonly ReplicaSet[],
  freshAvailable: number,
  minAvailable: number,
  removable: number,
): Step[] {
  const sizes = new Map(old.toSorted(byAge).map((set) => [set, sizeOf(set)]));
  let left = removable;
  for (const [set, size] of sizes) {
    const cut = Math.min(left, Math.max(0, size - availableOf(set)));
    sizes.set(set, size - cut);
    left -= cut;
  }
  let surplus = Math.min(left, freshAvailable + totalOf(old, availableOf) - minAvailable);
  for (const [set, size] of sizes) {
    const cut = Math.min(Math.max(0, surplus), size);
    sizes.set(set, size - cut);
    surplus -= cut;
  }
  return [...sizes].filter(([set, size]) => size !== sizeOf(set)).map(([set, size]) => ({ set, size }));
}

/** Whether the Deployment was scaled since its ReplicaSets were last sized. */
export function isScalingEvent(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
  return activeSets(sets).some((set) => {
    const desired = set.metadata.annotations?.[DESIRED];
    return desired !== undefined && Number(desired) !== desiredOf(deployment);
  });
}

/** Sizes after a change of `replicas`, or while paused: in proportion when several ReplicaSets are in use. */
export function scalingSteps(
  deployment: Deployment,
  fresh: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): Step[] {
  const desired = desiredOf(deployment);
  const all = fresh === undefined ? [...old] : [fresh, ...old];
  const active = activeSets(all);
  const only = active.length > 1 ? undefined : (active[0] ?? fresh ?? old.toSorted(byAge).at(-1));
  if (only !== undefined) return sizeOf(only) === desired ? [] : [{ set: only, size: desired }];
  if (fresh !== undefined && isSaturated(deployment, fresh)) {
    return activeSets(old).map((set) => ({ set, size: 0 }));
  }
  return isRollingUpdate(deployment) ? proportionalSteps(deployment, active) : [];
}

const isSaturated = (deployment: Deployment, fresh: ReplicaSet): boolean =>
  sizeOf(fresh) === desiredOf(deployment) &&
  fresh.metadata.annotations?.[DESIRED] === String(desiredOf(deployment)) &&
  availableOf(fresh) === desiredOf(deployment);

function proportionalSteps(deployment: Deployment, active: readonly ReplicaSet[]): Step[] {
  const desired = desiredOf(deployment);
  const allowed = desired === 0 ? 0 : desired + maxSurge(deployment);
  const toAdd = allowed - totalOf(active, sizeOf);
  const bySize = active.toSorted((a, b) => sizeOf(b) - sizeOf(a) || (toAdd > 0 ? byAge(b, a) : byAge(a, b)));
  let added = 0;
  const sizes = bySize.map((set) => {
    if (toAdd === 0) return sizeOf(set);
    const share = shareOf(deployment, set);
    const left = toAdd - added;
    const part = toAdd > 0 ? Math.min(share, left) : Math.max(share, left);
    added += part;
    return sizeOf(set) + part;
  });
  // What rounding left over goes to the largest.
  return bySize.map((set, i) => ({
    set,
    size: Math.max(0, (sizes[i] ?? 0) + (i === 0 ? toAdd - added : 0)),
  }));
}

function shareOf(deployment: Deployment, set: ReplicaSet): number {
  const desired = desiredOf(deployment);
  if (desired === 0) return -sizeOf(set);
  const annotated = Number(set.metadata.annotations?.[MAXIMUM] ?? "0");
  const before = annotated > 0 ? annotated : (deployment.status?.replicas ?? 0);
  if (before === 0) return 0;
  return Math.round((sizeOf(set) * (desired + maxSurge(deployment))) / before) - sizeOf(set);
}
