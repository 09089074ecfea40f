/** The limits to what the rules of a CRD may cost, each and all together, in upstream's words. */
import type { Environment } from "@marcbachmann/cel-js";
import type { FieldError } from "../../api/field-error.ts";
import { fieldForbidden } from "../../api/field-error.ts";
import { mostCost } from "./cost.ts";
import { MOST, plus, times } from "./estimate.ts";
import { parseExpression } from "./parse.ts";
import { mostChildren, mostInOneRequest, sizedType } from "./sizes.ts";
import type { JsonObject } from "../json-value.ts";

const RULE_LIMIT = 10_000_000;
const CRD_LIMIT = 100_000_000;
/** Rules below this part of the whole are not named when the whole is too much. */
const NAMED_FROM = CRD_LIMIT / 100;
const NAMED = 4;

const ADVICE =
  "(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)";

function tooMuch(what: string, cost: number, limit: number): string {
  const times = cost / limit;
  const factor = times > 100 ? "more than 100" : times.toFixed(times < 1.5 ? 6 : 1);
  return `${what} exceeds budget by factor of ${factor}x ${ADVICE}`;
}

/** How many values of a schema one object can hold; undefined for any number. */
export const below = (cardinality: number | undefined, schema: JsonObject): number | undefined => {
  const children = mostChildren(schema);
  return cardinality === undefined || children === undefined ? undefined : times(cardinality, children);
};

/** Adds up what the rules of one schema may cost. */
export class RuleCosts {
  readonly #environment: Environment;
  /** A schema that was accepted with its rules may keep them; all of them together are still counted. */
  readonly #unchanged: boolean;
  readonly #named: { readonly path: string; readonly cost: number }[] = [];
  #total = 0;

  constructor(environment: Environment, unchanged: boolean) {
    this.#environment = environment;
    this.#unchanged = unchanged;
  }

  /** Counts an expression that has no other fault; `cardinality` says how often it runs on one object. */
  rule(
    schema: JsonObject,
    expression: string,
    optionalOldSelf: boolean,
    cardinality: number | undefined,
    path: string,
  ): FieldError[] {
    const type = sizedType(schema);
    if (type === undefined) return [];
    const once = this.#once(schema, expression, optionalOldSelf);
    return this.#count("estimated rule cost", times(once, cardinality ?? mostInOneRequest(type.minBytes)), path);
  }

  /** Messages are made for the faults that are shown, so it does not matter how many values there are. */
  message(schema: JsonObject, expression: string, optionalOldSelf: boolean, path: string): FieldError[] {
    const cost = this.#once(schema, expression, optionalOldSelf);
    return this.#count("estimated messageExpression cost", cost, path);
  }

  /** What is wrong with all rules together. */
  total(path: string): FieldError[] {
    if (this.#total <= CRD_LIMIT) return [];
    const what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
    const named = this.#named
      .toSorted((a, b) => b.cost - a.cost)
      .slice(0, NAMED)
      .map((rule) =>
        fieldForbidden(
          rule.path,
          "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema",
        ),
      );
    return [...named, fieldForbidden(path, tooMuch(what, this.#total, CRD_LIMIT))];
  }

  #once(schema: JsonObject, expression: string, optionalOldSelf: boolean): number {
    const type = sizedType(schema);
    if (type === undefined) return 0;
    try {
      return mostCost(parseExpression(this.#environment, expression).ast, type, optionalOldSelf);
    } catch (error) {
      // What nests too deep to be walked through has no bound.
      if (error instanceof RangeError) return MOST;
      throw error;
    }
  }

  #count(what: string, cost: number, path: string): FieldError[] {
    this.#total = plus(this.#total, cost);
    if (cost >= NAMED_FROM) this.#named.push({ path, cost });
    return cost > RULE_LIMIT && !this.#unchanged ? [fieldForbidden(path, tooMuch(what, cost, RULE_LIMIT))] : [];
  }
}
