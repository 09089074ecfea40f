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

/** The name of a schema's type, where that is a scalar's; `dyn` else. */
export function scalarName(schema: JsonObject): string {
  switch (schema["type"]) {
    case "integer":
      return "int";
    case "boolean":
      return "bool";
    case "number":
      return "double";
    case "string":
      return (typeof schema["format"] === "string" ? FORMATS[schema["format"]] : undefined) ?? "string";
    default:
      return "dyn";
  }
}

class Types {
  readonly #environment: Environment;
  #count = 0;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** The name of a schema's type; `dyn` where anything may be. */
  of(schema: unknown): string {
    if (!isObject(schema) || isTrue(schema, "x-kubernetes-int-or-string")) return "dyn";
    if (schema["type"] === "array") return `list<${this.of(schema["items"])}>`;
    return schema["type"] === "object" ? this.#object(schema) : scalarName(schema);
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

/** Upstream's words for a name that is not there; undefined for any other fault. */
export function nameFault(message: string): string | undefined {
  const name = /^Unknown variable: (.*)$/.exec(message);
  if (name !== null) return `undeclared reference to '${name[1] ?? ""}' (in container '')`;
  const field = /^No such key: (.*)$/.exec(message);
  return field === null ? undefined : `undefined field '${field[1] ?? ""}'`;
}

/** A fault as Go's compiler shows it: where, what, and the line with a mark. */
export function showFault(expression: string, position: number, fault: string): string {
  const before = expression.slice(0, position).split("\n");
  const column = before.at(-1)?.length ?? 0;
  const line = expression.split("\n")[before.length - 1] ?? "";
  return `ERROR: <input>:${before.length}:${column + 1}: ${fault}\n | ${line}\n | ${".".repeat(column)}^`;
}
