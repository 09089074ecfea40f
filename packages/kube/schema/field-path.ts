/** Paths into a CRD's schema as its rules and selectable fields write them: `.spec.a`, `.m['x.y']`. */
import { isObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";

const TOKENS = /'(?:[^'\\]|\\.)*'?|[.[\]]|[^.[\]]+/gs;
const NOWHERE = "does not refer to a valid field";
const CUT_OFF = "unexpected end of JSON path";

export interface FoundField {
  readonly schema: JsonObject;
  /** The path in one form, whichever way it was written. */
  readonly path: string;
  readonly first: string;
}

/** Where a path leads, or why it leads nowhere; `brackets`: whether `['name']` may be used. */
export function findField(schema: JsonObject, path: string, brackets = true): FoundField | string {
  const tokens = path.match(TOKENS)?.values() ?? [].values();
  const names: string[] = [];
  let at = schema;
  let shown = "";
  for (const token of tokens) {
    if (token !== "." && token !== "[") return `expected [ or . but got: ${token}`;
    if (token === "[" && !brackets) return "array notation is not allowed";
    const written = tokens.next().value;
    if (written === undefined) return CUT_OFF;
    const name = token === "." ? written : unquoted(written);
    if (name === undefined) return `expected single quoted string but got ${written}`;
    const next = step(at, name);
    if (next === undefined) return NOWHERE;
    at = next.schema;
    shown += next.named ? `${shown === "" ? "" : "."}${name}` : `[${name}]`;
    names.push(name);
    if (token === ".") continue;
    const end = tokens.next().value;
    if (end !== "]") return end === undefined ? CUT_OFF : `expected ] but got ${end}`;
  }
  return { schema: at, path: shown, first: names[0] ?? "" };
}

const unquoted = (token: string): string | undefined =>
  token.length >= 2 && token.startsWith("'") && token.endsWith("'")
    ? token.slice(1, -1).replace(/\\(.)/gs, "$1")
    : undefined;

function step(schema: JsonObject, name: string): { schema: JsonObject; named: boolean } | undefined {
  const properties = own(schema, "properties");
  const named = isObject(properties);
  const next = named ? own(properties, name) : own(schema, "additionalProperties");
  return isObject(next) ? { schema: next, named } : undefined;
}
