/** Every way in which one field of an object can be odd. */
import type { Field, SchemaNode } from "@travelops/kube/schema/node";
import { isObject, type JsonObject } from "@travelops/kube/schema/json-value";

export type Path = readonly (string | number)[];

export interface Mutation {
  readonly name: string;
  readonly path: Path;
  readonly object: JsonObject;
}

const LONG = "a".repeat(260);
const LABEL_TOO_LONG = "a".repeat(64);

const oddTexts = (text: string): readonly (readonly [string, unknown])[] => [
  ["empty", ""],
  ["bad", "Not_valid!/x y"],
  ["long", LONG],
  ["label", LABEL_TOO_LONG],
  ["other", `${text}x`],
  ["number", 5],
  ["digits", "123"],
  ["object", {}],
  ["list", []],
  ["path", "/a/../b"],
  ["negative", "-5"],
  ["upper", text.toUpperCase()],
  ["negative%", "-5%"],
  ["percent", "101%"],
  ["dot", `${text}.`],
  ["wildcard", `*.${text}`],
  ["address", "::1"],
  ["range", "10.0.0.1/8"],
  ["unicode", "é☃"],
  ["lines", `${text}\nx`],
];

const oddNumbers = (number: number): readonly (readonly [string, unknown])[] => [
  ["zero", 0],
  ["negative", -1],
  ["one", 1],
  ["great", 70_000],
  ["next", number + 1],
  ["fraction", 1.5],
  ["text", "5"],
  ["truth", true],
  ["object", {}],
];

function oddLists(list: readonly unknown[]): readonly (readonly [string, unknown])[] {
  const items = isObject(list[0])
    ? [["empty item", [...list, {}]] as const]
    : [["empty text", [...list, ""]] as const, ["bad text", [...list, "Bad_!"]] as const];
  return [
    ["empty", []],
    ["twice", [...list, ...list]],
    ["object", {}],
    ["null item", [...list, null]],
    ["text", "a"],
    ["reversed", list.toReversed()],
    ["many", Array.from({ length: 70 }, () => list[0])],
    ...items,
  ];
}

function oddObjects(object: JsonObject, isMap: boolean): readonly (readonly [string, unknown])[] {
  const value = Object.values(object)[0] ?? "x";
  const keys: readonly (readonly [string, string])[] = isMap
    ? [
        ["bad key", "bad key!"],
        ["empty key", ""],
        ["long key", LABEL_TOO_LONG],
        ["prefixed key", "example.com/Ok"],
      ]
    : [];
  return [
    ["empty", {}],
    ["unknown", { ...object, unknownField: 1 }],
    ["list", []],
    ["text", "a"],
    ...keys.map(([name, key]) => [name, { ...object, [key]: value }] as const),
  ];
}

function oddValues(value: unknown, node: SchemaNode | undefined): readonly (readonly [string, unknown])[] {
  if (typeof value === "string") return oddTexts(value);
  if (typeof value === "number") return oddNumbers(value);
  if (typeof value === "boolean")
    return [
      ["flipped", !value],
      ["text", "true"],
      ["number", 1],
    ];
  if (Array.isArray(value)) return oddLists(value);
  return isObject(value) ? oddObjects(value, node === undefined || node.kind === "map") : [];
}

/** What a field that is not there may be set to. */
function additions({ node }: Field): readonly unknown[] {
  switch (node.kind) {
    case "struct":
      return [{}];
    case "list":
      return [[], [node.items.kind === "struct" ? {} : node.items.kind === "scalar" ? "a" : null]];
    case "map":
      return [{ "a b!": "c" }, { a: "1" }];
    case "any":
      return [{ a: 1 }, "x"];
    case "scalar":
      if (node.type === "integer" || node.type === "number") return [0, 1, -1, 70_000];
      if (node.type === "boolean") return [true, false];
      if (node.type === "int-or-string") return [0, "a", "50%"];
      return node.type === "time" ? ["2020-01-01T00:00:00Z"] : ["", "a", "Bad_!x", "1"];
  }
}

export function valueAt(object: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, key) => (isObject(value) || Array.isArray(value) ? (value as JsonObject)[key as string] : undefined),
    object,
  );
}

function changed(
  object: JsonObject,
  path: Path,
  change: (holder: JsonObject | unknown[], key: string | number) => void,
) {
  const copy = structuredClone(object);
  const key = path.at(-1);
  if (key !== undefined) change(valueAt(copy, path.slice(0, -1)) as JsonObject | unknown[], key);
  return copy;
}

const withValue = (object: JsonObject, path: Path, value: unknown): JsonObject =>
  changed(object, path, (holder, key) => void ((holder as JsonObject)[key as string] = value));

const without = (object: JsonObject, path: Path): JsonObject =>
  changed(object, path, (holder, key) => {
    if (Array.isArray(holder)) holder.splice(Number(key), 1);
    else delete holder[key];
  });

function nodeUnder(node: SchemaNode | undefined, key: string | number): SchemaNode | undefined {
  if (node?.kind === "struct") return node.fields.get(String(key))?.node;
  if (node?.kind === "list") return node.items;
  return node?.kind === "map" ? node.values : undefined;
}

/** Fields of the object as a whole that no client sets, or that the test sets itself. */
const FIXED: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata.name"]);

/**
 * All mutations of what stands at `path`, and below. `node`: its schema, undefined for custom resources, which are
 * changed only in what they have.
 */
export function* mutations(object: JsonObject, node: SchemaNode | undefined, path: Path = []): Generator<Mutation> {
  const value = valueAt(object, path);
  if (path.length > 0) {
    yield { name: "gone", path, object: without(object, path) };
    for (const [name, odd] of [["null", null] as const, ...oddValues(value, node)])
      if (JSON.stringify(odd) !== JSON.stringify(value)) yield { name, path, object: withValue(object, path, odd) };
  }
  const keys = Array.isArray(value) ? value.keys() : isObject(value) ? Object.keys(value) : [];
  for (const key of keys) {
    const below = [...path, key];
    if (!FIXED.has(below.join("."))) yield* mutations(object, nodeUnder(node, key), below);
  }
  if (node?.kind !== "struct" || !isObject(value)) return;
  for (const [key, field] of node.fields) {
    const below = [...path, key];
    if (Object.hasOwn(value, key) || FIXED.has(below.join("."))) continue;
    for (const [i, added] of additions(field).entries())
      yield { name: `added ${i}`, path: below, object: withValue(object, below, added) };
  }
}
