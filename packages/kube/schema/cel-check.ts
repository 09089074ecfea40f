/** What is wrong with the rules themselves: said when the CRD that states them is written. */
import type { FieldError } from "../api/field-error.ts";
import { fieldInvalid, fieldRequired } from "../api/field-error.ts";
import { compile, text } from "./cel.ts";
import { isObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";

/** Faults of the rules that a CRD's schema states: those that cannot be read are refused with the CRD. */
export function checkRules(schema: unknown, path: string): FieldError[] {
  const errors: FieldError[] = [];
  if (isObject(schema)) collectFaults(errors, withIdentity(schema), path);
  return errors;
}

/** At the root apiVersion, kind and the names in metadata are there, whether the schema says so or not. */
function withIdentity(schema: JsonObject): JsonObject {
  const names = { type: "object", properties: { name: { type: "string" }, generateName: { type: "string" } } };
  const properties = own(schema, "properties");
  return {
    ...schema,
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      ...(isObject(properties) ? properties : {}),
      metadata: names,
    },
  };
}

function collectFaults(errors: FieldError[], schema: JsonObject, path: string): void {
  const rules = own(schema, "x-kubernetes-validations");
  if (Array.isArray(rules))
    rules.forEach((rule: unknown, i) => checkRule(errors, schema, rule, `${path}.x-kubernetes-validations[${i}]`));
  const properties = own(schema, "properties");
  if (isObject(properties)) {
    for (const [name, property] of Object.entries(properties))
      if (isObject(property)) collectFaults(errors, property, `${path}.properties[${name}]`);
  }
  for (const key of ["items", "additionalProperties"]) {
    const child = own(schema, key);
    if (isObject(child)) collectFaults(errors, child, `${path}.${key}`);
  }
}

function checkRule(errors: FieldError[], schema: JsonObject, rule: unknown, path: string): void {
  const expression = isObject(rule) ? text(rule["rule"]) : "";
  if (!isObject(rule) || expression.trim() === "") {
    errors.push(fieldRequired(`${path}.rule`, "rule is not specified"));
    return;
  }
  const { program, usesOldSelf } = compile(expression, "bool", schema);
  if (typeof program === "string") errors.push(fieldInvalid(`${path}.rule`, rule, `compilation failed: ${program}`));
  else if (rule["optionalOldSelf"] === true && !usesOldSelf)
    errors.push(fieldInvalid(`${path}.optionalOldSelf`, true, "may not be set if oldSelf is not used in rule"));
  const messageExpression = text(rule["messageExpression"]);
  if (messageExpression !== "") {
    const compiled = compile(messageExpression, "string", schema).program;
    if (typeof compiled === "string")
      errors.push(fieldInvalid(`${path}.messageExpression`, rule, `messageExpression compilation failed: ${compiled}`));
  }
}
