/** events.k8s.io/v1 and core/v1 Events are one kind under two names; core/v1 is stored. */
import type { KubeObject } from "@travelops/kube";

const RENAMED: readonly (readonly [core: string, v1: string])[] = [
  ["involvedObject", "regarding"],
  ["message", "note"],
  ["firstTimestamp", "deprecatedFirstTimestamp"],
  ["lastTimestamp", "deprecatedLastTimestamp"],
  ["count", "deprecatedCount"],
  ["source", "deprecatedSource"],
  ["reportingComponent", "reportingController"],
];

function rename(object: KubeObject, apiVersion: string, names: ReadonlyMap<string, string>): KubeObject {
  const next: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(object)) next[names.get(key) ?? key] = value;
  return { ...next, apiVersion } as KubeObject;
}

const toV1 = new Map(RENAMED);
const toCore = new Map(RENAMED.map(([core, v1]) => [v1, core]));

export const eventFromCore = (event: KubeObject): KubeObject => rename(event, "events.k8s.io/v1", toV1);
export const eventToCore = (event: KubeObject): KubeObject => {
  const core = rename(event, "v1", toCore);
  return core["involvedObject"] === undefined ? { ...core, involvedObject: {} } : core;
};
