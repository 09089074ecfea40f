/** Conditions of a status. */
import { formatTime } from "../api/clock.ts";
import type { Condition } from "../api/object.ts";

export type NewCondition = Omit<Condition, "lastTransitionTime">;

export const findCondition = <C extends Condition>(list: readonly C[] | undefined, type: string): C | undefined =>
  list?.find((condition) => condition.type === type);

export const isTrue = (list: readonly Condition[] | undefined, type: string): boolean =>
  findCondition(list, type)?.status === "True";

/**
 * `list` with `condition` in it. lastTransitionTime moves only with the status; where nothing differs
 * the very same list comes back, so that callers see that there is nothing to write.
 */
export function setCondition(
  list: readonly Condition[] | undefined,
  condition: NewCondition,
  now: number,
): Condition[] {
  const known = findCondition(list, condition.type);
  if (
    known !== undefined &&
    Object.entries(condition).every(([key, value]) => known[key as keyof Condition] === value)
  ) {
    return list as Condition[];
  }
  const lastTransitionTime = known?.status === condition.status ? known.lastTransitionTime : undefined;
  const next: Condition = { ...condition, lastTransitionTime: lastTransitionTime ?? formatTime(now) };
  return known === undefined ? [...(list ?? []), next] : (list ?? []).map((one) => (one === known ? next : one));
}

/** `list` without a type; the same list where it had none. */
export function removeCondition(list: readonly Condition[] | undefined, type: string): Condition[] {
  return findCondition(list, type) === undefined
    ? ((list ?? []) as Condition[])
    : (list ?? []).filter((one) => one.type !== type);
}
