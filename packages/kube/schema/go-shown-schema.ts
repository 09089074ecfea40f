/** A CRD's schema as Go shows the struct that upstream reads it into: all fields, by their names there. */
import { isObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";

type Show = (value: unknown) => unknown;

const plain: Show = (value) => value ?? null;
const or =
  (zero: unknown): Show =>
  (value) =>
    value ?? zero;
const list =
  (show: Show): Show =>
  (value) =>
    Array.isArray(value) ? value.map(show) : null;
const map: Show = (value) =>
  isObject(value)
    ? Object.fromEntries(
        Object.keys(value)
          .toSorted()
          .map((key) => [key, schema(value[key])]),
      )
    : null;
const schema: Show = (value) => (isObject(value) ? shownSchema(value) : null);
const orList: Show = (value) =>
  value === undefined || value === null
    ? null
    : { Schema: schema(value), JSONSchemas: Array.isArray(value) ? value.map(schema) : null };
const orBool: Show = (value) =>
  value === undefined || value === null ? null : { Allows: value !== false, Schema: schema(value) };
const orStrings: Show = (value) =>
  isObject(value)
    ? Object.fromEntries(
        Object.entries(value).map(([key, each]) => [
          key,
          { Schema: schema(each), Property: Array.isArray(each) ? each : null },
        ]),
      )
    : null;
const docs: Show = (value) =>
  isObject(value) ? { Description: own(value, "description") ?? "", URL: own(value, "url") ?? "" } : null;

/** One rule of `x-kubernetes-validations`. */
export const shownRule: Show = (value) => {
  const rule = isObject(value) ? value : {};
  return {
    Rule: rule["rule"] ?? "",
    Message: rule["message"] ?? "",
    MessageExpression: rule["messageExpression"] ?? "",
    Reason: rule["reason"] ?? null,
    FieldPath: rule["fieldPath"] ?? "",
    OptionalOldSelf: rule["optionalOldSelf"] ?? null,
  };
};

/** In Go's order. */
export const SCHEMA_FIELDS: readonly (readonly [name: string, key: string, show: Show])[] = [
  ["ID", "id", or("")],
  ["Schema", "$schema", or("")],
  ["Ref", "$ref", plain],
  ["Description", "description", or("")],
  ["Type", "type", or("")],
  ["Nullable", "nullable", or(false)],
  ["Format", "format", or("")],
  ["Title", "title", or("")],
  ["Default", "default", plain],
  ["Maximum", "maximum", plain],
  ["ExclusiveMaximum", "exclusiveMaximum", or(false)],
  ["Minimum", "minimum", plain],
  ["ExclusiveMinimum", "exclusiveMinimum", or(false)],
  ["MaxLength", "maxLength", plain],
  ["MinLength", "minLength", plain],
  ["Pattern", "pattern", or("")],
  ["MaxItems", "maxItems", plain],
  ["MinItems", "minItems", plain],
  ["UniqueItems", "uniqueItems", or(false)],
  ["MultipleOf", "multipleOf", plain],
  ["Enum", "enum", plain],
  ["MaxProperties", "maxProperties", plain],
  ["MinProperties", "minProperties", plain],
  ["Required", "required", plain],
  ["Items", "items", orList],
  ["AllOf", "allOf", list(schema)],
  ["OneOf", "oneOf", list(schema)],
  ["AnyOf", "anyOf", list(schema)],
  ["Not", "not", schema],
  ["Properties", "properties", map],
  ["AdditionalProperties", "additionalProperties", orBool],
  ["PatternProperties", "patternProperties", map],
  ["Dependencies", "dependencies", orStrings],
  ["AdditionalItems", "additionalItems", orBool],
  ["Definitions", "definitions", map],
  ["ExternalDocs", "externalDocs", docs],
  ["Example", "example", plain],
  ["XPreserveUnknownFields", "x-kubernetes-preserve-unknown-fields", plain],
  ["XEmbeddedResource", "x-kubernetes-embedded-resource", or(false)],
  ["XIntOrString", "x-kubernetes-int-or-string", or(false)],
  ["XListMapKeys", "x-kubernetes-list-map-keys", plain],
  ["XListType", "x-kubernetes-list-type", plain],
  ["XMapType", "x-kubernetes-map-type", plain],
  ["XValidations", "x-kubernetes-validations", list(shownRule)],
];

export function shownSchema(value: JsonObject): Record<string, unknown> {
  return Object.fromEntries(SCHEMA_FIELDS.map(([name, key, show]) => [name, show(own(value, key))]));
}

/** `items` as it is shown by itself. */
export const shownItems: Show = orList;

/** JSON as Go writes it: < > and & are spelt out. */
export const goJson = (value: unknown): string =>
  JSON.stringify(value).replace(/[<>&]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
