/** `spec.ignoreDifferences`: fields that do not count, by JSON pointer, by a simple jq path, or by who manages them. */
import type { KubeObject, ManagedFieldsEntry } from "@travelops/kube";
import type { ResourceIgnoreDifferences } from "../application/types.ts";
import { keyOf } from "../application/resource-key.ts";

type PathStep = string | { each: true } | { index: number };
type RemovePath = readonly PathStep[];

export class UnsupportedJqPath extends Error {}

/** Rules that apply to an object. "*" and an empty group or kind match all. */
export function rulesFor(object: KubeObject, rules: readonly ResourceIgnoreDifferences[]): ResourceIgnoreDifferences[] {
  const key = keyOf(object);
  return rules.filter(
    (rule) =>
      (rule.group === "*" || (rule.group ?? "") === key.group) &&
      (rule.kind === "*" || rule.kind === key.kind) &&
      (rule.name === undefined || rule.name === "" || rule.name === key.name) &&
      (rule.namespace === undefined || rule.namespace === "" || rule.namespace === key.namespace),
  );
}

/** Copies of the object without the ignored fields. `live` tells which fields other managers own. */
export function withoutIgnored(
  object: KubeObject,
  rules: readonly ResourceIgnoreDifferences[],
  live: KubeObject | undefined,
): KubeObject {
  if (rules.length === 0) return object;
  const copy = structuredClone(object);
  for (const rule of rules) {
    for (const pointer of rule.jsonPointers ?? []) removePath(copy, parsePointer(pointer));
    for (const expression of rule.jqPathExpressions ?? []) removePath(copy, parseJqPath(expression));
    const managers = new Set(rule.managedFieldsManagers ?? []);
    for (const entry of live?.metadata.managedFields ?? [])
      if (managers.has(entry.manager ?? "")) removeOwned(copy, entry);
  }
  return copy;
}

/** RFC 6901. */
const parsePointer = (pointer: string): RemovePath =>
  pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));

/** The paths people write: `.a.b`, `.a["b.c"]`, `.a[]`, `.a[0]`. Filters are refused by name. */
export function parseJqPath(expression: string): RemovePath {
  const steps: PathStep[] = [];
  const token = /\.([A-Za-z_][\w-]*)|\.?\["((?:[^"\\]|\\.)*)"\]|\.?\[(\d*)\]/y;
  const text = expression.trim();
  while (token.lastIndex < text.length) {
    const at = token.lastIndex;
    const match = token.exec(text);
    if (match === null)
      throw new UnsupportedJqPath(
        `jqPathExpressions: "${expression}" is not supported from character ${at + 1} on: only paths such as .spec.replicas, .a["b.c"] and .a[] are`,
      );
    const [, name, quoted, index] = match;
    if (name !== undefined) steps.push(name);
    else if (quoted !== undefined) steps.push(quoted.replace(/\\(.)/g, "$1"));
    else steps.push(index === "" || index === undefined ? { each: true } : { index: Number(index) });
  }
  if (steps.length === 0) throw new UnsupportedJqPath(`jqPathExpressions: "${expression}" is no path`);
  return steps;
}

function removePath(target: unknown, [step, ...rest]: RemovePath): void {
  if (step === undefined || typeof target !== "object" || target === null) return;
  if (typeof step === "object" && "each" in step) {
    if (!Array.isArray(target)) return;
    if (rest.length === 0) target.length = 0;
    else for (const item of target) removePath(item, rest);
    return;
  }
  if (Array.isArray(target)) {
    const index = typeof step === "object" ? step.index : Number(step);
    if (!Number.isInteger(index)) return;
    if (rest.length === 0) target.splice(index, 1);
    else removePath(target[index], rest);
    return;
  }
  const name = typeof step === "object" ? String(step.index) : step;
  const record = target as Record<string, unknown>;
  if (rest.length === 0) delete record[name];
  else removePath(record[name], rest);
}

/** Removes what a managedFields entry owns: `f:` members, `k:` list items by key, `v:` set values. */
function removeOwned(object: KubeObject, entry: ManagedFieldsEntry): void {
  removeFields(object, entry.fieldsV1 ?? {});
}

function removeFields(target: unknown, fields: Record<string, unknown>): void {
  if (typeof target !== "object" || target === null) return;
  for (const [key, value] of Object.entries(fields)) {
    const nested = typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
    if (key.startsWith("f:")) removeMember(target as Record<string, unknown>, key.slice(2), nested);
    else if (key.startsWith("k:") && Array.isArray(target)) removeFields(findItem(target, key.slice(2)), nested);
    else if (key.startsWith("v:") && Array.isArray(target)) removeValue(target, key.slice(2));
  }
}

function removeMember(target: Record<string, unknown>, name: string, nested: Record<string, unknown>): void {
  const leaf = Object.keys(nested).every((key) => key === ".");
  if (leaf) delete target[name];
  else removeFields(target[name], nested);
}

const findItem = (items: readonly unknown[], keyText: string): unknown => {
  const key = JSON.parse(keyText) as Record<string, unknown>;
  return items.find(
    (item) =>
      typeof item === "object" &&
      item !== null &&
      Object.entries(key).every(([name, value]) => (item as Record<string, unknown>)[name] === value),
  );
};

function removeValue(items: unknown[], valueText: string): void {
  const index = items.indexOf(JSON.parse(valueText));
  if (index >= 0) items.splice(index, 1);
}
