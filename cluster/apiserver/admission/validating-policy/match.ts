/** Whether a request is one that a policy or a binding speaks of, and in which version of its resource. */
import { notFound } from "@travelops/kube";
import { selects, type LabelSelector } from "@travelops/kube/client/selectors";
import type { AdmissionAttributes } from "../../access.ts";
import { type ClusterView, lookUp } from "../plugin.ts";
import type { ServedVersion, VersionsOf } from "../resource-of-kind.ts";
import type { MatchResources, NamedRule } from "./policy.ts";

/** The version to evaluate in; undefined: not matched. Throws what a selector cannot be asked. */
export function matchedVersion(
  constraints: MatchResources | undefined,
  attributes: AdmissionAttributes,
  view: ClusterView,
  versionsOf: VersionsOf,
): ServedVersion | undefined {
  const requested: ServedVersion = {
    group: attributes.group,
    version: attributes.request?.version ?? attributes.version,
    resource: attributes.resource,
  };
  if (constraints === undefined) return requested;
  if (!selectsObject(constraints.objectSelector, attributes)) return undefined;
  const exact = constraints.matchPolicy === "Exact";
  const find = (rules: readonly NamedRule[]): ServedVersion | undefined =>
    findRule(rules, attributes, requested, exact ? undefined : versionsOf);
  if (find(constraints.excludeResourceRules ?? []) !== undefined) return undefined;
  const rules = constraints.resourceRules ?? [];
  const found = rules.length === 0 ? requested : find(rules);
  if (found === undefined || !selectsNamespace(constraints.namespaceSelector, attributes, view)) return undefined;
  return found;
}

function findRule(
  rules: readonly NamedRule[],
  attributes: AdmissionAttributes,
  requested: ServedVersion,
  versionsOf: VersionsOf | undefined,
): ServedVersion | undefined {
  if (rules.some((rule) => ruleMatches(rule, attributes, requested))) return requested;
  if (versionsOf === undefined || rules.length === 0) return undefined;
  const others = versionsOf(requested.group, requested.resource);
  for (const rule of rules) {
    const found = others.find((other) => other.version !== requested.version && ruleMatches(rule, attributes, other));
    if (found !== undefined) return found;
  }
  return undefined;
}

const has = (items: readonly string[], asked: string): boolean => items.includes("*") || items.includes(asked);

function ruleMatches(rule: NamedRule, attributes: AdmissionAttributes, as: ServedVersion): boolean {
  const { operation, subresource, name } = attributes;
  return (
    has(rule.operations, operation) &&
    has(rule.apiGroups, as.group) &&
    has(rule.apiVersions, as.version) &&
    scopeMatches(rule.scope ?? "*", attributes) &&
    rule.resources.some((entry) => {
      const [main = "", part = ""] = entry.split("/");
      return (main === "*" || main === as.resource) && (part === "*" || part === subresource);
    }) &&
    ((rule.resourceNames ?? []).length === 0 || rule.resourceNames?.includes(name) === true)
  );
}

/** Namespaces count as cluster-scoped, though requests for them carry a namespace. */
function scopeMatches(scope: string, { group, resource, namespace }: AdmissionAttributes): boolean {
  if (scope === "*") return true;
  const cluster = namespace === "" || (group === "" && resource === "namespaces");
  return (scope === "Cluster") === cluster;
}

const isEmpty = (selector: LabelSelector | undefined): boolean =>
  selector === undefined ||
  (Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0);

const selectsObject = (selector: LabelSelector | undefined, { object, oldObject }: AdmissionAttributes): boolean =>
  selector === undefined ||
  isEmpty(selector) ||
  [object, oldObject].some((one) => one !== undefined && selects(selector, one.metadata.labels ?? {}));

/** Cluster-scoped objects other than Namespaces are never left out. */
function selectsNamespace(
  selector: LabelSelector | undefined,
  attributes: AdmissionAttributes,
  view: ClusterView,
): boolean {
  if (selector === undefined || isEmpty(selector)) return true;
  const { group, resource, subresource, operation, object, namespace, name } = attributes;
  if (group === "" && resource === "namespaces") {
    if (subresource === "" && (operation === "CREATE" || operation === "UPDATE"))
      return selects(selector, object?.metadata.labels ?? {});
    return selects(selector, lookUp(view, "namespaces.", "", name)?.metadata.labels ?? {});
  }
  if (namespace === "") return true;
  const found = lookUp(view, "namespaces.", "", namespace);
  if (found === undefined) throw notFound({ group: "", resource: "namespaces" }, namespace);
  return selects(selector, found.metadata.labels ?? {});
}
