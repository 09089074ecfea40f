import { forbidden, StatusError } from "@travelops/kube";
import type { PolicyRule } from "@travelops/kube/api/types/cluster";
import type { Authorize, AuthorizationAttributes, Decision } from "../access.ts";
import type { UserInfo } from "../api-server.ts";
import type { Grant, RbacIndex } from "./rbac-index.ts";
import { ruleAllows } from "./policy-rule.ts";

/** Members may do anything, even when every role is gone. */
const MASTERS = "system:masters";

const EVERYTHING: readonly PolicyRule[] = [
  { verbs: ["*"], apiGroups: ["*"], resources: ["*"] },
  { verbs: ["*"], nonResourceURLs: ["*"] },
];

/** Role-based access control over an index. */
export function rbacAuthorizer(index: RbacIndex): Authorize {
  return (attributes) => {
    if (attributes.user.groups.includes(MASTERS)) return { allowed: true, reason: "" };
    const namespace = attributes.path === undefined ? attributes.namespace : "";
    let missing = "";
    for (const grant of index.grantsOf(attributes.user, namespace)) {
      const rules = index.rulesOf(grant);
      if (rules === undefined)
        missing ||= `RBAC: ${grant.roleKind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(grant.roleName)} not found`;
      else if (rules.some((rule) => ruleAllows(rule, attributes)))
        return { allowed: true, reason: `RBAC: allowed by ${describeGrant(grant)}` };
    }
    return { allowed: false, reason: missing };
  };
}

/** All rules that hold for a user in a namespace. */
export function rulesFor(index: RbacIndex, user: UserInfo, namespace: string): readonly PolicyRule[] {
  if (user.groups.includes(MASTERS)) return EVERYTHING;
  return [...index.grantsOf(user, namespace)].flatMap((grant) => index.rulesOf(grant) ?? []);
}

function describeGrant({ binding, roleKind, roleName, subject }: Grant): string {
  const { name = "", namespace } = binding.metadata;
  const bound =
    namespace === undefined
      ? `ClusterRoleBinding ${JSON.stringify(name)}`
      : `RoleBinding ${JSON.stringify(`${name}/${namespace}`)}`;
  const space = subject.indexOf(" ");
  return `${bound} of ${roleKind} ${JSON.stringify(roleName)} to ${subject.slice(0, space)} ${JSON.stringify(subject.slice(space + 1))}`;
}

/** The 403 of a refused request, in upstream's words. */
export function forbiddenError(attributes: AuthorizationAttributes, decision: Decision): StatusError {
  const { user, verb, group, resource, subresource, namespace, name, path } = attributes;
  const because = decision.reason === "" ? "" : `: ${decision.reason}`;
  if (path !== undefined) {
    return new StatusError(
      403,
      "Forbidden",
      `forbidden: User ${JSON.stringify(user.name)} cannot ${verb} path ${JSON.stringify(path)}${because}`,
      {},
    );
  }
  const what = subresource === "" ? resource : `${resource}/${subresource}`;
  const where = namespace === "" ? "at the cluster scope" : `in the namespace ${JSON.stringify(namespace)}`;
  const who = `User ${JSON.stringify(user.name)} cannot ${verb} resource ${JSON.stringify(what)} in API group ${JSON.stringify(group)} ${where}`;
  return forbidden({ group, resource }, name, `${who}${because}`);
}
