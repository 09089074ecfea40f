/** Whether a configuration fits its schema, in structured-merge-diff's words. */
import { goText } from "./go-text.ts";
import { isObject } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";
import type { ListNode, ScalarNode, SchemaNode } from "./node.ts";
import { printElement } from "./path-element.ts";
import { TypedError, childNode, itemElement } from "./typed-node.ts";

/** All faults as one text, or undefined when there are none. Lists with the same name twice are a fault. */
export function typedFaults(node: SchemaNode, value: unknown): string | undefined {
  const faults: string[] = [];
  check(faults, node, value, "");
  return faults.length === 0
    ? undefined
    : faults.length === 1
      ? faults[0]
      : ["errors:", ...faults.map((fault) => `  ${fault}`)].join("\n");
}

const add = (faults: string[], path: string, text: string): void => {
  faults.push(path === "" ? text : `${path}: ${text}`);
};

function check(faults: string[], node: SchemaNode, value: unknown, path: string): void {
  if (value === null || value === undefined) return;
  switch (node.kind) {
    case "any":
      return;
    case "scalar": {
      const fault = scalarFault(node, value);
      if (fault !== undefined) add(faults, path, fault);
      return;
    }
    case "struct":
    case "map":
      if (isObject(value)) checkMap(faults, node, value, path);
      else add(faults, path, `expected map, got ${wrapped(value)}`);
      return;
    case "list":
      if (Array.isArray(value)) checkList(faults, node, value, path);
      else add(faults, path, `expected list, got ${wrapped(value)}`);
  }
}

/** A value as Go prints the wrapper around it. */
const wrapped = (value: unknown): string => `&{${goText(value)}}`;

function goType(value: unknown): string {
  if (Array.isArray(value)) return "[]interface {}";
  switch (typeof value) {
    case "string":
      return "string";
    case "boolean":
      return "bool";
    case "number":
      return Number.isInteger(value) ? "int64" : "float64";
    default:
      return "map[string]interface {}";
  }
}

const goValue = (value: unknown): string => `&value.valueUnstructured{Value:${goSyntax(value)}}`;

/** A value as Go's `%#v` prints it. */
function goSyntax(value: unknown): string {
  if (Array.isArray(value)) return `${goType(value)}{${value.map(goSyntax).join(", ")}}`;
  if (isObject(value)) {
    const pairs = Object.keys(value).sort();
    return `${goType(value)}{${pairs.map((key) => `${JSON.stringify(key)}:${goSyntax(value[key])}`).join(", ")}}`;
  }
  return value === null ? "interface {}(nil)" : (JSON.stringify(value) ?? "");
}

function scalarFault(node: ScalarNode, value: unknown): string | undefined {
  switch (node.type) {
    case "integer":
    case "number":
      return typeof value === "number" ? undefined : `expected numeric (int or float), got ${goType(value)}`;
    case "boolean":
      return typeof value === "boolean" ? undefined : `expected boolean, got ${wrapped(value)}`;
    case "bytes":
      return typeof value === "string" ? undefined : `expected string, got ${goValue(value)}`;
    case "string":
      if (node.format === undefined || node.format === "byte")
        return typeof value === "string" ? undefined : `expected string, got ${goValue(value)}`;
      return anyScalar(value);
    default:
      return anyScalar(value);
  }
}

const anyScalar = (value: unknown): string | undefined =>
  typeof value === "object" ? `expected any scalar, got ${wrapped(value)}` : undefined;

function checkMap(faults: string[], node: SchemaNode, map: Readonly<JsonObject>, path: string): void {
  for (const key of Object.keys(map)) {
    const child = childNode(node, key);
    if (child === undefined) {
      add(faults, `${path}.${key}`, "field not declared in schema");
      return;
    }
    check(faults, child, map[key], `${path}.${key}`);
  }
}

function checkList(faults: string[], node: ListNode, items: readonly unknown[], path: string): void {
  const seen = new Set<string>();
  for (let i = 0; i < items.length; i++) {
    let below = `${path}[${i}]`;
    if (node.listType !== "atomic") {
      const element = nameOf(faults, node, items[i], i, path);
      if (element === undefined) return;
      if (seen.has(element)) add(faults, path, `duplicate entries for key ${printElement(element)}`);
      seen.add(element);
      below = path + printElement(element);
    }
    check(faults, node.items, items[i], below);
  }
}

/** The name of an item; without one nothing deeper can be said. */
function nameOf(faults: string[], node: ListNode, item: unknown, index: number, path: string): string | undefined {
  try {
    return itemElement(node, item, index);
  } catch (error) {
    if (!(error instanceof TypedError)) throw error;
    add(faults, path, error.detail);
    return undefined;
  }
}
