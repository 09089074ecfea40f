/** Roles and bindings. */
import { fieldInvalid, fieldNotSupported, fieldRequired, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { checkText, dnsSubdomain, type Errors, labelSelector, oneOf, pathSegment, requireText } from "../checks.ts";
import { child, type Fields, has, items, list, text } from "../fields.ts";

const GROUP = "rbac.authorization.k8s.io";

function checkRule(rule: Fields, path: string, namespaced: boolean, errors: Errors): void {
  if (list(rule, "verbs").length === 0)
    errors.push(fieldRequired(`${path}.verbs`, "verbs must contain at least one value"));
  const urls = list(rule, "nonResourceURLs");
  if (urls.length > 0) {
    if (namespaced)
      errors.push(fieldInvalid(`${path}.nonResourceURLs`, urls, "namespaced rules cannot apply to non-resource URLs"));
    if (["apiGroups", "resources", "resourceNames"].some((key) => list(rule, key).length > 0)) {
      errors.push(
        fieldInvalid(
          `${path}.nonResourceURLs`,
          urls,
          "rules cannot apply to both regular resources and non-resource URLs",
        ),
      );
    }
    return;
  }
  if (list(rule, "apiGroups").length === 0)
    errors.push(fieldRequired(`${path}.apiGroups`, "resource rules must supply at least one api group"));
  if (list(rule, "resources").length === 0)
    errors.push(fieldRequired(`${path}.resources`, "resource rules must supply at least one resource"));
}

export function checkRole(role: KubeObject, namespaced: boolean, errors: Errors): void {
  items(role, "rules").forEach((rule, i) => checkRule(rule, `rules[${i}]`, namespaced, errors));
  if (!has(role, "aggregationRule")) return;
  const selectors = items(child(role, "aggregationRule"), "clusterRoleSelectors");
  const path = "aggregationRule.clusterRoleSelectors";
  if (selectors.length === 0)
    errors.push(fieldRequired(path, "at least one clusterRoleSelector required if aggregationRule is non-nil"));
  selectors.forEach((selector, i) => {
    const before = errors.length;
    labelSelector(selector, `${path}[${i}]`, errors);
    if (errors.length > before) errors.push(fieldInvalid(`${path}[${i}]`, null, "invalid label selector."));
  });
}

function checkSubject(subject: Fields, path: string, namespaced: boolean, errors: Errors): void {
  const kind = text(subject, "kind");
  const group = text(subject, "apiGroup");
  requireText(text(subject, "name"), `${path}.name`, errors);
  if (kind === "ServiceAccount") {
    if (text(subject, "name") !== "") checkText(text(subject, "name"), `${path}.name`, dnsSubdomain, errors);
    if (group !== "") errors.push(fieldNotSupported(`${path}.apiGroup`, group, [""]));
    if (!namespaced && text(subject, "namespace") === "") errors.push(fieldRequired(`${path}.namespace`));
  } else if (kind === "User" || kind === "Group") {
    if (group !== GROUP) errors.push(fieldNotSupported(`${path}.apiGroup`, group, [GROUP]));
  } else errors.push(fieldNotSupported(`${path}.kind`, kind, ["ServiceAccount", "User", "Group"]));
}

export function checkBinding(
  binding: KubeObject,
  old: KubeObject | undefined,
  namespaced: boolean,
  errors: Errors,
): void {
  const role = child(binding, "roleRef");
  if (text(role, "apiGroup") !== GROUP)
    errors.push(fieldNotSupported("roleRef.apiGroup", text(role, "apiGroup"), [GROUP]));
  oneOf(text(role, "kind"), "roleRef.kind", namespaced ? ["Role", "ClusterRole"] : ["ClusterRole"], errors);
  if (requireText(text(role, "name"), "roleRef.name", errors))
    checkText(text(role, "name"), "roleRef.name", pathSegment, errors);
  items(binding, "subjects").forEach((subject, i) => checkSubject(subject, `subjects[${i}]`, namespaced, errors));
  if (old !== undefined && !equalJson(binding["roleRef"] ?? null, old["roleRef"] ?? null)) {
    const shown = { APIGroup: text(role, "apiGroup"), Kind: text(role, "kind"), Name: text(role, "name") };
    errors.push(fieldInvalid("roleRef", shown, "cannot change roleRef"));
  }
}
