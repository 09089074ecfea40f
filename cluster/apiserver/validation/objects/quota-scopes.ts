/** The scopes of a ResourceQuota: which there are, and of what resources they can be. */
import { fieldInvalid, fieldRequired } from "@travelops/kube";
import type { Errors } from "../checks.ts";
import { child, entries, type Fields, items, strings, text } from "../fields.ts";

const OF_PODS: ReadonlySet<string> = new Set([
  "pods",
  "cpu",
  "memory",
  "limits.cpu",
  "limits.memory",
  "requests.cpu",
  "requests.memory",
]);
const OF_CLAIMS: ReadonlySet<string> = new Set(["persistentvolumeclaims", "requests.storage"]);
const MORE: ReadonlySet<string> = new Set([
  "ephemeral-storage",
  "requests.ephemeral-storage",
  "limits.ephemeral-storage",
  "services",
  "services.nodeports",
  "services.loadbalancers",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "configmaps",
]);
const isStandard = (name: string): boolean => OF_PODS.has(name) || OF_CLAIMS.has(name) || MORE.has(name);

/** What each scope can be asked of. */
const SCOPES: ReadonlyMap<string, (name: string) => boolean> = new Map([
  ["Terminating", (name: string) => OF_PODS.has(name)],
  ["NotTerminating", (name: string) => OF_PODS.has(name)],
  ["NotBestEffort", (name: string) => OF_PODS.has(name)],
  ["PriorityClass", (name: string) => OF_PODS.has(name)],
  ["CrossNamespacePodAffinity", (name: string) => OF_PODS.has(name)],
  ["BestEffort", (name: string) => name === "pods"],
  ["VolumeAttributesClass", (name: string) => OF_CLAIMS.has(name)],
]);
const BARE: ReadonlySet<string> = new Set([
  "BestEffort",
  "NotBestEffort",
  "Terminating",
  "NotTerminating",
  "CrossNamespacePodAffinity",
]);
const OPPOSITES = [
  ["BestEffort", "NotBestEffort"],
  ["Terminating", "NotTerminating"],
] as const;

const ONLY_EXISTS =
  "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity";

export function checkScopes(spec: Fields | undefined, errors: Errors): void {
  const resources = entries(spec, "hard")
    .map(([name]) => name)
    .filter(isStandard);
  const scopes = strings(spec, "scopes");
  const unfit = (scope: string): number => {
    const fits = SCOPES.get(scope);
    return fits === undefined ? 0 : resources.filter((name) => !fits(name)).length;
  };
  for (const scope of scopes) {
    if (!SCOPES.has(scope)) errors.push(fieldInvalid("spec.scopes", scopes, "unsupported scope"));
    for (let i = unfit(scope); i > 0; i--)
      errors.push(fieldInvalid("spec.scopes", scopes, "unsupported scope applied to resource"));
  }
  for (const pair of OPPOSITES)
    if (pair.every((scope) => scopes.includes(scope)))
      errors.push(fieldInvalid("spec.scopes", scopes, "conflicting scopes"));
  checkSelector(child(spec, "scopeSelector"), scopes, unfit, errors);
}

function checkSelector(
  selector: Fields | undefined,
  scopes: readonly string[],
  unfit: (scope: string) => number,
  errors: Errors,
): void {
  const path = "spec.scopeSelector.matchExpressions";
  const shown = {
    MatchExpressions: items(selector, "matchExpressions").map((requirement) => ({
      ScopeName: text(requirement, "scopeName"),
      Operator: text(requirement, "operator"),
      Values: requirement["values"] ?? null,
    })),
  };
  const seen = new Set<string>();
  for (const requirement of items(selector, "matchExpressions")) {
    seen.add(text(requirement, "scopeName"));
    const [scope, operator] = [text(requirement, "scopeName"), text(requirement, "operator")];
    const values = strings(requirement, "values");
    if (!SCOPES.has(scope)) errors.push(fieldInvalid(`${path}.scopeName`, scope, "unsupported scope"));
    for (let i = unfit(scope); i > 0; i--)
      errors.push(fieldInvalid(path, shown, "unsupported scope applied to resource"));
    if (BARE.has(scope) && operator !== "Exists") errors.push(fieldInvalid(`${path}.operator`, operator, ONLY_EXISTS));
    if (operator === "In" || operator === "NotIn") {
      if (values.length === 0)
        errors.push(
          fieldRequired(
            `${path}.values`,
            "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
          ),
        );
    } else if (operator === "Exists" || operator === "DoesNotExist") {
      if (values.length > 0)
        errors.push(
          fieldInvalid(
            `${path}.values`,
            values,
            "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
          ),
        );
    } else errors.push(fieldInvalid(`${path}.operator`, operator, "not a valid selector operator"));
  }
  for (const pair of OPPOSITES)
    if (pair.every((scope) => seen.has(scope)))
      errors.push(fieldInvalid(path, scopes.length === 0 ? null : scopes, "conflicting scopes"));
}
