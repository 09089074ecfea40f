/** The faults of rules: those that cannot be read, do not fit their schema, or may cost too much. */
import type { FieldError } from "../../api/field-error.ts";
import { fieldInvalid } from "../../api/field-error.ts";
import { below, RuleCosts } from "./cost-limits.ts";
import type { EngineNode } from "./evaluation.ts";
import { childrenOf } from "./check.ts";
import { wordFaults } from "./rule-words.ts";
import { prepare, unknownField, usesBind } from "./macros.ts";
import { literalFault } from "./literals.ts";
import { parseExpression } from "./parse.ts";
import { showFault, typedEnvironment, typeFault } from "./types.ts";
import { celName } from "./values.ts";
import { compile, firstLine, instantiationFault, newEnvironment, text } from "./rules.ts";
import { isObject, own } from "../json-value.ts";
import type { JsonObject } from "../json-value.ts";

export function ruleFaults(schema: JsonObject, path: string, unchanged: boolean): FieldError[] {
  const check: RuleCheck = { errors: [], costs: new RuleCosts(newEnvironment(), unchanged) };
  collectFaults(check, withIdentity(schema), path, 1);
  return [...check.errors, ...check.costs.total(path)];
}

interface RuleCheck {
  readonly errors: FieldError[];
  readonly costs: RuleCosts;
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

/** `cardinality`: how many values of the schema one object can hold; undefined for any number. */
function collectFaults(check: RuleCheck, schema: JsonObject, path: string, cardinality: number | undefined): void {
  const listed = own(schema, "x-kubernetes-validations");
  const rules: readonly unknown[] = Array.isArray(listed) ? listed : [];
  const at = (i: number): string => `${path}.x-kubernetes-validations[${i}]`;
  const worded = rules.flatMap((rule, i) => wordFaults(schema, isObject(rule) ? rule : {}, at(i)));
  check.errors.push(...worded);
  // Rules that are not even stated as they should be are not compiled, nor are their neighbours.
  if (worded.length === 0) rules.forEach((rule, i) => checkRule(check, schema, rule as JsonObject, at(i), cardinality));
  const within = below(cardinality, schema);
  for (const [key, child] of childrenOf(schema)) collectFaults(check, child, `${path}.${key}`, within);
}

/** A rule as Go shows it: all its fields, with < > and & spelt out. */
function shownRule(rule: JsonObject): string {
  const { rule: expression = "", message = "", messageExpression = "", reason = null, fieldPath = "" } = rule;
  const optionalOldSelf = rule["optionalOldSelf"] ?? null;
  const shown = {
    Rule: expression,
    Message: message,
    MessageExpression: messageExpression,
    Reason: reason,
    FieldPath: fieldPath,
    OptionalOldSelf: optionalOldSelf,
  };
  return JSON.stringify(shown).replace(/[<>&]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

const ruleInvalid = (field: string, rule: JsonObject, detail: string): FieldError => ({
  reason: "FieldValueInvalid",
  field,
  message: `Invalid value: ${shownRule(rule)}: ${detail}`,
});

function checkRule(
  { errors, costs }: RuleCheck,
  schema: JsonObject,
  rule: JsonObject,
  path: string,
  cardinality: number | undefined,
): void {
  const expression = text(rule["rule"]);
  const optional = rule["optionalOldSelf"] === true;
  const { usesOldSelf } = compile(expression, "bool");
  const fault = expressionFault(expression, "bool", schema, optional);
  if (fault !== undefined) errors.push(ruleInvalid(`${path}.rule`, rule, fault));
  else {
    errors.push(...costs.rule(schema, expression, optional, cardinality, `${path}.rule`));
    if (optional && !usesOldSelf)
      errors.push(fieldInvalid(`${path}.optionalOldSelf`, true, "may not be set if oldSelf is not used in rule"));
  }
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
    return compilation(showFault(expression, positionOf(error, expression), `Syntax error: ${firstLine(error)}`));
  }
  if (usesBind(parsed.ast)) {
    const at = Math.max(expression.search(/\bcel\s*\.\s*bind\b/), 0);
    return compilation(showFault(expression, at, "undeclared reference to 'cel' (in container '')"));
  }
  const unknown = unknownField(parsed.ast, (path) => hasField(schema, path));
  if (unknown !== undefined)
    return compilation(showFault(expression, fieldPosition(expression, unknown), `undefined field '${unknown}'`));
  prepare(parsed.ast);
  const checked = parsed.check();
  if (checked.valid) {
    const literal = literalFault(parsed.ast);
    if (literal !== undefined) return compilation(showFault(expression, literal.position, literal.text));
    const type = String(checked.type);
    if (type !== result && type !== "dyn") return wrongResult;
    return instantiationFault(parsed.ast as unknown as EngineNode);
  }
  const fault = typeFault(firstLine(checked.error));
  if (fault !== undefined) return compilation(showFault(expression, positionOf(checked.error, expression), fault));
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

/** Where the engine found a fault; Go marks the dot before a field, and the operator between operands. */
function positionOf(error: unknown, expression: string): number {
  const start = (error as { readonly range?: { readonly start?: number } }).range?.start ?? 0;
  const said = firstLine(error);
  if (said.startsWith("No such key")) return Math.max(start - 1, 0);
  const [, operator] = /^no such overload: \S+ (\S+) /.exec(said) ?? [];
  return operator === undefined ? start : Math.max(expression.indexOf(operator, start), start);
}

/** Whether a path of fields can be there; below what has no fields of its own anything can. */
function hasField(schema: JsonObject, path: readonly string[]): boolean {
  let at: JsonObject = schema;
  for (const name of path) {
    const properties = own(at, "properties");
    if (
      !isObject(properties) ||
      at["x-kubernetes-preserve-unknown-fields"] === true ||
      at["x-kubernetes-embedded-resource"] === true
    )
      return true;
    const found = Object.keys(properties).find((property) => celName(property) === name);
    const next = found === undefined ? undefined : properties[found];
    if (!isObject(next)) return false;
    at = next;
  }
  return true;
}
