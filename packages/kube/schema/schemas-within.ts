/** The schemas that stand in a schema, in the order in which upstream looks at them. */
import { isObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";

const ORDER: readonly (readonly [key: string, kind: "one" | "map" | "list"])[] = [
  ["additionalProperties", "one"],
  ["properties", "map"],
  ["not", "one"],
  ["allOf", "list"],
  ["oneOf", "list"],
  ["anyOf", "list"],
  ["definitions", "map"],
  ["items", "one"],
  ["items", "list"],
  ["dependencies", "map"],
];

function held(value: unknown, kind: "one" | "map" | "list"): readonly (readonly [string | undefined, unknown])[] {
  if (kind === "one") return [[undefined, value]];
  if (kind === "map") return isObject(value) ? Object.entries(value) : [];
  return Array.isArray(value) ? value.map((each: unknown, i) => [String(i), each] as const) : [];
}

/** Each with the path that leads to it: `properties[a]`, `items`, `allOf[0]`. */
export function schemasWithin(schema: JsonObject): [path: string, schema: JsonObject, key: string, name?: string][] {
  const found: [string, JsonObject, string, string?][] = [];
  for (const [key, kind] of ORDER) {
    const value = own(schema, key);
    if (value === undefined) continue;
    for (const [name, child] of held(value, kind)) {
      if (!isObject(child)) continue;
      if (name === undefined) found.push([key, child, key]);
      else found.push([`${key}[${name}]`, child, key, name]);
    }
  }
  return found;
}
