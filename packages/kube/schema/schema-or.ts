/** Fields of a CRD's schema that hold a schema or, in its place, something simpler: `items`, `additionalProperties`, … */
import { isObject } from "./json-value.ts";
import type { AnyNode, ListNode, SchemaNode } from "./node.ts";
import { typeNode } from "./table.ts";

const SCHEMA_PROPS = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

const listOf = (items: SchemaNode): ListNode => ({ kind: "list", items, listType: "atomic", listKeys: [] });
const STRINGS: ListNode = listOf({ kind: "scalar", type: "string" });

let schemas: ListNode | undefined;

export const holdsSchema = (node: AnyNode): boolean => node.wire?.startsWith("schema-or-") === true;

/** The node of what such a field holds; undefined where that has no fields of its own, and for other fields. */
export function nodeUnder(node: AnyNode, value: unknown): SchemaNode | undefined {
  if (!holdsSchema(node)) return undefined;
  if (isObject(value)) return typeNode(SCHEMA_PROPS);
  if (!Array.isArray(value)) return undefined;
  if (node.wire === "schema-or-array") return (schemas ??= listOf(typeNode(SCHEMA_PROPS)));
  return node.wire === "schema-or-strings" ? STRINGS : undefined;
}

/** What upstream keeps of another value: of booleans those that are allowed, of anything else nothing. */
export const simpleForm = (node: AnyNode, value: unknown): unknown =>
  node.wire === "schema-or-bool" && typeof value === "boolean" ? value : null;

/** Why such a field cannot be read; only the one that may be a boolean is strict about it. */
export const simpleFault = (node: AnyNode, value: unknown): string | undefined =>
  node.wire === "schema-or-bool" && !isObject(value) && typeof value !== "boolean"
    ? "boolean or JSON schema expected"
    : undefined;
