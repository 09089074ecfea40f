/** Webhook configurations. */
import { fieldDuplicate, fieldInvalid, fieldNotSupported, fieldRequired, type KubeObject } from "@travelops/kube";
import { checkMatchConditions } from "./admission-policies.ts";
import { checkRule } from "./admission-rules.ts";
import { dns1035Label, dnsSubdomain, type Errors, labelSelector, oneOf } from "./checks.ts";
import { child, type Fields, has, items, number, strings, text } from "./fields.ts";

/** Scheme, authority, query and fragment; Go's parser takes nearly everything for a URL. */
const URL_PARTS = /^(?:([a-z][a-z0-9+.-]*):)?(?:\/\/([^/?#]*))?[^?#]*(?:\?([^#]*))?(?:#(.*))?$/is;

function checkUrl(url: string, path: string, errors: Errors): void {
  const form = "desired format: https://host[/path]";
  const [, scheme = "", authority = "", query = "", fragment = ""] = URL_PARTS.exec(url) ?? [];
  const at = authority.lastIndexOf("@");
  if (scheme.toLowerCase() !== "https")
    errors.push(fieldInvalid(path, scheme, `'https' is the only allowed URL scheme; ${form}`));
  if (authority.slice(at + 1) === "") errors.push(fieldInvalid(path, "", `host must be specified; ${form}`));
  if (at !== -1)
    errors.push(fieldInvalid(path, authority.slice(0, at), "user information is not permitted in the URL"));
  if (fragment !== "") errors.push(fieldInvalid(path, fragment, "fragments are not permitted in the URL"));
  if (query !== "") errors.push(fieldInvalid(path, query, "query parameters are not permitted in the URL"));
}

/** The path of a Service: each of its segments is a name. */
function checkPath(urlPath: string, path: string, errors: Errors): void {
  if (urlPath === "" || urlPath === "/") return;
  if (urlPath === "//") return void errors.push(fieldInvalid(path, urlPath, "segment[0] may not be empty"));
  if (!urlPath.startsWith("/")) errors.push(fieldInvalid(path, urlPath, "must start with a '/'"));
  const segments = urlPath.slice(1).replace(/\/$/, "").split("/");
  segments.forEach((segment, i) => {
    if (segment === "") errors.push(fieldInvalid(path, urlPath, `segment[${i}] may not be empty`));
    else for (const fault of dnsSubdomain(segment)) errors.push(fieldInvalid(path, urlPath, `segment[${i}]: ${fault}`));
  });
}

function checkClient(client: Fields | undefined, path: string, errors: Errors): void {
  const service = child(client, "service");
  if (has(client, "url") === (service !== undefined)) {
    errors.push(fieldRequired(path, "exactly one of url or service is required"));
  } else if (service === undefined) checkUrl(text(client, "url"), `${path}.url`, errors);
  else {
    // Upstream takes the one for the other.
    if (text(service, "name") === "") errors.push(fieldRequired(`${path}.service.namespace`));
    if (text(service, "namespace") === "") errors.push(fieldRequired(`${path}.service.name`));
    const port = number(service, "port");
    checkPath(text(service, "path"), `${path}.service.path`, errors);
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
    checkMatchConditions(items(webhook, "matchConditions"), `${path}.matchConditions`, false, errors);
    if (has(webhook, "reinvocationPolicy"))
      oneOf(text(webhook, "reinvocationPolicy"), `${path}.reinvocationPolicy`, ["IfNeeded", "Never"], errors);
    checkVersions(strings(webhook, "admissionReviewVersions"), `${path}.admissionReviewVersions`, errors);
  });
}
