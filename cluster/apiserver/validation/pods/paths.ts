/** Paths inside volumes and containers. */
import { fieldInvalid } from "@travelops/kube";
import type { Errors } from "../checks.ts";

/** Whether a path leads upwards anywhere. */
export const hasParent = (path: string): boolean => path.split("/").includes("..");

/** A path that does not lead upwards. */
export function noParent(value: string, path: string, errors: Errors): void {
  if (hasParent(value)) errors.push(fieldInvalid(path, value, "must not contain '..'"));
}

/** A path below another. */
export function relativePath(value: string, path: string, errors: Errors): void {
  if (value.startsWith("/")) errors.push(fieldInvalid(path, value, "must be a relative path"));
  noParent(value, path, errors);
}

/** Files inside a volume: not above it, and not where the kubelet keeps its own. */
export function filePath(value: string, path: string, errors: Errors): void {
  relativePath(value, path, errors);
  if (value.startsWith("..") && !value.startsWith("../"))
    errors.push(fieldInvalid(path, value, "must not start with '..'"));
}
