/** What a webhook's patch makes of an object: still one of its kind, without unknown fields, defaulted. */
import { internalError, StatusError, type KubeObject } from "@travelops/kube";
import { decodeTypeError } from "@travelops/kube/schema/coerce";
import { isObject } from "@travelops/kube/schema/json-value";
import { applyJsonPatch } from "@travelops/kube/schema/json-patch";
import { prune } from "@travelops/kube/schema/prune";
import { kindNode } from "@travelops/kube/schema/table";
import { checkObjectTypes, toStored } from "../../handlers/object-schema.ts";
import type { ServerCore } from "../../server-options.ts";
import { servedAs } from "./match-webhook.ts";
import type { MatchedResource } from "./review.ts";

/** What a patch could not do stands in the cause. */
function messageOf(error: unknown): string {
  const cause = error instanceof StatusError ? error.cause : undefined;
  if (typeof cause === "string") return cause;
  return error instanceof Error ? error.message : String(error);
}

/** The object in the version it came in. Rejects with `StatusError` 500, as upstream, for a patch that does not apply. */
export async function patchedObject(
  core: ServerCore,
  matched: MatchedResource,
  shown: KubeObject,
  operations: unknown,
  apiVersion: string,
): Promise<KubeObject> {
  const given = patchedWith(shown, operations);
  // An object without metadata is one with empty metadata.
  const patched = isObject(given) && given["metadata"] === undefined ? { ...given, metadata: {} } : given;
  const resource = servedAs(core, matched);
  const schema = resource?.row.schema ?? kindNode(matched.kind.group, matched.kind.version, matched.kind.kind);
  if (!isObject(patched) || !isObject(patched["metadata"])) throw internalError("the patched value is no object");
  if (patched["apiVersion"] !== shown.apiVersion || patched["kind"] !== shown.kind) {
    throw internalError(
      `the patched object is of another kind: ${JSON.stringify(patched["apiVersion"])}, ${JSON.stringify(patched["kind"])}`,
    );
  }
  if (schema === undefined) return patched as unknown as KubeObject;
  const object = prune(schema, patched).value as unknown as KubeObject;
  if (resource?.origin === "custom") checkObjectTypes(resource, object);
  else {
    const fault = decodeTypeError(schema, object);
    if (fault !== undefined) throw internalError(fault);
  }
  if (resource === undefined) return object;
  const stored = toStored(resource, object);
  if (stored.apiVersion === apiVersion || resource.conversion === undefined) return stored;
  return (await resource.conversion.converter()).convert(core, stored, apiVersion);
}

function patchedWith(shown: KubeObject, operations: unknown): unknown {
  try {
    return applyJsonPatch(shown, operations);
  } catch (error) {
    throw internalError(messageOf(error));
  }
}
