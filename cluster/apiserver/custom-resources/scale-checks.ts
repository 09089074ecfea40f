/** The counts behind `/scale` of a custom resource: where its paths lead, whole numbers have to be, and none below zero. */
import { fieldInvalid, type FieldError, type KubeObject } from "@travelops/kube";
import { isObject } from "@travelops/kube/schema/json-value";
import type { ScalePaths } from "../registry/strategy.ts";

const MAX_INT32 = 2_147_483_647;

/** A value as Go prints one that was decoded from JSON. */
function goValue(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(goValue).join(" ")}]`;
  if (isObject(value)) {
    const keys = Object.keys(value).toSorted();
    return `map[${keys.map((key) => `${key}:${goValue(value[key])}`).join(" ")}]`;
  }
  return value === null ? "<nil>" : String(value as string | number | boolean);
}

function goType(value: unknown): string {
  if (Array.isArray(value)) return "[]interface {}";
  if (value === null) return "<nil>";
  switch (typeof value) {
    case "object":
      return "map[string]interface {}";
    case "number":
      return Number.isInteger(value) ? "int64" : "float64";
    case "boolean":
      return "bool";
    default:
      return "string";
  }
}

type Found = { readonly value: unknown } | { readonly fault: string };

/** What a path leads to; a fault where it goes through, or ends at, something of another type. */
function find(object: KubeObject, path: string, wanted: "int64" | "string"): Found {
  let at: unknown = object;
  const walked: string[] = [];
  const fault = (value: unknown, expected: string): Found => ({
    fault: `.${walked.join(".")} accessor error: ${goValue(value)} is of the type ${goType(value)}, expected ${expected}`,
  });
  for (const name of path.split(".")) {
    walked.push(name);
    if (at === undefined || at === null) return { value: undefined };
    if (!isObject(at)) return fault(at, "map[string]interface{}");
    at = Object.hasOwn(at, name) ? at[name] : undefined;
  }
  if (at === undefined) return { value: undefined };
  return goType(at) === wanted ? { value: at } : fault(at, wanted);
}

function countFaults(object: KubeObject, path: string): FieldError[] {
  const field = `.${path}`;
  const found = find(object, path, "int64");
  if ("fault" in found) return [fieldInvalid(field, 0, found.fault)];
  const count = (found.value as number | undefined) ?? 0;
  if (count < 0) return [fieldInvalid(field, count, "should be a non-negative integer")];
  return count > MAX_INT32 ? [fieldInvalid(field, count, `should be less than or equal to ${MAX_INT32}`)] : [];
}

/** What is wrong with the fields that `/scale` reads. */
export function scaleFaults(object: KubeObject, paths: ScalePaths, subresource: string): FieldError[] {
  const status = countFaults(object, paths.status);
  const selector = paths.selector === undefined ? undefined : find(object, paths.selector, "string");
  const unread =
    selector !== undefined && "fault" in selector ? [fieldInvalid(`.${paths.selector}`, "", selector.fault)] : [];
  return subresource === "status" ? [...status, ...unread] : [...countFaults(object, paths.spec), ...status, ...unread];
}
