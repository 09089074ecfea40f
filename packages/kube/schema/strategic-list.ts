/** Lists in a strategic merge patch: merged by key, and put in an order that both sides can live with. */
import { badRequest, StatusError } from "../api/status-error.ts";
import { goText } from "./go-text.ts";
import { isObject, own } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";

export interface ListRule {
  readonly field: string;
  readonly mergeKey: string;
  readonly mergeItems: (before: Readonly<JsonObject>, after: Readonly<JsonObject>) => JsonObject;
}

/** A fault of the patch, which upstream takes for one of its own. */
export const mergeFault = (message: string): StatusError => new StatusError(500, "", message);

export const noKey = (item: unknown, mergeKey: string): StatusError =>
  mergeFault(`map: ${goText(item)} does not contain declared merge key: ${mergeKey}`);

function keyOf(item: Readonly<JsonObject>, mergeKey: string): unknown {
  const key = own(item, mergeKey);
  if (key === undefined) throw noKey(item, mergeKey);
  return key;
}

export function mergeListOfMaps(
  rule: ListRule,
  before: readonly JsonObject[],
  after: readonly JsonObject[],
): unknown[] {
  const { mergeKey } = rule;
  if (mergeKey === "") throw badRequest(`cannot merge lists without merge key for ${rule.field}`);
  const { kept, items } = applyItemDirectives(mergeKey, before, after);
  const merged: JsonObject[] = [...kept];
  for (const item of items) {
    const key = keyOf(item, mergeKey);
    const at = merged.findIndex((other) => own(other, mergeKey) === key);
    const known = merged[at];
    if (known === undefined) merged.push(item);
    else merged[at] = rule.mergeItems(known, item);
  }
  return orderList(mergeKey, merged, items, kept);
}

/** Takes the items marked `$patch` out of the patch, deleting or replacing as they say. */
function applyItemDirectives(
  mergeKey: string,
  before: readonly JsonObject[],
  after: readonly JsonObject[],
): { kept: readonly JsonObject[]; items: readonly JsonObject[] } {
  let kept = before;
  let replace = false;
  const items: JsonObject[] = [];
  for (const item of after) {
    const directive = own(item, "$patch");
    if (directive === undefined) items.push(item);
    else if (directive === "replace") replace = true;
    else if (directive === "delete") {
      const key = keyOf(item, mergeKey);
      kept = kept.filter((other) => own(other, mergeKey) !== key);
    } else if (directive === "merge") throw badRequest("merging lists cannot yet be specified in the patch");
    else
      throw badRequest(
        `unknown patch type: ${typeof directive === "string" ? directive : JSON.stringify(directive)} in map: ${JSON.stringify(item)}`,
      );
  }
  return replace ? { kept: items, items: [] } : { kept, items };
}

export function mergeListOfScalars(before: readonly unknown[], after: readonly unknown[]): unknown[] {
  return orderList("", [...new Set([...before, ...after])], after, before);
}

export function removeScalars(list: readonly unknown[], values: readonly unknown[]): unknown[] {
  const gone = new Set(values);
  return list.filter((item) => !gone.has(item));
}

/**
 * Orders a merged list: the items `order` names stand in its order, the others in that of `before`;
 * the two are interleaved as `before` had them, as far as that goes.
 */
export function orderList(
  mergeKey: string,
  merged: readonly unknown[],
  order: readonly unknown[],
  before: readonly unknown[],
): unknown[] {
  const keyed = (item: unknown): unknown => {
    if (mergeKey === "") return item;
    if (!isObject(item))
      throw badRequest(`expected an object in a list merged by ${mergeKey}, but received ${JSON.stringify(item)}`);
    return keyOf(item, mergeKey);
  };
  const places = placesOf(order, keyed);
  const placesBefore = placesOf(before, keyed);
  const place = (index: ReadonlyMap<unknown, number>, item: unknown): number => index.get(keyed(item)) ?? -1;
  const named = merged.filter((item) => place(places, item) >= 0).sort((a, b) => place(places, a) - place(places, b));
  const others = merged
    .filter((item) => place(places, item) < 0)
    .sort((a, b) => place(placesBefore, a) - place(placesBefore, b));
  const out: unknown[] = [];
  let next = 0;
  for (const item of named) {
    const at = place(placesBefore, item);
    for (; at >= 0 && next < others.length; next++) {
      const other = place(placesBefore, others[next]);
      if (other < 0 || other >= at) break;
      out.push(others[next]);
    }
    out.push(item);
  }
  return [...out, ...others.slice(next)];
}

/**
 * The order that decides where items stand that the patch does not name. Upstream merges in place, so by then
 * items that were added have moved into the places of those that were deleted; clients see the result.
 */
export function orderAfterMerge(
  mergeKey: string,
  before: readonly unknown[],
  after: readonly unknown[],
): readonly unknown[] {
  if (mergeKey === "") return before;
  const places = [...before];
  let length = places.length;
  const find = (key: unknown): number =>
    places.slice(0, length).findIndex((item) => isObject(item) && own(item, mergeKey) === key);
  const items = after.filter(isObject);
  for (const item of items) {
    if (own(item, "$patch") !== "delete") continue;
    for (let at = find(own(item, mergeKey)); at >= 0; at = find(own(item, mergeKey))) {
      places.copyWithin(at, at + 1, length);
      length--;
    }
  }
  if (items.some((item) => own(item, "$patch") === "replace")) return places;
  for (const item of items) {
    if (Object.hasOwn(item, "$patch") || find(own(item, mergeKey)) >= 0) continue;
    if (length === places.length) break;
    places[length++] = item;
  }
  return places;
}

function placesOf(list: readonly unknown[], keyed: (item: unknown) => unknown): Map<unknown, number> {
  const places = new Map<unknown, number>();
  list.forEach((item, index) => {
    const key = keyed(item);
    if (!places.has(key)) places.set(key, index);
  });
  return places;
}
