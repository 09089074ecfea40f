/** A policy compiled, and what it decides of one request with one parameter. Loaded with the first policy that matches. */
import {
  AdmissionCompiler,
  type AdmissionInput,
  bindings,
  type Budget,
  type Compiled,
  CONDITION_BUDGET,
  evaluate,
  lazily,
  newBudget,
  OutOfBudget,
  type Outcome,
  POLICY_BUDGET,
  variableValue,
} from "@travelops/kube/schema/cel/admission";
import { type CelAuthorize, CelAuthorizer } from "@travelops/kube/schema/cel/authorizer";
import type { PolicySpec, Validation } from "./policy.ts";

/** Something held against a request; `reason` is empty where it is not of the policy's own choosing. */
export interface Denial {
  readonly message: string;
  readonly reason: string;
  /** Of the validation. */
  readonly index: number;
}

/** What a policy decides. */
export interface Verdict {
  readonly denials: readonly Denial[];
  /** Denied whatever the binding's actions are: an audit annotation that could not be made. */
  readonly faults: readonly string[];
  /** Audit annotations, by keys that are the policy's own. */
  readonly annotations: readonly (readonly [key: string, value: string])[];
}

export interface RequestView extends Omit<AdmissionInput, "authorizer" | "params"> {
  readonly authorize: CelAuthorize;
  readonly user: CelAuthorizer["user"];
  readonly resource: { readonly group: string; readonly resource: string; readonly subresource: string };
  readonly name: string;
  readonly namespace: string;
}

const MAX_MESSAGE = 5 * 1024;
/** Bytes of an audit annotation. */
const MAX_ANNOTATION = 10 * 1024;
const NOTHING: Verdict = { denials: [], faults: [], annotations: [] };

interface Condition {
  readonly validation: Validation;
  readonly expression: Compiled;
  readonly message: Compiled | undefined;
}

export class CompiledPolicy {
  readonly #fails: boolean;
  readonly #variables: readonly { readonly name: string; readonly compiled: Compiled }[];
  readonly #matchConditions: readonly Compiled[];
  readonly #conditions: readonly Condition[];
  readonly #annotations: readonly { readonly key: string; readonly text: string; readonly compiled: Compiled }[];

  constructor(spec: PolicySpec) {
    this.#fails = spec.failurePolicy !== "Ignore";
    const params = spec.paramKind !== undefined;
    const types: Record<string, string> = {};
    const compiler = (authorizer: boolean): AdmissionCompiler =>
      new AdmissionCompiler({ params, authorizer, variables: types });
    this.#variables = (spec.variables ?? []).map(({ name, expression }) => {
      const compiled = compiler(true).compile(expression);
      types[name] = compiled.kind === "program" ? compiled.type : "dyn";
      return { name, compiled };
    });
    const full = compiler(true);
    const forMessages = compiler(false);
    this.#matchConditions = (spec.matchConditions ?? []).map(({ expression }) => full.compile(expression, ["bool"]));
    this.#conditions = (spec.validations ?? []).map((validation) => ({
      validation,
      expression: full.compile(validation.expression, ["bool"]),
      message:
        (validation.messageExpression ?? "") === ""
          ? undefined
          : forMessages.compile(validation.messageExpression ?? "", ["string"]),
    }));
    this.#annotations = (spec.auditAnnotations ?? []).map(({ key, valueExpression }) => ({
      key,
      text: valueExpression,
      compiled: full.compile(valueExpression, ["string", "null"]),
    }));
  }

  decide(view: RequestView, params: unknown): Verdict {
    const { user, authorize, resource, name, namespace } = view;
    const authorizer = new CelAuthorizer(authorize, user, { ...resource, namespace, name });
    const input = { ...view, params: params ?? null, authorizer };
    const error = (message: string): Verdict =>
      this.#fails ? { ...NOTHING, denials: [{ message, reason: "", index: 0 }] } : NOTHING;
    try {
      // Match conditions see no namespace, as upstream.
      const matched = this.#matches(this.#bindings({ ...input, namespaceObject: null }, newBudget(CONDITION_BUDGET)));
      if (matched !== true) return matched === false ? NOTHING : error(matched);
      const denials = this.#validate(input, newBudget(POLICY_BUDGET));
      return { denials, ...this.#annotate(this.#bindings(input, newBudget(POLICY_BUDGET))) };
    } catch (fault) {
      if (fault instanceof OutOfBudget) return error(fault.message);
      throw fault;
    }
  }

  /** True, false, or the text of what went wrong. */
  #matches({ variables, budget }: Bound): boolean | string {
    const outcomes = this.#matchConditions.map((condition) => evaluate(condition, variables, budget));
    if (outcomes.some((outcome) => outcome.kind === "value" && outcome.value === false)) return false;
    const errors = outcomes.flatMap((outcome) => (outcome.kind === "error" ? [outcome.text] : []));
    if (errors.length === 0) return true;
    const distinct = [...new Set(errors)];
    // Without a verdict of its own the policy's failure policy decides.
    return distinct.length === 1 ? (distinct[0] ?? "") : `[${distinct.join(", ")}]`;
  }

  #validate(input: AdmissionInput, budget: Budget): Denial[] {
    const { variables } = this.#bindings(input, budget);
    const outcomes = this.#conditions.map(({ expression }) => evaluate(expression, variables, budget));
    const messages = this.#messages(this.#bindings(input, budget));
    return this.#conditions.flatMap(({ validation }, i) => {
      const outcome = outcomes[i] as Outcome;
      if (outcome.kind === "error") return this.#fails ? [{ message: outcome.text, reason: "", index: i }] : [];
      if (typeof messages === "string") return this.#fails ? [{ message: messages, reason: "", index: i }] : [];
      if (outcome.value === true) return [];
      return [
        {
          message: messageOf(validation, messages[i]),
          reason: (validation.reason ?? "") === "" ? "Invalid" : (validation.reason ?? ""),
          index: i,
        },
      ];
    });
  }

  /** Made of all validations, whether they are needed or not, of what these have left; or why they cannot be made. */
  #messages({ variables, budget }: Bound): readonly (Outcome | undefined)[] | string {
    try {
      return this.#conditions.map(({ message }) =>
        message === undefined ? undefined : evaluate(message, variables, budget),
      );
    } catch (fault) {
      if (fault instanceof OutOfBudget) return `failed messageExpression: ${fault.message}`;
      throw fault;
    }
  }

  #annotate({ variables, budget }: Bound): Pick<Verdict, "faults" | "annotations"> {
    const faults: string[] = [];
    const annotations: [string, string][] = [];
    for (const { key, compiled } of this.#annotations) {
      const outcome = evaluate(compiled, variables, budget);
      if (outcome.kind === "error") {
        if (this.#fails) faults.push(outcome.text);
        continue;
      }
      // Null and empty texts say nothing.
      const value = typeof outcome.value === "string" ? outcome.value.trim() : "";
      if (value !== "") annotations.push([key, cutTo(value, MAX_ANNOTATION)]);
    }
    return { faults, annotations };
  }

  /** The variables of one round; those that the policy names are evaluated when they are first asked for. */
  #bindings(input: AdmissionInput, budget: Budget): Bound {
    const all = bindings(input);
    const own: Record<string, unknown> = {};
    for (const { name, compiled } of this.#variables)
      lazily(own, name, () => variableValue(name, compiled, all, budget));
    Object.defineProperty(all, "variables", { enumerable: true, value: own });
    return { variables: all, budget };
  }
}

function messageOf(validation: Validation, outcome: Outcome | undefined): string {
  const text = outcome?.kind === "value" && typeof outcome.value === "string" ? outcome.value.trim() : "";
  if (text !== "" && !text.includes("\n") && Buffer.byteLength(text) <= MAX_MESSAGE) return text;
  const stated = (validation.message ?? "").trim();
  return stated === "" ? `failed expression: ${validation.expression.trim()}` : stated;
}

function cutTo(text: string, bytes: number): string {
  const encoded = Buffer.from(text);
  return encoded.length <= bytes ? text : encoded.subarray(0, bytes).toString("utf8");
}

interface Bound {
  readonly variables: Record<string, unknown>;
  readonly budget: Budget;
}
