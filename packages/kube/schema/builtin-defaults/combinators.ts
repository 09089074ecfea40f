/**
 * Defaults as small functions that compose. Each gives back its argument when it has nothing to add,
 * so an object that is complete passes through untouched and unshared parts are copied only where they change.
 */
import { isObject, type JsonObject } from "../json-value.ts";

export type Rule = (value: JsonObject) => JsonObject;

/** Applies rules one after the other. */
export const all =
  (...rules: readonly Rule[]): Rule =>
  (value) =>
    rules.reduce((object, rule) => rule(object), value);

/** One field, where it is unset (or an empty text); `make` may look at the object. */
export function when(key: string, make: (value: JsonObject) => unknown): Rule {
  return (value) => {
    const given = value[key];
    if (given !== undefined && given !== null && given !== "") return value;
    const made = make(value);
    return made === undefined ? value : { ...value, [key]: made };
  };
}

/** Fixed values for unset fields. */
export function set(values: Readonly<JsonObject>): Rule {
  const entries = Object.entries(values);
  return (value) => {
    let out: JsonObject | undefined;
    for (const [key, fallback] of entries) {
      const given = value[key];
      if (given === undefined || given === null || given === "") (out ??= { ...value })[key] = fallback;
    }
    return out ?? value;
  };
}

/** As `set`, for pointer fields: an empty text given on purpose stays. */
export function setUnset(values: Readonly<JsonObject>): Rule {
  const entries = Object.entries(values);
  return (value) => {
    let out: JsonObject | undefined;
    for (const [key, fallback] of entries) {
      if (value[key] === undefined || value[key] === null) (out ??= { ...value })[key] = fallback;
    }
    return out ?? value;
  };
}

/** A rule for the object that stands in a field, if one does. */
export function at(key: string, ...rules: readonly Rule[]): Rule {
  const rule = all(...rules);
  return (value) => {
    const before = value[key];
    if (!isObject(before)) return value;
    const after = rule(before);
    return after === before ? value : { ...value, [key]: after };
  };
}

/** A rule for every object of a list. */
export function each(key: string, ...rules: readonly Rule[]): Rule {
  const rule = all(...rules);
  return (value) => {
    const before = value[key];
    if (!Array.isArray(before)) return value;
    let out: unknown[] | undefined;
    for (let i = 0; i < before.length; i++) {
      const item: unknown = before[i];
      const after = isObject(item) ? rule(item) : item;
      if (after !== item) (out ??= [...(before as unknown[])])[i] = after;
    }
    return out === undefined ? value : { ...value, [key]: out };
  };
}

/** A rule only where a condition holds. */
export const given = (holds: (value: JsonObject) => boolean, ...rules: readonly Rule[]): Rule => {
  const rule = all(...rules);
  return (value) => (holds(value) ? rule(value) : value);
};

/** Entries of a map that another map does not have yet. */
export function fill(value: unknown, from: unknown): JsonObject | undefined {
  if (!isObject(from)) return undefined;
  const have: JsonObject = isObject(value) ? value : {};
  const missing = Object.keys(from).filter((key) => !Object.hasOwn(have, key));
  return missing.length === 0 ? undefined : { ...have, ...Object.fromEntries(missing.map((key) => [key, from[key]])) };
}

/** The field as an object, or an empty one. */
export const objectAt = (value: Readonly<JsonObject>, key: string): JsonObject => {
  const found = value[key];
  return isObject(found) ? found : {};
};

export const listLength = (value: unknown): number => (Array.isArray(value) ? value.length : 0);
