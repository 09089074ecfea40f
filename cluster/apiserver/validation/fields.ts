/** Reading of objects that have passed the type check: a missing or empty field is `undefined`, "" or []. */

export type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
export const child = (object: Fields | undefined, key: string): Fields | undefined => {
  const value = object?.[key];
  return isFields(value) ? value : undefined;
};
export const text = (object: Fields | undefined, key: string): string => {
  const value = object?.[key];
  return typeof value === "string" ? value : "";
};
export const number = (object: Fields | undefined, key: string): number | undefined => {
  const value = object?.[key];
  return typeof value === "number" ? value : undefined;
};
/** One for all that is missing: most of a small object is. */
const NONE: readonly never[] = Object.freeze([]);

export const list = (object: Fields | undefined, key: string): readonly unknown[] => {
  const value = object?.[key];
  return Array.isArray(value) ? value : NONE;
};
export const items = (object: Fields | undefined, key: string): readonly Fields[] => {
  const all = list(object, key);
  return all.length === 0 ? NONE : all.map((item) => (isFields(item) ? item : {}));
};
export const strings = (object: Fields | undefined, key: string): readonly string[] => {
  const all = list(object, key);
  return all.length === 0 ? NONE : all.map((item) => (typeof item === "string" ? item : ""));
};
export const entries = (object: Fields | undefined, key: string): readonly (readonly [string, unknown])[] => {
  const value = child(object, key);
  return value === undefined ? NONE : Object.entries(value);
};
export const has = (object: Fields | undefined, key: string): boolean =>
  object?.[key] !== undefined && object[key] !== null;
