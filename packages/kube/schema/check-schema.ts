/** What is wrong with the schema of a CRD, in upstream's words and order. */
import type { FieldError } from "../api/field-error.ts";
import { fieldForbidden, fieldInvalid, fieldRequired } from "../api/field-error.ts";
import { checkRules } from "./cel/check.ts";
import { checkDefaults } from "./check-defaults.ts";
import { checkKeywords } from "./check-keywords.ts";
import { checkStructural } from "./check-structural.ts";
import { goJson, SCHEMA_FIELDS, shownSchema } from "./go-shown-schema.ts";
import { isObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import { schemasWithin } from "./schemas-within.ts";

export interface SchemaContext {
  /** The version has a status subresource: its schema then stands for two. */
  readonly status?: boolean;
  /** The schema is as it was: each of its rules may go on costing what it did. */
  readonly unchanged?: boolean;
}

/** Every fault of a schema; `path` is where it stands (`spec.validation.openAPIV3Schema`). */
export function checkSchema(schema: unknown, path: string, context: SchemaContext = {}): FieldError[] {
  if (!isObject(schema)) return [fieldRequired(path, "schemas are required")];
  const root = rootFaults(schema, path, context.status === true);
  const unsupported = unsupportedFault(schema);
  const shape = unsupported === undefined ? shapeFaults(schema, path) : [];
  const keywords = checkKeywords(schema, path);
  const rules =
    unsupported === undefined && shape.length === 0
      ? checkRules(schema, path, { unchanged: context.unchanged === true, faults: keywords })
      : [];
  const errors = [...root, ...shape, ...keywords, ...rules];
  return errors.length === 0 && unsupported !== undefined ? [fieldInvalid(path, "", unsupported)] : errors;
}

/** Defaults are looked at only in a schema whose shape is sound. */
function shapeFaults(schema: JsonObject, path: string): FieldError[] {
  const faults = checkStructural(schema, path);
  return faults.length > 0 ? faults : checkDefaults({ ...schema, "x-kubernetes-embedded-resource": true }, path);
}

/** Keywords that upstream's structural schemas have no place for. */
const UNSUPPORTED = ["id", "$schema", "$ref", "patternProperties", "dependencies", "additionalItems", "definitions"];

function unsupportedFault(schema: JsonObject): string | undefined {
  for (const key of UNSUPPORTED) {
    const value = own(schema, key);
    if (value !== undefined && value !== "")
      return `OpenAPIV3Schema '${key === "$schema" ? "schema" : key}' is not supported`;
  }
  if (own(schema, "x-kubernetes-preserve-unknown-fields") === false)
    return "internal error: 'x-kubernetes-preserve-unknown-fields' must be true or undefined";
  if (Array.isArray(own(schema, "items"))) return "OpenAPIV3Schema 'items' must be a schema, but is an array";
  for (const [, child] of schemasWithin(schema)) {
    const fault = unsupportedFault(child);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

/** Fields that may stand at the root of a schema that is split between an object and its status. */
const ALLOWED_AT_ROOT: readonly string[] = (
  "Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems " +
  "MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations"
).split(" ");

function rootFaults(schema: JsonObject, path: string, status: boolean): FieldError[] {
  const split = status ? splitFault(schema, path) : undefined;
  return [
    ...(split === undefined ? [] : [split]),
    ...(own(schema, "nullable") === true
      ? [fieldForbidden(`${path}.nullable`, "nullable cannot be true at the root")]
      : []),
  ];
}

function splitFault(schema: JsonObject, path: string): FieldError | undefined {
  for (const [name, key] of SCHEMA_FIELDS) {
    const value = own(schema, key);
    if (value === undefined) continue;
    if (name === "Type" && value !== "object") {
      const why = 'only "object" is allowed as the type at the root of the schema if the status subresource is enabled';
      return fieldInvalid(`${path}.type`, value, why);
    }
    if (ALLOWED_AT_ROOT.includes(name)) continue;
    const why = `only [${ALLOWED_AT_ROOT.join(" ")}] fields are allowed at the root of the schema if the status subresource is enabled`;
    return {
      reason: "FieldValueInvalid",
      field: path,
      message: `Invalid value: ${goJson(shownSchema(schema))}: ${why}`,
    };
  }
  return undefined;
}
