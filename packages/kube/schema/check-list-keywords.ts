/** What is wrong with the markers of lists in a CRD's schema: sets, and lists whose items have keys. */
import type { FieldError } from "../api/field-error.ts";
import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired } from "../api/field-error.ts";
import { goJson, shownItems } from "./go-shown-schema.ts";
import { isObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";

const LIST_TYPES = ["atomic", "set", "map"];
const KEYS = "x-kubernetes-list-map-keys";
const LIST_TYPE = "x-kubernetes-list-type";
const OF_KEY = "this property is in x-kubernetes-list-map-keys, so it";

const typeOf = (schema: JsonObject): unknown => own(schema, "type") ?? "";
const listOf = (schema: JsonObject, key: string): readonly unknown[] => {
  const list = own(schema, key);
  return Array.isArray(list) ? list : [];
};
const propertyOf = (schema: JsonObject, name: unknown): JsonObject | undefined => {
  const properties = own(schema, "properties");
  const property = isObject(properties) ? own(properties, String(name)) : undefined;
  return isObject(property) ? property : undefined;
};

/** A marker asks for the type that it says something of. */
export function checkTypeIs(
  errors: FieldError[],
  schema: JsonObject,
  path: string,
  wanted: string,
  marker: string,
): void {
  const type = own(schema, "type") ?? "";
  if (type === wanted) return;
  const why = `must be ${wanted} if ${marker} is specified`;
  errors.push(type === "" ? fieldRequired(`${path}.type`, why) : fieldInvalid(`${path}.type`, type, why));
}

/** Adds the faults of one schema's own markers. */
export function checkLists(errors: FieldError[], schema: JsonObject, path: string): void {
  const listType = own(schema, LIST_TYPE);
  const keys = listOf(schema, KEYS);
  if (listType !== undefined && typeOf(schema) !== "array") checkTypeIs(errors, schema, path, "array", LIST_TYPE);
  else if (listType === "set") checkSetItems(errors, own(schema, "items"), `${path}.items`);
  if (listType !== undefined && !LIST_TYPES.includes(listType as string))
    errors.push(fieldNotSupported(`${path}.${LIST_TYPE}`, listType, LIST_TYPES));
  if (keys.length > 0 && listType !== "map") {
    const why = "must be map if x-kubernetes-list-map-keys is non-empty";
    const field = `${path}.${LIST_TYPE}`;
    errors.push(listType === undefined ? fieldRequired(field, why) : fieldInvalid(field, listType, why));
  }
  if (listType === "map") checkKeyed(errors, schema, keys, path);
  if (listType === "map" || listType === "set") checkNulls(errors, schema, keys, path, listType);
}

/** Items of a set are compared as a whole, so they must be owned as a whole. */
function checkSetItems(errors: FieldError[], items: unknown, path: string): void {
  if (!isObject(items)) return;
  const why = "must be atomic as item of a list with x-kubernetes-list-type=set";
  const inner = own(items, LIST_TYPE);
  if (typeOf(items) === "array" && inner !== undefined && inner !== "atomic")
    errors.push(fieldInvalid(`${path}.${LIST_TYPE}`, inner, why));
  // Upstream shows the one marker where it means the other.
  if (typeOf(items) === "object" && own(items, "x-kubernetes-map-type") !== "atomic")
    errors.push(fieldInvalid(`${path}.x-kubernetes-map-type`, inner ?? null, why));
}

function checkKeyed(errors: FieldError[], schema: JsonObject, keys: readonly unknown[], path: string): void {
  const items = own(schema, "items");
  if (keys.length === 0)
    errors.push(fieldRequired(`${path}.${KEYS}`, "must not be empty if x-kubernetes-list-type is map"));
  if (items === undefined)
    errors.push(fieldRequired(`${path}.items`, "must have a schema if x-kubernetes-list-type is map"));
  else if (!isObject(items)) {
    const why = "must only have a single schema if x-kubernetes-list-type is map";
    const message = `Invalid value: ${goJson(shownItems(items))}: ${why}`;
    errors.push({ reason: "FieldValueInvalid", field: `${path}.items`, message });
  } else if (typeOf(items) !== "object") {
    const why = "must be object if parent array's x-kubernetes-list-type is map";
    errors.push(fieldInvalid(`${path}.items.type`, typeOf(items), why));
  } else checkKeys(errors, items, keys, path);
}

function checkKeys(errors: FieldError[], items: JsonObject, keys: readonly unknown[], path: string): void {
  keys.forEach((key, i) => {
    const property = propertyOf(items, key);
    if (property === undefined)
      errors.push(fieldInvalid(`${path}.${KEYS}`, keys, "entries must all be names of item properties"));
    else if (typeOf(property) === "array" || typeOf(property) === "object") {
      const why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
      errors.push(fieldInvalid(`${path}.items.properties[${String(key)}].type`, "object", why));
    }
    if (keys.indexOf(key) < i) errors.push(fieldInvalid(`${path}.${KEYS}`, keys, "must not contain duplicate entries"));
  });
}

/** Neither items nor their keys can be null, and a key is always there. */
function checkNulls(
  errors: FieldError[],
  schema: JsonObject,
  keys: readonly unknown[],
  path: string,
  listType: "map" | "set",
): void {
  const items = own(schema, "items");
  if (!isObject(items)) return;
  if (own(items, "nullable") === true)
    errors.push(
      fieldForbidden(`${path}.items.nullable`, `cannot be nullable when x-kubernetes-list-type is ${listType}`),
    );
  if (listType === "set") return;
  const required = new Set(listOf(items, "required"));
  for (const key of keys) {
    const property = propertyOf(items, key);
    if (property === undefined) continue;
    const at = `${path}.items.properties[${String(key)}]`;
    if (!required.has(key) && own(property, "default") === undefined)
      errors.push(fieldRequired(`${at}.default`, `${OF_KEY} must have a default or be a required property`));
    if (own(property, "nullable") === true)
      errors.push(fieldForbidden(`${at}.nullable`, `${OF_KEY} cannot be nullable`));
  }
}
