/** What to do next for a pod that is to run; pure, so that every order of events can be tried in a test. */
import type { Pod } from "@travelops/kube/api/types/index.ts";
import { hasInitialized } from "./pod-status.ts";
import { isOver, type ContainerRecord, type PodRecord } from "./pod-record.ts";

export interface Plan {
  /** Containers whose turn has come. */
  readonly start: readonly ContainerRecord[];
  /** Containers that wait out their back-off. */
  readonly backoff: readonly ContainerRecord[];
  /** The main containers are done: sidecars end, too. */
  readonly stopSidecars: boolean;
  /** When to look again, if nothing happens before. */
  readonly wakeAt: number;
}

export const FIRST_BACKOFF_MS = 10_000;
export const LONGEST_BACKOFF_MS = 300_000;
/** A container that ran this long starts with a clean slate. */
const BACKOFF_RESET_MS = 600_000;

/** The time before which a container is not started again. */
export function startableAt(record: ContainerRecord): number {
  const again = record.backoff.delayMs === 0 ? 0 : record.endedAt + record.backoff.delayMs;
  return Math.max(again, record.pull?.until ?? 0, record.backoff.until);
}

/** Counts a start: the wait before the next one doubles, unless the last run was a long one. */
export function countStart(record: ContainerRecord): void {
  const past = record.state.kind === "terminated" ? record.state : record.last;
  if (past === undefined) return;
  const ran = (past.finishedAt ?? 0) - (past.startedAt ?? past.finishedAt ?? 0);
  const before = ran >= BACKOFF_RESET_MS ? 0 : record.backoff.delayMs;
  record.backoff = { until: 0, delayMs: Math.min(LONGEST_BACKOFF_MS, before === 0 ? FIRST_BACKOFF_MS : before * 2) };
}

export function planPod(pod: Pod, record: PodRecord, now: number): Plan {
  const start: ContainerRecord[] = [];
  const backoff: ContainerRecord[] = [];
  let wakeAt = Number.POSITIVE_INFINITY;
  const consider = (one: ContainerRecord): void => {
    if (one.state.kind === "running") return;
    const at = resetIfLong(one) ? 0 : startableAt(one);
    if (at <= now) {
      start.push(one);
      return;
    }
    backoff.push(one);
    wakeAt = Math.min(wakeAt, at);
  };
  for (const one of record.ephemeral) if (!isOver(pod, one)) consider(one);
  const mainsOver = record.main.every((one) => isOver(pod, one));
  if (mainsOver) return { start, backoff, stopSidecars: true, wakeAt };
  for (const one of record.init) {
    if (one.role === "sidecar") {
      consider(one);
      if (!hasInitialized(one)) return { start, backoff, stopSidecars: false, wakeAt };
      continue;
    }
    if (hasInitialized(one)) continue;
    if (!isOver(pod, one)) consider(one);
    return { start, backoff, stopSidecars: false, wakeAt };
  }
  for (const one of record.main) if (!isOver(pod, one)) consider(one);
  return { start, backoff, stopSidecars: false, wakeAt };
}

function resetIfLong(record: ContainerRecord): boolean {
  const past = record.state.kind === "terminated" ? record.state : undefined;
  return (
    past !== undefined &&
    past.startedAt !== undefined &&
    past.finishedAt !== undefined &&
    past.finishedAt - past.startedAt >= BACKOFF_RESET_MS
  );
}
