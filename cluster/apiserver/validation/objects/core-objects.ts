/** ConfigMaps, secrets, namespaces, quotas, leases. */
import { fieldForbidden, fieldInvalid, fieldRequired, type FieldError, type KubeObject } from "@travelops/kube";
import { jsonSyntaxError } from "@travelops/kube/schema/json-syntax";
import { equalJson } from "@travelops/kube/schema/json-value";
import { checkText, configKey, type Errors, nonNegative, qualifiedName } from "../checks.ts";
import { checkScopes } from "./quota-scopes.ts";
import { quotaResourceName, resourceQuantity } from "./resource-names.ts";
import { child, entries, has, number, strings, text } from "../fields.ts";

const MAX_BYTES = 1024 * 1024;
const FROZEN = "field is immutable when `immutable` is set";

const tooLong = (field: string): FieldError => ({
  reason: "FieldValueTooLong",
  field,
  message: `Too long: may not be more than ${MAX_BYTES} bytes`,
});

/** An object that was made immutable stays as it is, and stays immutable. */
function checkFrozen(object: KubeObject, old: KubeObject | undefined, keys: readonly string[], errors: Errors): void {
  if (old?.["immutable"] !== true) return;
  if (object["immutable"] !== true) errors.push(fieldForbidden("immutable", FROZEN));
  for (const key of keys) if (!equalJson(object[key] ?? {}, old[key] ?? {})) errors.push(fieldForbidden(key, FROZEN));
}

const decodedSize = (value: unknown): number => (typeof value === "string" ? Buffer.byteLength(value, "base64") : 0);

export function checkConfigMap(map: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  let size = 0;
  const binary = child(map, "binaryData");
  for (const [key, value] of entries(map, "data")) {
    checkText(key, `data[${key}]`, configKey, errors);
    if (has(binary, key)) errors.push(fieldInvalid(`data[${key}]`, key, "duplicate of key present in binaryData"));
    size += Buffer.byteLength(String(value));
  }
  for (const [key, value] of entries(map, "binaryData")) {
    checkText(key, `binaryData[${key}]`, configKey, errors);
    size += decodedSize(value);
  }
  if (size > MAX_BYTES) errors.push(tooLong(""));
  checkFrozen(map, old, ["data", "binaryData"], errors);
}

/** Keys that a type of secret has to have; of some, one is enough. */
const NEEDED: Readonly<Record<string, readonly string[]>> = {
  "kubernetes.io/tls": ["tls.crt", "tls.key"],
  "kubernetes.io/ssh-auth": ["ssh-privatekey"],
  "kubernetes.io/dockerconfigjson": [".dockerconfigjson"],
  "kubernetes.io/dockercfg": [".dockercfg"],
};
const ACCOUNT = "kubernetes.io/service-account.name";

function secretType(secret: KubeObject, errors: Errors): void {
  const type = text(secret, "type");
  const data = child(secret, "data");
  for (const key of NEEDED[type] ?? []) {
    const value = data?.[key];
    if (typeof value !== "string") errors.push(fieldRequired(`data[${key}]`));
    else if (key.startsWith(".docker")) {
      const fault = jsonSyntaxError(Buffer.from(value, "base64").toString("utf8"));
      if (fault !== undefined) errors.push(fieldInvalid(`data[${key}]`, "<secret contents redacted>", fault));
    }
  }
  if (type === "kubernetes.io/basic-auth" && !has(data, "username") && !has(data, "password")) {
    errors.push(fieldRequired("data[username]"), fieldRequired("data[password]"));
  }
  if (type === "kubernetes.io/service-account-token" && (secret.metadata.annotations?.[ACCOUNT] ?? "") === "") {
    errors.push(fieldRequired(`metadata.annotations[${ACCOUNT}]`));
  }
}

export function checkSecret(secret: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  let size = 0;
  for (const [key, value] of entries(secret, "data")) {
    checkText(key, `data[${key}]`, configKey, errors);
    size += decodedSize(value);
  }
  if (size > MAX_BYTES) errors.push(tooLong("data"));
  secretType(secret, errors);
  if (old === undefined) return;
  if (text(secret, "type") !== text(old, "type"))
    errors.push(fieldInvalid("type", text(secret, "type"), "field is immutable"));
  checkFrozen(secret, old, ["data"], errors);
}

export function checkNamespace(namespace: KubeObject, errors: Errors): void {
  for (const finalizer of strings(child(namespace, "spec"), "finalizers")) {
    checkText(finalizer, "spec.finalizers", qualifiedName, errors);
    if (!finalizer.includes("/") && finalizer !== "kubernetes") {
      errors.push(
        fieldInvalid(
          "spec.finalizers",
          finalizer,
          "name is neither a standard finalizer name nor is it fully qualified",
        ),
      );
    }
  }
}

/** What a namespace may use; of what, stays as it was. */
export function checkQuota(quota: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(quota, "spec");
  for (const [name, value] of entries(spec, "hard")) {
    quotaResourceName(name, `spec.hard[${name}]`, errors);
    resourceQuantity(name, value, `spec.hard[${name}]`, errors);
  }
  checkScopes(spec, errors);
  if (old === undefined) return;
  const scopes = strings(spec, "scopes");
  const before = new Set(strings(child(old, "spec"), "scopes"));
  if (before.symmetricDifference(new Set(scopes)).size > 0)
    errors.push(fieldInvalid("spec.scopes", scopes.length === 0 ? null : scopes, "field is immutable"));
}

export function checkLease(lease: KubeObject, errors: Errors): void {
  const spec = child(lease, "spec");
  const seconds = number(spec, "leaseDurationSeconds");
  if (seconds !== undefined && seconds <= 0)
    errors.push(fieldInvalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"));
  nonNegative(number(spec, "leaseTransitions"), "spec.leaseTransitions", errors);
}
