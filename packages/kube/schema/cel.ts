/**
 * The rules of custom resources (`x-kubernetes-validations`): CEL expressions over the object, in upstream's words.
 * The engine is loaded with the first rule.
 */
import { createRequire } from "node:module";
import type { Environment } from "@marcbachmann/cel-js";
import type { FieldError } from "../api/field-error.ts";
import { fieldForbidden, fieldInvalid, fieldRequired } from "../api/field-error.ts";
import { addConversions } from "./cel-conversions.ts";
import { reworded } from "./cel-evaluation.ts";
import { addLibraries, compareValues } from "./cel-library.ts";
import { addMacros, prepare, usesVariable } from "./cel-macros.ts";
import { toCel } from "./cel-values.ts";
import { equalJson, isObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import type { ListNode, SchemaNode } from "./node.ts";

/** Steps one expression may take, and all those of one object together. */
const EXPRESSION_STEPS = 1_000_000;
const OBJECT_STEPS = 10_000_000;

class OutOfSteps extends Error {}

/** Counts the steps of what runs now; rules run one after the other. */
class Budget {
  #expression = 0;
  #object = 0;

  startObject(): void {
    this.#object = OBJECT_STEPS;
  }

  startExpression(): void {
    this.#expression = EXPRESSION_STEPS;
  }

  take(steps: number): void {
    this.#expression -= steps;
    this.#object -= steps;
    this.check();
  }

  /** The engine may have taken the error for that of one of several operands, so it is asked for again at the end. */
  check(): void {
    if (this.#expression < 0 || this.#object < 0)
      throw new OutOfSteps("operation cancelled: actual cost limit exceeded");
  }
}

interface Engine {
  /** Functions and macros, without variables. */
  readonly library: Environment;
  readonly environment: Environment;
  readonly budget: Budget;
  readonly some: (value: unknown) => unknown;
  readonly none: () => unknown;
  readonly duration: (nanoseconds: bigint) => unknown;
}

let loaded: Engine | undefined;

function engine(): Engine {
  return (loaded ??= loadEngine());
}

function loadEngine(): Engine {
  const require = createRequire(import.meta.url);
  const core = require("@marcbachmann/cel-js") as {
    Environment: typeof Environment;
    Optional: { of(value: unknown): unknown; none(): unknown };
  };
  const { Duration } = require("@marcbachmann/cel-js/evaluator") as {
    Duration: new (seconds: bigint, nanos: number) => unknown;
  };
  const { Optional } = core;
  const budget = new Budget();
  const library = new core.Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false });
  addLibraries(library, Optional);
  addConversions(library);
  addMacros(library, (value) => Optional.of(value), compareValues, budget);
  const environment = library.clone().registerVariable("self", "dyn").registerVariable("oldSelf", "dyn");
  const billion = 1_000_000_000n;
  return {
    library,
    environment,
    budget,
    some: (value) => Optional.of(value),
    none: () => Optional.none(),
    duration: (nanoseconds) => new Duration(nanoseconds / billion, Number(nanoseconds % billion)),
  };
}

/** An environment of one's own, with all functions and no variable; what runs in it next has all steps to take. */
export function newEnvironment(): Environment {
  const { library, budget } = engine();
  budget.startObject();
  budget.startExpression();
  return library.clone();
}

type Program = (variables: Record<string, unknown>) => unknown;

interface Rule {
  readonly text: string;
  readonly program: Program | string;
  readonly messageProgram: Program | string | undefined;
  readonly message: string;
  readonly reason: string;
  readonly fieldPath: string;
  readonly usesOldSelf: boolean;
  readonly optionalOldSelf: boolean;
}

/** A runnable expression, or what is wrong with it. */
export function compile(
  expression: string,
  result: "bool" | "string",
): { program: Program | string; usesOldSelf: boolean } {
  const { environment, budget } = engine();
  try {
    const parsed = environment.parse(expression);
    const usesOldSelf = usesVariable(parsed.ast, "oldSelf");
    prepare(parsed.ast, budget);
    const checked = parsed.check();
    if (!checked.valid) return { program: firstLine(checked.error), usesOldSelf };
    if (checked.type !== result && checked.type !== "dyn")
      return { program: `cel expression must evaluate to a ${result}`, usesOldSelf };
    return { program: parsed as Program, usesOldSelf };
  } catch (error) {
    return { program: firstLine(error), usesOldSelf: false };
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
  const rules = Array.isArray(listed) ? listed.filter(isObject).map(makeRule) : [];
  rulesOfNode.set(node, rules);
  return rules;
}

function makeRule(rule: JsonObject): Rule {
  const { program, usesOldSelf } = compile(text(rule["rule"]), "bool");
  const messageExpression = text(rule["messageExpression"]);
  return {
    text: text(rule["rule"]).trim(),
    program,
    messageProgram: messageExpression === "" ? undefined : compile(messageExpression, "string").program,
    message: text(rule["message"]).trim(),
    reason: text(rule["reason"]),
    fieldPath: text(rule["fieldPath"]),
    usesOldSelf,
    optionalOldSelf: rule["optionalOldSelf"] === true,
  };
}

const ruled = new WeakMap<SchemaNode, boolean>();

/** Whether there is any rule in a schema. Built-in types have none. */
function hasRules(node: SchemaNode): boolean {
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
  const run = new RuleRun(engine());
  run.check(node, value, old, path, old !== undefined && equalJson(value, old));
  return run.errors;
}

class RuleRun {
  readonly errors: FieldError[] = [];
  readonly #engine: Engine;
  #stopped = false;

  constructor(loadedEngine: Engine) {
    this.#engine = loadedEngine;
    loadedEngine.budget.startObject();
  }

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

  #checkRules(
    node: SchemaNode,
    rules: readonly Rule[],
    value: unknown,
    old: unknown,
    path: string,
    unchanged: boolean,
  ): void {
    const { duration, some, none } = this.#engine;
    const self = toCel(node, value, duration);
    const oldSelf = old === undefined ? undefined : toCel(node, old, duration);
    for (const rule of rules) {
      if (rule.usesOldSelf && old === undefined && !rule.optionalOldSelf) continue;
      const before = rule.optionalOldSelf ? (old === undefined ? none() : some(oldSelf)) : (oldSelf ?? null);
      this.#checkRule(node, rule, value, { self, oldSelf: before }, path === "" ? "<nil>" : path, unchanged);
      if (this.#stopped) return;
    }
  }

  #checkRule(
    node: SchemaNode,
    rule: Rule,
    value: unknown,
    variables: Record<string, unknown>,
    path: string,
    unchanged: boolean,
  ): void {
    const type = JSON.stringify(typeName(node));
    const fault = (detail: string): void =>
      void this.errors.push({ reason: "FieldValueInvalid", field: path, message: `Invalid value: ${type}: ${detail}` });
    const shown = rule.message === "" ? rule.text : rule.message;
    if (typeof rule.program === "string") {
      fault(`rule compile error: ${rule.program}`);
      return;
    }
    try {
      this.#engine.budget.startExpression();
      const holds = rule.program(variables) === true;
      this.#engine.budget.check();
      if (holds) return;
    } catch (error) {
      if (error instanceof OutOfSteps) {
        fault(
          `'${error.message}': no further validation rules will be run due to call cost exceeds limit for rule: ${shown}`,
        );
        this.#stopped = true;
      } else fault(`${reworded(firstLine(error))} evaluating rule: ${shown}`);
      return;
    }
    if (!rule.usesOldSelf && unchanged) return;
    this.errors.push(
      ruleError(
        rule,
        errorPath(path, rule.fieldPath),
        scalarOf(value),
        this.#message(rule, variables) ?? (rule.message === "" ? `failed rule: ${rule.text}` : rule.message),
      ),
    );
  }

  #message(rule: Rule, variables: Record<string, unknown>): string | undefined {
    if (rule.messageProgram === undefined || typeof rule.messageProgram === "string") return undefined;
    try {
      this.#engine.budget.startExpression();
      const message = rule.messageProgram(variables);
      const trimmed = typeof message === "string" ? message.trim() : "";
      return trimmed === "" || trimmed.includes("\n") || trimmed.length > 5 * 1024 ? undefined : trimmed;
    } catch {
      return undefined;
    }
  }
}

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
