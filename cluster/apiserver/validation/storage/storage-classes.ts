/** Classes of storage, and of attributes that its volumes can change to. */
import {
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldRequired,
  fieldTooLong,
  type KubeObject,
} from "@travelops/kube";
import { equalJson } from "@travelops/kube/schema/json-value";
import { checkText, type Errors, oneOf, qualifiedName, requireText } from "../checks.ts";
import { entries, type Fields, items, strings, text } from "../fields.ts";

/** One label of a place: gives back its values in order, for terms to be compared. */
function place(requirement: Fields, path: string, errors: Errors): readonly string[] {
  const values = strings(requirement, "values");
  if (values.length === 0) errors.push(fieldRequired(`${path}.values`));
  values.forEach((value, i) => {
    if (values.indexOf(value) !== i) errors.push(fieldDuplicate(`${path}.values[${i}]`, value));
  });
  checkText(text(requirement, "key"), `${path}.key`, qualifiedName, errors);
  return [...new Set(values)].toSorted();
}

function topologies(storage: KubeObject, errors: Errors): void {
  // Upstream finds an empty term twice, even alone.
  const terms = items(storage, "allowedTopologies");
  const seen = new Set([""]);
  terms.forEach((term, i) => {
    const path = `allowedTopologies[${i}].matchLabelExpressions`;
    const places = new Map<string, readonly string[]>();
    items(term, "matchLabelExpressions").forEach((requirement, j) => {
      const key = text(requirement, "key");
      const values = place(requirement, `${path}[${j}]`, errors);
      if (places.has(key)) errors.push(fieldDuplicate(`${path}[${j}].key`, key));
      places.set(key, values);
    });
    const shown = places.size === 0 ? "" : JSON.stringify([...places].toSorted(([a], [b]) => (a < b ? -1 : 1)));
    if (seen.has(shown)) errors.push(fieldDuplicate(path, ""));
    seen.add(shown);
  });
}

const MOST_PARAMETERS = 512;
const LARGEST_PARAMETERS = 256 * 1024;

function checkParameters(object: KubeObject, errors: Errors): void {
  const parameters = entries(object, "parameters");
  if (parameters.length > MOST_PARAMETERS) return void errors.push(fieldTooLong("parameters", MOST_PARAMETERS));
  let size = 0;
  for (const [key, value] of parameters) {
    if (key === "") errors.push(fieldInvalid("parameters", key, "field can not be empty."));
    size += Buffer.byteLength(key) + Buffer.byteLength(String(value));
  }
  if (size > LARGEST_PARAMETERS) errors.push(fieldTooLong("parameters", LARGEST_PARAMETERS));
}

function driverName(object: KubeObject, key: string, errors: Errors): void {
  const name = text(object, key);
  if (!requireText(name, key, errors)) return;
  for (const fault of qualifiedName(name.toLowerCase())) errors.push(fieldInvalid(key, name.toLowerCase(), fault));
}

export function checkStorageClass(storage: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  driverName(storage, "provisioner", errors);
  checkParameters(storage, errors);
  const policy = text(storage, "reclaimPolicy");
  if (policy !== "") oneOf(policy, "reclaimPolicy", ["Delete", "Retain"], errors);
  oneOf(text(storage, "volumeBindingMode"), "volumeBindingMode", ["Immediate", "WaitForFirstConsumer"], errors);
  topologies(storage, errors);
  for (const key of old === undefined ? [] : ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"]) {
    if (equalJson(storage[key] ?? null, old?.[key] ?? null)) continue;
    if (key === "volumeBindingMode") errors.push(fieldInvalid(key, storage[key], "field is immutable"));
    else errors.push(fieldForbidden(key, `updates to ${key} are forbidden.`));
  }
}

/** How volumes can be changed later: by whom, and how. */
export function checkAttributesClass(attributes: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  for (const key of old === undefined ? [] : ["driverName", "parameters"]) {
    if (!equalJson(attributes[key] ?? null, old?.[key] ?? null))
      errors.push(fieldForbidden(key, `updates to ${key} are forbidden.`));
  }
  driverName(attributes, "driverName", errors);
  checkParameters(attributes, errors);
  if (entries(attributes, "parameters").length === 0)
    errors.push(fieldRequired("parameters", "must contain at least one key/value pair"));
}
