/** The parameters that the API's operations share. */
import type { Dialect, OpenApiObject } from "./schemas.ts";

type Kind = "string" | "boolean" | "integer";

const QUERY: Readonly<Record<string, readonly [type: Kind, description: string]>> = {
  allowWatchBookmarks: ["boolean", "Send events of type BOOKMARK while watching."],
  continue: ["string", "The token of the answer before, for the next part of a list."],
  dryRun: ["string", "All: go through every stage of the request, but store nothing."],
  fieldManager: ["string", "Who makes this change; required when applying."],
  fieldSelector: ["string", "Only objects whose fields match."],
  fieldValidation: ["string", "What to do about unknown and duplicate fields: Ignore, Warn or Strict."],
  force: ["boolean", "Take over fields that others own; only when applying."],
  gracePeriodSeconds: ["integer", "Seconds before the object is gone; 0 is at once."],
  ignoreStoreReadErrorWithClusterBreakingPotential: ["boolean", "Delete an object that cannot be read."],
  labelSelector: ["string", "Only objects whose labels match."],
  limit: ["integer", "At most so many objects in one answer."],
  orphanDependents: ["boolean", "Leave what the object owns; propagationPolicy replaces this."],
  pretty: ["string", "Indent the answer."],
  propagationPolicy: ["string", "What becomes of what the object owns: Orphan, Background or Foreground."],
  resourceVersion: ["string", "The state to read or to start from."],
  resourceVersionMatch: ["string", "How resourceVersion is meant: NotOlderThan or Exact."],
  sendInitialEvents: ["boolean", "Start a watch with the objects there are."],
  timeoutSeconds: ["integer", "End the call after so long."],
  watch: ["boolean", "Follow changes instead of listing."],
};

export const LIST = [
  "allowWatchBookmarks",
  "continue",
  "fieldSelector",
  "labelSelector",
  "limit",
  "resourceVersion",
  "resourceVersionMatch",
  "sendInitialEvents",
  "timeoutSeconds",
  "watch",
];
export const WRITE = ["dryRun", "fieldManager", "fieldValidation"];
export const PATCH = [...WRITE, "force"];
export const DELETE = [
  "dryRun",
  "gracePeriodSeconds",
  "ignoreStoreReadErrorWithClusterBreakingPotential",
  "orphanDependents",
  "propagationPolicy",
];
export const DELETE_COLLECTION = [
  ...DELETE,
  "continue",
  "fieldSelector",
  "labelSelector",
  "limit",
  "resourceVersion",
  "resourceVersionMatch",
  "sendInitialEvents",
  "timeoutSeconds",
];

/** `uniqueItems` is what upstream publishes; readers compare for it. */
function typed(type: Kind, dialect: Dialect): OpenApiObject {
  return dialect === "v3" ? { schema: { type, uniqueItems: true } } : { type, uniqueItems: true };
}

export function queryParameters(names: readonly string[], dialect: Dialect): OpenApiObject[] {
  return names.map((name) => {
    const [type, description] = QUERY[name] ?? ["string", ""];
    return { name, in: "query", description, ...typed(type, dialect) };
  });
}

export function pathParameters(path: string, kind: string, dialect: Dialect): OpenApiObject[] {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");
  return names.map((name) => ({
    name,
    in: "path",
    required: true,
    description: name === "namespace" ? "The namespace of the object." : `The name of the ${kind}.`,
    ...typed("string", dialect),
  }));
}
