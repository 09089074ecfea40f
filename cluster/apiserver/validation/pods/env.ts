/** Environment variables of containers, and references to fields of the pod. */
import { fieldInvalid, fieldNotFound, fieldNotSupported, fieldRequired } from "@travelops/kube";
import { formatQuantity, tryParseQuantity } from "@travelops/kube/api/quantity";
import {
  checkText,
  configKey,
  dnsLabel,
  dnsSubdomain,
  type Errors,
  oneOf,
  qualifiedName,
  requireText,
  type TextCheck,
} from "../checks.ts";
import { child, type Fields, has, items, text } from "../fields.ts";
import { noParent } from "./paths.ts";
import { everyContainer, someContainer } from "./every-container.ts";

const envName: TextCheck = (value) =>
  /^[\x20-\x3c\x3e-\x7e]+$/.test(value)
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];

const ENV_FIELDS = [
  "metadata.name",
  "metadata.namespace",
  "metadata.uid",
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];
const KNOWN_FIELDS: ReadonlySet<string> = new Set([
  ...ENV_FIELDS,
  "metadata.annotations",
  "metadata.labels",
  "spec.restartPolicy",
  "spec.schedulerName",
  "status.phase",
]);
const RESOURCES = [
  "limits.cpu",
  "limits.ephemeral-storage",
  "limits.memory",
  "requests.cpu",
  "requests.ephemeral-storage",
  "requests.memory",
];
const SUBSCRIPT = /^(.+?)\['(.*)'\]$/s;

/** Why a field cannot be shown at all; undefined where it can. */
function conversionFault(version: string, field: string, subscripted: string | undefined): string | undefined {
  if (version !== "v1") return `unsupported pod version: ${version}`;
  if (subscripted !== undefined)
    return subscripted === "metadata.annotations" || subscripted === "metadata.labels"
      ? undefined
      : `field label does not support subscript: ${field}`;
  return KNOWN_FIELDS.has(field) ? undefined : `field label not supported: ${field}`;
}

/** A field of the pod that a variable or a file shows. */
export function fieldReference(reference: Fields, path: string, supported: readonly string[], errors: Errors): void {
  const version = text(reference, "apiVersion");
  const asked = text(reference, "fieldPath");
  if (!requireText(version, `${path}.apiVersion`, errors) || !requireText(asked, `${path}.fieldPath`, errors)) return;
  const [, subscripted, key = ""] = SUBSCRIPT.exec(asked) ?? [];
  const field = asked === "spec.host" ? "spec.nodeName" : asked;
  const fault = conversionFault(version, field, subscripted);
  if (fault !== undefined)
    errors.push(fieldInvalid(`${path}.fieldPath`, asked, `error converting fieldPath: ${fault}`));
  else if (subscripted === undefined) oneOf(field, `${path}.fieldPath`, supported, errors);
  else checkText(subscripted === "metadata.labels" ? key : key.toLowerCase(), path, qualifiedName, errors);
}

const BYTES = "1, 1k, 1M, 1G, 1T, 1P, 1E, 1Ki, 1Mi, 1Gi, 1Ti, 1Pi, 1Ei";
const BYTE_DIVISORS: ReadonlySet<string> = new Set(BYTES.split(", "));
const DIVISORS: readonly (readonly [resource: RegExp, allowed: ReadonlySet<string>, words: string, of: string])[] = [
  [/\.cpu$/, new Set(["1m", "1"]), "1m and 1", "cpu"],
  [/\.memory$/, BYTE_DIVISORS, BYTES, "memory"],
  [/\.ephemeral-storage$/, BYTE_DIVISORS, BYTES, "local ephemeral storage"],
  [/\.hugepages-/, BYTE_DIVISORS, BYTES, "hugepages"],
];

function checkDivisor(reference: Fields, resource: string, path: string, errors: Errors): void {
  const divisor = tryParseQuantity(reference["divisor"]);
  if (divisor === undefined || divisor.nano === 0n) return;
  const rule = DIVISORS.find(([pattern]) => /^(?:limits|requests)\./.test(resource) && pattern.test(resource));
  if (rule === undefined || rule[1].has(formatQuantity(divisor))) return;
  errors.push(
    fieldInvalid(
      `${path}.divisor`,
      resource,
      `only divisor's values ${rule[2]} are supported with the ${rule[3]} resource`,
    ),
  );
}

export function resourceReference(reference: Fields, path: string, inVolume: boolean, errors: Errors): void {
  const resource = text(reference, "resource");
  if (inVolume && text(reference, "containerName") === "") errors.push(fieldRequired(`${path}.containerName`));
  else if (resource === "") errors.push(fieldRequired(`${path}.resource`));
  else if (!RESOURCES.includes(resource) && !/^(?:limits|requests)\.hugepages-/.test(resource)) {
    errors.push(fieldNotSupported(`${path}.resource`, resource, RESOURCES));
  }
  checkDivisor(reference, resource, path, errors);
}

function fileReference(reference: Fields, path: string, errors: Errors): void {
  const key = text(reference, "key");
  const volume = text(reference, "volumeName");
  const file = text(reference, "path");
  if (requireText(key, `${path}.key`, errors)) checkText(key, `${path}.key`, envName, errors);
  if (requireText(volume, `${path}.volumeName`, errors)) checkText(volume, `${path}.volumeName`, dnsLabel, errors);
  if (requireText(file, `${path}.path`, errors)) noParent(file, `${path}.path`, errors);
}

/** Variables from files: the files are on volumes made for the pod. */
export function checkFileReferences(spec: Fields, path: string, errors: Errors): void {
  const reads = (variable: Fields): boolean => has(child(variable, "valueFrom"), "fileKeyRef");
  if (!someContainer(spec, (container) => items(container, "env").some(reads))) return;
  for (const [container, at] of everyContainer(spec, path)) {
    items(container, "env").forEach((variable, i) => {
      const reference = child(child(variable, "valueFrom"), "fileKeyRef");
      if (reference === undefined) return;
      const name = text(reference, "volumeName");
      const volume = items(spec, "volumes").findLast((one) => text(one, "name") === name);
      const field = `${at}.env[${i}].valueFrom.fileKeyRef.volumeName`;
      if (volume === undefined) errors.push(fieldNotFound(field, name));
      else if (!has(volume, "emptyDir"))
        errors.push(fieldInvalid(field, name, "referenced volume must be of type emptyDir"));
    });
  }
}

function keyReference(reference: Fields, path: string, errors: Errors): void {
  checkText(text(reference, "name"), `${path}.name`, dnsSubdomain, errors);
  const key = text(reference, "key");
  if (requireText(key, `${path}.key`, errors)) checkText(key, `${path}.key`, configKey, errors);
}

function valueFrom(variable: Fields, path: string, errors: Errors): void {
  const source = child(variable, "valueFrom");
  if (source === undefined) return;
  const kinds = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"].filter((kind) =>
    has(source, kind),
  );
  for (const kind of kinds) {
    const reference = child(source, kind) ?? {};
    if (kind === "fieldRef") fieldReference(reference, `${path}.fieldRef`, ENV_FIELDS, errors);
    else if (kind === "resourceFieldRef") resourceReference(reference, `${path}.resourceFieldRef`, false, errors);
    else if (kind === "fileKeyRef") fileReference(reference, `${path}.fileKeyRef`, errors);
    else keyReference(reference, `${path}.${kind}`, errors);
  }
  if (kinds.length === 0) {
    errors.push(
      fieldInvalid(
        path,
        "",
        "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`",
      ),
    );
  } else if (text(variable, "value") !== "")
    errors.push(fieldInvalid(path, "", "may not be specified when `value` is not empty"));
  else if (kinds.length > 1)
    errors.push(fieldInvalid(path, "", "may not have more than one field specified at a time"));
}

export function checkEnv(container: Fields, path: string, errors: Errors): void {
  items(container, "env").forEach((variable, i) => {
    const at = `${path}.env[${i}]`;
    if (requireText(text(variable, "name"), `${at}.name`, errors))
      checkText(text(variable, "name"), `${at}.name`, envName, errors);
    valueFrom(variable, `${at}.valueFrom`, errors);
  });
  items(container, "envFrom").forEach((source, i) => envFrom(source, `${path}.envFrom`, i, errors));
}

function envFrom(source: Fields, path: string, index: number, errors: Errors): void {
  const at = `${path}[${index}]`;
  if (text(source, "prefix") !== "") checkText(text(source, "prefix"), `${at}.prefix`, envName, errors);
  const kinds = ["configMapRef", "secretRef"].filter((kind) => has(source, kind));
  for (const kind of kinds) {
    const name = text(child(source, kind), "name");
    if (requireText(name, `${at}.${kind}.name`, errors)) checkText(name, `${at}.${kind}.name`, dnsSubdomain, errors);
  }
  if (kinds.length === 0) errors.push(fieldInvalid(path, "", "must specify one of: `configMapRef` or `secretRef`"));
  else if (kinds.length > 1)
    errors.push(fieldInvalid(path, "", "may not have more than one field specified at a time"));
}
