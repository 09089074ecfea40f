/** The rules of custom resources as they run: each and all within what they may cost. */
import type { Environment } from "@marcbachmann/cel-js";
import type { FieldError } from "../../api/field-error.ts";
import { fieldForbidden, fieldInvalid, fieldRequired } from "../../api/field-error.ts";
import { engine } from "./checker.ts";
import type { EngineNode } from "./evaluation.ts";
import { CelOptional, ProgramFault } from "./kinds.ts";
import { usesVariable } from "./macros.ts";
import { parseExpression } from "./parse.ts";
import { planProgram, type Program } from "./program.ts";
import { celTypeOf } from "./schema-types.ts";
import type { CelType } from "./sizes.ts";
import { DYN, optional } from "./type-rules.ts";
import { hasRules } from "../cel.ts";
import { toCel } from "./values.ts";
import { equalJson, isObject, own } from "../json-value.ts";
import type { JsonObject } from "../json-value.ts";
import type { ListNode, SchemaNode } from "../node.ts";

/** What all rules of one object may cost together. */
const OBJECT_BUDGET = 10_000_000;

/** An environment of one's own to check expressions in, with all functions and no variable. */
export const newEnvironment = (): Environment => engine().environment.clone();

interface Rule {
  readonly text: string;
  readonly program: Program | string;
  readonly messageExpression: string;
  readonly messageProgram: Program | string | undefined;
  readonly message: string;
  readonly reason: string;
  readonly fieldPath: string;
  readonly usesOldSelf: boolean;
  readonly optionalOldSelf: boolean;
}

const OPEN = new Map([
  ["self", DYN],
  ["oldSelf", DYN],
]);

/** What a constant part of an expression ends with, if that is an error. */
export function instantiationFault(ast: EngineNode): string | undefined {
  try {
    planProgram(ast, engine().functions, OPEN);
    return undefined;
  } catch (error) {
    return error instanceof ProgramFault ? told(error) : undefined;
  }
}

const told = (error: unknown): string =>
  `${error instanceof ProgramFault ? "program instantiation failed: " : ""}${firstLine(error)}`;

/** A runnable expression, or what is wrong with it. */
export function compile(
  expression: string,
  result: "bool" | "string",
  self: CelType = DYN,
  optionalOldSelf = false,
): { program: Program | string; usesOldSelf: boolean } {
  const { environment, functions } = engine();
  try {
    const { ast } = parseExpression(environment, expression);
    const usesOldSelf = usesVariable(ast, "oldSelf");
    const variables = new Map([
      ["self", self],
      ["oldSelf", optionalOldSelf ? optional(self) : self],
    ]);
    const program = planProgram(ast as unknown as EngineNode, functions, variables);
    const { kind } = program.type;
    if (kind !== result && kind !== "dyn")
      return { program: `cel expression must evaluate to a ${result}`, usesOldSelf };
    return { program, usesOldSelf };
  } catch (error) {
    return { program: told(error), usesOldSelf: false };
  }
}

export const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] ?? "";
export const text = (value: unknown): string => (typeof value === "string" ? value : "");

const rulesOfNode = new WeakMap<SchemaNode, readonly Rule[]>();

function rulesOf(node: SchemaNode): readonly Rule[] {
  const known = rulesOfNode.get(node);
  if (known !== undefined) return known;
  const listed = node.constraints?.["x-kubernetes-validations"];
  const rules = Array.isArray(listed)
    ? listed
        .filter(isObject)
        .filter((rule) => text(rule["rule"]).trim() !== "")
        .map((rule) => makeRule(rule, celTypeOf(node)))
    : [];
  rulesOfNode.set(node, rules);
  return rules;
}

function makeRule(rule: JsonObject, self: CelType): Rule {
  const optionalOldSelf = rule["optionalOldSelf"] === true;
  const { program, usesOldSelf } = compile(text(rule["rule"]), "bool", self, optionalOldSelf);
  const messageExpression = text(rule["messageExpression"]);
  return {
    text: text(rule["rule"]).trim(),
    program,
    messageExpression,
    messageProgram:
      messageExpression === "" ? undefined : compile(messageExpression, "string", self, optionalOldSelf).program,
    message: text(rule["message"]).trim(),
    reason: text(rule["reason"]),
    fieldPath: text(rule["fieldPath"]),
    usesOldSelf,
    optionalOldSelf,
  };
}

const OUT_OF_BUDGET = "validation failed due to running out of cost budget, no further validation rules will be run";
const TOO_DEAR = "operation cancelled: actual cost limit exceeded";

const said = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The rules of one object, one after the other, until all that they may cost is spent. */
export class RuleRun {
  readonly errors: FieldError[] = [];
  #budget = OBJECT_BUDGET;
  #stopped = false;

  /** `unchanged`: the value, or what it stands in, is as it was; its faults are then not held against an update. */
  check(node: SchemaNode, value: unknown, old: unknown, path: string, unchanged: boolean): void {
    if (this.#stopped || value === null || value === undefined || !hasRules(node)) return;
    const rules = rulesOf(node);
    if (rules.length > 0) this.#checkRules(node, rules, value, old ?? undefined, path, unchanged);
    const same = (after: unknown, before: unknown): boolean =>
      unchanged || (before !== undefined && equalJson(after, before));
    if (node.kind === "list" && Array.isArray(value)) {
      const before = oldItems(node, old);
      value.forEach((item, i) => this.check(node.items, item, before(item), `${path}[${i}]`, same(item, before(item))));
    } else if ((node.kind === "map" || node.kind === "struct") && isObject(value)) {
      const was = isObject(old) ? old : {};
      for (const key of Object.keys(value)) {
        const child = node.kind === "map" ? node.values : node.fields.get(key)?.node;
        if (child !== undefined)
          this.check(child, value[key], own(was, key), childPath(node, path, key), same(value[key], own(was, key)));
      }
    }
  }

  /** A fault that is none of the value, but of the rule or of what it costs. */
  #fault(node: SchemaNode, path: string, detail: string): void {
    const type = JSON.stringify(typeName(node));
    this.errors.push({ reason: "FieldValueInvalid", field: path, message: `Invalid value: ${type}: ${detail}` });
  }

  /** No further rule is run. */
  #stop(node: SchemaNode, path: string, detail: string): void {
    this.#fault(node, path, detail);
    this.#stopped = true;
  }

  #checkRules(
    node: SchemaNode,
    rules: readonly Rule[],
    value: unknown,
    old: unknown,
    at: string,
    unchanged: boolean,
  ): void {
    const path = at === "" ? "<nil>" : at;
    if (this.#budget <= 0) {
      this.#stop(node, path, OUT_OF_BUDGET);
      return;
    }
    const self = toCel(node, value);
    const oldSelf = old === undefined ? undefined : toCel(node, old);
    for (const rule of rules) {
      if (rule.usesOldSelf && old === undefined && !rule.optionalOldSelf) continue;
      const held = old === undefined ? CelOptional.none() : CelOptional.of(oldSelf);
      const variables = { self, oldSelf: rule.optionalOldSelf ? held : (oldSelf ?? null) };
      this.#checkRule(node, rule, value, variables, path, unchanged);
      if (this.#stopped) return;
    }
  }

  #checkRule(
    node: SchemaNode,
    rule: Rule,
    value: unknown,
    variables: Readonly<Record<string, unknown>>,
    path: string,
    unchanged: boolean,
  ): void {
    if (typeof rule.program === "string") return this.#fault(node, path, `rule compile error: ${rule.program}`);
    const outcome = rule.program.evaluate(variables);
    if (outcome.cost > this.#budget) return this.#stop(node, path, OUT_OF_BUDGET);
    this.#budget -= outcome.cost;
    if ("error" in outcome) return this.#failed(node, rule, path, said(outcome.error));
    if (outcome.value === true) return;
    const excused = !rule.usesOldSelf && unchanged;
    const at = errorPath(path, rule.fieldPath);
    const detail = this.#message(node, rule, variables, at, excused);
    if (detail !== undefined && !excused) this.errors.push(ruleError(rule, at, scalarOf(value), detail));
  }

  #failed(node: SchemaNode, rule: Rule, path: string, error: string): void {
    const shown = rule.message === "" ? rule.text : rule.message;
    if (error.startsWith("no such overload"))
      this.#fault(
        node,
        path,
        `'${error}': call arguments did not match a supported operator, function or macro signature for rule: ${shown}`,
      );
    else if (error === TOO_DEAR)
      this.#stop(
        node,
        path,
        `'${error}': no further validation rules will be run due to call cost exceeds limit for rule: ${shown}`,
      );
    else this.#fault(node, path, `${error} evaluating rule: ${shown}`);
  }

  /** What is said of a value that a rule does not hold for; undefined where the message cost too much to make. */
  #message(
    node: SchemaNode,
    rule: Rule,
    variables: Readonly<Record<string, unknown>>,
    at: string,
    excused: boolean,
  ): string | undefined {
    const plain = rule.message === "" ? `failed rule: ${rule.text}` : rule.message;
    if (rule.messageProgram === undefined || typeof rule.messageProgram === "string") return plain;
    const outcome = rule.messageProgram.evaluate(variables);
    const tooMuch = this.#payMessage(outcome.cost, outcome, rule);
    if (tooMuch !== undefined) {
      if (!excused) this.#fault(node, at, tooMuch);
      this.#stopped = true;
      return undefined;
    }
    const made = "value" in outcome && typeof outcome.value === "string" ? outcome.value.trim() : "";
    return made === "" || made.includes("\n") || Buffer.byteLength(made) > LONGEST_MESSAGE ? plain : made;
  }

  #payMessage(cost: number, outcome: object, rule: Rule): string | undefined {
    if (cost > this.#budget)
      return "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run";
    this.#budget -= cost;
    if (!("error" in outcome) || said(outcome.error) !== TOO_DEAR) return undefined;
    return `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${JSON.stringify(rule.messageExpression)}`;
  }
}

const LONGEST_MESSAGE = 5 * 1024;

const typeName = (node: SchemaNode): string => {
  switch (node.kind) {
    case "list":
      return "array";
    case "map":
    case "struct":
      return "object";
    case "scalar":
      return node.type === "int-or-string" ? "" : node.type;
    case "any":
      return "";
  }
};

const childPath = (node: SchemaNode, path: string, key: string): string =>
  node.kind === "map" ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;

/** Containers are not shown in errors. */
const scalarOf = (value: unknown): { readonly value: unknown } | undefined =>
  typeof value === "object" ? undefined : { value };

function ruleError(
  rule: Rule,
  field: string,
  shown: { readonly value: unknown } | undefined,
  detail: string,
): FieldError {
  switch (rule.reason) {
    case "FieldValueForbidden":
      return fieldForbidden(field, detail);
    case "FieldValueRequired":
      return fieldRequired(field, detail);
    case "FieldValueDuplicate":
      return {
        reason: "FieldValueDuplicate",
        field,
        message: shown === undefined ? "Duplicate value" : `Duplicate value: ${JSON.stringify(shown.value)}`,
      };
    default:
      return shown === undefined
        ? { reason: "FieldValueInvalid", field, message: `Invalid value: ${detail}` }
        : fieldInvalid(field, shown.value, detail);
  }
}

/** `.a.b` and `['x.y']` as field paths are written. */
function errorPath(path: string, fieldPath: string): string {
  if (fieldPath === "") return path;
  const relative = fieldPath
    .replace(/\['((?:[^'\\]|\\.)*)'\]/g, (_, key: string) => `.${key.replace(/\\(.)/g, "$1")}`)
    .replace(/^\./, "");
  return path === "<nil>" ? relative : `${path}.${relative}`;
}

function oldItems(node: ListNode, old: unknown): (item: unknown) => unknown {
  if (node.listType !== "map" || !Array.isArray(old)) return () => undefined;
  const keyOf = (item: unknown): string =>
    JSON.stringify(node.listKeys.map((key) => (isObject(item) ? (own(item, key) ?? null) : null)));
  const byKey = new Map(old.map((item: unknown) => [keyOf(item), item]));
  return (item) => byKey.get(keyOf(item));
}
