/** Writes of the server itself to the status of an object that somebody else owns. */
import { parseApiVersion, type KubeObject } from "@travelops/kube";
import { fieldSetOf } from "@travelops/kube/schema/field-set";
import { trackUpdate } from "@travelops/kube/schema/managed-fields";
import { kindNode } from "@travelops/kube/schema/table";

const RESET = fieldSetOf(["metadata"], ["spec"]);

/** `after` with the server as the owner of what it changed in the status of `before`, if its fields have owners. */
export function ownStatus(before: KubeObject, after: KubeObject, nowMs: number): KubeObject {
  const { group, version } = parseApiVersion(after.apiVersion);
  const node = kindNode(group, version, after.kind);
  if (node === undefined || before.metadata.managedFields === undefined) return after;
  return trackUpdate({
    node,
    before,
    after,
    manager: "kube-apiserver",
    apiVersion: after.apiVersion,
    subresource: "status",
    now: nowMs,
    resetFields: RESET,
  });
}
