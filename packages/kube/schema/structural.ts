/** The schema of a custom resource (`openAPIV3Schema`) as a node, so that it takes the same way as built-in kinds. */
import { VALUE_KEYWORDS } from "./value-keywords.ts";
import { isObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import type { Field, ListNode, ScalarNode, ScalarType, SchemaNode, StructNode } from "./node.ts";
import { typeNode } from "./table.ts";

const OBJECT_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/** What `validateSchema` and the rules read; the rest of a schema becomes the node itself. */
const CONSTRAINTS: readonly string[] = [
  ...VALUE_KEYWORDS,
  "allOf",
  "anyOf",
  "oneOf",
  "not",
  "x-kubernetes-validations",
];

/** The node of a custom resource. A version without a schema keeps whatever it is given. */
export function fromStructuralSchema(openAPIV3Schema: unknown): StructNode {
  const schema = isObject(openAPIV3Schema)
    ? openAPIV3Schema
    : { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  return structNode(schema, true);
}

const text = (value: unknown): string | undefined => (typeof value === "string" ? value : undefined);
const isTrue = (schema: JsonObject, key: string): boolean => own(schema, key) === true;

function common(schema: JsonObject): {
  description?: string;
  default?: unknown;
  nullable?: boolean;
  constraints?: Record<string, unknown>;
} {
  const description = text(schema["description"]);
  const constraints: Record<string, unknown> = {};
  for (const key of CONSTRAINTS) {
    const value = own(schema, key);
    if (value !== undefined) constraints[key] = value;
  }
  return {
    ...(description === undefined ? {} : { description }),
    ...(own(schema, "default") === undefined ? {} : { default: schema["default"] }),
    ...(isTrue(schema, "nullable") ? { nullable: true } : {}),
    ...(Object.keys(constraints).length === 0 ? {} : { constraints }),
  };
}

/** The node of a schema within one. */
export function nodeOfSchema(schema: unknown): SchemaNode {
  if (!isObject(schema)) return { kind: "any", wire: "json" };
  if (isTrue(schema, "x-kubernetes-int-or-string")) return scalarNode(schema, "int-or-string");
  switch (schema["type"]) {
    case "object":
      return objectNode(schema);
    case "array":
      return listNode(schema);
    case "string":
      return scalarNode(schema, "string");
    case "integer":
    case "number":
    case "boolean":
      return scalarNode(schema, schema["type"]);
    default:
      return isObject(schema["properties"])
        ? structNode(schema, false)
        : { kind: "any", wire: "json", ...common(schema) };
  }
}

function scalarNode(schema: JsonObject, type: ScalarType): ScalarNode {
  const format = text(schema["format"]);
  const allowed = own(schema, "enum");
  return {
    kind: "scalar",
    type,
    ...(format === undefined ? {} : { format }),
    ...(Array.isArray(allowed) ? { enum: allowed } : {}),
    ...common(schema),
  };
}

const mapTypeOf = (schema: JsonObject): "granular" | "atomic" =>
  schema["x-kubernetes-map-type"] === "atomic" ? "atomic" : "granular";

function objectNode(schema: JsonObject): SchemaNode {
  const additional = own(schema, "additionalProperties");
  if (additional === undefined || additional === false || isObject(schema["properties"]))
    return structNode(schema, false);
  return { kind: "map", values: nodeOfSchema(additional), mapType: mapTypeOf(schema), ...common(schema) };
}

function listNode(schema: JsonObject): ListNode {
  const listType = own(schema, "x-kubernetes-list-type");
  const keys = own(schema, "x-kubernetes-list-map-keys");
  return {
    kind: "list",
    items: nodeOfSchema(own(schema, "items")),
    listType: listType === "set" || listType === "map" ? listType : "atomic",
    listKeys: listType === "map" && Array.isArray(keys) ? keys.filter((key) => typeof key === "string") : [],
    ...common(schema),
  };
}

function structNode(schema: JsonObject, root: boolean): StructNode {
  const embedded = root || isTrue(schema, "x-kubernetes-embedded-resource");
  return {
    kind: "struct",
    fields: fieldsOf(schema, embedded),
    open: isTrue(schema, "x-kubernetes-preserve-unknown-fields"),
    mapType: mapTypeOf(schema),
    ...(embedded ? { embedded: true } : {}),
    ...common(schema),
  };
}

function fieldsOf(schema: JsonObject, embedded: boolean): ReadonlyMap<string, Field> {
  const required = new Set<unknown>(Array.isArray(schema["required"]) ? schema["required"] : []);
  const fields = new Map<string, Field>();
  if (embedded) {
    for (const name of ["apiVersion", "kind"])
      fields.set(name, { node: { kind: "scalar", type: "string" }, required: false });
  }
  const properties = own(schema, "properties");
  if (isObject(properties)) {
    for (const name of Object.keys(properties)) {
      fields.set(name, { node: nodeOfSchema(properties[name]), required: required.has(name) });
    }
  }
  if (embedded) fields.set("metadata", { node: typeNode(OBJECT_META), required: required.has("metadata") });
  return fields;
}
