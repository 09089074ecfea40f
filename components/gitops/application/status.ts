/** The Application's status after a pass, and the one patch that writes it. */
import { isDeepStrictEqual } from "node:util";
import type { ResourceComparison } from "./comparison.ts";
import { imagesOf, overallHealth, overallSync, resourceStatuses } from "./comparison.ts";
import type {
  Application,
  ApplicationCondition,
  ApplicationStatus,
  HealthCode,
  OperationState,
  SourceType,
} from "./types.ts";
import { addHistory } from "./operation.ts";
import { sourceOf } from "./auto-sync.ts";

export interface PassResult {
  revision: string | undefined;
  type: SourceType | undefined;
  entries: readonly ResourceComparison[] | undefined;
  conditions: readonly { type: string; message: string }[];
  operationState: OperationState | undefined;
}

const iso = (ms: number): string => new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");

/** What could not be compared is Unknown; what was known of the resources stays. */
export function statusAfter(
  application: Application,
  pass: PassResult,
  controllerNamespace: string,
  now: number,
): ApplicationStatus {
  const before = application.status ?? {};
  const at = iso(now);
  const code: HealthCode =
    pass.entries === undefined ? (before.health?.status ?? "Unknown") : overallHealth(pass.entries);
  const history =
    pass.operationState === undefined || isDeepStrictEqual(pass.operationState, before.operationState)
      ? undefined
      : addHistory(application, pass.operationState);
  const images = pass.entries === undefined ? before.summary?.images : imagesOf(pass.entries);
  const source = sourceOf(application);
  return {
    ...before,
    sync: {
      status: pass.entries === undefined ? "Unknown" : overallSync(pass.entries),
      ...(pass.revision === undefined
        ? before.sync?.revision === undefined
          ? {}
          : { revision: before.sync.revision }
        : { revision: pass.revision }),
      comparedTo: {
        ...(source === undefined ? {} : { source }),
        destination: application.spec.destination,
        ...(application.spec.ignoreDifferences === undefined
          ? {}
          : { ignoreDifferences: application.spec.ignoreDifferences }),
      },
    },
    health: code === before.health?.status ? before.health : { status: code, lastTransitionTime: at },
    ...(pass.entries === undefined ? {} : { resources: resourceStatuses(pass.entries) }),
    ...(pass.type === undefined ? {} : { sourceType: pass.type }),
    ...(pass.operationState === undefined ? {} : { operationState: pass.operationState }),
    ...(history === undefined ? {} : { history }),
    conditions: conditionsAfter(before.conditions ?? [], pass.conditions, at),
    summary: images === undefined || images.length === 0 ? {} : { images },
    controllerNamespace,
    resourceHealthSource: "inline",
    reconciledAt: at,
  };
}

function conditionsAfter(
  before: readonly ApplicationCondition[],
  after: readonly { type: string; message: string }[],
  at: string,
): ApplicationCondition[] {
  return after.map((condition) => {
    const same = before.find((old) => old.type === condition.type && old.message === condition.message);
    return { ...condition, lastTransitionTime: same?.lastTransitionTime ?? at };
  });
}

const withoutTime = ({ reconciledAt: _at, ...rest }: ApplicationStatus): object => rest;

/** Whether a write is worth it: that the controller looked again is no news. */
export const statusChanged = (before: ApplicationStatus | undefined, after: ApplicationStatus): boolean =>
  before === undefined || !isDeepStrictEqual(withoutTime(before), withoutTime(after));
