/** Schema nodes as OpenAPI schemas. */
import { formatApiVersion } from "../../api/object.ts";
import type { Field, ListNode, ResourceRow, ScalarNode, SchemaNode, StructNode } from "../node.ts";
import { descriptions } from "../descriptions.ts";
import { shortName, typeNode } from "../table.ts";
import { VALUE_KEYWORDS } from "../value-keywords.ts";

export type Dialect = "v3" | "v2";
export type OpenApiObject = Record<string, unknown>;

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

const META = "io.k8s.apimachinery.pkg.apis.meta.v1";
const NAMED_SCALARS: Partial<Record<ScalarNode["type"], string>> = {
  quantity: "io.k8s.apimachinery.pkg.api.resource.Quantity",
  time: `${META}.Time`,
  "micro-time": `${META}.MicroTime`,
  "int-or-string": "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
};
const SCHEMA_TYPES = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1";
const NAMED_ANY: Readonly<Record<string, string>> = {
  "raw-extension": "io.k8s.apimachinery.pkg.runtime.RawExtension",
  "fields-v1": `${META}.FieldsV1`,
  json: `${SCHEMA_TYPES}.JSON`,
  "schema-or-array": `${SCHEMA_TYPES}.JSONSchemaPropsOrArray`,
  "schema-or-bool": `${SCHEMA_TYPES}.JSONSchemaPropsOrBool`,
  "schema-or-strings": `${SCHEMA_TYPES}.JSONSchemaPropsOrStringArray`,
};

/** Types that are no structs but have a name. */
function namedSpecial(name: string, dialect: Dialect): OpenApiObject {
  const v3 = dialect === "v3";
  switch (name.slice(name.lastIndexOf(".") + 1)) {
    case "Quantity":
      return v3 ? { oneOf: [{ type: "string" }, { type: "number" }] } : { type: "string" };
    case "IntOrString":
      return v3
        ? { format: "int-or-string", oneOf: [{ type: "integer" }, { type: "string" }] }
        : { type: "string", format: "int-or-string" };
    case "Time":
    case "MicroTime":
      return { type: "string", format: "date-time" };
    case "FieldsV1":
    case "RawExtension":
    case "Patch":
      return { type: "object" };
    default:
      return {};
  }
}

const PLAIN_TYPES: Partial<Record<ScalarNode["type"], string>> = {
  string: "string",
  integer: "integer",
  number: "number",
  boolean: "boolean",
  bytes: "string",
  duration: "string",
  time: "string",
  "micro-time": "string",
  quantity: "string",
};

/** The name under which a custom resource's schema is published: its group backwards. */
export function rowSchemaName(row: ResourceRow): string {
  return row.schema.typeName ?? `${row.group.split(".").reverse().join(".")}.${row.version}.${row.kind}`;
}

const V2_KEYWORDS: ReadonlySet<string> = new Set(VALUE_KEYWORDS);

/** Collects every named type that the schemas handed out refer to. */
export class SchemaWriter {
  readonly #dialect: Dialect;
  readonly #done = new Map<string, OpenApiObject>();
  readonly #kinds = new Map<string, GroupVersionKind[]>();
  readonly #pending: [name: string, node: StructNode][] = [];

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  reference(name: string): OpenApiObject {
    return { $ref: this.#dialect === "v3" ? `#/components/schemas/${name}` : `#/definitions/${name}` };
  }

  /** A reference to a built-in type by name. */
  builtin(name: string): OpenApiObject {
    const node = typeNode(name);
    if (node.kind === "struct") this.#want(name, node);
    return this.reference(name);
  }

  special(name: string): OpenApiObject {
    if (!this.#done.has(name)) this.#done.set(name, namedSpecial(name, this.#dialect));
    return this.reference(name);
  }

  /** A reference to the type of a kind, which is published with the kind it is. */
  kind(name: string, node: StructNode, kind: GroupVersionKind): OpenApiObject {
    this.#want(name, node);
    const known = this.#kinds.get(name) ?? [];
    if (!known.some((k) => k.group === kind.group && k.version === kind.version && k.kind === kind.kind)) {
      this.#kinds.set(name, [...known, kind]);
    }
    return this.reference(name);
  }

  /** All named schemas that were referred to, by name. */
  finish(): OpenApiObject {
    for (let next = this.#pending.pop(); next !== undefined; next = this.#pending.pop()) {
      this.#done.set(next[0], this.#struct(next[1]));
    }
    for (const [name, kinds] of this.#kinds) {
      const schema = this.#done.get(name);
      if (schema !== undefined) schema["x-kubernetes-group-version-kind"] = kinds;
    }
    return Object.fromEntries([...this.#done].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  #want(name: string, node: StructNode): void {
    if (this.#done.has(name)) return;
    this.#done.set(name, {});
    this.#pending.push([name, node]);
  }

  #struct(node: StructNode): OpenApiObject {
    const builtin = node.typeName !== undefined;
    const type = shortName(node.typeName ?? "");
    const text = builtin ? descriptions().ofType(type) : node.description;
    const required = [...node.fields].filter(([, field]) => field.required).map(([name]) => name);
    return {
      type: "object",
      ...(text === undefined ? {} : { description: text }),
      ...(node.fields.size === 0
        ? {}
        : {
            properties: Object.fromEntries(
              [...node.fields].map(([name, field]) => [
                name,
                this.#property(field, builtin, builtin ? descriptions().ofField(type, name) : field.node.description),
              ]),
            ),
          }),
      ...(required.length === 0 ? {} : { required }),
      ...this.#constraints(node),
      ...(node.mapType === "atomic" ? { "x-kubernetes-map-type": "atomic" } : {}),
      ...(node.open ? { "x-kubernetes-preserve-unknown-fields": true } : {}),
      ...(node.embedded === true ? { "x-kubernetes-embedded-resource": true } : {}),
    };
  }

  #property(field: Field, builtin: boolean, text: string | undefined): OpenApiObject {
    const { node } = field;
    const schema = this.#value(node, builtin);
    // In v3 nothing may stand beside a reference.
    const open: OpenApiObject = schema["$ref"] !== undefined && this.#dialect === "v3" ? { allOf: [schema] } : schema;
    return {
      ...open,
      ...(text === undefined ? {} : { description: text }),
      ...(node.default !== undefined
        ? { default: node.default }
        : builtin && field.always === true && node.kind === "struct" && this.#dialect === "v3"
          ? { default: {} }
          : {}),
      ...(field.patchStrategy === undefined ? {} : { "x-kubernetes-patch-strategy": field.patchStrategy }),
      ...(field.patchMergeKey === undefined ? {} : { "x-kubernetes-patch-merge-key": field.patchMergeKey }),
    };
  }

  #value(node: SchemaNode, builtin: boolean): OpenApiObject {
    switch (node.kind) {
      case "struct":
        return node.typeName === undefined
          ? { ...this.#struct(node), ...this.#nullable(node) }
          : this.builtin(node.typeName);
      case "list":
        return {
          type: "array",
          items: this.#value(node.items, builtin),
          ...listMarkers(node),
          ...this.#constraints(node),
          ...this.#nullable(node),
        };
      case "map":
        return {
          type: "object",
          additionalProperties: this.#value(node.values, builtin),
          ...(node.mapType === "atomic" ? { "x-kubernetes-map-type": "atomic" } : {}),
          ...this.#constraints(node),
          ...this.#nullable(node),
        };
      case "any":
        return builtin && node.wire !== undefined && NAMED_ANY[node.wire] !== undefined
          ? this.special(NAMED_ANY[node.wire] ?? "")
          : { "x-kubernetes-preserve-unknown-fields": true, ...this.#constraints(node), ...this.#nullable(node) };
      case "scalar":
        return this.#scalar(node, builtin);
    }
  }

  #scalar(node: ScalarNode, builtin: boolean): OpenApiObject {
    const named = builtin ? NAMED_SCALARS[node.type] : undefined;
    if (named !== undefined) return this.special(named);
    return {
      ...(node.type === "int-or-string"
        ? { "x-kubernetes-int-or-string": true }
        : { type: PLAIN_TYPES[node.type] ?? "string" }),
      ...(node.format === undefined || node.type === "int-or-string" ? {} : { format: node.format }),
      ...(node.enum === undefined ? {} : { enum: node.enum }),
      ...this.#constraints(node),
      ...this.#nullable(node),
    };
  }

  #nullable(node: SchemaNode): OpenApiObject {
    return node.nullable === true && this.#dialect === "v3" ? { nullable: true } : {};
  }

  #constraints(node: SchemaNode): OpenApiObject {
    if (node.constraints === undefined) return {};
    if (this.#dialect === "v3") return node.constraints;
    return Object.fromEntries(
      Object.entries(node.constraints).filter(([key]) => V2_KEYWORDS.has(key) || key.startsWith("x-kubernetes-")),
    );
  }
}

function listMarkers(node: ListNode): OpenApiObject {
  return {
    "x-kubernetes-list-type": node.listType,
    ...(node.listType === "map" ? { "x-kubernetes-list-map-keys": node.listKeys } : {}),
  };
}

/** The struct of a list of rows: a custom resource has none in the table. */
export function listStruct(row: ResourceRow): StructNode {
  const string: Field = { required: false, node: { kind: "scalar", type: "string" } };
  const items: Field = { required: true, node: { kind: "list", items: row.schema, listType: "atomic", listKeys: [] } };
  return {
    kind: "struct",
    fields: new Map([
      ["apiVersion", string],
      ["kind", string],
      ["metadata", { required: false, node: typeNode(`${META}.ListMeta`) }],
      ["items", items],
    ]),
    open: false,
    mapType: "granular",
  };
}

export const gvkOf = (row: ResourceRow): GroupVersionKind => ({
  group: row.group,
  version: row.version,
  kind: row.kind,
});
export const groupVersionOf = (row: ResourceRow): string => formatApiVersion(row.group, row.version);
