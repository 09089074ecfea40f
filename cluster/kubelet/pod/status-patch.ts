/** The smallest strategic-merge patch that turns one pod status into another. */
import { isDeepStrictEqual } from "node:util";
import type { Condition } from "@travelops/kube";
import type { PodStatus } from "@travelops/kube/api/types/index.ts";

const MERGED_BY_IP = new Set(["podIPs", "hostIPs"]);

/** undefined: nothing differs. */
export function statusPatch(before: PodStatus | undefined, after: PodStatus): Record<string, unknown> | undefined {
  const patch: Record<string, unknown> = {};
  const old = (before ?? {}) as Record<string, unknown>;
  for (const [field, value] of Object.entries(after)) {
    if (value === undefined || isDeepStrictEqual(old[field], value)) continue;
    if (field === "conditions") {
      const changed = changedConditions(before?.conditions, after.conditions ?? []);
      if (changed.length > 0) patch[field] = changed;
    } else patch[field] = MERGED_BY_IP.has(field) ? [{ $patch: "replace" }, ...(value as unknown[])] : value;
  }
  for (const field of ["reason", "message"]) if (old[field] !== undefined && !(field in after)) patch[field] = null;
  return Object.keys(patch).length === 0 ? undefined : patch;
}

const FIELDS = ["status", "reason", "message", "lastTransitionTime", "observedGeneration"] as const;

function changedConditions(
  before: readonly Condition[] | undefined,
  after: readonly Condition[],
): Record<string, unknown>[] {
  const gone = (before ?? []).filter(({ type }) => !after.some((one) => one.type === type));
  const changed = after.flatMap((condition) => {
    const old = before?.find((one) => one.type === condition.type);
    if (old !== undefined && FIELDS.every((field) => old[field] === condition[field])) return [];
    const entry: Record<string, unknown> = { type: condition.type };
    for (const field of FIELDS) {
      if (condition[field] !== undefined) entry[field] = condition[field];
      else if (old?.[field] !== undefined) entry[field] = null;
    }
    return [entry];
  });
  return [...changed, ...gone.map(({ type }) => ({ $patch: "delete", type }))];
}
