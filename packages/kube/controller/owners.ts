/** Owner references: who controls an object. */
import type { KubeObject, OwnerReference } from "../api/object.ts";
import { formatApiVersion } from "../api/object.ts";
import type { Resource } from "../client/client.ts";

/** The one reference marked `controller`. */
export const controllerOf = (object: KubeObject): OwnerReference | undefined =>
  object.metadata.ownerReferences?.find((reference) => reference.controller === true);

export const isControlledBy = (object: KubeObject, owner: KubeObject): boolean =>
  controllerOf(object)?.uid === owner.metadata.uid;

/** A reference that makes `owner` the controller. */
export function controllerReference(owner: KubeObject, resource: Resource): OwnerReference {
  return {
    apiVersion: formatApiVersion(resource.group, resource.version),
    kind: resource.kind,
    name: owner.metadata.name ?? "",
    uid: owner.metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
}
