/** What is wrong with single keywords of a CRD's schema, wherever they stand in it and whatever else is wrong. */
import type { FieldError } from "../api/field-error.ts";
import { fieldForbidden, fieldInvalid, fieldNotSupported, fieldRequired } from "../api/field-error.ts";
import { isObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";

const TYPES: readonly string[] = ["array", "boolean", "integer", "number", "object", "string"];

const isTrue = (schema: JsonObject, key: string): boolean => own(schema, key) === true;
const typeOf = (schema: JsonObject): string => (typeof schema["type"] === "string" ? schema["type"] : "");
const propertiesOf = (schema: JsonObject): [string, JsonObject][] =>
  isObject(schema["properties"])
    ? Object.entries(schema["properties"]).filter((entry): entry is [string, JsonObject] => isObject(entry[1]))
    : [];

/** Schemas within a schema, with where they stand. */
function childrenOf(schema: JsonObject, path: string): [schema: JsonObject, path: string][] {
  const children = propertiesOf(schema).map(([name, property]): [JsonObject, string] => [
    property,
    `${path}.properties[${name}]`,
  ]);
  for (const key of ["items", "additionalProperties", "not"]) {
    const child = own(schema, key);
    if (isObject(child)) children.push([child, `${path}.${key}`]);
  }
  for (const key of ["allOf", "oneOf", "anyOf"]) {
    const list = own(schema, key);
    if (!Array.isArray(list)) continue;
    list.forEach((child: unknown, i) => {
      if (isObject(child)) children.push([child, `${path}.${key}[${i}]`]);
    });
  }
  return children;
}

/** Every fault of keywords, in a schema and below it. */
export function checkKeywords(errors: FieldError[], schema: JsonObject, path: string): void {
  const type = typeOf(schema);
  if (type !== "" && !TYPES.includes(type)) errors.push(fieldNotSupported(`${path}.type`, type, TYPES));
  const additional = own(schema, "additionalProperties");
  if (additional !== undefined && additional !== false && propertiesOf(schema).length > 0) {
    errors.push(
      fieldForbidden(`${path}.additionalProperties`, "additionalProperties and properties are mutual exclusive"),
    );
  }
  if (own(schema, "x-kubernetes-preserve-unknown-fields") === false)
    errors.push(fieldInvalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, "must be true or undefined"));
  checkListMarkers(errors, schema, path);
  checkMapType(errors, schema, path);
  for (const [child, at] of childrenOf(schema, path)) checkKeywords(errors, child, at);
}

function checkListMarkers(errors: FieldError[], schema: JsonObject, path: string): void {
  const listType = own(schema, "x-kubernetes-list-type");
  const keys = own(schema, "x-kubernetes-list-map-keys");
  if (listType !== undefined && typeOf(schema) !== "array")
    errors.push(fieldInvalid(`${path}.type`, typeOf(schema), "must be array if x-kubernetes-list-type is specified"));
  if (listType !== undefined && listType !== "atomic" && listType !== "set" && listType !== "map") {
    errors.push(fieldNotSupported(`${path}.x-kubernetes-list-type`, listType, ["atomic", "set", "map"]));
  }
  if (listType !== "map") {
    if (Array.isArray(keys) && keys.length > 0) {
      const why = "must be map if x-kubernetes-list-map-keys is non-empty";
      errors.push(
        listType === undefined
          ? fieldRequired(`${path}.x-kubernetes-list-type`, why)
          : fieldInvalid(`${path}.x-kubernetes-list-type`, listType, why),
      );
    }
    checkSetItems(errors, schema, path);
    return;
  }
  if (!Array.isArray(keys) || keys.length === 0) {
    errors.push(
      fieldRequired(`${path}.x-kubernetes-list-map-keys`, "must not be empty if x-kubernetes-list-type is map"),
    );
    return;
  }
  const items = own(schema, "items");
  if (!isObject(items)) return;
  if (typeOf(items) !== "object") {
    errors.push(
      fieldInvalid(
        `${path}.items.type`,
        typeOf(items),
        "must be object if parent array's x-kubernetes-list-type is map",
      ),
    );
    return;
  }
  const required = new Set<unknown>(Array.isArray(items["required"]) ? items["required"] : []);
  const properties = new Map(propertiesOf(items));
  keys.forEach((key: unknown) => {
    const property = properties.get(String(key));
    if (property === undefined) {
      errors.push(
        fieldInvalid(`${path}.x-kubernetes-list-map-keys`, keys, "entries must all be names of item properties"),
      );
    } else if (
      !["string", "integer", "number", "boolean"].includes(typeOf(property)) &&
      !isTrue(property, "x-kubernetes-int-or-string")
    ) {
      errors.push(
        fieldInvalid(
          `${path}.items.properties[${String(key)}].type`,
          typeOf(property),
          "must be a scalar type if parent array's x-kubernetes-list-type is map",
        ),
      );
    } else if (!required.has(key) && own(property, "default") === undefined) {
      errors.push(
        fieldRequired(
          `${path}.items.properties[${String(key)}].default`,
          "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
        ),
      );
    }
  });
}

function checkMapType(errors: FieldError[], schema: JsonObject, path: string): void {
  const mapType = own(schema, "x-kubernetes-map-type");
  if (mapType === undefined) return;
  if (typeOf(schema) !== "object")
    errors.push(fieldInvalid(`${path}.type`, typeOf(schema), "must be object if x-kubernetes-map-type is specified"));
  if (mapType !== "atomic" && mapType !== "granular") {
    errors.push(fieldNotSupported(`${path}.x-kubernetes-map-type`, mapType, ["atomic", "granular"]));
  }
}

/** Items of a set are compared as a whole, so they must be owned as a whole. */
function checkSetItems(errors: FieldError[], schema: JsonObject, path: string): void {
  const items = own(schema, "items");
  if (schema["x-kubernetes-list-type"] !== "set" || !isObject(items)) return;
  if (typeOf(items) === "object" && items["x-kubernetes-map-type"] !== "atomic") {
    errors.push(
      fieldInvalid(
        `${path}.items.x-kubernetes-map-type`,
        own(items, "x-kubernetes-map-type") ?? null,
        "must be atomic as item of a list with x-kubernetes-list-type=set",
      ),
    );
  }
  if (
    typeOf(items) === "array" &&
    items["x-kubernetes-list-type"] !== undefined &&
    items["x-kubernetes-list-type"] !== "atomic"
  ) {
    errors.push(
      fieldInvalid(
        `${path}.items.x-kubernetes-list-type`,
        items["x-kubernetes-list-type"],
        "must be atomic as item of a list with x-kubernetes-list-type=set",
      ),
    );
  }
}
