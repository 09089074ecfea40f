import { forbidden, parseApiVersion } from "@travelops/kube";
import type { KubeObject, OwnerReference } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import type { AdmissionAttributes, Authorize } from "../access.ts";
import type { AdmissionPlugin } from "./plugin.ts";
import { shownName } from "./plugin.ts";
import type { ResourceOfKind } from "./resource-of-kind.ts";

/** Owner references delete and hold back objects: who sets them must be allowed to do that. As OpenShift has it. */
export const ownerReferences = (authorize: Authorize, resourceOfKind: ResourceOfKind): AdmissionPlugin => ({
  name: "OwnerReferencesPermissionEnforcement",
  validate(attributes) {
    const { object, oldObject, operation } = attributes;
    if (object === undefined || (operation !== "CREATE" && operation !== "UPDATE")) return;
    // Pods and their status are written by those who own them in any case.
    if (attributes.group === "" && attributes.resource === "pods" && attributes.subresource === "status") return;
    if (equalJson(ownersOf(object), ownersOf(oldObject))) return;
    // Making an object with owners hands out no right over what was there before.
    if (operation === "UPDATE") checkMayDelete(attributes, authorize);
    const blocked = newlyBlocked(object, oldObject);
    if (blocked.length === 0 || mayFinalizeAnything(attributes, authorize)) return;
    for (const owner of blocked) checkMayFinalize(attributes, owner, authorize, resourceOfKind);
  },
});

const ownersOf = (object: KubeObject | undefined): readonly OwnerReference[] => object?.metadata.ownerReferences ?? [];

function newlyBlocked(object: KubeObject, old: KubeObject | undefined): OwnerReference[] {
  const blocked = new Set(
    ownersOf(old)
      .filter((owner) => owner.blockOwnerDeletion === true)
      .map((owner) => owner.uid),
  );
  return ownersOf(object).filter((owner) => owner.blockOwnerDeletion === true && !blocked.has(owner.uid));
}

function checkMayDelete(attributes: AdmissionAttributes, authorize: Authorize): void {
  const { user, group, resource, subresource, namespace, name } = attributes;
  const { allowed, reason } = authorize({
    user,
    verb: "delete",
    group,
    resource,
    subresource,
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

const mayFinalizeAnything = ({ user }: AdmissionAttributes, authorize: Authorize): boolean =>
  authorize({
    user,
    verb: "update",
    group: "*",
    resource: "*",
    subresource: "finalizers",
    namespace: "",
    name: "*",
  }).allowed;

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
    throw refuse(
      `in this case because cannot find RESTMapping for APIVersion ${owner.apiVersion} Kind ${owner.kind}: no matches for kind "${owner.kind}" in version "${owner.apiVersion}"`,
    );
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
