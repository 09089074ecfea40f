/** What of an object counts when it is compared: not its bookkeeping, not its status. */
import { isDeepStrictEqual } from "node:util";
import type { KubeObject, ObjectMeta } from "@travelops/kube";

const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
const REVISION = "deployment.kubernetes.io/revision";

/** Metadata that the server or controllers write. */
const BOOKKEEPING: readonly (keyof ObjectMeta)[] = [
  "managedFields",
  "resourceVersion",
  "uid",
  "generation",
  "creationTimestamp",
];

export function normalize(object: KubeObject): KubeObject {
  const { status: _status, ...rest } = object;
  const metadata: ObjectMeta = { ...object.metadata };
  for (const field of BOOKKEEPING) delete metadata[field];
  if (metadata.annotations !== undefined) {
    const { [LAST_APPLIED]: _applied, [REVISION]: _revision, ...annotations } = metadata.annotations;
    if (Object.keys(annotations).length === 0) delete metadata.annotations;
    else metadata.annotations = annotations;
  }
  return { ...rest, apiVersion: object.apiVersion, kind: object.kind, metadata };
}

export const sameContent = (a: KubeObject, b: KubeObject): boolean => isDeepStrictEqual(normalize(a), normalize(b));

/**
 * Tells two live versions apart where it matters, so that a status write does not cost a comparison.
 * managedFields count without their times: a change of ownership can change what an apply would do.
 */
export function liveFingerprint(object: KubeObject): string {
  const owners = object.metadata.managedFields
    ?.filter((entry) => entry.subresource === undefined || entry.subresource === "")
    .map(({ time: _time, ...entry }) => entry);
  return JSON.stringify([normalize(object), owners, object.metadata.uid]);
}

/** Secrets are written with data only: stringData is folded in, as the server does. */
export function foldStringData(object: KubeObject): KubeObject {
  if (object.kind !== "Secret" || object.apiVersion !== "v1" || object["stringData"] === undefined) return object;
  const { stringData, ...rest } = object as KubeObject & {
    stringData?: Record<string, string>;
    data?: Record<string, string>;
  };
  const encoded = Object.fromEntries(
    Object.entries(stringData ?? {}).map(([key, value]) => [key, Buffer.from(String(value)).toString("base64")]),
  );
  return {
    ...rest,
    apiVersion: object.apiVersion,
    kind: object.kind,
    metadata: object.metadata,
    data: { ...(object["data"] as Record<string, string> | undefined), ...encoded },
  };
}
