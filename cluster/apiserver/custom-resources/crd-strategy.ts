/** CustomResourceDefinitions themselves: what is checked, and what their deletion waits for. */
import {
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  type Condition,
  type FieldError,
  type KubeObject,
} from "@travelops/kube";
import { CLEANUP_FINALIZER, setCondition } from "./crd-conditions.ts";
import { isDns1035Label, isDns1123Subdomain } from "@travelops/kube/api/names";
import { checkRules } from "@travelops/kube/schema/cel/check";
import { equalJson } from "@travelops/kube/schema/json-value";
import { checkStructural } from "@travelops/kube/schema/structural";
import { array, read, record, text } from "../registry/printers/printer.ts";
import type { Strategy } from "../registry/strategy.ts";
import { compileJsonPath } from "./json-path.ts";
import { isShipped } from "./shipped-schemas.ts";
import { groupOf, namesOf, storageVersionOf, versionsOf } from "./served-custom-resource.ts";

const MAX_SELECTABLE_FIELDS = 8;
const COLUMN_TYPES: ReadonlySet<string> = new Set(["boolean", "date", "integer", "number", "string"]);
const SCHEMA = ["schema", "openAPIV3Schema"] as const;
const IMMUTABLE = "field is immutable";
const LABEL =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

function nameErrors(crd: KubeObject, old: KubeObject | undefined): FieldError[] {
  const { plural, singular, kind, listKind, shortNames } = namesOf(crd);
  const group = groupOf(crd);
  const errors: FieldError[] = [];
  const name = crd.metadata.name ?? "";
  if (old === undefined && name !== `${plural}.${group}`) {
    errors.push(fieldInvalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'));
  }
  if (group === "") errors.push(fieldRequired("spec.group"));
  else if (!isDns1123Subdomain(group))
    errors.push(
      fieldInvalid(
        "spec.group",
        group,
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'",
      ),
    );
  else if (!group.includes("."))
    errors.push(fieldInvalid("spec.group", group, "should be a domain with at least one dot"));
  for (const [path, value] of [
    ["spec.names.plural", plural],
    ["spec.names.singular", singular],
  ] as const) {
    if (!isDns1035Label(value)) errors.push(value === "" ? fieldRequired(path) : fieldInvalid(path, value, LABEL));
  }
  if (kind === "") errors.push(fieldRequired("spec.names.kind"));
  else if (!isDns1035Label(kind.toLowerCase()))
    errors.push(fieldInvalid("spec.names.kind", kind, `may have mixed case, but should otherwise match: ${LABEL}`));
  if (kind !== "" && kind === listKind)
    errors.push(fieldInvalid("spec.names.listKind", listKind, "kind and listKind may not be the same"));
  shortNames.forEach((short, i) => {
    if (!isDns1035Label(short)) errors.push(fieldInvalid(`spec.names.shortNames[${i}]`, short, LABEL));
  });
  return errors;
}

function versionErrors(crd: KubeObject, old: KubeObject | undefined): FieldError[] {
  const versions = versionsOf(crd);
  if (versions.length === 0) return [fieldRequired("spec.versions")];
  const errors: FieldError[] = [];
  const storage = versions.filter((version) => read(version, "storage") === true);
  if (storage.length !== 1) {
    errors.push(
      fieldInvalid(
        "spec.versions",
        versions.map((version) => text(read(version, "name"))),
        "must have exactly one version marked as storage version",
      ),
    );
  }
  const names = versions.map((version) => text(read(version, "name")));
  if (new Set(names).size !== names.length)
    errors.push(fieldInvalid("spec.versions", names, "must contain unique version names"));
  const before = old === undefined ? [] : versionsOf(old);
  versions.forEach((version, i) => {
    const was = before.find((other) => read(other, "name") === read(version, "name"));
    errors.push(...oneVersionErrors(version, was, `spec.versions[${i}]`));
  });
  return errors;
}

function oneVersionErrors(version: unknown, was: unknown, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const name = text(read(version, "name"));
  if (!isDns1035Label(name)) errors.push(fieldInvalid(`${path}.name`, name, LABEL));
  const schema = read(version, ...SCHEMA);
  if (schema === undefined || schema === null) errors.push(fieldRequired(`${path}.schema.openAPIV3Schema`));
  else if (!isShipped(schema)) {
    const where = `${path}.schema.openAPIV3Schema`;
    const faults = checkStructural(schema, where);
    errors.push(
      ...faults,
      ...(faults.length === 0 ? checkRules(schema, where, equalJson(schema, read(was, ...SCHEMA))) : []),
    );
  }
  errors.push(...scalePathErrors(version, path));
  array(read(version, "additionalPrinterColumns")).forEach((column, i) => {
    const at = `${path}.additionalPrinterColumns[${i}]`;
    const type = text(read(column, "type"));
    if (!COLUMN_TYPES.has(type))
      errors.push(fieldInvalid(`${at}.type`, type, `must be one of ${[...COLUMN_TYPES].join(",")}`));
    const jsonPath = text(read(column, "jsonPath"));
    if (jsonPath !== "" && !jsonPath.startsWith(".")) {
      errors.push(fieldInvalid(`${at}.JSONPath`, jsonPath, "must be a simple json path starting with ."));
    } else errors.push(...pathErrors(jsonPath, `${at}.JSONPath`));
  });
  const fields = array(read(version, "selectableFields"));
  if (fields.length > MAX_SELECTABLE_FIELDS) {
    errors.push({
      reason: "FieldValueTooMany",
      field: `${path}.selectableFields`,
      message: `Too many: ${fields.length}: must have at most ${MAX_SELECTABLE_FIELDS} items`,
    });
  }
  fields.forEach((field, i) => {
    errors.push(...pathErrors(text(read(field, "jsonPath")), `${path}.selectableFields[${i}].jsonPath`));
  });
  return errors;
}

function scalePathErrors(version: unknown, path: string): FieldError[] {
  const scale = read(version, "subresources", "scale");
  if (scale === undefined || scale === null) return [];
  return (["spec", "status"] as const).flatMap((part) => {
    const key = `${part}ReplicasPath`;
    const value = text(read(scale, key));
    if (value === "") return [fieldRequired(`${path}.subresources.scale.${key}`)];
    return value.startsWith(`.${part}.`)
      ? []
      : [fieldInvalid(`${path}.subresources.scale.${key}`, value, `should be a json path under .${part}`)];
  });
}

const APPROVED = "api-approved.kubernetes.io";

/** Groups of Kubernetes itself are not for everyone. */
function approvalErrors(crd: KubeObject): FieldError[] {
  if (!/(^|\.)(k8s|kubernetes)\.io$/.test(groupOf(crd))) return [];
  const value = crd.metadata.annotations?.[APPROVED] ?? "";
  const field = `metadata.annotations[${APPROVED}]`;
  const help = `protected groups must have approval annotation "${APPROVED}", see https://github.com/kubernetes/enhancements/pull/1111`;
  if (value === "") return [fieldRequired(field, help)];
  return value.startsWith("unapproved") || URL.canParse(value) ? [] : [fieldInvalid(field, value, help)];
}

/** Upstream speaks of what all versions have in common (one version does) as the CRD's own. */
function commonPath(crd: KubeObject, error: FieldError): FieldError {
  if (versionsOf(crd).length !== 1) return error;
  // Of a schema that is there, and too expensive as a whole, it speaks likewise.
  if (error.reason === "FieldValueForbidden" && error.field === "spec.versions[0].schema.openAPIV3Schema")
    return { ...error, field: "spec.validation.openAPIV3Schema" };
  const field = error.field
    .replace(/^spec\.versions\[0\]\.schema\.openAPIV3Schema\./, "spec.validation.openAPIV3Schema.")
    .replace(/^spec\.versions\[0\]\.(additionalPrinterColumns|subresources|selectableFields)\b/, "spec.$1");
  return field === error.field ? error : { ...error, field };
}

function pathErrors(jsonPath: string, path: string): FieldError[] {
  if (jsonPath === "") return [fieldRequired(path)];
  try {
    compileJsonPath(jsonPath);
    return [];
  } catch (error) {
    return [fieldInvalid(path, jsonPath, error instanceof Error ? error.message : String(error))];
  }
}

function conversionErrors(crd: KubeObject): FieldError[] {
  const strategy = text(read(crd, "spec", "conversion", "strategy"), "None");
  if (strategy === "None") return [];
  if (strategy !== "Webhook") return [fieldNotSupported("spec.conversion.strategy", strategy, ["None", "Webhook"])];
  const webhook = read(crd, "spec", "conversion", "webhook");
  const errors: FieldError[] = [];
  if ((read(webhook, "clientConfig") ?? undefined) === undefined) {
    errors.push(fieldRequired("spec.conversion.webhookClientConfig", "required when strategy is set to Webhook"));
  }
  if (array(read(webhook, "conversionReviewVersions")).length === 0)
    errors.push(fieldRequired("spec.conversion.conversionReviewVersions"));
  return errors;
}

/** What is stored must be served for as long as it is stored. */
function storedVersionErrors(crd: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  const stored = array(read(crd, "status", "storedVersions")).map((version) => text(version));
  if (stored.length === 0)
    return [fieldInvalid("status.storedVersions", stored, "must have at least one stored version")];
  const names = versionsOf(crd).map((version) => text(read(version, "name")));
  for (const version of versionsOf(crd)) {
    const name = text(read(version, "name"));
    if (read(version, "storage") === true && !stored.includes(name))
      errors.push(fieldInvalid("status.storedVersions", stored, `must have the storage version ${name}`));
  }
  stored.forEach((version, i) => {
    if (names.includes(version)) return;
    errors.push(
      fieldInvalid(
        `status.storedVersions[${i}]`,
        version,
        `missing from spec.versions; ${version} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${version} and removes ${version} from status.storedVersions`,
      ),
    );
  });
  return errors;
}

function updateErrors(crd: KubeObject, old: KubeObject): FieldError[] {
  const errors: FieldError[] = [];
  for (const path of ["spec.group", "spec.scope", "spec.names.plural", "spec.names.kind"]) {
    const keys = path.split(".");
    const value = read(crd, ...keys);
    if (value !== read(old, ...keys)) errors.push(fieldInvalid(path, value ?? "", IMMUTABLE));
  }
  return errors;
}

function scopeErrors(scope: string): FieldError[] {
  if (scope === "") return [fieldRequired("spec.scope")];
  return scope === "Cluster" || scope === "Namespaced"
    ? []
    : [fieldNotSupported("spec.scope", scope, ["Cluster", "Namespaced"])];
}

function validate(crd: KubeObject, old: KubeObject | undefined, subresource: string): FieldError[] {
  if (subresource === "status") return [];
  const errors = [
    ...nameErrors(crd, old),
    ...(old === undefined || groupOf(old) !== groupOf(crd) ? approvalErrors(crd) : []),
    ...scopeErrors(text(read(crd, "spec", "scope"))),
    ...versionErrors(crd, old),
    ...conversionErrors(crd),
    ...(storageVersionOf(crd) === "" ? [] : storedVersionErrors(crd)),
    ...(old === undefined ? [] : updateErrors(crd, old)),
  ];
  return errors.map((error) => commonPath(crd, error));
}

/** Preserving unknown fields for a whole kind is gone with v1beta1. */
const withStoredVersion = (crd: KubeObject): KubeObject => {
  const stored = array(read(crd, "status", "storedVersions"));
  const storage = storageVersionOf(crd);
  if (storage === "" || stored.includes(storage)) return crd;
  return { ...crd, status: { ...record(crd["status"]), storedVersions: [...stored, storage] } };
};

export const crdStrategy: Partial<Strategy> = {
  marksDeletionBare: true,
  prepareForCreate: (crd) =>
    withStoredVersion({
      ...crd,
      status: { conditions: [], acceptedNames: { plural: "", kind: "" }, storedVersions: [] },
    }),
  prepareForUpdate: (crd) => withStoredVersion(crd),
  validate,
  /** Its objects go first. */
  beforeDelete(crd, old, { now }) {
    if (old.metadata.deletionTimestamp !== undefined) return crd;
    const finalizers = crd.metadata.finalizers ?? [];
    const condition: Condition = {
      type: "Terminating",
      status: "True",
      reason: "InstanceDeletionPending",
      message: "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
      lastTransitionTime: now,
    };
    return {
      ...crd,
      metadata: {
        ...crd.metadata,
        finalizers: finalizers.includes(CLEANUP_FINALIZER) ? finalizers : [...finalizers, CLEANUP_FINALIZER],
      },
      status: setCondition(record(crd["status"]), condition),
    };
  },
};
