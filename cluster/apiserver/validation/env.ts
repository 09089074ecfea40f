/** Environment variables of containers, and references to fields of the pod. */
import { fieldInvalid, fieldNotSupported, fieldRequired } from "@travelops/kube";
import {
  checkText,
  configKey,
  dnsSubdomain,
  type Errors,
  oneOf,
  qualifiedName,
  requireText,
  type TextCheck,
} from "./checks.ts";
import { child, type Fields, has, items, text } from "./fields.ts";

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
  "spec.hostNetwork",
  "status.nominatedNodeName",
]);
const RESOURCES = [
  "limits.cpu",
  "limits.ephemeral-storage",
  "limits.memory",
  "requests.cpu",
  "requests.ephemeral-storage",
  "requests.memory",
];
const SUBSCRIPT = /^(metadata\.(?:annotations|labels))\['(.*)'\]$/;

/** A field of the pod that a variable or a file shows. */
export function fieldReference(reference: Fields, path: string, supported: readonly string[], errors: Errors): void {
  const field = text(reference, "fieldPath");
  if (!requireText(field, `${path}.fieldPath`, errors)) return;
  const subscript = SUBSCRIPT.exec(field);
  if (subscript !== null) return checkText(subscript[2] ?? "", path, qualifiedName, errors);
  if (!KNOWN_FIELDS.has(field)) {
    errors.push(
      fieldInvalid(`${path}.fieldPath`, field, `error converting fieldPath: field label not supported: ${field}`),
    );
  } else oneOf(field, `${path}.fieldPath`, supported, errors);
}

export function resourceReference(reference: Fields, path: string, inVolume: boolean, errors: Errors): void {
  const resource = text(reference, "resource");
  if (inVolume && text(reference, "containerName") === "") errors.push(fieldRequired(`${path}.containerName`));
  else if (resource === "") errors.push(fieldRequired(`${path}.resource`));
  else if (!RESOURCES.includes(resource) && !/^(?:limits|requests)\.hugepages-/.test(resource)) {
    errors.push(fieldNotSupported(`${path}.resource`, resource, RESOURCES));
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
    else if (kind !== "fileKeyRef") keyReference(reference, `${path}.${kind}`, errors);
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
