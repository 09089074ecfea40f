/**
 * The rules of custom resources (`x-kubernetes-validations`): CEL expressions over the object, in upstream's words.
 * All that runs them is loaded with the first rule.
 */
import { createRequire } from "node:module";
import type { FieldError } from "../api/field-error.ts";
import { fieldInvalid } from "../api/field-error.ts";
import type * as Rules from "./cel/rules.ts";
import { equalJson } from "./json-value.ts";
import type { SchemaNode } from "./node.ts";

let loaded: typeof Rules | undefined;
const rules = (): typeof Rules => (loaded ??= createRequire(import.meta.url)("./cel/rules.ts") as typeof Rules);

const ruled = new WeakMap<SchemaNode, boolean>();

/** Whether there is any rule in a schema. Built-in types have none. */
export function hasRules(node: SchemaNode): boolean {
  const known = ruled.get(node);
  if (known !== undefined) return known;
  ruled.set(node, false);
  const own = Array.isArray(node.constraints?.["x-kubernetes-validations"]);
  const found = own || childrenOf(node).some(hasRules);
  ruled.set(node, found);
  return found;
}

function childrenOf(node: SchemaNode): SchemaNode[] {
  switch (node.kind) {
    case "struct":
      return node.typeName === undefined ? [...node.fields.values()].map((field) => field.node) : [];
    case "map":
      return [node.values];
    case "list":
      return [node.items];
    default:
      return [];
  }
}

/** Schema faults after which the rules are not run, since they could not trust what they see. */
const BLOCKING: ReadonlySet<string> = new Set([
  "FieldValueNotSupported",
  "FieldValueRequired",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueTypeInvalid",
]);

/** All faults that the rules of a schema find, after those that `validateSchema` found (`before`). */
export function validateRules(
  node: SchemaNode,
  value: unknown,
  old: unknown,
  before: readonly FieldError[],
  path = "",
): FieldError[] {
  if (!hasRules(node)) return [];
  if (before.some(({ reason }) => BLOCKING.has(reason))) {
    return [
      fieldInvalid(
        "<nil>",
        null,
        "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
      ),
    ];
  }
  const run = new (rules().RuleRun)();
  run.check(node, value, old, path, old !== undefined && equalJson(value, old));
  return run.errors;
}
