/**
 * Which fields of built-in types a Go server holds by value, so that they are there even when nobody set them
 * (`spec.strategy: {}`, `containerPort: 0`). Ownership counts such a field as present wherever its parent is.
 */
import { readFileSync } from "node:fs";
import type { Field, StructNode } from "./node.ts";

const PREFIXES: readonly (readonly [full: string, short: string])[] = [
  ["io.k8s.apimachinery.pkg.apis.meta.v1.", "meta.v1."],
  ["io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.", "apiextensions.v1."],
  ["io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.", "apiregistration.v1."],
  ["io.k8s.api.", ""],
];

/** `io.k8s.api.core.v1.Pod` → `core.v1.Pod`. */
export function shortTypeName(typeName: string): string {
  const [full, short] = PREFIXES.find(([prefix]) => typeName.startsWith(prefix)) ?? ["", ""];
  return short + typeName.slice(full.length);
}

let facts: Readonly<Record<string, string>> | undefined;
const zeros = new WeakMap<StructNode, ReadonlyMap<string, unknown>>();

const EMPTY: Readonly<Record<string, unknown>> = Object.freeze({});
const NONE: ReadonlyMap<string, unknown> = new Map();

/** Short type name → its by-value fields, a space between. */
function readFacts(): Readonly<Record<string, string>> {
  return JSON.parse(readFileSync(new URL("./facts/value-fields.json", import.meta.url), "utf8")) as Record<
    string,
    string
  >;
}

/** What each field that is always there holds when it is not set; empty for custom resources. */
export function zeroFields(node: StructNode): ReadonlyMap<string, unknown> {
  const known = zeros.get(node);
  if (known !== undefined) return known;
  const made = node.typeName === undefined ? NONE : build(node, node.typeName);
  zeros.set(node, made);
  return made;
}

function build(node: StructNode, typeName: string): ReadonlyMap<string, unknown> {
  facts ??= readFacts();
  const byValue = new Set(facts[shortTypeName(typeName)]?.split(" "));
  const out = new Map<string, unknown>();
  for (const [name, field] of node.fields) {
    const zero = byValue.has(name) ? zeroValue(field) : zeroReference(field);
    if (zero !== undefined) out.set(name, zero);
  }
  return out;
}

function zeroValue({ node }: Field): unknown {
  if (node.kind === "struct") return EMPTY;
  if (node.kind !== "scalar") return null;
  switch (node.type) {
    case "string":
    case "bytes":
      return "";
    case "integer":
    case "number":
      return 0;
    case "boolean":
      return false;
    default:
      return null;
  }
}

/** Lists, maps and pointers that are written though empty are null; times and ports have zeros of their own. */
function zeroReference(field: Field): unknown {
  const { node } = field;
  const written = field.required || field.always === true;
  if (node.kind === "scalar") {
    if (field.always !== true) return undefined;
    if (node.type === "int-or-string") return 0;
    return node.type === "time" || node.type === "micro-time" ? null : undefined;
  }
  if (node.kind === "struct") return field.required ? null : undefined;
  return written ? null : undefined;
}
