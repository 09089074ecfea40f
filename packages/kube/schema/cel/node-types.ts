/** The types of a kind's schema as expressions see them: for finding in an expression what cannot be. */
import type { Environment } from "@marcbachmann/cel-js";
import { celName } from "./values.ts";
import type { SchemaNode, StructNode } from "../node.ts";

/** Registers types in an environment; one maker an environment, since names are counted. */
export class NodeTypes {
  readonly #environment: Environment;
  /** Types that hold themselves are taken for anything inside. */
  readonly #known = new Map<StructNode, string>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** The name of a node's type; `dyn` where anything may be. */
  of(node: SchemaNode): string {
    switch (node.kind) {
      case "scalar":
        return scalarType(node.type);
      case "map":
        return `map<string, ${this.of(node.values)}>`;
      case "list":
        return `list<${this.of(node.items)}>`;
      case "struct":
        return node.open || node.fields.size === 0 ? "dyn" : this.#struct(node);
      case "any":
        return "dyn";
    }
  }

  #struct(node: StructNode): string {
    const known = this.#known.get(node);
    if (known !== undefined) return known;
    this.#known.set(node, "dyn");
    const type = `kubernetes.Type${this.#known.size}`;
    const fields: Record<string, string> = {};
    for (const [name, field] of node.fields) fields[celName(name)] = this.of(field.node);
    this.#environment.registerType(type, { fields });
    // Nothing is evaluated with these: they say what can be compared.
    for (const pair of [`${type} == ${type}`, `${type} == null`]) this.#environment.registerOperator(pair, () => true);
    this.#known.set(node, type);
    return type;
  }
}

function scalarType(type: string): string {
  switch (type) {
    case "string":
    case "duration":
      return "string";
    case "integer":
      return "int";
    case "boolean":
      return "bool";
    case "bytes":
      return "bytes";
    case "time":
    case "micro-time":
      return "google.protobuf.Timestamp";
    // Numbers are compared with whole ones, too; the others are texts and numbers alike.
    default:
      return "dyn";
  }
}
