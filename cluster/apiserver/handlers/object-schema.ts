/** From what a client sent to what may be stored: types checked, defaults filled in, in the stored version. */
import { badRequest, parseApiVersion, type KubeObject } from "@travelops/kube";
import { checkTypes, decodeTypeError } from "@travelops/kube/schema/coerce";
import { withoutNulls } from "@travelops/kube/schema/typed-nulls";
import { applyDefaults } from "@travelops/kube/schema/defaults";
import { defaultBuiltin } from "@travelops/kube/schema/builtin-defaults";
import { invalid } from "@travelops/kube";
import type { ServedResource } from "../registry/registry.ts";

/** Upstream's text for a body whose JSON types are wrong; undefined when they are right. */
export function typeFault(resource: ServedResource, object: KubeObject): string | undefined {
  return decodeTypeError(resource.row.schema, object);
}

/** What every object has, whatever its schema says. */
const ENVELOPE = /^(apiVersion|kind|metadata)\b/;

/** Throws `StatusError`: 400 for built-in kinds (a decoding fault upstream), 422 for custom ones. */
export function checkObjectTypes(resource: ServedResource, object: KubeObject): void {
  const { row } = resource;
  if (resource.origin === "custom") {
    // What is wrong beside the types is told with them; what an update leaves as it was, its own checks may bear.
    const errors = checkTypes(row.schema, withoutNulls(row.schema, object), "");
    if (errors.every(({ field }) => !ENVELOPE.test(field))) return;
    throw invalid(row.group, row.kind, object.metadata.name ?? "", errors);
  }
  const fault = typeFault(resource, object);
  if (fault === undefined) return;
  const { version } = parseApiVersion(object.apiVersion);
  throw badRequest(`${row.kind} in version ${JSON.stringify(version)} cannot be handled as a ${row.kind}: ${fault}`);
}

/** Defaults in the served version, then the stored version of it. */
export function toStored(resource: ServedResource, object: KubeObject): KubeObject {
  const defaulted =
    resource.origin === "custom"
      ? (withoutNulls(resource.row.schema, applyDefaults(resource.row.schema, object)) as KubeObject)
      : defaultBuiltin(resource.row, object);
  return resource.toStorage === undefined ? defaulted : resource.toStorage(defaulted);
}
