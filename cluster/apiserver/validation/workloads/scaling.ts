/** Horizontal autoscalers, disruption budgets and priority classes. */
import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired, type KubeObject } from "@travelops/kube";
import { tryParseQuantity } from "@travelops/kube/api/quantity";
import {
  atMost100Percent,
  checkText,
  countOrPercent,
  dnsLabel,
  type Errors,
  labelSelector,
  nonNegativeQuantity,
  oneOf,
  pathSegment,
  requireText,
} from "../checks.ts";
import { child, type Fields, has, items, list, number, text } from "../fields.ts";
import { containerResourceName } from "../objects/resource-names.ts";

const SOURCES: Readonly<Record<string, string>> = {
  ContainerResource: "containerResource",
  External: "external",
  Object: "object",
  Pods: "pods",
  Resource: "resource",
};
/** In this order upstream looks for one. */
const ORDER = ["object", "external", "pods", "resource", "containerResource"];

function checkTarget(target: Fields | undefined, path: string, errors: Errors): void {
  const type = text(target, "type");
  requireText(type, `${path}.type`, errors, "must specify a metric target type");
  if (!["Utilization", "Value", "AverageValue"].includes(type)) {
    errors.push(fieldInvalid(`${path}.type`, type, "must be either Utilization, Value, or AverageValue"));
  }
  for (const key of ["value", "averageValue"]) {
    const quantity = tryParseQuantity(target?.[key]);
    if (quantity !== undefined && quantity.nano <= 0n)
      errors.push(fieldInvalid(`${path}.${key}`, target?.[key], "must be positive"));
  }
  const utilization = number(target, "averageUtilization");
  if (utilization !== undefined && utilization < 1)
    errors.push(fieldInvalid(`${path}.averageUtilization`, utilization, "must be greater than 0"));
}

function checkResourceTarget(source: Fields, path: string, errors: Errors): void {
  const target = child(source, "target");
  checkTarget(target, `${path}.target`, errors);
  const value = has(target, "averageValue");
  const utilization = has(target, "averageUtilization");
  if (!value && !utilization)
    errors.push(
      fieldRequired(`${path}.target.averageUtilization`, "must set either a target raw value or a target utilization"),
    );
  if (value && utilization)
    errors.push(
      fieldForbidden(`${path}.target.averageValue`, "may not set both a target raw value and a target utilization"),
    );
}

function checkMetricName(source: Fields, path: string, errors: Errors): void {
  const name = text(child(source, "metric"), "name");
  if (requireText(name, `${path}.metric.name`, errors, "must specify a metric name"))
    checkText(name, `${path}.metric.name`, pathSegment, errors);
}

function containerResource(source: Fields, path: string, errors: Errors): void {
  const name = text(source, "name");
  const container = text(source, "container");
  if (requireText(name, `${path}.name`, errors, "must specify a resource name"))
    containerResourceName(name, `${path}.name`, errors);
  if (requireText(container, `${path}.container`, errors, "must specify a container"))
    checkText(container, `${path}.container`, dnsLabel, errors);
  checkResourceTarget(source, path, errors);
}

function externalTarget(target: Fields | undefined, path: string, errors: Errors): void {
  const [value, average] = [has(target, "value"), has(target, "averageValue")];
  if (!value && !average)
    errors.push(fieldRequired(`${path}.averageValue`, "must set either a target value for metric or a per-pod target"));
  if (value && average)
    errors.push(fieldForbidden(`${path}.value`, "may not set both a target value for metric and a per-pod target"));
}

function checkSource(kind: string, source: Fields, path: string, errors: Errors): void {
  if (kind === "containerResource") return containerResource(source, path, errors);
  if (kind === "resource") {
    requireText(text(source, "name"), `${path}.name`, errors, "must specify a resource name");
    return checkResourceTarget(source, path, errors);
  }
  const target = child(source, "target");
  if (kind === "object") checkReference(child(source, "describedObject"), `${path}.describedObject`, "core", errors);
  checkMetricName(source, path, errors);
  checkTarget(target, `${path}.target`, errors);
  if (kind === "external") return externalTarget(target, `${path}.target`, errors);
  if (has(target, "averageValue")) return;
  if (kind === "pods")
    errors.push(fieldRequired(`${path}.target.averageValue`, "must specify a positive target averageValue"));
  else if (!has(target, "value"))
    errors.push(fieldRequired(`${path}.target.averageValue`, "must set either a target value or averageValue"));
}

function checkMetric(metric: Fields, path: string, errors: Errors): void {
  const type = text(metric, "type");
  const kind = SOURCES[type];
  requireText(type, `${path}.type`, errors, "must specify a metric source type");
  const unknown = fieldNotSupported(`${path}.type`, type, Object.keys(SOURCES));
  if (kind === undefined) errors.push(unknown);
  const present = ORDER.filter((source) => has(metric, source));
  const [first] = present;
  if (first !== undefined) checkSource(first, child(metric, first) ?? {}, `${path}.${first}`, errors);
  // Upstream looks at the type twice.
  if (kind === undefined) errors.push(unknown);
  else if (!has(metric, kind))
    errors.push(fieldRequired(`${path}.${kind}`, "must populate information for the given metric source"));
  if (present.length === 1) return;
  for (const source of present)
    if (source !== kind) errors.push(fieldForbidden(`${path}.${source}`, "must populate the given metric source only"));
}

function checkRules(rules: Fields | undefined, path: string, errors: Errors): void {
  if (rules === undefined) return;
  const window = number(rules, "stabilizationWindowSeconds");
  if (window !== undefined && window < 0)
    errors.push(fieldInvalid(`${path}.stabilizationWindowSeconds`, window, "must be greater than or equal to zero"));
  if (window !== undefined && window > 3600)
    errors.push(fieldInvalid(`${path}.stabilizationWindowSeconds`, window, "must be less than or equal to 3600"));
  if (has(rules, "selectPolicy"))
    oneOf(rules["selectPolicy"], `${path}.selectPolicy`, ["Disabled", "Max", "Min"], errors);
  if (list(rules, "policies").length === 0)
    errors.push(fieldRequired(`${path}.policies`, "must specify at least one Policy"));
  items(rules, "policies").forEach((policy, i) => {
    const at = `${path}.policies[${i}]`;
    oneOf(text(policy, "type"), `${at}.type`, ["Percent", "Pods"], errors);
    for (const key of ["value", "periodSeconds"]) {
      if ((number(policy, key) ?? 0) <= 0)
        errors.push(fieldInvalid(`${at}.${key}`, number(policy, key) ?? 0, "must be greater than zero"));
    }
    const period = number(policy, "periodSeconds") ?? 0;
    if (period > 1800) errors.push(fieldInvalid(`${at}.periodSeconds`, period, "must be less than or equal to 1800"));
  });
  nonNegativeQuantity(rules["tolerance"], `${path}.tolerance`, errors);
}

/** What another object is called; `core`: without a group, too. What was there before may be of `any`. */
type Group = "any" | "core" | "named";

function checkReference(target: Fields | undefined, path: string, group: Group, errors: Errors): void {
  for (const key of ["kind", "name"]) {
    const value = text(target, key);
    if (requireText(value, `${path}.${key}`, errors)) checkText(value, `${path}.${key}`, pathSegment, errors);
  }
  const apiVersion = text(target, "apiVersion");
  if (group === "any") return;
  if (apiVersion.split("/").length > 2)
    errors.push(fieldInvalid(`${path}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  else if (group === "named" && !/^[^/]+\//.test(apiVersion))
    errors.push(fieldInvalid(`${path}.apiVersion`, apiVersion, "apiVersion must specify API group"));
}

function checkScaleTarget(target: Fields | undefined, before: Fields | undefined, errors: Errors): void {
  const same = before !== undefined && ["apiVersion", "kind"].every((key) => text(target, key) === text(before, key));
  const core = text(target, "kind") === "ReplicationController";
  checkReference(target, "spec.scaleTargetRef", same ? "any" : core ? "core" : "named", errors);
}

export function checkAutoscaler(autoscaler: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(autoscaler, "spec");
  const before = child(old, "spec");
  const lowest = number(before, "minReplicas") === 0 ? 0 : 1;
  const low = number(spec, "minReplicas");
  const high = number(spec, "maxReplicas") ?? 0;
  if (low !== undefined && low < lowest)
    errors.push(fieldInvalid("spec.minReplicas", low, `must be greater than or equal to ${lowest}`));
  if (high < 1) errors.push(fieldInvalid("spec.maxReplicas", high, "must be greater than 0"));
  if (low !== undefined && high < low)
    errors.push(fieldInvalid("spec.maxReplicas", high, "must be greater than or equal to `minReplicas`"));
  checkScaleTarget(child(spec, "scaleTargetRef"), child(before, "scaleTargetRef"), errors);
  items(spec, "metrics").forEach((metric, i) => checkMetric(metric, `spec.metrics[${i}]`, errors));
  const outside = items(spec, "metrics").some((metric) => metric["type"] === "Object" || metric["type"] === "External");
  if (low === 0 && !outside)
    errors.push(
      fieldForbidden(
        "spec.metrics",
        "must specify at least one Object or External metric to support scaling to zero replicas",
      ),
    );
  const behavior = child(spec, "behavior");
  checkRules(child(behavior, "scaleUp"), "spec.behavior.scaleUp", errors);
  checkRules(child(behavior, "scaleDown"), "spec.behavior.scaleDown", errors);
}

export function checkDisruptionBudget(budget: KubeObject, errors: Errors): void {
  const spec = child(budget, "spec");
  if (has(spec, "minAvailable") && has(spec, "maxUnavailable")) {
    const shown = {
      MinAvailable: spec?.["minAvailable"],
      Selector: spec?.["selector"] ?? null,
      MaxUnavailable: spec?.["maxUnavailable"],
      UnhealthyPodEvictionPolicy: spec?.["unhealthyPodEvictionPolicy"] ?? null,
    };
    errors.push(fieldInvalid("spec", shown, "minAvailable and maxUnavailable cannot be both set"));
  }
  for (const key of ["minAvailable", "maxUnavailable"]) {
    countOrPercent(spec?.[key], `spec.${key}`, errors);
    atMost100Percent(spec?.[key], `spec.${key}`, errors);
  }
  labelSelector(child(spec, "selector"), "spec.selector", errors);
  if (has(spec, "unhealthyPodEvictionPolicy")) {
    oneOf(
      spec?.["unhealthyPodEvictionPolicy"],
      "spec.unhealthyPodEvictionPolicy",
      ["AlwaysAllow", "IfHealthyBudget"],
      errors,
    );
  }
}

const HIGHEST_USER_PRIORITY = 1_000_000_000;
const SYSTEM_PRIORITIES: ReadonlySet<string> = new Set(["system-node-critical", "system-cluster-critical"]);

export function checkPriorityClass(priority: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const name = priority.metadata.name ?? "";
  const value = number(priority, "value") ?? 0;
  if (old !== undefined) {
    if (value !== (number(old, "value") ?? 0)) errors.push(fieldForbidden("value", "may not be changed in an update."));
    if (priority["preemptionPolicy"] !== old["preemptionPolicy"])
      errors.push(fieldInvalid("preemptionPolicy", priority["preemptionPolicy"], "field is immutable"));
    return;
  }
  if (name.startsWith("system-") && !SYSTEM_PRIORITIES.has(name)) {
    const why = `priority class names with 'system-' prefix are reserved for system use only. error: ${name} is not a known system priority class`;
    errors.push(fieldForbidden("metadata.name", why));
  } else if (value > HIGHEST_USER_PRIORITY && !SYSTEM_PRIORITIES.has(name)) {
    errors.push(
      fieldForbidden("value", `maximum allowed value of a user defined priority is ${HIGHEST_USER_PRIORITY}`),
    );
  }
  if (priority["preemptionPolicy"] === "") errors.push(fieldRequired("preemptionPolicy"));
  else if (has(priority, "preemptionPolicy"))
    oneOf(priority["preemptionPolicy"], "preemptionPolicy", ["PreemptLowerPriority", "Never"], errors);
}
