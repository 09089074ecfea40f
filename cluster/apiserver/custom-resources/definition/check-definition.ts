/** What is wrong with a CRD, in upstream's words and order. */
import { fieldInvalid, fieldNotSupported, fieldRequired, type KubeObject } from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { dns1035Label, dnsSubdomain, type Errors } from "../../validation/checks.ts";
import { child, items, strings, text, type Fields } from "../../validation/fields.ts";
import { hasCondition } from "../crd-conditions.ts";
import { agreedParts, type AgreedParts } from "./agreed-parts.ts";
import { checkConversion, hasUnreadableBundle } from "./check-conversion.ts";
import { checkNames, requireNames } from "./check-names.ts";
import {
  checkColumns,
  checkSchemaPart,
  checkSelectableFields,
  checkSubresources,
  statesDefault,
} from "./check-parts.ts";
import { shownVersions } from "./shown-versions.ts";

const IMMUTABLE = "field is immutable";
const SCOPES = ["Cluster", "Namespaced"];

/** Faults of a CRD's spec; `old` is the one an update replaces. */
export function checkDefinition(crd: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(crd, "spec");
  checkGroup(text(spec, "group"), errors);
  const scope = text(spec, "scope");
  if (scope === "") errors.push(fieldRequired("spec.scope"));
  else if (!SCOPES.includes(scope)) errors.push(fieldNotSupported("spec.scope", scope, SCOPES));
  const parts = agreedParts(spec);
  checkVersions(spec, parts, old, errors);
  requireNames(child(spec, "names"), "spec.names", errors);
  checkNames(child(spec, "names"), "spec.names", errors);
  checkCommon(parts, old, errors);
  const strict = old !== undefined && hasCondition(old, "Established") && !hasUnreadableBundle(old);
  checkConversion(spec, strict, errors);
  if (old !== undefined) checkKept(spec, old, errors);
  checkNames(child(child(crd, "status"), "acceptedNames"), "status.acceptedNames", errors);
  checkStoredVersions(crd, errors);
}

function checkGroup(group: string, errors: Errors): void {
  const faults = group === "" ? [] : dnsSubdomain(group);
  if (group === "") errors.push(fieldRequired("spec.group"));
  else if (faults.length > 0) errors.push(fieldInvalid("spec.group", group, faults.join(",")));
  else if (!group.includes("."))
    errors.push(fieldInvalid("spec.group", group, "should be a domain with at least one dot"));
}

const schemaOf = (parts: Fields): unknown => child(parts, "schema")?.["openAPIV3Schema"];
const isStatus = (parts: Fields): boolean => child(child(parts, "subresources"), "status") !== undefined;

/** Whether a version's schema is as it was. */
function isUnchanged(version: Fields | undefined, schema: unknown, old: KubeObject | undefined): boolean {
  const before = items(child(old, "spec"), "versions").find((each) => text(each, "name") === text(version, "name"));
  return before !== undefined && equalJson(schemaOf(before), schema);
}

function checkVersions(
  spec: Fields | undefined,
  parts: AgreedParts,
  old: KubeObject | undefined,
  errors: Errors,
): void {
  const { common, versions } = parts;
  versions.forEach((version, i) => {
    if ((schemaOf(common) ?? schemaOf(version) ?? null) === null)
      errors.push(fieldRequired(`spec.versions[${i}].schema.openAPIV3Schema`));
  });
  if (spec?.["preserveUnknownFields"] === true && [common, ...versions].some((each) => statesDefault(schemaOf(each)))) {
    const why = "must be false in order to use defaults in the schema";
    errors.push(fieldInvalid("spec.preserveUnknownFields", true, why));
  }
  versions.forEach((version, i) => checkVersion(version, parts, `spec.versions[${i}]`, old, errors));
  const names = versions.map((version) => text(version, "name"));
  const storage = versions.filter((version) => version["storage"] === true).length;
  const invalid = (detail: string): void =>
    void errors.push({
      reason: "FieldValueInvalid",
      field: "spec.versions",
      message: `Invalid value: ${shownVersions(versions)}: ${detail}`,
    });
  if (new Set(names).size !== names.length) invalid("must contain unique version names");
  if (storage !== 1) invalid("must have exactly one version marked as storage version");
  const [first = ""] = names;
  if (first !== "") checkVersionName(first, "spec.version", errors);
}

function checkVersionName(name: string, path: string, errors: Errors): void {
  const faults = dns1035Label(name);
  if (faults.length > 0) errors.push(fieldInvalid(path, name, faults.join(",")));
}

function checkVersion(
  version: Fields,
  { common }: AgreedParts,
  path: string,
  old: KubeObject | undefined,
  errors: Errors,
): void {
  checkVersionName(text(version, "name"), `${path}.name`, errors);
  const warning = version["deprecationWarning"];
  if (typeof warning === "string")
    for (const fault of warningFaults(warning, version["deprecated"] === true))
      errors.push(fieldInvalid(`${path}.deprecationWarning`, warning, fault));
  const status = isStatus(version) || isStatus(common);
  const unchanged = isUnchanged(version, schemaOf(version), old);
  checkSchemaPart(version, { schemaPath: `${path}.schema`, path, status, unchanged }, errors);
  checkSubresources(version, path, errors);
  checkColumns(version, path, errors);
  checkVersionFields(version, path, errors);
}

/** Upstream looks for the schema in the version alone. */
function checkVersionFields(version: Fields, path: string, errors: Errors): void {
  if (items(version, "selectableFields").length === 0 || schemaOf(version) !== undefined)
    return checkSelectableFields(version, path, errors);
  const why = "may only be set when `version.schema.openAPIV3Schema` is not included";
  errors.push(fieldInvalid(`${path}.selectableFields`, "", why));
}

const LONGEST_WARNING = 256;

function warningFaults(warning: string, deprecated: boolean): string[] {
  if (!deprecated) return ["can only be set for deprecated versions"];
  const faults: string[] = [];
  if (Buffer.byteLength(warning) > LONGEST_WARNING) faults.push("must be <= 256 characters long");
  if (warning === "") faults.push("must not be an empty string");
  const hidden = /[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.exec(warning);
  if (hidden !== null) {
    const at = Buffer.byteLength(warning.slice(0, hidden.index));
    faults.push(`must only contain printable UTF-8 characters; non-printable character found at index ${at}`);
  }
  return faults;
}

function checkCommon({ common, versions }: AgreedParts, old: KubeObject | undefined, errors: Errors): void {
  const [first] = versions;
  const status = [common, ...versions].some(isStatus);
  const unchanged = isUnchanged(first, schemaOf(common), old);
  checkSchemaPart(common, { schemaPath: "spec.validation", path: "spec", status, unchanged }, errors);
  checkSubresources(common, "spec", errors);
  checkColumns(common, "spec", errors);
  checkSelectableFields(common, "spec", errors);
}

/** What objects are stored by cannot change. */
function checkKept(spec: Fields | undefined, old: KubeObject, errors: Errors): void {
  const keep = (path: string): void => {
    const keys = path.split(".");
    const key = keys.at(-1) ?? "";
    const holder = (from: Fields | undefined): Fields | undefined => (keys.length === 1 ? from : child(from, "names"));
    const value = holder(spec)?.[key] ?? "";
    if (value !== (holder(child(old, "spec"))?.[key] ?? ""))
      errors.push(fieldInvalid(`spec.${path}`, value, IMMUTABLE));
  };
  if (hasCondition(old, "Established")) for (const path of ["scope", "names.kind"]) keep(path);
  for (const path of ["group", "names.plural"]) keep(path);
}

/** What is stored must be served for as long as it is stored. */
function checkStoredVersions(crd: KubeObject, errors: Errors): void {
  const path = "status.storedVersions";
  const stored = strings(child(crd, "status"), "storedVersions");
  if (stored.length === 0) return void errors.push(fieldInvalid(path, null, "must have at least one stored version"));
  const missing = new Set(stored);
  for (const version of items(child(crd, "spec"), "versions")) {
    const name = text(version, "name");
    if (version["storage"] === true && !missing.has(name))
      errors.push(fieldInvalid(path, stored, `must have the storage version ${name}`));
    missing.delete(name);
  }
  stored.forEach((version, i) => {
    if (!missing.has(version)) return;
    const why = `missing from spec.versions; ${version} was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in ${version} and removes ${version} from status.storedVersions`;
    errors.push(fieldInvalid(`${path}[${i}]`, version, why));
  });
}

const APPROVED = "api-approved.kubernetes.io";
const PROTECTED = /(^|\.)(k8s|kubernetes)\.io$/;

type Approval = "missing" | "bypassed" | "approved" | "invalid";

function approvalOf(crd: KubeObject): Approval {
  const value = crd.metadata.annotations?.[APPROVED] ?? "";
  if (value === "") return "missing";
  if (value.startsWith("unapproved")) return "bypassed";
  return /^[a-z][a-z0-9+.-]*:\/\/[^/?#]/i.test(value) && URL.canParse(value) ? "approved" : "invalid";
}

/** Groups of Kubernetes itself are not for everyone; what was let in stays. */
export function checkApproval(crd: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  if (!PROTECTED.test(text(child(crd, "spec"), "group"))) return;
  const approval = approvalOf(crd);
  if (old !== undefined && approvalOf(old) === approval) return;
  const field = `metadata.annotations[${APPROVED}]`;
  const must = `protected groups must have approval annotation "${APPROVED}"`;
  const see = "see https://github.com/kubernetes/enhancements/pull/1111";
  if (approval === "missing") errors.push(fieldRequired(field, `${must}, ${see}`));
  if (approval === "invalid") {
    const why = `${must} with either a URL or a reason starting with "unapproved", ${see}`;
    errors.push(fieldInvalid(field, crd.metadata.annotations?.[APPROVED], why));
  }
}

/** Preserving unknown fields for a whole kind is gone with v1beta1. */
export function checkPreserving(crd: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  if (child(old, "spec")?.["preserveUnknownFields"] === true) return;
  if (child(crd, "spec")?.["preserveUnknownFields"] !== true) return;
  const why = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead";
  errors.push(fieldInvalid("spec.preserveUnknownFields", true, why));
}
