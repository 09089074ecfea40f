/** Nobody grants what they do not hold: the checks on writes of roles and bindings, unless `escalate` or `bind` is held. */
import { isDeepStrictEqual } from "node:util";
import { forbidden, notFound } from "@travelops/kube";
import type { KubeObject } from "@travelops/kube";
import type { ClusterRole, PolicyRule, RoleBinding } from "@travelops/kube/api/types/cluster";
import type { AdmissionAttributes, Authorize } from "../access.ts";
import { rulesFor } from "./authorizer.ts";
import { describeRules, uncovered } from "./policy-rule.ts";
import type { RbacIndex } from "./rbac-index.ts";

const GROUP = "rbac.authorization.k8s.io";
const ROLES: ReadonlySet<string> = new Set(["roles", "clusterroles"]);
const BINDINGS: ReadonlySet<string> = new Set(["rolebindings", "clusterrolebindings"]);

/** Throws a 403 `StatusError` for a grant beyond the writer's own rights. */
export function checkEscalation(index: RbacIndex, authorize: Authorize, attributes: AdmissionAttributes): void {
  const { group, resource, operation, object, oldObject } = attributes;
  if (group !== GROUP || object === undefined || (operation !== "CREATE" && operation !== "UPDATE")) return;
  if (ROLES.has(resource) && !sameFields(object, oldObject, ["rules", "aggregationRule"]))
    checkRole(index, authorize, attributes, object as ClusterRole);
  if (BINDINGS.has(resource) && !sameFields(object, oldObject, ["roleRef", "subjects"]))
    checkBinding(index, authorize, attributes, object as RoleBinding);
}

const sameFields = (object: KubeObject, old: KubeObject | undefined, fields: readonly string[]): boolean =>
  old !== undefined && fields.every((field) => isDeepStrictEqual(object[field], old[field]));

function checkRole(index: RbacIndex, authorize: Authorize, attributes: AdmissionAttributes, role: ClusterRole): void {
  const { user, resource, namespace } = attributes;
  const name = role.metadata.name ?? "";
  if (authorize({ user, verb: "escalate", group: GROUP, resource, subresource: "", namespace, name }).allowed) return;
  const everything = [
    { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
    { verbs: ["*"], nonResourceURLs: ["*"] },
  ];
  if (role.aggregationRule !== undefined && uncovered(rulesFor(index, user, ""), everything).length > 0) {
    throw forbidden({ group: GROUP, resource }, name, "must have cluster-admin privileges to use the aggregationRule");
  }
  refuseUnlessHeld(index, attributes, name, role.rules ?? []);
}

function checkBinding(
  index: RbacIndex,
  authorize: Authorize,
  attributes: AdmissionAttributes,
  binding: RoleBinding,
): void {
  const { user, namespace, resource } = attributes;
  const { kind, name: role } = binding.roleRef;
  const roles = kind === "ClusterRole" ? "clusterroles" : "roles";
  if (authorize({ user, verb: "bind", group: GROUP, resource: roles, subresource: "", namespace, name: role }).allowed)
    return;
  const rules = index.rules(kind, namespace, role);
  const name = binding.metadata.name ?? "";
  // Without the role nobody can tell what is granted. Upstream names the binding's resource, too.
  if (rules === undefined) throw notFound({ group: GROUP, resource }, role);
  refuseUnlessHeld(index, attributes, name, rules);
}

function refuseUnlessHeld(
  index: RbacIndex,
  { user, namespace, resource }: AdmissionAttributes,
  name: string,
  rules: readonly PolicyRule[],
): void {
  const missing = uncovered(rulesFor(index, user, namespace), rules);
  if (missing.length === 0) return;
  const groups = user.groups.map((group) => JSON.stringify(group)).join(" ");
  throw forbidden(
    { group: GROUP, resource },
    name,
    `user ${JSON.stringify(user.name)} (groups=[${groups}]) is attempting to grant RBAC permissions not currently held:\n${describeRules(missing)}`,
  );
}
