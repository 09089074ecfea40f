/** JSON as Go's `%+v` prints it: how upstream shows values and patches that it refuses. */
import { isObject } from "./json-value.ts";

export function goText(value: unknown): string {
  if (value === null || value === undefined) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(goText).join(" ")}]`;
  if (!isObject(value)) return String(value as string | number | boolean);
  const pairs = Object.keys(value)
    .toSorted()
    .map((key) => `${key}:${goText(value[key])}`);
  return `map[${pairs.join(" ")}]`;
}
