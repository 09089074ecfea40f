/**
 * Objects under their schema, as apply sees them: merging a configuration into an object, the set of
 * fields a configuration names, and taking a set of fields out of an object.
 */
import { EMPTY_SET, LEAF, addChildren, addMember, isEmptySet, isMember } from "./field-set.ts";
import type { FieldSet, FieldSetBuilder } from "./field-set.ts";
import { isEmptyObject, isObject, own, setKey } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import type { ListNode, SchemaNode } from "./node.ts";
import { ANY, asList, asMap, childNode, isNamedField, itemElement, itemElements, shapeOf } from "./typed-node.ts";

/** `config` merged into `live`: what both name is taken from `config`. Unchanged parts are shared with `live`. */
export function mergeTyped(node: SchemaNode, live: unknown, config: unknown): unknown {
  if (config === undefined || live === config) return live;
  if (live === undefined || shapeOf(node, config) === "leaf") return config;
  return node.kind === "list" ? mergeLists(node, live, config) : mergeMaps(node, live, config);
}

function mergeMaps(node: SchemaNode, live: unknown, config: unknown): unknown {
  const left = asMap(live);
  const right = asMap(config);
  if (left === undefined || isEmptyObject(left)) return config;
  if (right === undefined) return live;
  let out: JsonObject | undefined;
  for (const key in right) {
    const before = own(left, key);
    const merged = mergeTyped(childNode(node, key) ?? ANY, before, right[key]);
    if (merged !== before) setKey((out ??= { ...left }), key, merged);
  }
  return out ?? left;
}

function mergeLists(node: ListNode, live: unknown, config: unknown): unknown {
  const left = asList(live) ?? [];
  const right = asList(config) ?? [];
  if (left.length === 0) return config;
  if (right.length === 0) return live;
  const merged = new ListMerge(node, left, right).run();
  return merged.length === left.length && merged.every((item, i) => item === left[i]) ? live : merged;
}

/** Merges two lists of named items: in the order of the configuration where the two have items in common. */
class ListMerge {
  readonly #items: SchemaNode;
  readonly #left: readonly unknown[];
  readonly #right: readonly unknown[];
  readonly #leftElements: readonly string[];
  readonly #rightElements: readonly string[];
  /** Item by name; a name that stands there twice has null: duplicates are not merged, they are replaced. */
  readonly #leftByName = new Map<string, unknown>();
  readonly #rightNames: ReadonlySet<string>;
  readonly #shared: readonly string[];
  #nextShared = 0;

  constructor(node: ListNode, left: readonly unknown[], right: readonly unknown[]) {
    this.#items = node.items;
    this.#left = left;
    this.#right = right;
    this.#leftElements = itemElements(node, left);
    this.#rightElements = itemElements(node, right);
    for (let i = 0; i < left.length; i++) {
      const name = this.#leftElements[i] as string;
      this.#leftByName.set(name, this.#leftByName.has(name) ? null : left[i]);
    }
    this.#rightNames = new Set(this.#rightElements);
    this.#shared = this.#rightElements.filter((name) => this.#leftByName.has(name));
  }

  run(): unknown[] {
    const out: unknown[] = [];
    const done = new Set<string>();
    let l = 0;
    let r = 0;
    while (l < this.#left.length || r < this.#right.length) {
      const leftName = this.#leftElements[l];
      const rightName = this.#rightElements[r];
      if (leftName !== undefined && rightName !== undefined) {
        if (leftName === rightName) {
          out.push(this.#merged(rightName, r));
          done.add(rightName);
          l++;
          r++;
          this.#nextShared++;
          continue;
        }
        // An item of both, but not the one whose turn it is: the configuration puts it elsewhere.
        const next = this.#shared[this.#nextShared];
        if (this.#rightNames.has(leftName) && next !== undefined && next !== leftName) {
          l++;
          continue;
        }
      }
      if (leftName !== undefined) {
        if (!this.#rightNames.has(leftName)) {
          out.push(this.#left[l]);
          l++;
          continue;
        }
        if (done.has(leftName)) l++;
      }
      if (rightName !== undefined) {
        out.push(this.#merged(rightName, r));
        done.add(rightName);
        r++;
        if (this.#shared[this.#nextShared] === rightName) this.#nextShared++;
      }
    }
    return out;
  }

  #merged(name: string, index: number): unknown {
    return mergeTyped(this.#items, this.#leftByName.get(name), this.#right[index]);
  }
}

/** The fields an object names: every leaf, every item of a list, every key of a map. */
export function fieldsOf(node: SchemaNode, value: unknown): FieldSet {
  const out: FieldSetBuilder = {};
  collectFields(out, node, value);
  return out;
}

function collectFields(out: FieldSetBuilder, node: SchemaNode, value: unknown): void {
  if (node.kind === "list") {
    const items = asList(value);
    if (items !== undefined) collectItems(out, node, items);
    return;
  }
  const map = asMap(value);
  if (map === undefined) return;
  for (const key in map) {
    const child = map[key];
    const named = isNamedField(node, key);
    collectEntry(
      out,
      `f:${key}`,
      childNode(node, key) ?? ANY,
      child,
      !named || child === null || (isObject(child) && isEmptyObject(child)),
    );
  }
}

function collectEntry(out: FieldSetBuilder, element: string, node: SchemaNode, value: unknown, self: boolean): void {
  if (shapeOf(node, value) === "leaf") {
    addMember(out, element);
    return;
  }
  const below: FieldSetBuilder = self ? { ".": LEAF } : {};
  collectFields(below, node, value);
  if (isEmptySet(below)) return;
  if (self && Object.keys(below).length === 1) addMember(out, element);
  else addChildren(out, element, below);
}

function collectItems(out: FieldSetBuilder, node: ListNode, items: readonly unknown[]): void {
  const elements = itemElements(node, items);
  const duplicates = elements.length === new Set(elements).size ? undefined : repeated(elements);
  for (let i = 0; i < elements.length; i++) {
    const element = elements[i] as string;
    if (duplicates?.has(element) === true) addMember(out, element);
    else collectEntry(out, element, node.items, items[i], true);
  }
}

function repeated(elements: readonly string[]): Set<string> {
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const element of elements) (seen.has(element) ? twice : seen).add(element);
  return twice;
}

/** The object without the fields, list items and map keys of `set`. What becomes empty turns into null, as upstream has it. */
export function removeFields(node: SchemaNode, value: unknown, set: FieldSet): unknown {
  if (isEmptySet(set)) return value;
  if (node.kind === "scalar") return value;
  if (node.kind === "any" && !isObject(value) && !Array.isArray(value)) return value;
  if (shapeOf(node, value) === "leaf") return null;
  return node.kind === "list" ? removeItems(node, asList(value), set) : removeKeys(node, asMap(value), set);
}

function removeKeys(node: SchemaNode, map: Readonly<JsonObject> | undefined, set: FieldSet): unknown {
  if (map === undefined) return null;
  let changed = false;
  const out: JsonObject = {};
  for (const key in map) {
    const entry = set[`f:${key}`];
    if (entry !== undefined && isMember(entry)) {
      changed = true;
      continue;
    }
    const kept = entry === undefined ? map[key] : removeFields(childNode(node, key) ?? ANY, map[key], entry);
    if (kept !== map[key]) changed = true;
    setKey(out, key, kept);
  }
  return isEmptyObject(out) ? null : changed ? out : map;
}

function removeItems(node: ListNode, items: readonly unknown[] | undefined, set: FieldSet): unknown {
  if (items === undefined) return null;
  let changed = false;
  const out: unknown[] = [];
  for (let i = 0; i < items.length; i++) {
    const entry = set[itemElement(node, items[i], i)];
    if (entry !== undefined && isMember(entry)) {
      changed = true;
      continue;
    }
    const kept = entry === undefined ? items[i] : removeFields(node.items, items[i], entry);
    if (kept !== items[i]) changed = true;
    out.push(kept);
  }
  return out.length === 0 ? null : changed ? out : items;
}

/** The set with every named field on the way to a member made a member too. */
export function withNamedFields(node: SchemaNode, set: FieldSet): FieldSet {
  if (isEmptySet(set)) return EMPTY_SET;
  const out: FieldSetBuilder = {};
  for (const element in set) {
    const entry = set[element] as FieldSet;
    if (element === "." || isEmptySet(entry)) {
      out[element] = entry;
      continue;
    }
    const key = element.startsWith("f:") ? element.slice(2) : undefined;
    const below = withNamedFields(nodeUnder(node, element, key), entry);
    out[element] = key !== undefined && isNamedField(node, key) && !("." in below) ? { ".": LEAF, ...below } : below;
  }
  return out;
}

function nodeUnder(node: SchemaNode, element: string, key: string | undefined): SchemaNode {
  if (key !== undefined) return node.kind === "list" || node.kind === "scalar" ? ANY : (childNode(node, key) ?? ANY);
  return node.kind === "list" && element.startsWith("k:") ? node.items : ANY;
}
