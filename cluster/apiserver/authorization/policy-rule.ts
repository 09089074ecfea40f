/** One rule of a role: what it matches, and whether others cover it. */
import type { PolicyRule } from "@travelops/kube/api/types/cluster";
import type { AuthorizationAttributes } from "../access.ts";

const ALL = "*";

const has = (list: readonly string[] | undefined, value: string): boolean =>
  list !== undefined && (list.includes(value) || list.includes(ALL));

export function ruleAllows(rule: PolicyRule, attributes: AuthorizationAttributes): boolean {
  if (!has(rule.verbs, attributes.verb)) return false;
  if (attributes.path !== undefined)
    return (rule.nonResourceURLs ?? []).some((url) => pathMatches(url, attributes.path ?? ""));
  return (
    has(rule.apiGroups, attributes.group) &&
    resourceMatches(rule.resources, attributes.resource, attributes.subresource) &&
    nameMatches(rule.resourceNames, attributes.name)
  );
}

function resourceMatches(resources: readonly string[] | undefined, resource: string, subresource: string): boolean {
  if (resources === undefined) return false;
  if (has(resources, subresource === "" ? resource : `${resource}/${subresource}`)) return true;
  return subresource !== "" && resources.includes(`*/${subresource}`);
}

const nameMatches = (names: readonly string[] | undefined, name: string): boolean =>
  names === undefined || names.length === 0 || names.includes(name);

function pathMatches(url: string, path: string): boolean {
  if (url === ALL || url === path) return true;
  return url.endsWith(ALL) && path.startsWith(url.slice(0, -1));
}

/** The rules of `wanted` that `held` does not cover, one verb, group and resource at a time. */
export function uncovered(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): PolicyRule[] {
  return wanted.flatMap(singleRules).filter((single) => !held.some((rule) => covers(rule, single)));
}

function singleRules(rule: PolicyRule): PolicyRule[] {
  const singles: PolicyRule[] = [];
  for (const verb of rule.verbs) {
    for (const url of rule.nonResourceURLs ?? []) singles.push({ verbs: [verb], nonResourceURLs: [url] });
    for (const group of rule.apiGroups ?? []) {
      for (const resource of rule.resources ?? []) {
        const single = { verbs: [verb], apiGroups: [group], resources: [resource] };
        if (rule.resourceNames === undefined || rule.resourceNames.length === 0) singles.push(single);
        else for (const name of rule.resourceNames) singles.push({ ...single, resourceNames: [name] });
      }
    }
  }
  return singles;
}

/** Whether `rule` grants all that `single` (of `singleRules`) does. */
function covers(rule: PolicyRule, single: PolicyRule): boolean {
  if (!has(rule.verbs, single.verbs[0] ?? "")) return false;
  const url = single.nonResourceURLs?.[0];
  if (url !== undefined) return (rule.nonResourceURLs ?? []).some((held) => pathMatches(held, url));
  const [resource = "", subresource = ""] = (single.resources?.[0] ?? "").split("/");
  const names = rule.resourceNames ?? [];
  const name = single.resourceNames?.[0];
  return (
    has(rule.apiGroups, single.apiGroups?.[0] ?? "") &&
    resourceMatches(rule.resources, resource, subresource) &&
    (names.length === 0 || (name !== undefined && names.includes(name)))
  );
}

const quoted = (list: readonly string[]): string => `[${list.map((item) => JSON.stringify(item)).join(" ")}]`;

/** Rules as upstream prints them in the message of a refused grant: verbs of one resource gathered, sorted. */
export function describeRules(rules: readonly PolicyRule[]): string {
  const gathered = new Map<string, { rule: PolicyRule; verbs: string[] }>();
  for (const rule of rules) {
    const id = JSON.stringify([rule.apiGroups, rule.resources, rule.resourceNames, rule.nonResourceURLs]);
    const entry = gathered.get(id) ?? { rule, verbs: [] };
    for (const verb of rule.verbs) if (!entry.verbs.includes(verb)) entry.verbs.push(verb);
    gathered.set(id, entry);
  }
  return [...gathered.values()]
    .map(({ rule, verbs }) => describe(rule, verbs))
    .toSorted()
    .join("\n");
}

function describe(rule: PolicyRule, verbs: readonly string[]): string {
  const parts = [
    rule.nonResourceURLs === undefined ? "" : `NonResourceURLs:${quoted(rule.nonResourceURLs)}`,
    rule.apiGroups === undefined ? "" : `APIGroups:${quoted(rule.apiGroups)}`,
    rule.resources === undefined ? "" : `Resources:${quoted(rule.resources)}`,
    rule.resourceNames === undefined ? "" : `ResourceNames:${quoted(rule.resourceNames)}`,
    `Verbs:${quoted(verbs)}`,
  ];
  return `{${parts.filter((part) => part !== "").join(", ")}}`;
}
