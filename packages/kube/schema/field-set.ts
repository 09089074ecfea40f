/**
 * A set of field paths, in the very shape FieldsV1 has in JSON, so that nothing is parsed or encoded:
 * an entry `{}` is a member; an entry with entries of its own is not a member unless it holds `.`.
 * Sets are immutable values that share parts; only `FieldSetBuilder`s are written to, before they are given out.
 */
import { compareElements, printElement } from "./path-element.ts";

export interface FieldSet {
  readonly [element: string]: FieldSet;
}

export interface FieldSetBuilder {
  [element: string]: FieldSet;
}

export const LEAF: FieldSet = Object.freeze({});
export const EMPTY_SET: FieldSet = LEAF;

export function isEmptySet(set: FieldSet): boolean {
  for (const _ in set) return false;
  return true;
}

/** Whether the entry says that its path is in the set itself. */
export const isMember = (entry: FieldSet): boolean => "." in entry || isEmptySet(entry);

const withSelf = (entry: FieldSet): FieldSet => ("." in entry || isEmptySet(entry) ? entry : { ".": LEAF, ...entry });

/** Puts `element` into the set that is being built. */
export function addMember(set: FieldSetBuilder, element: string): void {
  const known = set[element];
  set[element] = known === undefined ? LEAF : withSelf(known);
}

/** Puts the children of `element` (not empty) into the set that is being built. */
export function addChildren(set: FieldSetBuilder, element: string, children: FieldSet): void {
  const known = set[element];
  set[element] = known === undefined ? children : unionEntries(known, children, false);
}

function unionEntries(a: FieldSet, b: FieldSet, bMayBeLeaf = true): FieldSet {
  if (a === b) return a;
  if (isEmptySet(a)) return withSelf(b);
  if (bMayBeLeaf && isEmptySet(b)) return withSelf(a);
  return union(a, b);
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b || isEmptySet(b)) return a;
  if (isEmptySet(a)) return b;
  let out: FieldSetBuilder | undefined;
  for (const element in b) {
    const right = b[element] as FieldSet;
    const left = a[element];
    const joined = left === undefined ? right : element === "." ? left : unionEntries(left, right);
    if (joined !== left) (out ??= { ...a })[element] = joined;
  }
  return out ?? a;
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  if (a === b) return a;
  const out: FieldSetBuilder = {};
  for (const element in a) {
    if (element === ".") continue;
    const right = b[element];
    if (right === undefined) continue;
    const left = a[element] as FieldSet;
    const member = isMember(left) && isMember(right);
    const children = intersection(left, right);
    if (!isEmptySet(children)) out[element] = member ? withSelf(children) : children;
    else if (member) out[element] = LEAF;
  }
  return out;
}

/** Paths of `a` that are not in `b`. A path's children stay when the path itself goes. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return subtract(a, b, false);
}

/** As `difference`, but with a path of `b` everything under it goes. */
export function recursiveDifference(a: FieldSet, b: FieldSet): FieldSet {
  return subtract(a, b, true);
}

function subtract(a: FieldSet, b: FieldSet, recursive: boolean): FieldSet {
  if (isEmptySet(b)) return a;
  let changed = false;
  const out: FieldSetBuilder = {};
  for (const element in a) {
    const left = a[element] as FieldSet;
    const right = element === "." ? undefined : b[element];
    if (right === undefined) {
      out[element] = left;
      continue;
    }
    const rest = subtractEntry(left, right, recursive);
    if (rest !== left) changed = true;
    if (rest !== undefined) out[element] = rest;
  }
  return changed ? out : a;
}

function subtractEntry(left: FieldSet, right: FieldSet, recursive: boolean): FieldSet | undefined {
  const rightMember = isMember(right);
  if (recursive && rightMember) return undefined;
  if (isEmptySet(left)) return rightMember ? undefined : left;
  const children = subtract(left, right, recursive);
  const member = "." in left && !rightMember;
  if (isOnlySelf(children)) return member ? LEAF : undefined;
  if (member || !("." in children)) return children;
  const { ".": _self, ...rest } = children;
  return rest;
}

function isOnlySelf(set: FieldSet): boolean {
  for (const element in set) if (element !== ".") return false;
  return true;
}

/** Whether the path is a member. */
export function hasPath(set: FieldSet, path: readonly string[]): boolean {
  let at: FieldSet = set;
  for (const element of path) {
    const next = at[element];
    if (next === undefined) return false;
    at = next;
  }
  return path.length > 0 && isMember(at);
}

export function equalSets(a: FieldSet, b: FieldSet): boolean {
  if (a === b) return true;
  let count = 0;
  for (const element in a) {
    const right = b[element];
    if (right === undefined || !equalSets(a[element] as FieldSet, right)) return false;
    count++;
  }
  for (const _ in b) count--;
  return count === 0;
}

/** Every member path, in upstream's order: the members of a level, then what lies under each. */
export function pathsOf(set: FieldSet): string[][] {
  const out: string[][] = [];
  collect(set, [], out);
  return out;
}

function collect(set: FieldSet, prefix: readonly string[], out: string[][]): void {
  const elements = Object.keys(set)
    .filter((element) => element !== ".")
    .sort(compareElements);
  for (const element of elements) if (isMember(set[element] as FieldSet)) out.push([...prefix, element]);
  for (const element of elements) collect(set[element] as FieldSet, [...prefix, element], out);
}

/** `.spec.template.spec.containers[name="web"].image`. */
export const printPath = (path: readonly string[]): string => path.map(printElement).join("");

/** The set of these paths of plain fields: `fieldSetOf(["metadata", "labels"], ["status"])`. */
export function fieldSetOf(...paths: readonly (readonly string[])[]): FieldSet {
  let set: FieldSet = EMPTY_SET;
  for (const path of paths) {
    let entry: FieldSet = LEAF;
    for (let i = path.length - 1; i > 0; i--) entry = { [`f:${path[i]}`]: entry };
    set = union(set, { [`f:${path[0]}`]: entry });
  }
  return set;
}

/** The same set with its entries in upstream's order. */
export function sortSet(set: FieldSet): FieldSet {
  const elements = Object.keys(set);
  if (elements.length === 0) return LEAF;
  if (elements.length > 1) elements.sort(compareElements);
  const out: FieldSetBuilder = {};
  for (const element of elements) out[element] = sortSet(set[element] as FieldSet);
  return out;
}
