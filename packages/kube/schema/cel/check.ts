/** What is wrong with the rules themselves: said when the CRD that states them is written. */
import { createRequire } from "node:module";
import type { FieldError } from "../../api/field-error.ts";
import type * as Faults from "./rule-faults.ts";
import { isObject, own } from "../json-value.ts";
import type { JsonObject } from "../json-value.ts";

let loaded: typeof Faults | undefined;

/** Read with the first CRD that states a rule: a server starts without. */
const faults = (): typeof Faults => (loaded ??= createRequire(import.meta.url)("./rule-faults.ts") as typeof Faults);

export interface RuleContext {
  /** The schema is as it was, and each of its rules may go on costing what it did. */
  readonly unchanged?: boolean;
  /** What else is wrong with the schema: rules of what has a fault, or holds one, are not read. */
  readonly faults?: readonly FieldError[];
}

/**
 * Faults of the rules that a CRD's schema states: those that cannot be read, or may cost too much, are refused with the
 * CRD.
 */
export function checkRules(schema: unknown, path: string, context: RuleContext = {}): FieldError[] {
  return isObject(schema) && statesRules(schema) ? faults().ruleFaults(schema, path, context) : [];
}

/** Most CRDs have no rule: for them the engine is not even loaded. */
function statesRules(schema: JsonObject): boolean {
  const listed = own(schema, "x-kubernetes-validations");
  return (Array.isArray(listed) && listed.length > 0) || childrenOf(schema).some(([, child]) => statesRules(child));
}

/** The schemas within a schema, by the path from it. */
export function childrenOf(schema: JsonObject): [string, JsonObject][] {
  const properties = own(schema, "properties");
  const named = isObject(properties)
    ? Object.entries(properties).map(([name, child]) => [`properties[${name}]`, child] as const)
    : [];
  const others = ["items", "additionalProperties"].map((key) => [key, own(schema, key)] as const);
  return [...named, ...others].filter((entry): entry is [string, JsonObject] => isObject(entry[1]));
}
