/** Lists of unique items, and objects that stand in other objects: checked apart from the schema, as upstream does. */
import type { FieldError } from "../api/field-error.ts";
import { fieldDuplicate, fieldInvalid, fieldRequired } from "../api/field-error.ts";
import { labelValueFault, qualifiedNameFault } from "../api/names.ts";
import { isObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import type { ListNode, SchemaNode, StructNode } from "./node.ts";

/** Faults of embedded objects, and items that a set or a keyed list has twice; the latter not if `old` had them too. */
export function checkListItems(node: SchemaNode, value: unknown, path: string, old: unknown): FieldError[] {
  const errors: FieldError[] = [];
  addEmbedded(errors, node, value, path, true);
  const duplicates: FieldError[] = [];
  checkDuplicates(duplicates, node, value, path);
  if (duplicates.length > 0 && old !== undefined) {
    const before: FieldError[] = [];
    checkDuplicates(before, node, old, path);
    if (before.length > 0) return errors;
  }
  return [...errors, ...duplicates];
}

const child = (path: string, key: string): string => (path === "" ? key : `${path}.${key}`);

function checkDuplicates(errors: FieldError[], node: SchemaNode, value: unknown, path: string): void {
  if (node.kind === "list" && Array.isArray(value)) {
    if (node.listType === "set") addDuplicates(errors, value, value, path);
    if (node.listType === "map") checkKeys(errors, node, value, path);
    if (node.items.kind === "scalar" || node.items.kind === "any") return;
    for (let i = 0; i < value.length; i++) checkDuplicates(errors, node.items, value[i], `${path}[${i}]`);
  } else if (node.kind === "struct" && node.typeName === undefined && isObject(value)) {
    for (const key of Object.keys(value)) {
      const field = node.fields.get(key);
      if (field !== undefined && field.node.kind !== "scalar")
        checkDuplicates(errors, field.node, value[key], child(path, key));
    }
  } else if (node.kind === "map" && isObject(value) && node.values.kind !== "scalar" && node.values.kind !== "any") {
    for (const key of Object.keys(value)) checkDuplicates(errors, node.values, value[key], `${path}[${key}]`);
  }
}

/** Tells the second of equal items; a third is not told again. */
function addDuplicates(errors: FieldError[], keys: readonly unknown[], shown: readonly unknown[], path: string): void {
  if (keys.length <= 1) return;
  const seen = new Map<unknown, number>();
  keys.forEach((key, index) => {
    const text = typeof key === "object" && key !== null ? `\u0000${canonical(key)}` : key;
    const times = seen.get(text) ?? 0;
    seen.set(text, times + 1);
    if (times === 1) errors.push(fieldDuplicate(`${path}[${index}]`, shown[index]));
  });
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value) ?? "null";
  return `{${Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`)
    .join(",")}}`;
}

function checkKeys(errors: FieldError[], node: ListNode, items: readonly unknown[], path: string): void {
  const wrong = items.findIndex((item) => item !== null && !isObject(item));
  if (wrong >= 0) {
    errors.push(fieldInvalid(`${path}[${wrong}]`, items[wrong], "must be an object for an array of list-type map"));
    return;
  }
  const keys = items.map((item) => keyOf(node, isObject(item) ? item : {}));
  addDuplicates(errors, keys, keys, path);
}

function keyOf(node: ListNode, item: Readonly<JsonObject>): JsonObject {
  const key: JsonObject = {};
  for (const name of node.listKeys) {
    const value = own(item, name);
    if (value !== undefined) key[name] = value;
  }
  return key;
}

const DNS1035 = /^[a-z]([-a-z0-9]*[a-z0-9])?$/;
const DNS1035_FAULT =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";

/** Faults of objects that stand in a value, of itself too. */
export function checkEmbedded(node: SchemaNode, value: unknown, path: string): FieldError[] {
  const errors: FieldError[] = [];
  addEmbedded(errors, node, value, path, false);
  return errors;
}

function addEmbedded(errors: FieldError[], node: SchemaNode, value: unknown, path: string, root: boolean): void {
  if (node.kind === "list" && Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) addEmbedded(errors, node.items, value[i], `${path}[${i}]`, false);
  } else if (node.kind === "map" && isObject(value)) {
    for (const key of Object.keys(value)) addEmbedded(errors, node.values, value[key], `${path}[${key}]`, false);
  } else if (node.kind === "struct" && node.typeName === undefined && isObject(value)) {
    if (node.embedded === true && !root) checkIdentity(errors, value, path);
    checkFields(errors, node, value, path);
  }
}

function checkFields(errors: FieldError[], node: StructNode, value: Readonly<JsonObject>, path: string): void {
  for (const key of Object.keys(value)) {
    const field = node.fields.get(key);
    if (field !== undefined && field.node.kind !== "scalar" && field.node.kind !== "any")
      addEmbedded(errors, field.node, value[key], child(path, key), false);
  }
}

function checkIdentity(errors: FieldError[], value: Readonly<JsonObject>, path: string): void {
  const apiVersion = own(value, "apiVersion");
  const kind = own(value, "kind");
  const at = (key: string): string => child(path, key);
  if (apiVersion === undefined) errors.push(fieldRequired(at("apiVersion")));
  else if (typeof apiVersion !== "string") errors.push(fieldInvalid(at("apiVersion"), apiVersion, "must be a string"));
  else if (apiVersion === "") errors.push(fieldInvalid(at("apiVersion"), apiVersion, "must not be empty"));
  else if (apiVersion.split("/").length > 2)
    errors.push(fieldInvalid(at("apiVersion"), apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  if (kind === undefined) errors.push(fieldRequired(at("kind")));
  else if (typeof kind !== "string") errors.push(fieldInvalid(at("kind"), kind, "must be a string"));
  else if (kind === "") errors.push(fieldInvalid(at("kind"), kind, "must not be empty"));
  else checkKind(errors, kind, at("kind"));
  const metadata = own(value, "metadata");
  if (isObject(metadata)) checkMetadata(errors, metadata, at("metadata"));
}

function checkKind(errors: FieldError[], kind: string, path: string): void {
  const faults = [
    ...(kind.length > 63 ? ["must be no more than 63 characters"] : []),
    ...(DNS1035.test(kind.toLowerCase()) ? [] : [DNS1035_FAULT]),
  ];
  if (faults.length > 0)
    errors.push(fieldInvalid(path, kind, `may have mixed case, but should otherwise match: ${faults.join(",")}`));
}

/** Names and labels; what else metadata holds is of no account in an object that nobody serves. */
function checkMetadata(errors: FieldError[], metadata: Readonly<JsonObject>, path: string): void {
  const name = own(metadata, "name");
  if (typeof name === "string")
    for (const fault of segmentFaults(name)) errors.push(fieldInvalid(`${path}.name`, name, fault));
  const labels = own(metadata, "labels");
  for (const [key, value] of Object.entries(isObject(labels) ? labels : {})) {
    addFault(errors, `${path}.labels`, key, qualifiedNameFault(key));
    addFault(errors, `${path}.labels`, value, labelValueFault(String(value)));
  }
  const annotations = own(metadata, "annotations");
  for (const key of Object.keys(isObject(annotations) ? annotations : {}))
    addFault(errors, `${path}.annotations`, key, qualifiedNameFault(key.toLowerCase()));
}

function addFault(errors: FieldError[], path: string, value: unknown, fault: string | undefined): void {
  if (fault !== undefined) errors.push(fieldInvalid(path, value, fault));
}

const segmentFaults = (name: string): string[] =>
  name === "." || name === ".."
    ? [`may not be '${name}'`]
    : ["/", "%"].filter((part) => name.includes(part)).map((part) => `may not contain '${part}'`);
