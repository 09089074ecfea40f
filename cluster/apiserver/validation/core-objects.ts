/** ConfigMaps, secrets, namespaces, quotas, limits, events, nodes, leases, runtime classes. */
import { fieldForbidden, fieldInvalid, fieldRequired, type FieldError, type KubeObject } from "@travelops/kube";
import { compareQuantity, formatQuantity, type Quantity, tryParseQuantity } from "@travelops/kube/api/quantity";
import { jsonSyntaxError } from "@travelops/kube/schema/json-syntax";
import { equalJson } from "@travelops/kube/schema/json-value";
import { checkText, cidr, configKey, dnsLabel, type Errors, nonNegative, qualifiedName } from "./checks.ts";
import { checkScopes } from "./quota-scopes.ts";
import { child, entries, type Fields, has, items, number, strings, text } from "./fields.ts";
import { checkTaints } from "./scheduling.ts";

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

const QUOTA_COUNTS: ReadonlySet<string> = new Set([
  "pods",
  "services",
  "replicationcontrollers",
  "resourcequotas",
  "secrets",
  "configmaps",
  "persistentvolumeclaims",
  "services.nodeports",
  "services.loadbalancers",
]);
const QUOTA_RESOURCES =
  /^(?:(?:requests\.|limits\.)?(?:cpu|memory|ephemeral-storage|hugepages-\w+)|requests\.storage)$/;

function quotaName(name: string, path: string, errors: Errors): void {
  checkText(name, path, qualifiedName, errors);
  if (name.includes("/") || QUOTA_COUNTS.has(name) || QUOTA_RESOURCES.test(name)) return;
  if (qualifiedName(name).length === 0)
    errors.push(fieldInvalid(path, name, "must be a standard resource type or fully qualified"));
  errors.push(fieldInvalid(path, name, "must be a standard resource for quota"));
}

export function checkQuota(quota: KubeObject, errors: Errors): void {
  const spec = child(quota, "spec");
  for (const [name, value] of entries(spec, "hard")) {
    const at = `spec.hard[${name}]`;
    quotaName(name, at, errors);
    const quantity = tryParseQuantity(value);
    if (quantity === undefined) continue;
    if (quantity.nano < 0n) errors.push(fieldInvalid(at, value, "must be greater than or equal to 0"));
    const counted = QUOTA_COUNTS.has(name) || name.includes("/");
    if (counted && quantity.nano % 1_000_000_000n !== 0n)
      errors.push(fieldInvalid(at, formatQuantity(quantity), "must be an integer"));
  }
  checkScopes(spec, errors);
}

const quantityAt = (limit: Fields, kind: string, name: string): Quantity | undefined =>
  tryParseQuantity(child(limit, kind)?.[name]);
const exceeds = (a: Quantity | undefined, b: Quantity | undefined): a is Quantity =>
  a !== undefined && b !== undefined && compareQuantity(a, b) > 0;
const shown = (quantity: Quantity | undefined): string => (quantity === undefined ? "" : formatQuantity(quantity));

function limitOf(limit: Fields, name: string, path: string, errors: Errors): void {
  const [min, max] = [quantityAt(limit, "min", name), quantityAt(limit, "max", name)];
  const [byDefault, request] = [quantityAt(limit, "default", name), quantityAt(limit, "defaultRequest", name)];
  const fault = (kind: string, value: Quantity, text_: string): number =>
    errors.push(fieldInvalid(`${path}.${kind}[${name}]`, shown(value), text_));
  if (exceeds(min, max)) fault("min", min, `min value ${shown(min)} is greater than max value ${shown(max)}`);
  if (exceeds(min, request))
    fault(
      "defaultRequest",
      request ?? min,
      `min value ${shown(min)} is greater than default request value ${shown(request)}`,
    );
  if (exceeds(request, max))
    fault("defaultRequest", request, `default request value ${shown(request)} is greater than max value ${shown(max)}`);
  if (exceeds(request, byDefault))
    fault(
      "defaultRequest",
      request,
      `default request value ${shown(request)} is greater than default limit value ${shown(byDefault)}`,
    );
  if (exceeds(min, byDefault))
    fault("default", min, `min value ${shown(min)} is greater than default value ${shown(byDefault)}`);
  if (exceeds(byDefault, max) && max !== undefined)
    fault("default", max, `default value ${shown(byDefault)} is greater than max value ${shown(max)}`);
}

const ONE = 1_000_000_000n;

/** A limit cannot be less than what is asked for. */
function ratioOf(limit: Fields, name: string, path: string, errors: Errors): void {
  const ratio = quantityAt(limit, "maxLimitRequestRatio", name);
  if (ratio !== undefined && ratio.nano < ONE)
    errors.push(
      fieldInvalid(`${path}.maxLimitRequestRatio[${name}]`, shown(ratio), `ratio ${shown(ratio)} is less than 1`),
    );
}

export function checkLimitRange(range: KubeObject, errors: Errors): void {
  const seen = new Set<string>();
  items(child(range, "spec"), "limits").forEach((limit, i) => {
    const path = `spec.limits[${i}]`;
    const type = text(limit, "type");
    if (seen.has(type))
      errors.push({
        reason: "FieldValueDuplicate",
        field: `${path}.type`,
        message: `Duplicate value: ${JSON.stringify(type)}`,
      });
    seen.add(type);
    checkText(type, `${path}.type`, qualifiedName, errors);
    if (type === "Pod") {
      for (const key of ["default", "defaultRequest"])
        if (has(limit, key)) errors.push(fieldForbidden(`${path}.${key}`, "may not be specified when `type` is 'Pod'"));
    }
    const names = new Set(
      ["min", "max", "default", "defaultRequest", "maxLimitRequestRatio"].flatMap((kind) =>
        Object.keys(child(limit, kind) ?? {}),
      ),
    );
    for (const name of names) {
      limitOf(limit, name, path, errors);
      ratioOf(limit, name, path, errors);
    }
  });
}

export function checkNode(node: KubeObject, errors: Errors): void {
  const spec = child(node, "spec");
  checkTaints(spec, "metadata.taints", errors);
  strings(spec, "podCIDRs").forEach((range, i) => checkText(range, `spec.podCIDRs[${i}]`, cidr, errors));
}

export function checkLease(lease: KubeObject, errors: Errors): void {
  const spec = child(lease, "spec");
  const seconds = number(spec, "leaseDurationSeconds");
  if (seconds !== undefined && seconds <= 0)
    errors.push(fieldInvalid("spec.leaseDurationSeconds", seconds, "must be greater than 0"));
  nonNegative(number(spec, "leaseTransitions"), "spec.leaseTransitions", errors);
}

export function checkRuntimeClass(runtime: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  checkText(text(runtime, "handler"), "handler", dnsLabel, errors);
  if (old !== undefined && text(runtime, "handler") !== text(old, "handler"))
    errors.push(fieldInvalid("handler", text(runtime, "handler"), "field is immutable"));
}
