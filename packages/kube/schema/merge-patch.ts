/** JSON Merge Patch (RFC 7396). */
import { badRequest } from "../api/status-error.ts";
import { isObject, own, setKey } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";

/** The object with the patch merged in: null removes a key, a list replaces a list. The input is not changed. */
export function applyMergePatch(object: unknown, patch: unknown): unknown {
  if (!isObject(patch)) throw badRequest("Invalid JSON Patch");
  return isObject(object) ? mergeObjects(object, patch) : withoutNulls(patch);
}

function mergeObjects(object: Readonly<JsonObject>, patch: Readonly<JsonObject>): JsonObject {
  const out: JsonObject = { ...object };
  let changed = false;
  for (const key of Object.keys(patch)) {
    const before = own(out, key);
    const value = patch[key];
    if (value === null) {
      if (before === undefined) continue;
      delete out[key];
    } else {
      const merged =
        isObject(before) && isObject(value)
          ? mergeObjects(before, value)
          : isObject(before)
            ? value
            : withoutNulls(value);
      if (merged === before) continue;
      setKey(out, key, merged);
    }
    changed = true;
  }
  return changed ? out : object;
}

/** What a patch adds holds no nulls; lists keep theirs. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(withoutNulls);
    return items.some((item, i) => item !== value[i]) ? items : value;
  }
  if (!isObject(value)) return value;
  let changed = false;
  const out: JsonObject = {};
  for (const key of Object.keys(value)) {
    const kept = value[key] === null ? undefined : withoutNulls(value[key]);
    if (kept !== value[key]) changed = true;
    if (kept !== undefined) setKey(out, key, kept);
  }
  return changed ? out : value;
}
