/** Webhook configurations. */
import { fieldDuplicate, fieldInvalid, fieldNotSupported, fieldRequired, type KubeObject } from "@travelops/kube";
import { checkMatchConditions } from "./admission-policies.ts";
import { checkRule } from "./admission-rules.ts";
import { dns1035Label, dnsSubdomain, type Errors, labelSelector, oneOf } from "../checks.ts";
import { checkWebhookPlace } from "./webhook-client.ts";
import { child, has, items, number, strings, text } from "../fields.ts";

function checkName(name: string, path: string, errors: Errors): void {
  if (name === "") errors.push(fieldRequired(path));
  else if (dnsSubdomain(name).length > 0)
    dnsSubdomain(name).forEach((fault) => errors.push(fieldInvalid(path, name, fault)));
  else if (name.split(".").length < 3)
    errors.push(fieldInvalid(path, name, "should be a domain with at least three segments separated by dots"));
}

function checkVersions(versions: readonly string[], path: string, errors: Errors): void {
  if (versions.length === 0) return void errors.push(fieldRequired(path, "must specify one of v1, v1beta1"));
  versions.forEach((version, i) => {
    if (versions.indexOf(version) < i) errors.push(fieldInvalid(`${path}[${i}]`, version, "duplicate version"));
    else for (const fault of dns1035Label(version)) errors.push(fieldInvalid(`${path}[${i}]`, version, fault));
  });
  if (!versions.includes("v1") && !versions.includes("v1beta1"))
    errors.push(fieldInvalid(path, versions, "must include at least one of v1, v1beta1"));
}

export function checkWebhooks(configuration: KubeObject, errors: Errors): void {
  const names = new Set<string>();
  items(configuration, "webhooks").forEach((webhook, i) => {
    const path = `webhooks[${i}]`;
    const name = text(webhook, "name");
    checkName(name, `${path}.name`, errors);
    items(webhook, "rules").forEach((rule, j) => checkRule(rule, `${path}.rules[${j}]`, errors));
    oneOf(text(webhook, "failurePolicy"), `${path}.failurePolicy`, ["Fail", "Ignore"], errors);
    oneOf(text(webhook, "matchPolicy"), `${path}.matchPolicy`, ["Equivalent", "Exact"], errors);
    const sideEffects = text(webhook, "sideEffects");
    if (!has(webhook, "sideEffects"))
      errors.push(fieldRequired(`${path}.sideEffects`, "must specify one of None, NoneOnDryRun"));
    else if (!["None", "NoneOnDryRun"].includes(sideEffects))
      errors.push(fieldNotSupported(`${path}.sideEffects`, sideEffects, ["None", "NoneOnDryRun"]));
    const seconds = number(webhook, "timeoutSeconds");
    if (seconds !== undefined && (seconds < 1 || seconds > 30))
      errors.push(
        fieldInvalid(`${path}.timeoutSeconds`, seconds, "the timeout value must be between 1 and 30 seconds"),
      );
    labelSelector(child(webhook, "namespaceSelector"), `${path}.namespaceSelector`, errors);
    labelSelector(child(webhook, "objectSelector"), `${path}.objectSelector`, errors);
    if (has(webhook, "reinvocationPolicy"))
      oneOf(text(webhook, "reinvocationPolicy"), `${path}.reinvocationPolicy`, ["IfNeeded", "Never"], errors);
    checkWebhookPlace(child(webhook, "clientConfig"), `${path}.clientConfig`, errors);
    checkMatchConditions(items(webhook, "matchConditions"), `${path}.matchConditions`, false, errors);
    checkVersions(strings(webhook, "admissionReviewVersions"), `${path}.admissionReviewVersions`, errors);
    if (names.has(name)) errors.push(fieldDuplicate(`${path}.name`, name));
    if (name !== "") names.add(name);
  });
}
