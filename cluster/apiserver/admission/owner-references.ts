import { forbidden, parseApiVersion } from "@travelops/kube";
import type { KubeObject } from "@travelops/kube";
import type { OwnerReference } from "@travelops/kube";
import type { AdmissionAttributes, Authorize } from "../access.ts";
import type { AdmissionPlugin } from "./plugin.ts";
import { shownName } from "./plugin.ts";

/** Which resource a kind is served as; undefined where it is not. */
export type ResourceOfKind = (
  group: string,
  kind: string,
) => { readonly resource: string; readonly namespaced: boolean } | undefined;

/** Owner references delete and hold back objects: who sets them must be allowed to do that. As OpenShift has it. */
export const ownerReferences = (authorize: Authorize, resourceOfKind: ResourceOfKind): AdmissionPlugin => ({
  name: "OwnerReferencesPermissionEnforcement",
  validate(attributes) {
    const { object, oldObject, operation } = attributes;
    if (object === undefined || (operation !== "CREATE" && operation !== "UPDATE")) return;
    // Making an object with owners hands out no right over what was there before.
    if (operation === "UPDATE" && changed(object, oldObject)) checkMayDelete(attributes, authorize);
    for (const owner of newlyBlocked(object, oldObject)) checkMayFinalize(attributes, owner, authorize, resourceOfKind);
  },
});

const ownersOf = (object: KubeObject | undefined): readonly OwnerReference[] => object?.metadata.ownerReferences ?? [];
const without = (owner: OwnerReference): string =>
  `${owner.apiVersion} ${owner.kind} ${owner.name} ${owner.uid} ${String(owner.controller ?? false)}`;

function changed(object: KubeObject, old: KubeObject | undefined): boolean {
  const before = ownersOf(old).map(without).toSorted();
  const after = ownersOf(object).map(without).toSorted();
  return before.length !== after.length || before.some((owner, n) => owner !== after[n]);
}

function newlyBlocked(object: KubeObject, old: KubeObject | undefined): OwnerReference[] {
  const blocked = new Set(
    ownersOf(old)
      .filter((owner) => owner.blockOwnerDeletion === true)
      .map((owner) => owner.uid),
  );
  return ownersOf(object).filter((owner) => owner.blockOwnerDeletion === true && !blocked.has(owner.uid));
}

function checkMayDelete(attributes: AdmissionAttributes, authorize: Authorize): void {
  const { user, group, resource, namespace, name } = attributes;
  const { allowed, reason } = authorize({
    user,
    verb: "delete",
    group,
    resource,
    subresource: "",
    namespace,
    name,
  });
  if (!allowed)
    throw forbidden(
      { group, resource },
      shownName(attributes),
      `cannot set an ownerRef on a resource you can't delete: ${reason}, <nil>`,
    );
}

function checkMayFinalize(
  attributes: AdmissionAttributes,
  owner: OwnerReference,
  authorize: Authorize,
  resourceOfKind: ResourceOfKind,
): void {
  const { user, group, resource } = attributes;
  const refuse = (why: string) =>
    forbidden({ group, resource }, shownName(attributes), `cannot set blockOwnerDeletion ${why}`);
  const { group: ownerGroup } = parseApiVersion(owner.apiVersion);
  const found = resourceOfKind(ownerGroup, owner.kind);
  if (found === undefined)
    throw refuse(`in this case because cannot find RESTMapping for APIVersion ${owner.apiVersion} Kind ${owner.kind}`);
  const namespace = found.namespaced ? attributes.namespace : "";
  const { allowed, reason } = authorize({
    user,
    verb: "update",
    group: ownerGroup,
    resource: found.resource,
    subresource: "finalizers",
    namespace,
    name: owner.name,
  });
  if (!allowed) throw refuse(`if an ownerReference refers to a resource you can't set finalizers on: ${reason}, <nil>`);
}
