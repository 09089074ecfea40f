/** The types of a CRD's schema as its rules see them: what a rule asks of a field that cannot be is told with the CRD. */
import type { Environment } from "@marcbachmann/cel-js";
import { celName } from "./values.ts";
import { isObject, own } from "../json-value.ts";
import type { JsonObject } from "../json-value.ts";

const FORMATS: Readonly<Record<string, string>> = {
  "date-time": "google.protobuf.Timestamp",
  datetime: "google.protobuf.Timestamp",
  date: "google.protobuf.Timestamp",
  duration: "google.protobuf.Duration",
  byte: "bytes",
};

const isTrue = (schema: JsonObject, key: string): boolean => own(schema, key) === true;

class Types {
  readonly #environment: Environment;
  #count = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** The name of a schema's type; `dyn` where anything may be. */
  of(schema: unknown): string {
    if (!isObject(schema) || isTrue(schema, "x-kubernetes-int-or-string")) return "dyn";
    switch (schema["type"]) {
      case "integer":
        return "int";
      case "boolean":
        return "bool";
      case "string":
        return (typeof schema["format"] === "string" ? FORMATS[schema["format"]] : undefined) ?? "string";
      case "array":
        return `list<${this.of(schema["items"])}>`;
      case "object":
        return this.#object(schema);
      // Numbers are compared with integers too.
      default:
        return "dyn";
    }
  }

  #object(schema: JsonObject): string {
    if (isTrue(schema, "x-kubernetes-preserve-unknown-fields") || isTrue(schema, "x-kubernetes-embedded-resource"))
      return "dyn";
    const values = own(schema, "additionalProperties");
    if (isObject(values)) return `map<string, ${this.of(values)}>`;
    const properties = own(schema, "properties");
    if (!isObject(properties)) return "dyn";
    const fields: Record<string, string> = {};
    for (const [name, property] of Object.entries(properties)) fields[celName(name)] = this.of(property);
    const type = `kubernetes.Object${++this.#count}`;
    this.#environment.registerType(type, { fields });
    this.#environment.registerOperator(`${type} == ${type}`, () => true);
    return type;
  }
}

/** An environment whose `self` and `oldSelf` are of a schema's type. */
export function typedEnvironment(base: () => Environment, schema: JsonObject, optionalOldSelf: boolean): Environment {
  const environment = base();
  const type = new Types(environment).of(schema);
  environment.registerVariable("self", type);
  environment.registerVariable("oldSelf", optionalOldSelf ? `optional<${type}>` : type);
  return environment;
}

const NUMBERS: ReadonlySet<string> = new Set(["int", "uint", "double"]);
const KNOWN: ReadonlySet<string> = new Set([
  ...NUMBERS,
  "string",
  "bool",
  "bytes",
  "google.protobuf.Timestamp",
  "google.protobuf.Duration",
]);

const OPTIONAL = /^optional<(.*)>$/;
const isKnown = (type: string): boolean => KNOWN.has(OPTIONAL.exec(type)?.[1] ?? type);
const shownType = (type: string): string => type.replace(OPTIONAL, "optional_type($1)");

/** Upstream's words for a fault of a type; undefined where the engine is stricter than Go's. */
export function typeFault(message: string): string | undefined {
  const name = /^Unknown variable: (.*)$/.exec(message);
  if (name !== null) return `undeclared reference to '${name[1] ?? ""}' (in container '')`;
  const field = /^No such key: (.*)$/.exec(message);
  if (field !== null) return `undefined field '${field[1] ?? ""}'`;
  const [, left = "", operator = "", right = ""] = /^no such overload: (\S+) (\S+) (\S+)$/.exec(message) ?? [];
  const clear = isKnown(left) && isKnown(right) && !(NUMBERS.has(left) && NUMBERS.has(right));
  const shown = `(${shownType(left)}, ${shownType(right)})`;
  return clear ? `found no matching overload for '_${operator}_' applied to '${shown}'` : undefined;
}

/** A fault as Go's compiler shows it: where, what, and the line with a mark. */
export function showFault(expression: string, position: number, fault: string): string {
  const before = expression.slice(0, position).split("\n");
  const column = before.at(-1)?.length ?? 0;
  const line = expression.split("\n")[before.length - 1] ?? "";
  return `ERROR: <input>:${before.length}:${column + 1}: ${fault}\n | ${line}\n | ${".".repeat(column)}^`;
}
