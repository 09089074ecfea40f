/** Claims of storage, of their own and inside pods. */
import { fieldForbidden, fieldInvalid, fieldRequired, type KubeObject } from "@travelops/kube";
import { compareQuantity, type Quantity, tryParseQuantity, ZERO } from "@travelops/kube/api/quantity";
import { equalJson } from "@travelops/kube/schema/json-value";
import { checkText, dnsLabel, dnsSubdomain, type Errors, labelSelector, requireText } from "../checks.ts";
import { forbiddenChange } from "../comparison/forbidden-change.ts";
import { child, type Fields, has, list, text } from "../fields.ts";
import { modesOf, positiveQuantity, storageClassName, volumeMode } from "./storage-fields.ts";

const VOLUME_CLAIM = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";

/** Where the content of a new volume comes from. */
function dataSource(source: Fields, path: string, errors: Errors): void {
  requireText(text(source, "name"), `${path}.name`, errors);
  requireText(text(source, "kind"), `${path}.kind`, errors);
  const group = text(source, "apiGroup");
  if (group !== "") checkText(group, `${path}.apiGroup`, dnsSubdomain, errors);
  else if (source["kind"] !== "PersistentVolumeClaim")
    errors.push(fieldInvalid(path, text(source, "kind"), VOLUME_CLAIM));
  if (text(source, "namespace") !== "") checkText(text(source, "namespace"), `${path}.namespace`, dnsLabel, errors);
}

function dataSources(spec: Fields, path: string, errors: Errors): void {
  const source = child(spec, "dataSource");
  const reference = child(spec, "dataSourceRef");
  if (source !== undefined) dataSource(source, `${path}.dataSource`, errors);
  if (reference !== undefined) dataSource(reference, `${path}.dataSourceRef`, errors);
  if (source === undefined || reference === undefined) return;
  if (text(reference, "namespace") !== "")
    errors.push(fieldInvalid(path, {}, "may not be specified when dataSourceRef.namespace is specified"));
  else if (["apiGroup", "kind", "name"].some((key) => !equalJson(source[key] ?? null, reference[key] ?? null)))
    errors.push(fieldInvalid(path, {}, "must match dataSourceRef"));
}

export function checkClaimSpec(spec: Fields = {}, path: string, errors: Errors): void {
  if (list(spec, "accessModes").length === 0)
    errors.push(fieldRequired(`${path}.accessModes`, "at least 1 access mode is required"));
  labelSelector(child(spec, "selector"), `${path}.selector`, errors);
  modesOf(spec, path, errors);
  const storage = child(child(spec, "resources"), "requests")?.["storage"];
  if (storage === undefined) errors.push(fieldRequired(`${path}.resources[storage]`));
  else positiveQuantity(storage, `${path}.resources[storage]`, errors);
  storageClassName(spec, path, errors);
  volumeMode(spec, path, errors);
  dataSources(spec, path, errors);
  const attributes = text(spec, "volumeAttributesClassName");
  if (attributes !== "") checkText(attributes, `${path}.volumeAttributesClassName`, dnsSubdomain, errors);
}

/** A binder fills these in, and once a claim is bound it may ask for more. */
function frozenSpec(spec: Fields, before: Fields, bound: boolean): unknown {
  const resources = child(spec, "resources");
  const { storage: _storage, ...requests } = child(resources, "requests") ?? {};
  return JSON.parse(
    JSON.stringify({
      ...spec,
      ...(bound ? { resources: { ...resources, requests }, volumeAttributesClassName: undefined } : {}),
      ...(text(before, "volumeName") === "" ? { volumeName: undefined } : {}),
      ...(has(before, "storageClassName") ? {} : { storageClassName: undefined }),
    }),
  );
}

function attributesClassChange(spec: Fields, status: Fields | undefined, errors: Errors): void {
  if (!has(status, "currentVolumeAttributesClassName")) return;
  const held = "is forbidden when status.currentVolumeAttributesClassName is not nil";
  if (!has(spec, "volumeAttributesClassName"))
    errors.push(fieldForbidden("spec.volumeAttributesClassName", `update to nil ${held}`));
  else if (text(spec, "volumeAttributesClassName") === "")
    errors.push(fieldForbidden("spec.volumeAttributesClassName", `update to empty string ${held}`));
}

const IMMUTABLE =
  "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";

/** What may change of a claim once it is there. */
function checkClaimUpdate(spec: Fields, old: KubeObject, errors: Errors): void {
  const before = child(old, "spec") ?? {};
  const status = child(old, "status");
  const bound = text(status, "phase") === "Bound";
  const [next, frozen] = [frozenSpec(spec, before, bound), frozenSpec(before, before, bound)];
  if (!equalJson(next, frozen))
    errors.push(forbiddenChange("spec", IMMUTABLE, "PersistentVolumeClaimSpec", frozen, next));
  const request = (of: Fields): Quantity =>
    tryParseQuantity(child(child(of, "resources"), "requests")?.["storage"]) ?? ZERO;
  const reached = tryParseQuantity(child(status, "capacity")?.["storage"]) ?? ZERO;
  if (compareQuantity(request(spec), request(before)) < 0 && compareQuantity(request(spec), reached) <= 0)
    errors.push(fieldForbidden("spec.resources.requests.storage", "field can not be less than status.capacity"));
  if (!equalJson(spec["volumeMode"] ?? null, before["volumeMode"] ?? null))
    errors.push(fieldInvalid("volumeMode", spec["volumeMode"] ?? null, "field is immutable"));
  if (!equalJson(spec["volumeAttributesClassName"] ?? null, before["volumeAttributesClassName"] ?? null))
    attributesClassChange(spec, status, errors);
}

export function checkClaim(claim: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(claim, "spec") ?? {};
  checkClaimSpec(spec, "spec", errors);
  if (old !== undefined) checkClaimUpdate(spec, old, errors);
}
