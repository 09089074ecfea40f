/** The faults of rules: those that cannot be read, do not fit their schema, or may cost too much. */
import type { Environment } from "@marcbachmann/cel-js";
import type { FieldError } from "../../api/field-error.ts";
import { fieldInvalid } from "../../api/field-error.ts";
import { below, RuleCosts } from "./cost-limits.ts";
import type { EngineNode } from "./evaluation.ts";
import { childrenOf } from "./check.ts";
import type { RuleContext } from "./check.ts";
import { goJson, shownRule } from "../go-shown-schema.ts";
import { prepare, unknownField, usesBind } from "./macros.ts";
import { literalFault } from "./literals.ts";
import { parseExpression } from "./parse.ts";
import { nameFault, scalarName, showFault, typedEnvironment } from "./types.ts";
import { celName } from "./values.ts";
import { compile, firstLine, instantiationFault, newEnvironment, text } from "./rules.ts";
import { isCertain } from "./certain.ts";
import { issueText, typeText } from "./issues.ts";
import { isObject, own } from "../json-value.ts";
import type { JsonObject } from "../json-value.ts";

export function ruleFaults(schema: JsonObject, path: string, context: RuleContext): FieldError[] {
  const check: RuleCheck = {
    errors: [],
    costs: new RuleCosts(newEnvironment(), context.unchanged === true),
    faulty: (context.faults ?? []).map(({ field }) => field),
  };
  collectFaults(check, withIdentity(schema), path, { cardinality: 1, lost: undefined });
  return [...check.errors, ...check.costs.total(path)];
}

interface RuleCheck {
  readonly errors: FieldError[];
  readonly costs: RuleCosts;
  /** Where the schema has other faults. */
  readonly faulty: readonly string[];
}

interface RulePlace {
  /** How many values of the schema one object can hold; undefined for any number. */
  readonly cardinality: number | undefined;
  /** The outermost schema whose parts cannot be told apart by what they were before. */
  readonly lost: string | undefined;
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

/** From the inside out, as upstream does. */
function collectFaults(check: RuleCheck, schema: JsonObject, path: string, place: RulePlace): void {
  const cardinality = below(place.cardinality, schema);
  for (const [key, child] of childrenOf(schema)) {
    const lost = place.lost ?? (losesTrack(schema, key) ? path : undefined);
    collectFaults(check, child, `${path}.${key}`, { cardinality, lost });
  }
  const rules = own(schema, "x-kubernetes-validations");
  if (!Array.isArray(rules) || check.faulty.some((field) => isWithin(field, path))) return;
  rules.forEach((rule: unknown, i) => {
    checkRule(check, schema, isObject(rule) ? rule : {}, `${path}.x-kubernetes-validations[${i}]`, place);
  });
}

const isWithin = (field: string, path: string): boolean =>
  field.startsWith(path) && (field.length === path.length || ".[".includes(field.charAt(path.length)));

/** Whether what stands under a key of a schema is replaced as a whole, so that no rule can ask what it was. */
function losesTrack(schema: JsonObject, key: string): boolean {
  if (key === "items") return own(schema, "x-kubernetes-list-type") !== "map";
  return key.startsWith("properties[") && own(schema, "x-kubernetes-map-type") === "atomic";
}

const ruleInvalid = (field: string, rule: JsonObject, detail: string): FieldError => ({
  reason: "FieldValueInvalid",
  field,
  message: `Invalid value: ${goJson(shownRule(rule))}: ${detail}`,
});

function checkRule(
  { errors, costs }: RuleCheck,
  schema: JsonObject,
  rule: JsonObject,
  path: string,
  place: RulePlace,
): void {
  const expression = text(rule["rule"]);
  const optional = rule["optionalOldSelf"] === true;
  const { usesOldSelf } = compile(expression, "bool");
  const fault = expressionFault(expression, "bool", schema, optional);
  if (fault !== undefined) errors.push(ruleInvalid(`${path}.rule`, rule, fault));
  else {
    errors.push(...costs.rule(schema, expression, optional, place.cardinality, `${path}.rule`));
  }
  checkMessage({ errors, costs }, schema, rule, path);
  const comparing = usesOldSelf && fault === undefined;
  if (comparing && place.lost !== undefined) {
    const why = `oldSelf cannot be used on the uncorrelatable portion of the schema within ${place.lost}`;
    errors.push(fieldInvalid(`${path}.rule`, expression, why));
  } else if (!comparing && typeof rule["optionalOldSelf"] === "boolean") {
    const why = "may not be set if oldSelf is not used in rule";
    errors.push(fieldInvalid(`${path}.optionalOldSelf`, rule["optionalOldSelf"], why));
  }
}

function checkMessage(
  { errors, costs }: Pick<RuleCheck, "errors" | "costs">,
  schema: JsonObject,
  rule: JsonObject,
  path: string,
): void {
  const optional = rule["optionalOldSelf"] === true;
  const message = text(rule["messageExpression"]);
  if (message.trim() === "") return;
  const messageFault = expressionFault(message, "string", schema, optional);
  if (messageFault !== undefined) errors.push(ruleInvalid(`${path}.messageExpression`, rule, messageFault));
  else errors.push(...costs.message(schema, message, optional, `${path}.messageExpression`));
}

/** What is wrong with an expression over a schema, in upstream's words; undefined for nothing. */
function expressionFault(
  expression: string,
  result: "bool" | "string",
  schema: JsonObject,
  optionalOldSelf: boolean,
): string | undefined {
  const compilation = (fault: string): string =>
    `${result === "bool" ? "" : "messageExpression "}compilation failed: ${fault}`;
  const wrongResult =
    result === "bool" ? "cel expression must evaluate to a bool" : "messageExpression must evaluate to a string";
  const environment = typedEnvironment(newEnvironment, schema, optionalOldSelf);
  let parsed;
  try {
    parsed = parseExpression(environment, expression);
  } catch (error) {
    return compilation(showFault(expression, positionOf(error), `Syntax error: ${firstLine(error)}`));
  }
  if (usesBind(parsed.ast)) {
    const at = Math.max(expression.search(/\bcel\s*\.\s*bind\b/), 0);
    return compilation(showFault(expression, at, "undeclared reference to 'cel' (in container '')"));
  }
  const unknown = unknownField(parsed.ast, (path) => fieldFault(schema, path));
  if (unknown !== undefined)
    return compilation(showFault(expression, fieldPosition(expression, unknown.name), unknown.fault));
  prepare(parsed.ast);
  const checked = parsed.check();
  if (checked.valid) {
    const literal = literalFault(parsed.ast);
    if (literal !== undefined) return compilation(showFault(expression, literal.position, literal.text));
    const type = String(checked.type);
    if (type !== result && type !== "dyn") return wrongResult;
    return instantiationFault(parsed.ast as unknown as EngineNode);
  }
  const complaint = firstLine(checked.error);
  const fault = nameFault(complaint);
  if (fault !== undefined) return compilation(showFault(expression, positionOf(checked.error), fault));
  if (isCertain(complaint)) return compilation(issueText(checked.error, expression, knows(environment)));
  // The engine is stricter here than Go's: what it takes with open types passes.
  const { program } = compile(expression, result);
  if (typeof program !== "string") return undefined;
  if (program.startsWith("program instantiation failed: ")) return program;
  return program.startsWith("cel expression must") ? wrongResult : compilation(showFault(expression, 0, program));
}

/** Go marks the dot before a field, or the parenthesis of the `has` that asks for it. */
function fieldPosition(expression: string, field: string): number {
  const dot = Math.max(expression.indexOf(`.${field}`), 0);
  const before = /\bhas\(\s*[\w.]*$/.exec(expression.slice(0, dot));
  return before === null ? dot : before.index + 3;
}

/** Where the engine found a fault; Go marks the dot before a field. */
function positionOf(error: unknown): number {
  const start = (error as { readonly range?: { readonly start?: number } }).range?.start ?? 0;
  return firstLine(error).startsWith("No such key") ? Math.max(start - 1, 0) : start;
}

const functionNames = new WeakMap<object, ReadonlySet<string>>();

function knows(environment: Environment): (name: string) => boolean {
  let names = functionNames.get(environment);
  if (names === undefined) {
    names = new Set(environment.getDefinitions().functions.map(({ name }) => name));
    functionNames.set(environment, names);
  }
  const known = names;
  return (name) => known.has(name);
}

const SCALARS: ReadonlySet<string> = new Set(["string", "integer", "number", "boolean"]);

/** Why a path of fields cannot be there; below what has no fields of its own anything can. */
function fieldFault(schema: JsonObject, path: readonly string[]): string | undefined {
  let at: JsonObject = schema;
  for (const name of path) {
    if (at["x-kubernetes-int-or-string"] === true) return undefined;
    if (at["type"] === "array") {
      const items = isObject(at["items"]) ? scalarName(at["items"]) : "dyn";
      return `type 'list(${typeText(items)})' does not support field selection`;
    }
    if (SCALARS.has(text(at["type"]))) return `type '${typeText(scalarName(at))}' does not support field selection`;
    if (at["x-kubernetes-preserve-unknown-fields"] === true || at["x-kubernetes-embedded-resource"] === true)
      return undefined;
    const properties = own(at, "properties");
    const values = own(at, "additionalProperties");
    if (!isObject(properties) && !isObject(values)) return undefined;
    const found = isObject(properties)
      ? properties[Object.keys(properties).find((property) => celName(property) === name) ?? ""]
      : values;
    if (!isObject(found)) return `undefined field '${name}'`;
    at = found;
  }
  return undefined;
}
