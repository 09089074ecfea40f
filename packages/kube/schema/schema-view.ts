/**
 * What validation sees of a schema, the same for the nodes of a kind and for the plain JSON schemas that stand
 * under anyOf, allOf, oneOf and not.
 */
import { isObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import type { ListNode, SchemaNode } from "./node.ts";

export interface SchemaView {
  /** Types a value may have; none: any. */
  readonly types: readonly string[];
  readonly nullable: boolean;
  readonly format: string | undefined;
  /** The JSON Schema keywords: pattern, minimum, required, anyOf … */
  readonly keywords: Readonly<JsonObject>;
  readonly properties: ReadonlyMap<string, SchemaView>;
  readonly additional: SchemaView | undefined;
  readonly items: SchemaView | undefined;
  /** For lists whose items have keys: they are told apart by them when an update is compared. */
  readonly list: ListNode | undefined;
}

const NONE: ReadonlyMap<string, SchemaView> = new Map();
const NO_KEYWORDS: Readonly<JsonObject> = Object.freeze({});
/** Says nothing about a value. */
const FREE: SchemaView = {
  types: [],
  nullable: true,
  format: undefined,
  keywords: NO_KEYWORDS,
  properties: NONE,
  additional: undefined,
  items: undefined,
  list: undefined,
};

const ofNode = new WeakMap<SchemaNode, SchemaView>();
const ofSchema = new WeakMap<JsonObject, SchemaView>();

/** The view of a node. Built-in types in it (metadata) are checked elsewhere and so say nothing here. */
export function viewOfNode(node: SchemaNode): SchemaView {
  const known = ofNode.get(node);
  if (known !== undefined) return known;
  const view = makeNodeView(node);
  ofNode.set(node, view);
  return view;
}

function makeNodeView(node: SchemaNode): SchemaView {
  const keywords = node.constraints ?? NO_KEYWORDS;
  const base = { ...FREE, nullable: node.nullable === true, keywords };
  switch (node.kind) {
    case "any":
      return { ...base, nullable: true };
    case "scalar":
      return {
        ...base,
        types: node.type === "int-or-string" ? ["integer", "string"] : [node.type],
        format: node.format,
      };
    case "list":
      return { ...base, types: ["array"], items: viewOfNode(node.items), list: node };
    case "map":
      return { ...base, types: ["object"], additional: viewOfNode(node.values) };
    case "struct": {
      if (node.typeName !== undefined) return FREE;
      const properties = new Map([...node.fields].map(([name, field]) => [name, viewOfNode(field.node)] as const));
      return { ...base, types: ["object"], properties };
    }
  }
}

/** The view of a plain JSON schema. */
export function viewOfSchema(schema: JsonObject): SchemaView {
  const known = ofSchema.get(schema);
  if (known !== undefined) return known;
  const view = makeSchemaView(schema);
  ofSchema.set(schema, view);
  return view;
}

function makeSchemaView(schema: JsonObject): SchemaView {
  const type = own(schema, "type");
  const properties = own(schema, "properties");
  const items = own(schema, "items");
  const additional = own(schema, "additionalProperties");
  return {
    types: typeof type === "string" && type !== "" ? [type] : [],
    nullable: own(schema, "nullable") === true,
    format: typeof schema["format"] === "string" ? schema["format"] : undefined,
    keywords: schema,
    properties: isObject(properties) ? viewsOf(properties) : NONE,
    additional: isObject(additional) ? viewOfSchema(additional) : undefined,
    items: isObject(items) ? viewOfSchema(items) : undefined,
    list: undefined,
  };
}

const viewsOf = (schemas: JsonObject): ReadonlyMap<string, SchemaView> =>
  new Map(
    Object.entries(schemas).flatMap(([name, schema]) =>
      isObject(schema) ? [[name, viewOfSchema(schema)] as const] : [],
    ),
  );

/** The schemas under a keyword such as anyOf. */
export function nestedViews(keywords: Readonly<JsonObject>, key: string): readonly SchemaView[] {
  const list = own(keywords, key);
  return Array.isArray(list) ? list.filter(isObject).map(viewOfSchema) : [];
}
