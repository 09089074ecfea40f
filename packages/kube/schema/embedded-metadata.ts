/**
 * The metadata of custom resources and of the objects that stand in them: read as that of built-in kinds is, and
 * written so.
 */
import { decodeTypeError } from "./coerce.ts";
import { isObject, own, setKey } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import type { SchemaNode, StructNode } from "./node.ts";
import { normalize } from "./normalize.ts";

const embedding = new WeakMap<SchemaNode, boolean>();

/** Whether an object may stand somewhere below; recursion is not known to the schemas of custom resources. */
function embeds(node: SchemaNode): boolean {
  const known = embedding.get(node);
  if (known !== undefined) return known;
  const found = embedsBelow(node);
  embedding.set(node, found);
  return found;
}

function embedsBelow(node: SchemaNode): boolean {
  switch (node.kind) {
    case "struct":
      if (node.typeName !== undefined) return false;
      return node.embedded === true || [...node.fields.values()].some((field) => embeds(field.node));
    case "list":
      return embeds(node.items);
    case "map":
      return embeds(node.values);
    default:
      return false;
  }
}

/** The values below one that may hold objects, by key or index, with the path that leads there. */
function* below(
  node: SchemaNode,
  value: unknown,
  path: string,
): Generator<[string | number, SchemaNode, unknown, string]> {
  if (node.kind === "list" && Array.isArray(value) && embeds(node.items)) {
    for (const [i, item] of value.entries()) yield [i, node.items, item, `${path}[${i}]`];
  } else if (node.kind === "map" && isObject(value) && embeds(node.values)) {
    for (const key of Object.keys(value)) yield [key, node.values, value[key], `${path}[${key}]`];
  } else if (node.kind === "struct" && isObject(value)) {
    for (const [key, field] of node.fields)
      if (embeds(field.node) && Object.hasOwn(value, key))
        yield [key, field.node, value[key], path === "" ? key : `${path}.${key}`];
  }
}

const metadataNode = (node: StructNode): StructNode | undefined => {
  const found = node.fields.get("metadata")?.node;
  return found?.kind === "struct" && found.typeName !== undefined ? found : undefined;
};

/** Why metadata cannot be read, of the object itself or of one in it; undefined when it can. */
export function metadataFault(node: SchemaNode, value: unknown, path = ""): string | undefined {
  if (!embeds(node)) return undefined;
  const fault =
    node.kind === "struct" && node.embedded === true && isObject(value) ? ownFault(node, value, path) : undefined;
  if (fault !== undefined) return fault;
  for (const [, child, item, at] of below(node, value, path)) {
    const found = metadataFault(child, item, at);
    if (found !== undefined) return found;
  }
  return undefined;
}

function ownFault(node: StructNode, value: JsonObject, path: string): string | undefined {
  if (path !== "") {
    for (const key of ["apiVersion", "kind"])
      if (Object.hasOwn(value, key) && typeof value[key] !== "string")
        return `${path}.${key}: Invalid value: ${sortedJson(value[key])}: must be a string`;
  }
  const schema = metadataNode(node);
  const metadata = own(value, "metadata");
  const fault = schema === undefined ? undefined : decodeTypeError(schema, metadata);
  if (fault === undefined || path === "") return fault;
  return `${path}.metadata: Invalid value: ${sortedJson(metadata)}: ${fault}`;
}

/** Go's maps have no order; as JSON their keys are sorted. */
const sortedJson = (value: unknown): string =>
  JSON.stringify(value, (_, each: unknown) =>
    isObject(each)
      ? Object.fromEntries(
          Object.keys(each)
            .toSorted()
            .map((key) => [key, each[key]]),
        )
      : each,
  );

/** The value with all metadata as a server writes it. Shares what does not change. */
export function normalizeMetadata<T>(node: SchemaNode, value: T): T {
  return embeds(node) ? (normalizeAt(node, value) as T) : value;
}

function normalizeAt(node: SchemaNode, value: unknown): unknown {
  let out: unknown = value;
  const put = (key: string | number, item: unknown): void => {
    if (out === value) out = Array.isArray(value) ? [...(value as unknown[])] : { ...(value as JsonObject) };
    if (Array.isArray(out)) out[key as number] = item;
    else setKey(out as JsonObject, key as string, item);
  };
  for (const [key, child, item] of below(node, value, "")) {
    const after = normalizeMetadata(child, item);
    if (after !== item) put(key, after);
  }
  if (node.kind !== "struct" || node.embedded !== true || !isObject(value)) return out;
  const schema = metadataNode(node);
  const metadata = own(value, "metadata");
  if (schema === undefined || metadata === undefined) return out;
  const after = normalize(schema, metadata ?? {});
  if (after !== metadata) put("metadata", after);
  return out;
}
