/**
 * Strategic merge patch: maps are merged, lists are merged by their key where the schema says so,
 * and `$`-directives in the patch delete, replace, retain and order.
 */
import { badRequest } from "../api/status-error.ts";
import { goText } from "./go-text.ts";
import { isObject, own, setKey } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import type { SchemaNode, StructNode } from "./node.ts";
import {
  mergeFault,
  mergeListOfMaps,
  mergeListOfScalars,
  noKey,
  orderAfterMerge,
  orderList,
  removeScalars,
} from "./strategic-list.ts";
import type { ListRule } from "./strategic-list.ts";
import { ANY } from "./typed-node.ts";
import { withoutNulls } from "./typed-nulls.ts";

const DIRECTIVE = "$patch";
const RETAIN_KEYS = "$retainKeys";
const DELETE_PREFIX = "$deleteFromPrimitiveList";
const ORDER_PREFIX = "$setElementOrder";

/** The object with the patch merged in; the input is not changed. Throws `StatusError` 400 on a malformed patch. */
export function strategicMerge(node: StructNode, object: unknown, patch: unknown): unknown {
  if (!isObject(patch)) throw badRequest("error decoding patch: a strategic merge patch must be a JSON object");
  return withoutNulls(node, mergeMap(node, isObject(object) ? object : {}, patch));
}

interface FieldRule {
  readonly node: SchemaNode;
  readonly strategy: "merge" | "replace" | "";
  readonly mergeKey: string;
}

function ruleOf(node: SchemaNode, key: string): FieldRule {
  if (node.kind === "struct") {
    const field = node.fields.get(key);
    if (field === undefined) return { node: ANY, strategy: "", mergeKey: "" };
    const strategies = (field.patchStrategy ?? "").split(",").filter((strategy) => strategy !== "retainKeys");
    const [strategy] = strategies;
    return {
      node: field.node,
      strategy: strategy === "merge" || strategy === "replace" ? strategy : "",
      mergeKey: field.patchMergeKey ?? "",
    };
  }
  return { node: node.kind === "map" ? node.values : ANY, strategy: "", mergeKey: "" };
}

const listRule = (rule: FieldRule, key: string): ListRule => ({
  field: key,
  mergeKey: rule.mergeKey,
  mergeItems: (before, after) => mergeMap(rule.node.kind === "list" ? rule.node.items : ANY, before, after),
});

function mergeMap(node: SchemaNode, original: Readonly<JsonObject>, patch: Readonly<JsonObject>): JsonObject {
  if (Object.hasOwn(patch, DIRECTIVE)) return applyDirective(patch);
  let out = retainKeys(original, patch);
  const ordered = new Set<string>();
  for (const key of Object.keys(patch)) {
    if (!key.startsWith(ORDER_PREFIX)) continue;
    const field = directiveField(key, ORDER_PREFIX);
    out = applyOrder(node, out, patch, field, patch[key]);
    ordered.add(field);
  }
  for (const key of Object.keys(patch)) {
    if (key === RETAIN_KEYS || key.startsWith(ORDER_PREFIX) || ordered.has(key)) continue;
    if (key.startsWith(DELETE_PREFIX)) deleteFromList(out, directiveField(key, DELETE_PREFIX), patch[key]);
    else mergeKey(node, out, key, patch[key]);
  }
  return out;
}

function applyDirective(patch: Readonly<JsonObject>): JsonObject {
  const { [DIRECTIVE]: directive, ...rest } = patch;
  if (directive === "replace") return rest;
  if (directive === "delete") return {};
  throw badRequest(
    `unknown patch type: ${typeof directive === "string" ? directive : JSON.stringify(directive)} in map: ${JSON.stringify(patch)}`,
  );
}

function directiveField(key: string, prefix: string): string {
  const field = key.startsWith(`${prefix}/`) ? key.slice(prefix.length + 1) : "";
  if (field !== "") return field;
  throw badRequest(
    prefix === ORDER_PREFIX ? "invalid patch format of setElementOrder list" : "invalid patch format of primitive list",
  );
}

/** A copy of the original, holding only the keys that `$retainKeys` lists, where the patch has it. */
function retainKeys(original: Readonly<JsonObject>, patch: Readonly<JsonObject>): JsonObject {
  const listed = own(patch, RETAIN_KEYS);
  if (listed === undefined) return { ...original };
  if (!Array.isArray(listed)) throw badRequest("invalid patch format of retainKeys");
  const retained = new Set<unknown>(listed);
  for (const key of Object.keys(patch)) {
    if (key === RETAIN_KEYS || patch[key] === null || key.startsWith(DELETE_PREFIX) || key.startsWith(ORDER_PREFIX))
      continue;
    if (!retained.has(key)) throw badRequest("invalid patch format of retainKeys");
  }
  const out: JsonObject = {};
  for (const key of Object.keys(original)) if (retained.has(key)) setKey(out, key, original[key]);
  return out;
}

function mergeKey(node: SchemaNode, out: JsonObject, key: string, value: unknown): void {
  if (value === null) {
    delete out[key];
    return;
  }
  const before = own(out, key);
  if (isObject(before) && isObject(value)) {
    const rule = ruleOf(node, key);
    setKey(out, key, rule.strategy === "replace" ? value : mergeMap(rule.node, before, value));
  } else if (Array.isArray(before) && Array.isArray(value)) {
    setKey(out, key, mergeLists(ruleOf(node, key), key, before, value));
  } else {
    const taken = takeOver(value);
    if (taken === undefined) delete out[key];
    else setKey(out, key, taken);
  }
}

function mergeLists(
  rule: FieldRule,
  key: string,
  before: readonly unknown[],
  after: readonly unknown[],
): readonly unknown[] {
  if (rule.strategy !== "merge") return after;
  if (before.length === 0 && after.length === 0) return before;
  return kindOfItems(before, after) === "map"
    ? mergeListOfMaps(listRule(rule, key), before as readonly JsonObject[], after as readonly JsonObject[])
    : mergeListOfScalars(before, after);
}

function kindOfItems(...lists: readonly (readonly unknown[])[]): "map" | "scalar" {
  const kinds = new Set(
    lists
      .flat()
      .map((item) => (isObject(item) ? "map" : Array.isArray(item) ? "list" : item === null ? "null" : typeof item)),
  );
  if (kinds.size > 1 || kinds.has("null")) throw mergeFault(`list element types are not identical: ${goText(lists)}`);
  if (kinds.has("list")) throw badRequest("lists of lists are not supported");
  return kinds.has("map") ? "map" : "scalar";
}

/** A value the object did not have: without nulls, and without what is marked by a directive. */
function takeOver(value: unknown): unknown {
  if (Array.isArray(value))
    return value.map((item) => (item === null ? null : takeOver(item))).filter((item) => item !== undefined);
  if (!isObject(value)) return value;
  if (Object.hasOwn(value, DIRECTIVE)) return undefined;
  const out: JsonObject = {};
  for (const key of Object.keys(value)) {
    const kept = value[key] === null ? undefined : takeOver(value[key]);
    if (kept !== undefined) setKey(out, key, kept);
  }
  return out;
}

function deleteFromList(out: JsonObject, field: string, values: unknown): void {
  const before = own(out, field);
  if (!Array.isArray(before) || !Array.isArray(values)) return;
  setKey(out, field, removeScalars(before, values));
}

/** Merges a list that comes with an order of its own, and puts its items in that order. */
function applyOrder(
  node: SchemaNode,
  original: JsonObject,
  patch: Readonly<JsonObject>,
  field: string,
  order: unknown,
): JsonObject {
  if (!Array.isArray(order)) throw badRequest("invalid patch format of setElementOrder list");
  const before = own(original, field);
  const after = own(patch, field);
  for (const list of [before, after]) {
    if (list !== undefined && !Array.isArray(list))
      throw badRequest(`expected a list in ${field}, but received a ${list === null ? "null" : typeof list}`);
  }
  const rule = ruleOf(node, field);
  if (Array.isArray(after)) checkOrder(after, order, rule.mergeKey);
  const merged = mergeWithOrder(
    rule,
    field,
    before as readonly unknown[] | undefined,
    after as readonly unknown[] | undefined,
  );
  if (merged === undefined) return original;
  if (merged.length > 0) kindOfItems((before ?? []) as unknown[], (after ?? []) as unknown[]);
  const known = (before ?? []) as readonly unknown[];
  setKey(
    original,
    field,
    orderList(rule.mergeKey, merged, order, orderAfterMerge(rule.mergeKey, known, (after ?? []) as readonly unknown[])),
  );
  return original;
}

function mergeWithOrder(
  rule: FieldRule,
  field: string,
  before: readonly unknown[] | undefined,
  after: readonly unknown[] | undefined,
): readonly unknown[] | undefined {
  if (after === undefined) return before;
  return before === undefined ? (takeOver(after) as unknown[]) : mergeLists(rule, field, before, after);
}

/** The patch's own items must stand in the order the directive gives. */
function checkOrder(list: readonly unknown[], order: readonly unknown[], mergeKey: string): void {
  if (order.length === 0 || list.length === 0) return;
  const keyOf = (item: unknown): unknown => {
    if (mergeKey === "") return item;
    const key = isObject(item) ? own(item, mergeKey) : undefined;
    if (key === undefined) throw noKey(item, mergeKey);
    return key;
  };
  const items = mergeKey === "" ? list : list.filter((item) => !(isObject(item) && own(item, DIRECTIVE) === "delete"));
  let at = 0;
  for (let next = 0; at < items.length && next < order.length;) {
    const item = items[at];
    if (isObject(item) && Object.hasOwn(item, DIRECTIVE)) at++;
    else if (keyOf(item) === keyOf(order[next++])) at++;
  }
  if (at < items.length) {
    throw badRequest(
      `The order in patch list:\n${JSON.stringify(list)}\n doesn't match ${ORDER_PREFIX} list:\n${JSON.stringify(order)}\n`,
    );
  }
}
