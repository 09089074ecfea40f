/** From what a client sent to what may be stored: types checked, defaults filled in, in the stored version. */
import { badRequest, parseApiVersion, type KubeObject } from "@travelops/kube";
import { decodeTypeError } from "@travelops/kube/schema/coerce";
import { withoutNulls } from "@travelops/kube/schema/typed-nulls";
import { applyDefaults } from "@travelops/kube/schema/defaults";
import { defaultBuiltin } from "@travelops/kube/schema/builtin-defaults";
import { metadataFault, normalizeMetadata } from "@travelops/kube/schema/embedded-metadata";
import type { StructNode } from "@travelops/kube/schema/node";
import type { ServedResource } from "../registry/registry.ts";

/** Upstream's text for a body whose JSON types are wrong; undefined when they are right. */
export function typeFault(resource: ServedResource, object: KubeObject): string | undefined {
  const { schema } = resource.row;
  return resource.origin === "custom" ? metadataFault(schema, object) : decodeTypeError(schema, object);
}

/**
 * Throws `StatusError` 400, a decoding fault. Of custom resources only the metadata is decoded: what else is wrong in
 * them their schema says.
 */
export function checkObjectTypes(resource: ServedResource, object: KubeObject): void {
  const { row } = resource;
  const fault = typeFault(resource, object);
  if (fault === undefined) return;
  const { version } = parseApiVersion(object.apiVersion);
  throw badRequest(`${row.kind} in version ${JSON.stringify(version)} cannot be handled as a ${row.kind}: ${fault}`);
}

function customForm(schema: StructNode, object: KubeObject, applied: boolean): KubeObject {
  const defaulted = applyDefaults(schema, normalizeMetadata(schema, object));
  return applied ? defaulted : (withoutNulls(schema, defaulted) as KubeObject);
}

/** Defaults in the served version, then the stored version of it. `applied`: nulls are left for the schema to judge. */
export function toStored(resource: ServedResource, object: KubeObject, applied = false): KubeObject {
  const defaulted =
    resource.origin === "custom"
      ? customForm(resource.row.schema, object, applied)
      : defaultBuiltin(resource.row, object);
  return resource.toStorage === undefined ? defaulted : resource.toStorage(defaulted);
}
