/** Validation of custom resources against their schema, in upstream's words. */
import {
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
  fieldTooMany,
  fieldTypeInvalid,
} from "../api/field-error.ts";
import type { FieldError } from "../api/field-error.ts";
import { formatCheck } from "./formats.ts";
import { equalJson, isObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import type { SchemaNode } from "./node.ts";
import { compilePattern } from "./pattern.ts";
import { nestedViews, viewOfNode, viewOfSchema } from "./schema-view.ts";
import type { SchemaView } from "./schema-view.ts";
import { ValidationResult } from "./validation-result.ts";
import { checkListItems } from "./validate-lists.ts";

/**
 * Every fault of a value. `path` goes before the fields of the errors (`status` where only the status is checked).
 * With `old`, the value an update replaces, what is as it was is not held against the update.
 */
export function validateSchema(node: SchemaNode, value: unknown, path = "", old?: unknown): FieldError[] {
  const result = validate(viewOfNode(node), value, "", old);
  const errors = result.faults.map(({ error }) => (path === "" ? error : { ...error, field: join(path, error.field) }));
  return [...errors, ...checkListItems(node, value, path, old)];
}

/** Every fault of a value against a plain JSON schema, such as a default that a schema states. */
export function validateAgainst(schema: JsonObject, value: unknown, path: string): FieldError[] {
  return validate(viewOfSchema(schema), value, "", undefined).faults.map(({ error }) => ({
    ...error,
    field: join(path, error.field),
  }));
}

function join(path: string, field: string): string {
  if (field === "") return path;
  return field === NOWHERE || field.startsWith("[") ? `${path}${field === NOWHERE ? "" : field}` : `${path}.${field}`;
}

/** Where upstream says nothing of the place. */
const NOWHERE = "<nil>";

function validate(view: SchemaView, value: unknown, path: string, old: unknown): ValidationResult {
  const result = validateNew(view, value, path, old);
  // Ratcheting: a fault that was there before is no reason to refuse an update of something else.
  if (!result.valid && old !== undefined && equalJson(value, old)) {
    const tolerated = new ValidationResult();
    tolerated.matches = result.matches;
    return tolerated;
  }
  return result;
}

const fieldOf = (path: string): string => (path.startsWith(".") ? path.slice(1) : path);

function validateNew(view: SchemaView, value: unknown, path: string, old: unknown): ValidationResult {
  const result = new ValidationResult();
  if (value === null || value === undefined) {
    if (view.types.length > 0 && !view.nullable) addTypeFault(result, view.types.join(","), "null", path);
    checkEnum(result, view, null, path);
    return result;
  }
  const type = jsonType(value);
  checkType(result, view, value, type, path);
  checkJunctors(result, view.keywords, value, path);
  if (typeof value === "string") {
    checkString(result, view.keywords, value, path);
    checkFormat(result, view, value, path);
  }
  if (typeof value === "number") checkNumber(result, view.keywords, value, path);
  if (Array.isArray(value)) checkList(result, view, value, path, old);
  checkEnum(result, view, value, path);
  if (isObject(value)) checkObject(result, view, value, path, old);
  result.matches++;
  return result;
}

function jsonType(value: unknown): string {
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  if (Array.isArray(value)) return "array";
  return typeof value;
}

function addTypeFault(result: ValidationResult, wanted: string, got: string, path: string): void {
  const text = `${path} in body must be of type ${wanted}: ${JSON.stringify(got)}`;
  result.add(text, fieldTypeInvalid(fieldOf(path), got, text));
}

function checkType(result: ValidationResult, view: SchemaView, value: unknown, type: string, path: string): void {
  if (view.types.length === 0) return;
  result.matches++;
  if (view.types.includes(type) || (type === "integer" && view.types.includes("number"))) {
    result.matches++;
    return;
  }
  const isFormatted = view.format !== undefined && formatCheck(view.format) !== undefined;
  const isText = typeof value === "string" || Array.isArray(value);
  // Of what is neither number nor asked to be one a format says enough, as upstream: a list passes for a date.
  if (isFormatted && isText && !view.types.some((each) => each === "number" || each === "integer")) return;
  if (isFormatted && !isText) addTypeFault(result, view.format ?? "", GO_FORMATS[type] ?? "", path);
  else addTypeFault(result, view.types.join(","), type, path);
}

const GO_FORMATS: Readonly<Record<string, string>> = { integer: "int64", number: "float64" };

function addPlain(result: ValidationResult, text: string): void {
  result.add(text, fieldInvalid(NOWHERE, "", text));
}

/**
 * anyOf, oneOf, allOf and not: the alternative that came closest explains a failure. A part of the value that is as it
 * was is no excuse here: all of it has to be.
 */
function checkJunctors(result: ValidationResult, keywords: Readonly<JsonObject>, value: unknown, path: string): void {
  const at = JSON.stringify(path);
  const run = (views: readonly SchemaView[]): ValidationResult[] =>
    views.map((view) => validate(view, value, path, undefined));
  const anyOf = run(nestedViews(keywords, "anyOf"));
  if (anyOf.length > 0) {
    const good = anyOf.find((one) => one.valid);
    if (good === undefined) addPlain(result, `${at} must validate at least one schema (anyOf)`);
    result.merge(good ?? closest(anyOf));
  }
  const oneOf = run(nestedViews(keywords, "oneOf"));
  if (oneOf.length > 0) checkOneOf(result, oneOf, at);
  const allOf = run(nestedViews(keywords, "allOf"));
  for (const one of allOf) result.merge(one);
  const held = allOf.filter((one) => one.valid).length;
  if (held !== allOf.length)
    addPlain(result, `${at} must validate all the schemas (allOf)${held === 0 ? ". None validated" : ""}`);
  const not = own(keywords, "not");
  if (isObject(not) && validate(viewOfSchema(not), value, path, undefined).valid)
    addPlain(result, `${at} must not validate the schema (not)`);
  result.matches += 2;
}

function checkOneOf(result: ValidationResult, oneOf: readonly ValidationResult[], at: string): void {
  const good = oneOf.filter((one) => one.valid);
  const [first] = good;
  if (good.length === 1 && first !== undefined) {
    result.merge(first);
    return;
  }
  const why = good.length === 0 ? "Found none valid" : `Found ${good.length} valid alternatives`;
  addPlain(result, `${at} must validate one and only one schema (oneOf). ${why}`);
  if (good.length === 0) result.merge(closest(oneOf));
}

function closest(results: readonly ValidationResult[]): ValidationResult {
  let best: ValidationResult | undefined;
  for (const result of results) if (best === undefined || result.matches > best.matches) best = result;
  return best ?? new ValidationResult();
}

const numberIn = (keywords: Readonly<JsonObject>, key: string): number | undefined => {
  const value = own(keywords, key);
  return typeof value === "number" ? value : undefined;
};

const countCharacters = (text: string): number => {
  let count = 0;
  for (const _ of text) count++;
  return count;
};

/** The first fault of a text is told, not all. */
function checkString(result: ValidationResult, keywords: Readonly<JsonObject>, value: string, path: string): void {
  const field = fieldOf(path);
  result.matches++;
  const max = numberIn(keywords, "maxLength");
  const min = numberIn(keywords, "minLength");
  const length = max === undefined && min === undefined ? 0 : countCharacters(value);
  if (max !== undefined && length > max) {
    result.add(`${path} in body should be at most ${max} chars long`, fieldTooLong(field, max));
    return;
  }
  if (min !== undefined && length < min) {
    const text = `${path} in body should be at least ${min} chars long`;
    result.add(text, fieldInvalid(field, value, text));
    return;
  }
  const pattern = own(keywords, "pattern");
  if (typeof pattern !== "string" || pattern === "") return;
  const compiled = compilePattern(pattern);
  if (typeof compiled !== "string" && compiled.test(value)) return;
  const shown = typeof compiled === "string" ? `${pattern}, but pattern is invalid: ${compiled}` : pattern;
  const text = `${path} in body should match '${shown}'`;
  result.add(text, fieldInvalid(field, value, text));
}

function checkFormat(result: ValidationResult, view: SchemaView, value: string, path: string): void {
  const check = view.format === undefined ? undefined : formatCheck(view.format);
  if (check === undefined) return;
  result.matches++;
  if (check(value)) return;
  const text = `${path} in body must be of type ${view.format ?? ""}: ${JSON.stringify(value)}`;
  result.add(text, fieldTypeInvalid(fieldOf(path), value, text));
}

function checkNumber(result: ValidationResult, keywords: Readonly<JsonObject>, value: number, path: string): void {
  const invalid = (text: string): void => result.add(text, fieldInvalid(fieldOf(path), value, text));
  const bound = (limit: number): number => (Number.isInteger(value) ? Math.trunc(limit) : limit);
  const factor = numberIn(keywords, "multipleOf");
  if (factor !== undefined && !isMultiple(value, factor)) invalid(`${path} in body should be a multiple of ${factor}`);
  const max = numberIn(keywords, "maximum");
  const belowOnly = own(keywords, "exclusiveMaximum") === true;
  if (max !== undefined && (belowOnly ? value >= bound(max) : value > bound(max))) {
    invalid(`${path} in body should be less than ${belowOnly ? "" : "or equal to "}${bound(max)}`);
  }
  const min = numberIn(keywords, "minimum");
  const aboveOnly = own(keywords, "exclusiveMinimum") === true;
  if (min !== undefined && (aboveOnly ? value <= bound(min) : value < bound(min))) {
    invalid(`${path} in body should be greater than ${aboveOnly ? "" : "or equal to "}${bound(min)}`);
  }
  result.matches += 2;
}

function isMultiple(value: number, factor: number): boolean {
  if (factor <= 0) return false;
  const quotient = factor < 1 ? (1 / factor) * value : value / factor;
  return Math.abs(quotient - Math.round(quotient)) <= 1e-9 * Math.max(1, Math.abs(quotient));
}

function checkList(
  result: ValidationResult,
  view: SchemaView,
  items: readonly unknown[],
  path: string,
  old: unknown,
): void {
  if (view.items !== undefined) {
    const before = oldItems(view, old);
    for (let i = 0; i < items.length; i++)
      result.merge(validate(view.items, items[i], `${path}[${i}]`, before(items[i])));
  }
  const field = fieldOf(path);
  const min = numberIn(view.keywords, "minItems");
  if (min !== undefined && items.length < min) {
    const text = `${path} in body should have at least ${min} items`;
    result.add(text, fieldInvalid(field, items.length, text));
  }
  const max = numberIn(view.keywords, "maxItems");
  if (max !== undefined && items.length > max) {
    result.add(`${path} in body should have at most ${max} items`, fieldTooMany(field, items.length, max));
  }
  if (
    own(view.keywords, "uniqueItems") === true &&
    items.some((item, i) => items.findIndex((other) => equalJson(item, other)) < i)
  ) {
    const text = `${path} in body shouldn't contain duplicates`;
    result.add(text, fieldInvalid(field, "", text));
  }
  result.matches += 2;
}

/** Items of keyed lists are compared with the one of the same key; others have no past. */
function oldItems(view: SchemaView, old: unknown): (item: unknown) => unknown {
  const { list } = view;
  if (!Array.isArray(old) || list === undefined || list.listType !== "map") return () => undefined;
  const keyOf = (item: unknown): string =>
    JSON.stringify(list.listKeys.map((key) => (isObject(item) ? (own(item, key) ?? null) : null)));
  const byKey = new Map(old.map((item: unknown) => [keyOf(item), item]));
  return (item) => byKey.get(keyOf(item));
}

/** Upstream compares numbers as the type of the choice: 1.5 is the choice 1. */
const isChoice = (choice: unknown, value: unknown): boolean =>
  typeof choice === "number" && typeof value === "number" && Number.isInteger(choice)
    ? Math.trunc(value) === choice
    : equalJson(choice, value);

function checkEnum(result: ValidationResult, view: SchemaView, value: unknown, path: string): void {
  const allowed = own(view.keywords, "enum");
  if (value !== null) result.matches++;
  if (!Array.isArray(allowed) || allowed.length === 0 || allowed.some((one) => one !== null && isChoice(one, value)))
    return;
  const shown = allowed.map((one) => (typeof one === "string" ? one : JSON.stringify(one)));
  result.add(
    `${path} in body should be one of ${JSON.stringify(allowed)}`,
    fieldNotSupported(fieldOf(path), value, shown),
  );
}

function checkObject(
  result: ValidationResult,
  view: SchemaView,
  value: Readonly<JsonObject>,
  path: string,
  old: unknown,
): void {
  const before = isObject(old) ? old : undefined;
  const keys = Object.keys(value);
  checkSize(result, view.keywords, keys.length, path);
  const check = (key: string, child: SchemaView): void =>
    result.merge(
      validate(
        child,
        value[key],
        path === "" ? key : `${path}.${key}`,
        before === undefined ? undefined : own(before, key),
      ),
    );
  if (view.additional !== undefined) for (const key of keys) if (!view.properties.has(key)) check(key, view.additional);
  for (const [key, child] of view.properties) if (Object.hasOwn(value, key)) check(key, child);
  const required = own(view.keywords, "required");
  if (Array.isArray(required)) {
    for (const key of required) {
      if (typeof key === "string" && !Object.hasOwn(value, key))
        result.add(`${path}.${key} in body is required`, fieldRequired(fieldOf(`${path}.${key}`)));
    }
  }
  result.matches++;
}

function checkSize(result: ValidationResult, keywords: Readonly<JsonObject>, size: number, path: string): void {
  const min = numberIn(keywords, "minProperties");
  if (min !== undefined && size < min) {
    const text = `${path} in body should have at least ${min} properties`;
    result.add(text, fieldInvalid(fieldOf(path), size, text));
  }
  const max = numberIn(keywords, "maxProperties");
  if (max !== undefined && size > max) {
    result.add(`${path} in body should have at most ${max} properties`, fieldTooMany(fieldOf(path), size, max));
  }
}
