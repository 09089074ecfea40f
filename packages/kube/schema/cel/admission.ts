/**
 * Expressions of admission: validating policies and match conditions. The engine is loaded with the first of them.
 * What is wrong with one is told as kube-apiserver tells it.
 */
import type { Environment } from "@marcbachmann/cel-js";
import { addAuthorizer, type CelAuthorizer } from "./authorizer.ts";
import { engine as base, forChecker } from "./checker.ts";
import type { EngineNode } from "./evaluation.ts";
import { type FunctionTable, inAll, typeNamed } from "./functions.ts";
import { issueAt, issueText } from "./issues.ts";
import { Cancelled, CelFault, ProgramFault } from "./kinds.ts";
import { literalFault } from "./literals.ts";
import { prepare } from "./macros.ts";
import { parseExpression } from "./parse.ts";
import { planProgram, type Program } from "./program.ts";
import { NAMESPACE_TYPE, REQUEST, REQUEST_TYPE } from "./request-types.ts";
import type { CelType } from "./sizes.ts";
import { DYN } from "./type-rules.ts";
import { toCel } from "./values.ts";
import { isObject } from "../json-value.ts";

/** What the expressions of one policy and binding may cost together, and all match conditions, in upstream's units. */
export const POLICY_BUDGET = 10_000_000;
export const CONDITION_BUDGET = 2_500_000;

/** All that there was is spent: nothing further is to be evaluated. */
export class OutOfBudget extends Cancelled {
  constructor() {
    super("validation failed due to running out of cost budget, no further validation rules will be run");
  }
}

/** What is left to the expressions of one policy, and what variables have cost on the way of the one that runs. */
export interface Budget {
  left: number;
  variables: number;
}
export const newBudget = (left: number): Budget => ({ left, variables: 0 });

interface Engine {
  readonly environment: Environment;
  readonly functions: FunctionTable;
  /** Whether there is a function or macro of a name. */
  readonly knows: (name: string) => boolean;
}

let loaded: Engine | undefined;

const MACROS: ReadonlySet<string> = new Set(["has", "all", "exists", "filter", "map"]);

function engine(): Engine {
  if (loaded !== undefined) return loaded;
  const { environment: shared, functions } = base();
  const environment = shared.clone();
  addAuthorizer(inAll(forChecker(environment), functions));
  // Null for what has no namespace, which the engine would take for a fault of type.
  environment.registerVariable("request", { schema: REQUEST }).registerVariable("namespaceObject", "dyn");
  const known = new Set(environment.getDefinitions().functions.map(({ name }) => name));
  return (loaded = { environment, functions, knows: (name) => known.has(name) || MACROS.has(name) });
}

/** What an expression may name beside `object`, `oldObject`, `request` and `namespaceObject`. */
export interface Declarations {
  readonly params: boolean;
  readonly authorizer: boolean;
  /** Types of the fields of `variables`; undefined: there are none. */
  readonly variables?: Readonly<Record<string, string>>;
}

export type Compiled =
  | { readonly kind: "program"; readonly expression: string; readonly program: Program; readonly type: string }
  | { readonly kind: "fault"; readonly expression: string; readonly fault: string };

/** Where the engine's checker is stricter than Go's. */
const UNCERTAIN = /optional|overlaps with|'undefined'/;

/** As the engine writes it, as far as it matters to those who ask. */
const nameOfType = ({ kind }: CelType): string => (kind === "struct" || kind === "optional" ? "dyn" : kind);

const AUTHORIZER: CelType = { kind: "authorizer" };

/** Compiles expressions of one policy: what its variables are called is known to those that follow. */
export class AdmissionCompiler {
  readonly #environment: Environment;
  readonly #variables = new Map<string, CelType>([
    ["object", DYN],
    ["oldObject", DYN],
    ["request", REQUEST_TYPE],
    ["namespaceObject", NAMESPACE_TYPE],
  ]);

  /** `typed` registers types and names those of `object`, `oldObject` and `params`, where they are to be checked. */
  constructor(
    declarations: Declarations,
    typed?: (environment: Environment) => { readonly object: string; readonly paramsType: string },
  ) {
    const environment = engine().environment.clone();
    const { object, paramsType } = typed?.(environment) ?? { object: "dyn", paramsType: "dyn" };
    environment.registerVariable("object", object).registerVariable("oldObject", object);
    if (declarations.params) {
      environment.registerVariable("params", paramsType);
      this.#variables.set("params", DYN);
    }
    if (declarations.authorizer) {
      environment.registerVariable("authorizer", "kubernetes.authorization.Authorizer");
      this.#variables.set("authorizer", AUTHORIZER).set("authorizer.requestResource", AUTHORIZER);
    }
    if (declarations.variables !== undefined) {
      environment.registerVariable("variables", { schema: { ...declarations.variables } });
      const fields = Object.entries(declarations.variables).map(([name, type]) => [name, typeNamed(type)] as const);
      this.#variables.set("variables", { kind: "struct", fields: new Map(fields) });
    }
    this.#environment = environment;
  }

  /** `returns`: the types it may have, in the Go engine's words; undefined: any. */
  compile(expression: string, returns?: readonly string[]): Compiled {
    const { functions, knows } = engine();
    const failed = (error: unknown): Compiled => ({
      kind: "fault",
      expression,
      fault: `compilation failed: ${issueText(error, expression, knows)}`,
    });
    try {
      if (expression.trim() === "")
        return {
          kind: "fault",
          expression,
          fault: `compilation failed: ${issueAt(expression, 0, "Syntax error: mismatched input '<EOF>'")}`,
        };
      const parsed = parseExpression(this.#environment, expression);
      prepare(parsed.ast);
      const checked = parsed.check();
      if (!checked.valid && !UNCERTAIN.test(firstLine(checked.error))) return failed(checked.error);
      const literal = checked.valid ? literalFault(parsed.ast) : undefined;
      if (literal !== undefined)
        return {
          kind: "fault",
          expression,
          fault: `compilation failed: ${issueAt(expression, literal.position, literal.text)}`,
        };
      const program = planProgram(parsed.ast as unknown as EngineNode, functions, this.#variables);
      const type = checked.valid ? (checked.type ?? "dyn") : nameOfType(program.type);
      if (returns !== undefined && !returns.includes(type) && (checked.valid || type !== "dyn"))
        return wrongType(expression, returns, type);
      return { kind: "program", expression, program, type };
    } catch (error) {
      if (error instanceof ProgramFault)
        return { kind: "fault", expression, fault: `program instantiation failed: ${error.message}` };
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
const value = (json: unknown): unknown => toCel(ANY, json);

/** The variables of one evaluation; what is named by nobody is not converted. */
export function bindings(input: AdmissionInput): Record<string, unknown> {
  const { authorizer } = input;
  const out: Record<string, unknown> = { authorizer, "authorizer.requestResource": authorizer?.requestResource };
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
  const result = compiled.program.evaluate(variables);
  pay(budget, budget.variables);
  budget.variables = 0;
  pay(budget, result.cost);
  if ("value" in result) return { kind: "value", value: result.value };
  return { kind: "error", text: `expression '${compiled.expression}' resulted in error: ${firstLine(result.error)}` };
}

function pay(budget: Budget, cost: number): void {
  if (cost > budget.left) throw new OutOfBudget();
  budget.left -= cost;
}

const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n", 1)[0] ?? "";

/** What a variable of a policy is, the first time an expression asks for it; that expression pays. */
export function variableValue(
  name: string,
  compiled: Compiled,
  variables: Record<string, unknown>,
  budget: Budget,
): unknown {
  const told = JSON.stringify(name);
  if (compiled.kind === "fault") throw new CelFault(`composited variable ${told} fails to compile: ${compiled.fault}`);
  const result = compiled.program.evaluate(variables);
  budget.variables += result.cost;
  if ("value" in result) return result.value;
  throw new CelFault(`composited variable ${told} fails to evaluate: ${firstLine(result.error)}`);
}
