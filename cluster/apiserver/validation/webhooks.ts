/** Webhook configurations. */
import { fieldDuplicate, fieldInvalid, fieldNotSupported, fieldRequired, type KubeObject } from "@travelops/kube";
import { dnsSubdomain, type Errors, labelSelector, oneOf } from "./checks.ts";
import { child, type Fields, has, items, list, number, strings, text } from "./fields.ts";

const OPERATIONS = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];

function checkStar(rule: Fields, key: string, what: string, path: string, errors: Errors): void {
  const values = strings(rule, key);
  if (values.length === 0) errors.push(fieldRequired(`${path}.${key}`));
  if (values.length > 1 && values.includes("*"))
    errors.push(fieldInvalid(`${path}.${key}`, values, `if '*' is present, must not specify other ${what}`));
}

function checkResources(rule: Fields, path: string, errors: Errors): void {
  const values = strings(rule, "resources");
  if (values.length === 0) errors.push(fieldRequired(`${path}.resources`));
  values.forEach((value, i) => {
    if (value === "") errors.push(fieldRequired(`${path}.resources[${i}]`));
  });
  if (values.length > 1 && values.includes("*/*"))
    errors.push(fieldInvalid(`${path}.resources`, values, "if '*/*' is present, must not specify other resources"));
  if (values.includes("*") && values.some((value) => value !== "*" && !value.includes("/"))) {
    errors.push(
      fieldInvalid(
        `${path}.resources`,
        values,
        "if '*' is present, must not specify other resources without subresources",
      ),
    );
  }
}

function checkRule(rule: Fields, path: string, errors: Errors): void {
  checkStar(rule, "apiGroups", "API groups", path, errors);
  checkStar(rule, "apiVersions", "API versions", path, errors);
  strings(rule, "apiVersions").forEach((version, i) => {
    if (version === "") errors.push(fieldRequired(`${path}.apiVersions[${i}]`));
  });
  checkResources(rule, path, errors);
  checkStar(rule, "operations", "operations", path, errors);
  strings(rule, "operations").forEach((operation, i) =>
    oneOf(operation, `${path}.operations[${i}]`, OPERATIONS, errors),
  );
  if (has(rule, "scope")) oneOf(rule["scope"], `${path}.scope`, ["*", "Cluster", "Namespaced"], errors);
}

function checkUrl(url: string, path: string, errors: Errors): void {
  const form = "desired format: https://host[/path]";
  if (!URL.canParse(url)) return void errors.push(fieldRequired(path, `url must be a valid URL; ${form}`));
  const { protocol, username, hash, search } = new URL(url);
  if (protocol !== "https:")
    errors.push(fieldInvalid(path, protocol.slice(0, -1), `'https' is the only allowed URL scheme; ${form}`));
  if (username !== "")
    errors.push(fieldInvalid(path, username, `user information is not permitted in the URL; ${form}`));
  if (hash !== "") errors.push(fieldInvalid(path, hash.slice(1), `fragments are not permitted in the URL; ${form}`));
  if (search !== "")
    errors.push(fieldInvalid(path, search.slice(1), `query parameters are not permitted in the URL; ${form}`));
}

function checkClient(client: Fields | undefined, path: string, errors: Errors): void {
  const service = child(client, "service");
  if (has(client, "url") === (service !== undefined)) {
    errors.push(fieldRequired(path, "exactly one of url or service is required"));
  } else if (service === undefined) checkUrl(text(client, "url"), `${path}.url`, errors);
  else {
    if (text(service, "name") === "") errors.push(fieldRequired(`${path}.service.name`, "service name is required"));
    if (text(service, "namespace") === "")
      errors.push(fieldRequired(`${path}.service.namespace`, "service namespace is required"));
    const port = number(service, "port");
    if (port !== undefined && (port < 1 || port > 65_535))
      errors.push(
        fieldInvalid(`${path}.service.port`, port, "port is not valid: must be between 1 and 65535, inclusive"),
      );
  }
}

function checkName(name: string, path: string, names: Set<string>, errors: Errors): void {
  if (name === "") errors.push(fieldRequired(path));
  else if (dnsSubdomain(name).length > 0)
    dnsSubdomain(name).forEach((fault) => errors.push(fieldInvalid(path, name, fault)));
  else if (name.split(".").length < 3)
    errors.push(fieldInvalid(path, name, "should be a domain with at least three segments separated by dots"));
  if (name !== "" && names.has(name)) errors.push(fieldDuplicate(path, name));
  names.add(name);
}

export function checkWebhooks(configuration: KubeObject, errors: Errors): void {
  const names = new Set<string>();
  items(configuration, "webhooks").forEach((webhook, i) => {
    const path = `webhooks[${i}]`;
    checkName(text(webhook, "name"), `${path}.name`, names, errors);
    items(webhook, "rules").forEach((rule, j) => checkRule(rule, `${path}.rules[${j}]`, errors));
    oneOf(text(webhook, "failurePolicy"), `${path}.failurePolicy`, ["Fail", "Ignore"], errors);
    oneOf(text(webhook, "matchPolicy"), `${path}.matchPolicy`, ["Equivalent", "Exact"], errors);
    const sideEffects = text(webhook, "sideEffects");
    if (sideEffects === "") errors.push(fieldRequired(`${path}.sideEffects`, "must specify one of None, NoneOnDryRun"));
    else if (!["None", "NoneOnDryRun"].includes(sideEffects))
      errors.push(fieldNotSupported(`${path}.sideEffects`, sideEffects, ["None", "NoneOnDryRun"]));
    const seconds = number(webhook, "timeoutSeconds");
    if (seconds !== undefined && (seconds < 1 || seconds > 30))
      errors.push(
        fieldInvalid(`${path}.timeoutSeconds`, seconds, "the timeout value must be between 1 and 30 seconds"),
      );
    labelSelector(child(webhook, "namespaceSelector"), `${path}.namespaceSelector`, errors);
    labelSelector(child(webhook, "objectSelector"), `${path}.objectSelector`, errors);
    checkClient(child(webhook, "clientConfig"), `${path}.clientConfig`, errors);
    if (list(webhook, "admissionReviewVersions").length === 0)
      errors.push(fieldRequired(`${path}.admissionReviewVersions`, "must specify one of v1, v1beta1"));
  });
}
