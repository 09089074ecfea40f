/** What a version of a CRD, or all of them, state: schema, subresources, columns, selectable fields. */
import { fieldDuplicate, fieldInvalid, fieldRequired, fieldTooMany } from "@travelops/kube";
import { checkSchema } from "@travelops/kube/schema/check-schema";
import { findField } from "@travelops/kube/schema/field-path";
import { isObject, own } from "@travelops/kube/schema/json-value";
import type { Errors } from "../../validation/checks.ts";
import { child, has, items, list, text, type Fields } from "../../validation/fields.ts";
import { isShipped } from "../shipped-schemas.ts";

const COLUMN_TYPES = ["boolean", "date", "integer", "number", "string"];
const COLUMN_FORMATS = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password"];
const SELECTABLE_TYPES: ReadonlySet<unknown> = new Set(["string", "boolean", "integer"]);
const MAX_SELECTABLE_FIELDS = 8;

export interface PartsContext {
  /** Where the schema stands: `spec.validation`, or `schema` of a version. */
  readonly schemaPath: string;
  /** Where the other parts stand. */
  readonly path: string;
  readonly status: boolean;
  readonly unchanged: boolean;
}

export function checkSchemaPart(parts: Fields, { schemaPath, status, unchanged }: PartsContext, errors: Errors): void {
  const schema = child(parts, "schema")?.["openAPIV3Schema"];
  if (schema === undefined || schema === null || isShipped(schema)) return;
  errors.push(...checkSchema(schema, `${schemaPath}.openAPIV3Schema`, { status, unchanged }));
}

export function checkSubresources(parts: Fields, path: string, errors: Errors): void {
  const scale = child(child(parts, "subresources"), "scale");
  if (scale === undefined) return;
  const at = `${path}.subresources.scale`;
  for (const part of ["spec", "status"]) {
    const key = `${part}ReplicasPath`;
    const value = text(scale, key);
    if (value === "") errors.push(fieldRequired(`${at}.${key}`));
    else checkSimplePath(value, `${at}.${key}`, [`.${part}.`], `should be a json path under .${part}`, errors);
  }
  const selector = text(scale, "labelSelectorPath");
  const why = "should be a json path under either .spec or .status";
  if (selector !== "") checkSimplePath(selector, `${at}.labelSelectorPath`, [".spec.", ".status."], why, errors);
}

function checkSimplePath(value: string, path: string, starts: readonly string[], why: string, errors: Errors): void {
  if (!value.startsWith(".")) errors.push(fieldInvalid(path, value, "must be a simple json path starting with ."));
  else if (!starts.some((start) => value.startsWith(start))) errors.push(fieldInvalid(path, value, why));
}

export function checkColumns(parts: Fields, path: string, errors: Errors): void {
  items(parts, "additionalPrinterColumns").forEach((column, i) => {
    checkColumn(column, `${path}.additionalPrinterColumns[${i}]`, errors);
  });
}

function checkColumn(column: Fields, path: string, errors: Errors): void {
  if (text(column, "name") === "") errors.push(fieldRequired(`${path}.name`));
  const type = text(column, "type");
  const types = `must be one of ${COLUMN_TYPES.join(",")}`;
  if (type === "") errors.push(fieldRequired(`${path}.type`, types));
  else if (!COLUMN_TYPES.includes(type)) errors.push(fieldInvalid(`${path}.type`, type, types));
  const format = text(column, "format");
  if (format !== "" && !COLUMN_FORMATS.includes(format))
    errors.push(fieldInvalid(`${path}.format`, format, `must be one of ${COLUMN_FORMATS.join(",")}`));
  const jsonPath = text(column, "jsonPath");
  if (jsonPath === "") errors.push(fieldRequired(`${path}.JSONPath`));
  else checkSimplePath(jsonPath, `${path}.JSONPath`, ["."], "", errors);
}

/** Without a schema nothing can be selected by its fields. */
export function checkSelectableFields(parts: Fields, path: string, errors: Errors): void {
  const fields = items(parts, "selectableFields");
  if (fields.length === 0) return;
  const at = `${path}.selectableFields`;
  if (!has(parts, "schema"))
    return void errors.push(fieldInvalid(at, "", "may only be set when validations.schema is included"));
  const schema = child(child(parts, "schema"), "openAPIV3Schema") ?? {};
  const seen = new Set<string>();
  fields.forEach((field, i) => checkSelectable(text(field, "jsonPath"), `${at}[${i}].jsonPath`, schema, seen, errors));
  if (seen.size > MAX_SELECTABLE_FIELDS) errors.push(fieldTooMany(at, seen.size, MAX_SELECTABLE_FIELDS));
}

function checkSelectable(jsonPath: string, path: string, schema: Fields, seen: Set<string>, errors: Errors): void {
  if (jsonPath === "") return void errors.push(fieldRequired(path));
  const found = findField({ ...schema }, jsonPath, false);
  if (typeof found === "string") return void errors.push(fieldInvalid(path, jsonPath, `is an invalid path: ${found}`));
  if (found.first === "metadata") errors.push(fieldInvalid(path, jsonPath, "must not point to fields in metadata"));
  if (!isObject(found.schema) || !SELECTABLE_TYPES.has(own(found.schema, "type")))
    errors.push(
      fieldInvalid(
        path,
        jsonPath,
        "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.",
      ),
    );
  if (seen.has(found.path)) errors.push(fieldDuplicate(path, jsonPath));
  seen.add(found.path);
}

/** Whether a default is stated anywhere in the parts' schema. */
export const statesDefault = (schema: unknown): boolean => {
  if (Array.isArray(schema)) return schema.some(statesDefault);
  if (!isObject(schema)) return false;
  if ((own(schema, "default") ?? null) !== null) return true;
  return (
    ["items", "additionalProperties", "not", "allOf", "anyOf", "oneOf"].some((key) =>
      statesDefault(own(schema, key)),
    ) ||
    list({ all: Object.values(isObject(schema["properties"]) ? schema["properties"] : {}) }, "all").some(statesDefault)
  );
};
