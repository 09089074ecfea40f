/** ValidatingAdmissionPolicies and their bindings: what is stated, and whether its expressions can be read. */
import { createRequire } from "node:module";
import {
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldRequired,
  fieldTooMany,
  type KubeObject,
} from "@travelops/kube";
import type * as Cel from "@travelops/kube/schema/cel/admission";
import {
  checkText,
  dns1035Label,
  dnsSubdomain,
  type Errors,
  labelSelector,
  oneOf,
  pathSegment,
  qualifiedName,
} from "../checks.ts";
import { child, type Fields, has, items, list, strings, text } from "../fields.ts";
import { checkRule } from "./admission-rules.ts";

const MAX_CONDITIONS = 64;
const MAX_ANNOTATIONS = 20;
const MAX_ANNOTATION_EXPRESSION = 5 * 1024;

let engine: typeof Cel | undefined;

/** Read with the first policy: the engine of expressions is large. */
const cel = (): typeof Cel =>
  (engine ??= createRequire(import.meta.url)("@travelops/kube/schema/cel/admission") as typeof Cel);

export function checkMatchResources(match: Fields | undefined, path: string, errors: Errors): void {
  if (match === undefined) return;
  oneOf(text(match, "matchPolicy"), `${path}.matchPolicy`, ["Equivalent", "Exact"], errors);
  for (const key of ["namespaceSelector", "objectSelector"]) labelSelector(child(match, key), `${path}.${key}`, errors);
  for (const key of ["resourceRules", "excludeResourceRules"])
    items(match, key).forEach((rule, i) => checkNamedRule(rule, `${path}.${key}[${i}]`, errors));
}

function checkNamedRule(rule: Fields, path: string, errors: Errors): void {
  const names = new Set<string>();
  strings(rule, "resourceNames").forEach((name, i) => {
    checkText(name, `${path}.resourceNames[${i}]`, pathSegment, errors);
    if (names.has(name)) errors.push(fieldDuplicate(`${path}.resourceNames[${i}]`, name));
    names.add(name);
  });
  checkRule(rule, path, errors);
}

function checkParamKind(kind: Fields, errors: Errors): void {
  const path = "spec.paramKind";
  const apiVersion = text(kind, "apiVersion");
  const parts = apiVersion.split("/");
  if (apiVersion === "") errors.push(fieldRequired(`${path}.apiVersion`));
  else if (parts.length > 2)
    errors.push(fieldInvalid(`${path}.apiVersion`, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  else {
    const [group, version] = parts.length === 1 ? ["", parts[0] ?? ""] : [parts[0] ?? "", parts[1] ?? ""];
    if (group !== "" && dnsSubdomain(group).length > 0)
      errors.push(fieldInvalid(`${path}.apiVersion`, group, dnsSubdomain(group).join(",")));
    if (version === "") errors.push(fieldInvalid(`${path}.apiVersion`, apiVersion, "version must be specified"));
    else if (dns1035Label(version).length > 0)
      errors.push(fieldInvalid(`${path}.apiVersion`, version, dns1035Label(version).join(",")));
  }
  const name = text(kind, "kind");
  const faults = dns1035Label(name.toLowerCase());
  if (name === "") errors.push(fieldRequired(`${path}.kind`));
  else if (faults.length > 0)
    errors.push(
      fieldInvalid(`${path}.kind`, name, `may have mixed case, but should otherwise match: ${faults.join(",")}`),
    );
}

/** Expressions that an update did not change are not read again. */
const sameConditions = (spec: Fields | undefined, old: Fields | undefined): boolean =>
  old !== undefined && JSON.stringify(list(spec, "matchConditions")) === JSON.stringify(list(old, "matchConditions"));

/** Match conditions of a policy or a webhook. */
export function checkMatchConditions(
  conditions: readonly Fields[],
  path: string,
  params: boolean,
  errors: Errors,
): void {
  if (conditions.length > MAX_CONDITIONS) errors.push(fieldTooMany(path, conditions.length, MAX_CONDITIONS));
  const names = new Set<string>();
  const compiler = conditions.length === 0 ? undefined : new (cel().AdmissionCompiler)({ params, authorizer: true });
  conditions.forEach((condition, i) => {
    const at = `${path}[${i}]`;
    const expression = text(condition, "expression").trim();
    if (expression === "") errors.push(fieldRequired(`${at}.expression`));
    else expressionFault(compiler?.compile(expression, ["bool"]), `${at}.expression`, errors);
    const name = text(condition, "name");
    if (name === "") errors.push(fieldRequired(`${at}.name`));
    else checkText(name, `${at}.name`, qualifiedName, errors);
    if (name !== "" && names.has(name)) errors.push(fieldDuplicate(`${at}.name`, name));
    names.add(name);
  });
}

function expressionFault(compiled: Cel.Compiled | undefined, path: string, errors: Errors): void {
  if (compiled?.kind === "fault") errors.push(fieldInvalid(path, compiled.expression, compiled.fault));
}

const IDENTIFIER = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
const RESERVED: ReadonlySet<string> = new Set(
  "true false null in as break const continue else for function if import let loop package namespace return var void while".split(
    " ",
  ),
);

/** The expressions of one policy, in the order in which they may name one another. */
class Expressions {
  readonly #params: boolean;
  readonly #types: Record<string, string> | undefined;

  constructor(spec: Fields | undefined) {
    this.#params = has(spec, "paramKind");
    this.#types = list(spec, "variables").length === 0 ? undefined : {};
  }

  compile(expression: string, returns: readonly string[] | undefined, authorizer = true): Cel.Compiled {
    const variables = this.#types === undefined ? {} : { variables: this.#types };
    const compiler = new (cel().AdmissionCompiler)({ params: this.#params, authorizer, ...variables });
    return compiler.compile(expression, returns);
  }

  define(name: string, expression: string): Cel.Compiled {
    const compiled = this.compile(expression, undefined);
    if (this.#types !== undefined) this.#types[name] = compiled.kind === "program" ? compiled.type : "dyn";
    return compiled;
  }
}

function checkVariable(variable: Fields, path: string, expressions: Expressions, errors: Errors): void {
  const name = text(variable, "name");
  if (name.trim() === "") errors.push(fieldRequired(`${path}.name`, "name is not specified"));
  else if (!IDENTIFIER.test(name) || RESERVED.has(name))
    errors.push(fieldInvalid(`${path}.name`, name, "must be a valid CEL identifier"));
  const expression = text(variable, "expression");
  if (expression.trim() === "") errors.push(fieldRequired(`${path}.expression`, "expression is not specified"));
  else expressionFault(expressions.define(name, expression), `${path}.expression`, errors);
}

const REASONS = ["Forbidden", "Invalid", "RequestEntityTooLarge"];

function checkValidation(validation: Fields, path: string, expressions: Expressions, errors: Errors): void {
  const expression = text(validation, "expression");
  if (expression.trim() === "") errors.push(fieldRequired(`${path}.expression`, "expression is not specified"));
  else expressionFault(expressions.compile(expression, ["bool"]), `${path}.expression`, errors);
  const stated = text(validation, "messageExpression");
  if (stated !== "" && stated.trim() === "")
    errors.push(fieldInvalid(`${path}.messageExpression`, stated, "must be non-empty if specified"));
  else if (stated !== "")
    expressionFault(expressions.compile(stated, ["string"], false), `${path}.messageExpression`, errors);
  const message = text(validation, "message");
  if (message !== "" && message.trim() === "")
    errors.push(fieldInvalid(`${path}.message`, message, "must be non-empty if specified"));
  else if (/[\n\r]/.test(message.trim()))
    errors.push(fieldInvalid(`${path}.message`, message, "must not contain line breaks"));
  if (has(validation, "reason")) oneOf(validation["reason"], `${path}.reason`, REASONS, errors);
}

function checkAnnotation(
  annotation: Fields,
  path: string,
  policy: string,
  expressions: Expressions,
  errors: Errors,
): void {
  const key = text(annotation, "key");
  if (policy === "") errors.push(fieldInvalid(`${path}.key`, key, "requires metadata.name be non-empty"));
  else checkText(`${policy}/${key}`, `${path}.key`, qualifiedName, errors);
  const expression = text(annotation, "valueExpression").trim();
  if (expression === "") errors.push(fieldRequired(`${path}.valueExpression`, "valueExpression is not specified"));
  else if (Buffer.byteLength(expression) > MAX_ANNOTATION_EXPRESSION)
    errors.push(
      fieldRequired(`${path}.valueExpression`, `must not exceed ${MAX_ANNOTATION_EXPRESSION} bytes in length`),
    );
  else expressionFault(expressions.compile(expression, ["string", "null"]), `${path}.valueExpression`, errors);
}

const AT_LEAST_ONE = "validations or auditAnnotations must contain at least one item";

export function checkValidatingPolicy(policy: KubeObject, old: KubeObject | undefined, errors: Errors): void {
  const spec = child(policy, "spec");
  oneOf(text(spec, "failurePolicy"), "spec.failurePolicy", ["Fail", "Ignore"], errors);
  const paramKind = child(spec, "paramKind");
  if (paramKind !== undefined) checkParamKind(paramKind, errors);
  const match = child(spec, "matchConstraints");
  if (match === undefined) errors.push(fieldRequired("spec.matchConstraints"));
  else {
    checkMatchResources(match, "spec.matchConstraints", errors);
    if (list(match, "resourceRules").length === 0) errors.push(fieldRequired("spec.matchConstraints.resourceRules"));
  }
  if (!sameConditions(spec, child(old, "spec")))
    checkMatchConditions(items(spec, "matchConditions"), "spec.matchConditions", paramKind !== undefined, errors);
  const expressions = new Expressions(spec);
  items(spec, "variables").forEach((variable, i) =>
    checkVariable(variable, `spec.variables[${i}]`, expressions, errors),
  );
  const [validations, annotations] = [items(spec, "validations"), items(spec, "auditAnnotations")];
  if (validations.length === 0 && annotations.length === 0)
    errors.push(fieldRequired("spec.validations", AT_LEAST_ONE), fieldRequired("spec.auditAnnotations", AT_LEAST_ONE));
  validations.forEach((validation, i) => checkValidation(validation, `spec.validations[${i}]`, expressions, errors));
  checkAnnotations(annotations, policy.metadata.name ?? "", expressions, errors);
}

function checkAnnotations(
  annotations: readonly Fields[],
  policy: string,
  expressions: Expressions,
  errors: Errors,
): void {
  if (annotations.length > MAX_ANNOTATIONS)
    errors.push(
      fieldInvalid("spec.auditAnnotations", annotations, `must not have more than ${MAX_ANNOTATIONS} auditAnnotations`),
    );
  const keys = new Set<string>();
  annotations.forEach((annotation, i) => {
    const path = `spec.auditAnnotations[${i}]`;
    checkAnnotation(annotation, path, policy, expressions, errors);
    const key = text(annotation, "key");
    if (keys.has(key)) errors.push(fieldDuplicate(`${path}.key`, key));
    keys.add(key);
  });
}

const ACTIONS = ["Audit", "Deny", "Warn"];
const TWICE =
  "must not contain both Deny and Warn (repeating the same validation failure information in the API response and headers serves no purpose)";
const EXCLUSIVE = "name and selector are mutually exclusive";

export function checkPolicyBinding(binding: KubeObject, errors: Errors): void {
  const spec = child(binding, "spec");
  const policy = text(spec, "policyName");
  if (policy === "") errors.push(fieldRequired("spec.policyName"));
  else checkText(policy, "spec.policyName", dnsSubdomain, errors);
  checkParamRef(child(spec, "paramRef"), errors);
  checkMatchResources(child(spec, "matchResources"), "spec.matchResources", errors);
  const path = "spec.validationActions";
  const actions = strings(spec, "validationActions");
  actions.forEach((action, i) => {
    oneOf(action, `${path}[${i}]`, ACTIONS, errors);
    if (actions.indexOf(action) !== i) errors.push(fieldDuplicate(`${path}[${i}]`, action));
  });
  if (actions.includes("Deny") && actions.includes("Warn")) errors.push(fieldInvalid(path, actions, TWICE));
  if (actions.length === 0) errors.push(fieldRequired(path, "at least one validation action is required"));
}

function checkParamRef(ref: Fields | undefined, errors: Errors): void {
  if (ref === undefined) return;
  const path = "spec.paramRef";
  const [name, selector] = [text(ref, "name"), child(ref, "selector")];
  if (name !== "") checkText(name, `${path}.name`, pathSegment, errors);
  if (name !== "" && selector !== undefined) errors.push(fieldForbidden(`${path}.name`, EXCLUSIVE));
  labelSelector(selector, `${path}.selector`, errors);
  if (name !== "" && selector !== undefined) errors.push(fieldForbidden(`${path}.selector`, EXCLUSIVE));
  if (name === "" && selector === undefined)
    errors.push(fieldRequired(path, "one of name or selector must be specified"));
  const action = text(ref, "parameterNotFoundAction");
  if (action === "") errors.push(fieldRequired(`${path}.parameterNotFoundAction`));
  else oneOf(action, `${path}.parameterNotFoundAction`, ["Deny", "Allow"], errors);
}
