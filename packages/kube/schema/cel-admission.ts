/**
 * Expressions of admission: validating policies and match conditions. The engine is loaded with the first of them.
 * What is wrong with one is told as kube-apiserver tells it.
 */
import { createRequire } from "node:module";
import type { Environment } from "@marcbachmann/cel-js";
import { addAuthorizer, type CelAuthorizer } from "./cel-authorizer.ts";
import { evaluationText, issueAt, issueText } from "./cel-issues.ts";
import { addLibraries, compareValues } from "./cel-library.ts";
import { addMacros, prepare } from "./cel-macros.ts";
import { toCel } from "./cel-values.ts";
import { isObject } from "./json-value.ts";

/** Steps one expression may take; all of one policy and binding together; all match conditions. */
const EXPRESSION_STEPS = 1_000_000;
export const POLICY_STEPS = 10_000_000;
export const CONDITION_STEPS = 2_500_000;

/** All the steps there were are taken: nothing further is to be evaluated. */
export class OutOfBudget extends Error {
  constructor() {
    super("validation failed due to running out of cost budget, no further validation rules will be run");
  }
}

/** Steps that are left to the expressions of one policy. */
export interface Budget {
  left: number;
}

const TOO_DEAR = "operation cancelled: actual cost limit exceeded";

/** Counts for whatever runs now; expressions run one inside another only as variables do. */
class Meter {
  budget: Budget = { left: 0 };
  expression = 0;

  take(steps: number): void {
    this.budget.left -= steps;
    this.expression -= steps;
    if (this.expression < 0) throw new Error(TOO_DEAR);
  }
}

const GROUP_KIND = { group: "string", version: "string", kind: "string" };
const GROUP_RESOURCE = { group: "string", version: "string", resource: "string" };
const REQUEST = {
  kind: GROUP_KIND,
  resource: GROUP_RESOURCE,
  subResource: "string",
  requestKind: GROUP_KIND,
  requestResource: GROUP_RESOURCE,
  requestSubResource: "string",
  name: "string",
  namespace: "string",
  operation: "string",
  userInfo: { username: "string", uid: "string", groups: "list<string>", extra: "map<string, list<string>>" },
  dryRun: "bool",
  options: "dyn",
};
interface Engine {
  readonly environment: Environment;
  readonly meter: Meter;
  readonly functions: ReadonlySet<string>;
}

let loaded: Engine | undefined;

function engine(): Engine {
  if (loaded !== undefined) return loaded;
  const require = createRequire(import.meta.url);
  const core = require("@marcbachmann/cel-js") as {
    Environment: typeof Environment;
    Optional: { of(value: unknown): unknown; none(): unknown };
  };
  const meter = new Meter();
  const environment = new core.Environment({ enableOptionalTypes: true, homogeneousAggregateLiterals: false });
  addLibraries(environment, core.Optional);
  addMacros(environment, (value) => core.Optional.of(value), compareValues, meter);
  addAuthorizer(environment);
  // Null for what has no namespace, which the engine would take for a fault of type.
  environment.registerVariable("request", { schema: REQUEST }).registerVariable("namespaceObject", "dyn");
  const functions = environment.getDefinitions().functions.map(({ name }) => name);
  return (loaded = { environment, meter, functions: new Set([...functions, "has", "all", "exists", "filter", "map"]) });
}

/** What an expression may name beside `object`, `oldObject`, `request` and `namespaceObject`. */
export interface Declarations {
  readonly params: boolean;
  readonly authorizer: boolean;
  /** Types of the fields of `variables`; undefined: there are none. */
  readonly variables?: Readonly<Record<string, string>>;
}

type Program = (variables: Record<string, unknown>) => unknown;

export type Compiled =
  | { readonly kind: "program"; readonly expression: string; readonly program: Program; readonly type: string }
  | { readonly kind: "fault"; readonly expression: string; readonly fault: string };

/** Compiles expressions of one policy: what its variables are called is known to those that follow. */
export class AdmissionCompiler {
  readonly #environment: Environment;

  /** `typed` registers types and names those of `object`, `oldObject` and `params`, where they are to be checked. */
  constructor(
    declarations: Declarations,
    typed?: (environment: Environment) => { readonly object: string; readonly paramsType: string },
  ) {
    const environment = engine().environment.clone();
    const { object, paramsType } = typed?.(environment) ?? { object: "dyn", paramsType: "dyn" };
    environment.registerVariable("object", object).registerVariable("oldObject", object);
    if (declarations.params) environment.registerVariable("params", paramsType);
    if (declarations.authorizer) environment.registerVariable("authorizer", "kubernetes.authorization.Authorizer");
    if (declarations.variables !== undefined)
      environment.registerVariable("variables", { schema: { ...declarations.variables } });
    this.#environment = environment;
  }

  /** `returns`: the types it may have, in the Go engine's words; undefined: any. */
  compile(expression: string, returns?: readonly string[]): Compiled {
    const { functions, meter } = engine();
    const known = (name: string): boolean => functions.has(name);
    const failed = (error: unknown): Compiled => ({
      kind: "fault",
      expression,
      fault: `compilation failed: ${issueText(error, expression, known)}`,
    });
    try {
      if (expression.trim() === "")
        return {
          kind: "fault",
          expression,
          fault: `compilation failed: ${issueAt(expression, 0, "Syntax error: mismatched input '<EOF>'")}`,
        };
      const parsed = this.#environment.parse(expression);
      const checked = parsed.check();
      if (!checked.valid) return failed(checked.error);
      const type = checked.type ?? "dyn";
      if (returns !== undefined && !returns.includes(type)) return wrongType(expression, returns, type);
      prepare(parsed.ast, meter);
      return { kind: "program", expression, program: parsed as Program, type };
    } catch (error) {
      return failed(error);
    }
  }
}

function wrongType(expression: string, returns: readonly string[], type: string): Compiled {
  const shown = type
    .replaceAll("<", "(")
    .replaceAll(">", ")")
    .replace(/^list$/, "list(dyn)")
    .replace(/^map$/, "map(dyn, dyn)");
  const fault =
    returns.length === 1
      ? `must evaluate to ${returns[0]} but got ${shown}`
      : `must evaluate to one of [${returns.map((one) => (one === "null" ? "null_type" : one)).join(" ")}] but got ${shown}`;
  return { kind: "fault", expression, fault };
}

/** What expressions look at, as JSON. */
export interface AdmissionInput {
  readonly object: unknown;
  readonly oldObject: unknown;
  readonly request: Readonly<Record<string, unknown>>;
  readonly params: unknown;
  readonly namespaceObject: unknown;
  readonly authorizer: CelAuthorizer | undefined;
}

const ANY = { kind: "any" } as const;
const value = (json: unknown): unknown => toCel(ANY, json, (nanoseconds) => nanoseconds);

/** The variables of one evaluation; what is named by nobody is not converted. */
export function bindings(input: AdmissionInput): Record<string, unknown> {
  const out: Record<string, unknown> = { authorizer: input.authorizer };
  lazily(out, "object", () => value(input.object));
  lazily(out, "oldObject", () => value(input.oldObject));
  lazily(out, "params", () => value(input.params));
  lazily(out, "request", () => requestValue(input.request));
  lazily(out, "namespaceObject", () => value(input.namespaceObject));
  return out;
}

export function lazily(target: object, name: string, make: () => unknown): void {
  let made: { readonly value: unknown } | undefined;
  Object.defineProperty(target, name, { enumerable: true, get: () => (made ??= { value: make() }).value });
}

/** The request has a type: its messages stay objects, and only maps become maps. */
function requestValue(json: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(json))
    out[key] = isObject(field) && key !== "options" && key !== "extra" ? requestValue(field) : value(field);
  return out;
}

export type Outcome =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "error"; readonly text: string };

/** Runs an expression. Throws `OutOfBudget` when the policy has none left. */
export function evaluate(compiled: Compiled, variables: Record<string, unknown>, budget: Budget): Outcome {
  if (compiled.kind === "fault") return { kind: "error", text: `compilation error: ${compiled.fault}` };
  const result = run(compiled, variables, budget);
  return result.kind === "value"
    ? result
    : { kind: "error", text: `expression '${compiled.expression}' resulted in error: ${result.text}` };
}

/** As `evaluate`, with the bare text of an error. */
export function run(
  compiled: Extract<Compiled, { kind: "program" }>,
  variables: Record<string, unknown>,
  budget: Budget,
): Outcome {
  const { meter } = engine();
  const outer = { budget: meter.budget, expression: meter.expression };
  meter.budget = budget;
  meter.expression = EXPRESSION_STEPS;
  let outcome: Outcome;
  try {
    const result = compiled.program(variables);
    // The engine may have taken the meter's error for that of one of several operands.
    if (meter.expression < 0) throw new Error(TOO_DEAR);
    outcome = { kind: "value", value: result };
  } catch (error) {
    if (error instanceof OutOfBudget) throw error;
    outcome = { kind: "error", text: evaluationText(error) };
  } finally {
    meter.budget = outer.budget;
    meter.expression = outer.expression;
  }
  if (budget.left < 0) throw new OutOfBudget();
  return outcome;
}
