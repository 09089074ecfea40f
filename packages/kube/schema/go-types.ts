/** The names Go has for types that are plain texts and maps on the wire: the decoder's faults tell them. */
import { readFileSync } from "node:fs";
import type { SchemaNode, StructNode } from "./node.ts";
import { shortTypeName } from "./value-fields.ts";

let facts: Readonly<Record<string, string>> | undefined;

function typeOfField(typeName: string, field: string): string | undefined {
  facts ??= JSON.parse(readFileSync(new URL("./facts/go-types.json", import.meta.url), "utf8")) as Record<
    string,
    string
  >;
  const prefix = `${field} `;
  const found = facts[shortTypeName(typeName)]?.split(",").find((entry) => entry.startsWith(prefix));
  return found?.slice(prefix.length);
}

/** Go's name for the type of `wanted`, which is the field's own node or stands in its lists and maps. */
export function namedType({ typeName, fields }: StructNode, field: string, wanted: SchemaNode): string | undefined {
  let name = typeName === undefined ? undefined : typeOfField(typeName, field);
  let node = fields.get(field)?.node;
  while (name !== undefined && node !== undefined && node !== wanted) {
    const inside = /^(?:\[\]|map\[[^\]]*\])(.*)$/.exec(name)?.[1];
    node = node.kind === "list" ? node.items : node.kind === "map" ? node.values : undefined;
    name = inside;
  }
  return node === undefined ? undefined : name;
}
