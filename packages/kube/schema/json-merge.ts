/** Parses JSON text, which has been found to be valid, so that objects under equal keys of one object become one. */
import { isObject, setKey, type JsonObject } from "./json-value.ts";

const TOKEN = /[{}[\],:]|"(?:[^"\\]|\\.)*"|[^\s{}[\],:"]+/g;

export function mergeDuplicates(text: string): unknown {
  const tokens = text.match(TOKEN) ?? [];
  let at = 0;
  const value = (): unknown => {
    const token = tokens[at++] ?? "null";
    if (token === "{") return object();
    return token === "[" ? array() : (JSON.parse(token) as unknown);
  };
  const object = (): JsonObject => {
    const out: JsonObject = {};
    while (tokens[at] !== "}") {
      if (tokens[at] === ",") at++;
      const key = JSON.parse(tokens[at++] ?? "") as string;
      at++;
      setKey(out, key, merged(Object.hasOwn(out, key) ? out[key] : undefined, value()));
    }
    at++;
    return out;
  };
  const array = (): unknown[] => {
    const out: unknown[] = [];
    while (tokens[at] !== "]") {
      if (tokens[at] === ",") at++;
      out.push(value());
    }
    at++;
    return out;
  };
  return value();
}

function merged(before: unknown, after: unknown): unknown {
  if (!isObject(before) || !isObject(after)) return after;
  for (const [key, value] of Object.entries(after))
    setKey(before, key, merged(Object.hasOwn(before, key) ? before[key] : undefined, value));
  return before;
}
