/** Defaults that a CRD's schema states: each must be a value that the schema takes as it is. */
import type { FieldError } from "../api/field-error.ts";
import { fieldInvalid } from "../api/field-error.ts";
import { validateRules } from "./cel.ts";
import { isObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import { nodeOfSchema } from "./structural.ts";
import { validateAgainst } from "./validate.ts";
import { checkEmbedded } from "./validate-lists.ts";

const IDENTITY: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"]);
const isTrue = (schema: JsonObject | undefined, key: string): boolean =>
  schema !== undefined && own(schema, key) === true;
const within = (schema: JsonObject | undefined, key: string): JsonObject | undefined => {
  const child = schema === undefined ? undefined : own(schema, key);
  return isObject(child) ? child : undefined;
};

/** Every fault of a default, in a schema and below it. */
export function checkDefaults(schema: JsonObject, path: string): FieldError[] {
  return [
    ...defaultFaults(schema, `${path}.default`),
    ...(within(schema, "items") === undefined ? [] : checkDefaults(schema["items"] as JsonObject, `${path}.items`)),
    ...Object.entries(within(schema, "properties") ?? {}).flatMap(([name, child]) =>
      isObject(child) ? checkDefaults(child, `${path}.properties[${name}]`) : [],
    ),
  ];
}

function defaultFaults(schema: JsonObject, path: string): FieldError[] {
  const value = own(schema, "default");
  if (value === undefined || value === null) return [];
  const unknown = holdsUnknown(schema, value) ? [fieldInvalid(path, value, "must not have unknown fields")] : [];
  return [...unknown, ...valueFaults(schema, value, path)];
}

/** Rules are asked only of what fits otherwise. */
function valueFaults(schema: JsonObject, value: unknown, path: string): FieldError[] {
  const node = nodeOfSchema(schema);
  const embedded = checkEmbedded(node, value, path);
  if (embedded.length > 0) return embedded;
  const faults = validateAgainst(schema, value, path);
  return faults.length > 0 ? faults : validateRules(node, value, undefined, [], path);
}

/** Whether pruning would take something away. */
function holdsUnknown(schema: JsonObject | undefined, value: unknown): boolean {
  if (Array.isArray(value)) return value.some((item) => holdsUnknown(within(schema, "items"), item));
  if (!isObject(value)) return false;
  const open = isTrue(schema, "x-kubernetes-preserve-unknown-fields");
  return Object.keys(value).some((key) => {
    if (isTrue(schema, "x-kubernetes-embedded-resource") && IDENTITY.has(key)) return false;
    const property = within(within(schema, "properties"), key);
    if (property !== undefined) return holdsUnknown(property, value[key]);
    const others = schema === undefined ? undefined : own(schema, "additionalProperties");
    if (others === undefined) return !open;
    return !open && holdsUnknown(isObject(others) ? others : undefined, value[key]);
  });
}
