/** Sets of addresses as sorted, disjoint ranges: what `ipBlock` with `except` comes to, and what the kernel takes. */
import { cidrBounds } from "../address.ts";
import type { AddressRange } from "../config.ts";

/** Sorted, and joined where they touch or overlap. */
export function mergeRanges(ranges: readonly AddressRange[]): AddressRange[] {
  const merged: AddressRange[] = [];
  for (const range of ranges.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1);
    if (last === undefined || range.from > last.to + 1) merged.push(range);
    else if (range.to > last.to) merged[merged.length - 1] = { from: last.from, to: range.to };
  }
  return merged;
}

/** The addresses of `cidr` that are in none of `except`. An IPv6 block has none here. */
export function blockRanges(cidr: string, except: readonly string[] = []): AddressRange[] {
  const block = cidrBounds(cidr);
  if (block === undefined) return [];
  let left: AddressRange[] = [block];
  for (const hole of except.map(cidrBounds)) {
    if (hole !== undefined) left = left.flatMap((range) => without(range, hole));
  }
  return left;
}

function without(range: AddressRange, hole: AddressRange): AddressRange[] {
  if (hole.to < range.from || hole.from > range.to) return [range];
  const parts: AddressRange[] = [];
  if (hole.from > range.from) parts.push({ from: range.from, to: hole.from - 1 });
  if (hole.to < range.to) parts.push({ from: hole.to + 1, to: range.to });
  return parts;
}
