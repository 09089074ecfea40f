/** What is wrong with single keywords of a CRD's schema, wherever they stand in it, in upstream's words and order. */
import type { FieldError } from "../api/field-error.ts";
import { fieldForbidden, fieldInvalid, fieldNotSupported } from "../api/field-error.ts";
import { wordFaults } from "./cel/rule-words.ts";
import { checkLists, checkTypeIs } from "./check-list-keywords.ts";
import { isObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import { schemasWithin } from "./schemas-within.ts";

const TYPES: readonly string[] = ["array", "boolean", "integer", "number", "object", "string"];
const IDENTITY: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"]);

/** Where in the schema a keyword stands. */
interface Place {
  readonly root: boolean;
  /** Below apiVersion, kind or metadata of an object. */
  readonly inMeta: boolean;
  /** Why no default may stand here. */
  readonly noDefault: string | undefined;
}

/** Every fault of keywords, in a schema and below it. */
export function checkKeywords(schema: JsonObject, path: string): FieldError[] {
  const errors: FieldError[] = [];
  check(errors, schema, path, { root: true, inMeta: false, noDefault: undefined });
  return errors;
}

function check(errors: FieldError[], schema: JsonObject, path: string, place: Place): void {
  checkSupported(errors, schema, path, place);
  if (own(schema, "uniqueItems") === true) {
    const why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
    errors.push(fieldForbidden(`${path}.uniqueItems`, why));
  }
  const additional = own(schema, "additionalProperties");
  if (additional !== undefined && additional !== true && hasProperties(schema)) {
    const why = "additionalProperties and properties are mutual exclusive";
    errors.push(fieldForbidden(`${path}.additionalProperties`, why));
  }
  for (const [at, child, key, name] of schemasWithin(schema))
    check(errors, child, `${path}.${at}`, placeOf(schema, place, key, name));
  if (own(schema, "x-kubernetes-preserve-unknown-fields") === false)
    errors.push(fieldInvalid(`${path}.x-kubernetes-preserve-unknown-fields`, false, "must be true or undefined"));
  checkMapType(errors, schema, path);
  checkLists(errors, schema, path);
  const rules = own(schema, "x-kubernetes-validations");
  if (!Array.isArray(rules)) return;
  rules.forEach((rule: unknown, i) => {
    errors.push(...wordFaults(schema, isObject(rule) ? rule : {}, `${path}.x-kubernetes-validations[${i}]`));
  });
}

const hasProperties = (schema: JsonObject): boolean => {
  const properties = own(schema, "properties");
  return isObject(properties) && Object.keys(properties).length > 0;
};

function placeOf(schema: JsonObject, place: Place, key: string, name: string | undefined): Place {
  const below = { ...place, root: false };
  if (key === "additionalProperties" && place.inMeta)
    return { ...below, noDefault: "inside additionalProperties applying to object metadata" };
  const whole = place.root || own(schema, "x-kubernetes-embedded-resource") === true;
  if (key !== "properties" || !whole || !IDENTITY.has(name ?? "")) return below;
  return { root: false, inMeta: true, noDefault: place.root ? `in top-level ${name ?? ""}` : place.noDefault };
}

/** Keywords of JSON Schema that a CRD may not use, in the order in which upstream asks for them. */
const UNSUPPORTED = ["id", "additionalItems", "patternProperties", "definitions", "dependencies", "$ref"];

function checkSupported(errors: FieldError[], schema: JsonObject, path: string, place: Place): void {
  const type = own(schema, "type");
  if (typeof type === "string" && type !== "" && !TYPES.includes(type))
    errors.push(fieldNotSupported(`${path}.type`, type, TYPES));
  if (place.noDefault !== undefined && own(schema, "default") !== undefined)
    errors.push(fieldForbidden(`${path}.default`, `must not be set ${place.noDefault}`));
  for (const key of UNSUPPORTED)
    if (own(schema, key) !== undefined) errors.push(fieldForbidden(`${path}.${key}`, `${key} is not supported`));
  if (type === "null")
    errors.push(fieldForbidden(`${path}.type`, "type cannot be set to null, use nullable as an alternative"));
  if (Array.isArray(own(schema, "items")))
    errors.push(fieldForbidden(`${path}.items`, "items must be a schema object and not an array"));
  if (place.inMeta && own(schema, "x-kubernetes-embedded-resource") === true)
    errors.push(fieldForbidden(`${path}.x-kubernetes-embedded-resource`, "must not be used inside of resource meta"));
}

function checkMapType(errors: FieldError[], schema: JsonObject, path: string): void {
  const mapType = own(schema, "x-kubernetes-map-type");
  if (mapType === undefined) return;
  checkTypeIs(errors, schema, path, "object", "x-kubernetes-map-type");
  if (mapType !== "atomic" && mapType !== "granular") {
    errors.push(fieldNotSupported(`${path}.x-kubernetes-map-type`, mapType, ["atomic", "granular"]));
  }
}
