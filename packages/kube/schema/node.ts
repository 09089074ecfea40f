/**
 * The one schema form of the project: built-in kinds (from the facts table) and custom resources
 * (from their structural schema) both become `SchemaNode`s, and every mechanism walks these:
 * pruning, strict checks, defaulting, validation, strategic merge, server-side apply, protobuf, OpenAPI.
 */

export type ScalarType =
  | "string"
  | "integer"
  | "number"
  | "boolean"
  | "int-or-string"
  | "quantity"
  | "time"
  | "micro-time"
  /** base64 text in JSON. */
  | "bytes"
  | "duration";

interface Common {
  readonly description?: string;
  readonly default?: unknown;
  readonly nullable?: boolean;
}

export interface ScalarNode extends Common {
  readonly kind: "scalar";
  readonly type: ScalarType;
  /** int32, int64, double, date-time, … */
  readonly format?: string;
  readonly enum?: readonly unknown[];
  /** OpenAPI constraints of custom resources: pattern, minLength, maximum, … */
  readonly constraints?: Readonly<Record<string, unknown>>;
}

export interface Field {
  readonly node: SchemaNode;
  readonly required: boolean;
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
  /** Protobuf field number. */
  readonly pb?: number;
  /** Built-in kinds: an optional scalar whose zero value ("" , 0, false) says something and is kept. */
  readonly pointer?: boolean;
  /** Built-in kinds: written even when empty (`status: {}`, `resources: {}`, `creationTimestamp: null`). */
  readonly always?: boolean;
}

export interface StructNode extends Common {
  readonly kind: "struct";
  /** OpenAPI definition name of built-in types; undefined for custom resources. */
  readonly typeName?: string;
  readonly fields: ReadonlyMap<string, Field>;
  /** Unknown fields are kept (x-kubernetes-preserve-unknown-fields). */
  readonly open: boolean;
  readonly mapType: "granular" | "atomic";
  /** Fields that stand inline in JSON but in a message of their own in protobuf. */
  readonly inline?: ReadonlyMap<number, SchemaNode>;
  readonly constraints?: Readonly<Record<string, unknown>>;
  /** An embedded object with apiVersion, kind, metadata (x-kubernetes-embedded-resource). */
  readonly embedded?: boolean;
}

export interface MapNode extends Common {
  readonly kind: "map";
  readonly values: SchemaNode;
  readonly mapType: "granular" | "atomic";
  readonly constraints?: Readonly<Record<string, unknown>>;
}

export interface ListNode extends Common {
  readonly kind: "list";
  readonly items: SchemaNode;
  readonly listType: "atomic" | "set" | "map";
  readonly listKeys: readonly string[];
  /** Protobuf carries the list as a message of its own with the items as field 1 (ExtraValue, Verbs). */
  readonly wrapped?: boolean;
  readonly constraints?: Readonly<Record<string, unknown>>;
}

/** Anything goes, and is kept: RawExtension, JSON, preserve-unknown-fields without a type. */
export interface AnyNode extends Common {
  readonly kind: "any";
  /** How protobuf carries it. */
  readonly wire?: "raw-extension" | "fields-v1" | "json" | "schema-or-array" | "schema-or-bool" | "schema-or-strings";
  readonly constraints?: Readonly<Record<string, unknown>>;
}

export type SchemaNode = ScalarNode | StructNode | MapNode | ListNode | AnyNode;

export interface SubresourceRow {
  readonly kind: string;
  readonly group: string;
  readonly version: string;
  readonly verbs: readonly string[];
}

/** One served version of one resource: a row of the table, built in or made from a CRD at run time. */
export interface ResourceRow {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** By name: `status`, `scale`, `log`, … */
  readonly subresources: ReadonlyMap<string, SubresourceRow>;
  /** A struct with apiVersion, kind, metadata, … Built lazily: asking for it may build the graph. */
  readonly schema: StructNode;
}
