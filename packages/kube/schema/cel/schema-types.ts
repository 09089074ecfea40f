/** The types of a schema as expressions see them, as far as costs go by them. */
import type { CelType, ScalarKind } from "./sizes.ts";
import { DYN } from "./type-rules.ts";
import { celName } from "./values.ts";
import type { ScalarNode, SchemaNode, StructNode } from "../node.ts";

const known = new WeakMap<StructNode, CelType>();

export function celTypeOf(node: SchemaNode): CelType {
  switch (node.kind) {
    case "scalar":
      return { kind: scalarKind(node) };
    case "list":
      return { kind: "list", element: celTypeOf(node.items) };
    case "map":
      return { kind: "map", key: { kind: "string" }, element: celTypeOf(node.values) };
    case "struct":
      return structType(node);
    case "any":
      return DYN;
  }
}

/** What holds itself is taken for anything inside. */
function structType(node: StructNode): CelType {
  const made = known.get(node);
  if (made !== undefined) return made;
  known.set(node, DYN);
  const fields = new Map([...node.fields].map(([name, field]) => [celName(name), celTypeOf(field.node)]));
  const type: CelType = { kind: "struct", fields };
  known.set(node, type);
  return type;
}

const FORMATS: Readonly<Record<string, ScalarKind>> = {
  "date-time": "timestamp",
  datetime: "timestamp",
  date: "timestamp",
  duration: "duration",
  byte: "bytes",
};
const SCALARS: Readonly<Record<string, ScalarKind>> = {
  string: "string",
  integer: "int",
  number: "double",
  boolean: "bool",
};

function scalarKind({ type, format }: ScalarNode): ScalarKind {
  if (type === "string" && format !== undefined && Object.hasOwn(FORMATS, format)) return FORMATS[format] ?? "string";
  return SCALARS[type] ?? "dyn";
}
