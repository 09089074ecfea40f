/** The rules a CRD's schema must keep to be structural, in upstream's words. */
import type { FieldError } from "../api/field-error.ts";
import { fieldForbidden, fieldInvalid, fieldRequired } from "../api/field-error.ts";
import { equalJson, isObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import { compilePattern } from "./pattern.ts";

type Level = "root" | "items" | "field";

const INT_OR_STRING: readonly JsonObject[] = [{ type: "integer" }, { type: "string" }];

/** Where a schema breaks the rules of a structural one; `path` is where it stands. Its keywords are all supported. */
export function checkStructural(schema: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  checkNode(errors, schema, "root", path);
  checkComplete(errors, schema, schema, path, path);
  return errors.sort((a, b) => (`${a.field}: ${a.message}` < `${b.field}: ${b.message}` ? -1 : 1));
}

const isTrue = (schema: JsonObject, key: string): boolean => own(schema, key) === true;
const typeOf = (schema: JsonObject): string => (typeof schema["type"] === "string" ? schema["type"] : "");
const propertiesOf = (schema: JsonObject): [string, JsonObject][] =>
  isObject(schema["properties"])
    ? Object.entries(schema["properties"]).filter((entry): entry is [string, JsonObject] => isObject(entry[1]))
    : [];
const listOf = (schema: JsonObject, key: string): JsonObject[] => {
  const list = own(schema, key);
  return Array.isArray(list) ? list.filter(isObject) : [];
};

function checkNode(errors: FieldError[], schema: JsonObject, level: Level, path: string): void {
  const type = typeOf(schema);
  const items = own(schema, "items");
  const additional = own(schema, "additionalProperties");
  if (type === "array" && !isObject(items)) errors.push(fieldRequired(`${path}.items`, "must be specified"));
  if (isObject(items)) checkNode(errors, items, "items", `${path}.items`);
  for (const [name, property] of propertiesOf(schema))
    checkNode(errors, property, "field", `${path}.properties[${name}]`);
  if (additional !== undefined) {
    if (level === "root") errors.push(fieldForbidden(`${path}.additionalProperties`, "must not be used at the root"));
    if (isObject(additional)) checkNode(errors, additional, "field", `${path}.additionalProperties`);
  }
  checkType(errors, schema, level, path);
  checkMarkers(errors, schema, path);
  checkIdentity(errors, schema, level, path);
  checkJunctors(errors, schema, path);
}

function checkType(errors: FieldError[], schema: JsonObject, level: Level, path: string): void {
  const type = typeOf(schema);
  const embedded = isTrue(schema, "x-kubernetes-embedded-resource");
  if (embedded && type !== "object") {
    const why = "must be object if x-kubernetes-embedded-resource is true";
    errors.push(type === "" ? fieldRequired(`${path}.type`, why) : fieldInvalid(`${path}.type`, type, why));
  } else if (
    type === "" &&
    !isTrue(schema, "x-kubernetes-int-or-string") &&
    !isTrue(schema, "x-kubernetes-preserve-unknown-fields")
  ) {
    const where = { root: "at the root", items: "for specified array items", field: "for specified object fields" }[
      level
    ];
    errors.push(fieldRequired(`${path}.type`, `must not be empty ${where}`));
  }
  if (level === "root" && type !== "" && type !== "object")
    errors.push(fieldInvalid(`${path}.type`, type, "must be object at the root"));
}

function checkMarkers(errors: FieldError[], schema: JsonObject, path: string): void {
  const preserve = isTrue(schema, "x-kubernetes-preserve-unknown-fields");
  const embedded = isTrue(schema, "x-kubernetes-embedded-resource");
  if (isTrue(schema, "x-kubernetes-int-or-string")) {
    const why = "must be false if x-kubernetes-int-or-string is true";
    if (preserve) errors.push(fieldInvalid(`${path}.x-kubernetes-preserve-unknown-fields`, true, why));
    if (embedded) errors.push(fieldInvalid(`${path}.x-kubernetes-embedded-resource`, true, why));
  }
  if (embedded && own(schema, "additionalProperties") !== undefined) {
    errors.push(
      fieldForbidden(`${path}.additionalProperties`, "must not be used if x-kubernetes-embedded-resource is set"),
    );
  }
  if (embedded && !preserve && propertiesOf(schema).length === 0) {
    errors.push(
      fieldRequired(
        `${path}.properties`,
        "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
      ),
    );
  }
}

/** apiVersion, kind and metadata mean the same in every object; a schema may hardly restrict them. */
function checkIdentity(errors: FieldError[], schema: JsonObject, level: Level, path: string): void {
  const properties = new Map(propertiesOf(schema));
  const whole = level === "root" || isTrue(schema, "x-kubernetes-embedded-resource");
  if (!whole) return;
  for (const name of ["kind", "apiVersion"]) {
    const property = properties.get(name);
    if (property !== undefined && typeOf(property) !== "string")
      errors.push(fieldInvalid(`${path}.properties[${name}].type`, typeOf(property), "must be string"));
  }
  const metadata = properties.get("metadata");
  if (metadata === undefined) return;
  const at = `${path}.properties[metadata]`;
  if (typeOf(metadata) !== "object") errors.push(fieldInvalid(`${at}.type`, typeOf(metadata), "must be object"));
  if (level !== "root") return;
  const {
    type: _,
    default: _default,
    example: _example,
    externalDocs: _docs,
    properties: restricted,
    ...rest
  } = metadata;
  const names = isObject(restricted) ? Object.keys(restricted) : [];
  if (Object.keys(rest).length > 0 || names.some((name) => name !== "name" && name !== "generateName")) {
    errors.push(
      fieldForbidden(
        at,
        "must not specify anything other than name and generateName, but metadata is implicitly specified",
      ),
    );
  }
}

function checkJunctors(errors: FieldError[], schema: JsonObject, path: string): void {
  const allOf = listOf(schema, "allOf");
  if (!equalJson(own(schema, "anyOf"), INT_OR_STRING)) {
    listOf(schema, "anyOf").forEach((nested, i) => checkNested(errors, nested, false, `${path}.anyOf[${i}]`));
  }
  allOf.forEach((nested, i) =>
    checkNested(errors, nested, i === 0 && equalJson(own(nested, "anyOf"), INT_OR_STRING), `${path}.allOf[${i}]`),
  );
  listOf(schema, "oneOf").forEach((nested, i) => checkNested(errors, nested, false, `${path}.oneOf[${i}]`));
  const not = own(schema, "not");
  if (isObject(not)) checkNested(errors, not, false, `${path}.not`);
  const pattern = own(schema, "pattern");
  if (typeof pattern !== "string" || pattern === "") return;
  const compiled = compilePattern(pattern);
  if (typeof compiled === "string") {
    errors.push(fieldInvalid(`${path}.pattern`, pattern, `must be a valid regular expression, but isn't: ${compiled}`));
  }
}

/** What a schema under anyOf, allOf, oneOf or not may not say: it only validates, it does not shape. */
const SHAPING: readonly (readonly [key: string, why: string, isSet: (value: unknown) => boolean])[] = [
  ["type", "must be empty to be structural", (value) => typeof value === "string" && value !== ""],
  ["additionalProperties", "must be undefined to be structural", (value) => value !== undefined && value !== false],
  ["default", "must be undefined to be structural", (value) => value !== undefined],
  ["title", "must be empty to be structural", (value) => typeof value === "string" && value !== ""],
  ["description", "must be empty to be structural", (value) => typeof value === "string" && value !== ""],
  ["nullable", "must be false to be structural", (value) => value === true],
  ["x-kubernetes-preserve-unknown-fields", "must be false to be structural", (value) => value === true],
  ["x-kubernetes-embedded-resource", "must be false to be structural", (value) => value === true],
  ["x-kubernetes-int-or-string", "must be false to be structural", (value) => value === true],
  ["x-kubernetes-list-map-keys", "must be empty to be structural", (value) => Array.isArray(value) && value.length > 0],
  ["x-kubernetes-list-type", "must be undefined to be structural", (value) => value !== undefined],
  ["x-kubernetes-map-type", "must be undefined to be structural", (value) => value !== undefined],
  ["x-kubernetes-validations", "must be empty to be structural", (value) => Array.isArray(value) && value.length > 0],
];

function checkNested(errors: FieldError[], schema: JsonObject, intOrString: boolean, path: string): void {
  checkJunctors(errors, intOrString ? { ...schema, anyOf: undefined } : schema, path);
  const items = own(schema, "items");
  if (isObject(items)) checkNested(errors, items, false, `${path}.items`);
  for (const [name, property] of propertiesOf(schema)) {
    checkNested(errors, property, false, `${path}.properties[${name}]`);
    if (name === "metadata")
      errors.push(fieldForbidden(`${path}.properties[metadata]`, "must not be specified in a nested context"));
  }
  for (const [key, why, isSet] of SHAPING)
    if (isSet(own(schema, key))) errors.push(fieldForbidden(`${path}.${key}`, why));
}

/** Every field and list that a validation names must stand in the schema outside of it too. */
function checkComplete(
  errors: FieldError[],
  validation: JsonObject,
  schema: JsonObject | undefined,
  at: string,
  from: string,
): void {
  for (const junctor of ["allOf", "anyOf", "oneOf"]) {
    listOf(validation, junctor).forEach((nested, i) =>
      checkNestedComplete(errors, nested, schema, at, `${from}.${junctor}[${i}]`),
    );
  }
  const not = own(validation, "not");
  if (isObject(not)) checkNestedComplete(errors, not, schema, at, `${from}.not`);
}

function checkNestedComplete(
  errors: FieldError[],
  nested: JsonObject,
  schema: JsonObject | undefined,
  at: string,
  from: string,
): void {
  if (schema === undefined) {
    errors.push(fieldRequired(at, `because it is defined in ${from}`));
    return;
  }
  checkComplete(errors, nested, schema, at, from);
  const items = own(nested, "items");
  if (isObject(items)) {
    const shaped = own(schema, "items");
    checkNestedComplete(errors, items, isObject(shaped) ? shaped : undefined, `${at}.items`, `${from}.items`);
  }
  const properties = new Map(propertiesOf(schema));
  for (const [name, property] of propertiesOf(nested)) {
    checkNestedComplete(
      errors,
      property,
      properties.get(name),
      `${at}.properties[${name}]`,
      `${from}.properties[${name}]`,
    );
  }
}
