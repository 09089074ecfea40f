/**
 * Reads the compact form of `facts/types.json` (see facts/README.md): one text a type, one line a field.
 * A type is parsed when its fields are first asked for.
 */
import type { AnyNode, Field, ListNode, MapNode, ScalarNode, ScalarType, SchemaNode, StructNode } from "./node.ts";

/** Finds the node of a type by its short name (`core.v1.Pod`). */
export type Resolve = (shortName: string) => StructNode;

type MapType = "granular" | "atomic";

const scalar = (type: ScalarType, format?: string): ScalarNode => ({
  kind: "scalar",
  type,
  ...(format === undefined ? {} : { format }),
});
const any = (wire: AnyNode["wire"]): AnyNode => ({ kind: "any", wire });

/** Written type → node, for all that is not a type of its own. */
const PLAIN: ReadonlyMap<string, SchemaNode> = new Map<string, SchemaNode>([
  ["s", scalar("string")],
  ["b", scalar("boolean")],
  ["i32", scalar("integer", "int32")],
  ["i64", scalar("integer", "int64")],
  ["f64", scalar("number", "double")],
  ["bytes", scalar("bytes", "byte")],
  ["quantity", scalar("quantity")],
  ["time", scalar("time", "date-time")],
  ["micro", scalar("micro-time", "date-time")],
  ["intstr", scalar("int-or-string", "int-or-string")],
  ["raw", any("raw-extension")],
  ["fields", any("fields-v1")],
  ["json", any("json")],
  ["schemaOrArray", any("schema-or-array")],
  ["schemaOrBool", any("schema-or-bool")],
  ["schemaOrStrings", any("schema-or-strings")],
]);

interface Flags {
  required: boolean;
  pointer: boolean;
  always: boolean;
  wrapped: boolean;
  set: boolean;
  listKeys: string[] | undefined;
  mapType: MapType | undefined;
  patchStrategy: string | undefined;
  patchMergeKey: string | undefined;
  default: unknown;
  enum: string[] | undefined;
}

function readFlags(words: readonly string[]): Flags {
  const flags: Flags = {
    required: false,
    pointer: false,
    always: false,
    wrapped: false,
    set: false,
    listKeys: undefined,
    mapType: undefined,
    patchStrategy: undefined,
    patchMergeKey: undefined,
    default: undefined,
    enum: undefined,
  };
  for (const word of words) {
    const at = word.indexOf("=");
    const value = at < 0 ? "" : word.slice(at + 1);
    switch (at < 0 ? word : word.slice(0, at)) {
      case "r":
        flags.required = true;
        break;
      case "p":
        flags.pointer = true;
        break;
      case "z":
        flags.always = true;
        break;
      case "w":
        flags.wrapped = true;
        break;
      case "ls":
        flags.set = true;
        break;
      case "lm":
        flags.listKeys = value.split(",");
        break;
      case "ma":
        flags.mapType = "atomic";
        break;
      case "mg":
        flags.mapType = "granular";
        break;
      case "ps":
        flags.patchStrategy = value;
        break;
      case "pk":
        flags.patchMergeKey = value;
        break;
      case "d":
        flags.default = JSON.parse(value);
        break;
      case "e":
        flags.enum = value.split(",");
        break;
    }
  }
  return flags;
}

function listNode(items: SchemaNode, flags: Flags): ListNode {
  return {
    kind: "list",
    items,
    listType: flags.listKeys !== undefined ? "map" : flags.set ? "set" : "atomic",
    listKeys: flags.listKeys ?? [],
    ...(flags.wrapped ? { wrapped: true } : {}),
  };
}

function mapNode(values: SchemaNode, flags: Flags): MapNode {
  return { kind: "map", values, mapType: flags.mapType ?? "granular" };
}

function nodeOf(type: string, flags: Flags, resolve: Resolve): SchemaNode {
  if (type.startsWith("[]")) return listNode(nodeOf(type.slice(2), NO_FLAGS, resolve), flags);
  if (type.startsWith("map:")) {
    const values = type.slice(4);
    return mapNode(
      nodeOf(values, values.startsWith("[]") ? { ...NO_FLAGS, wrapped: flags.wrapped } : NO_FLAGS, resolve),
      flags,
    );
  }
  if (type.startsWith("@")) {
    const node = resolve(type.slice(1));
    return flags.mapType === undefined || flags.mapType === node.mapType ? node : new WithMapType(node, flags.mapType);
  }
  const plain = PLAIN.get(type);
  if (plain === undefined)
    throw new Error(`facts/types.json names the type ${JSON.stringify(type)}, which type-facts.ts does not know`);
  if (flags.default === undefined && flags.enum === undefined) return plain;
  return {
    ...plain,
    ...(flags.default === undefined ? {} : { default: flags.default }),
    ...(flags.enum === undefined ? {} : { enum: flags.enum }),
  } as SchemaNode;
}

const NO_FLAGS: Flags = readFlags([]);

function readField(line: string, resolve: Resolve): [string, Field] {
  const [name = "", pb = "-", type = "", ...words] = line.split(" ");
  const flags = words.length === 0 ? NO_FLAGS : readFlags(words);
  return [
    name,
    {
      node: nodeOf(type, flags, resolve),
      required: flags.required,
      ...(pb === "-" ? {} : { pb: Number(pb) }),
      ...(flags.patchStrategy === undefined ? {} : { patchStrategy: flags.patchStrategy }),
      ...(flags.patchMergeKey === undefined ? {} : { patchMergeKey: flags.patchMergeKey }),
      ...(flags.pointer ? { pointer: true } : {}),
      ...(flags.always ? { always: true } : {}),
    },
  ];
}

/** A struct of the table; its fields are read on first use, since a process needs few of the types. */
export class TableStruct implements StructNode {
  readonly kind = "struct";
  readonly open = false;
  readonly typeName: string;
  readonly mapType: MapType;
  readonly #text: string;
  readonly #resolve: Resolve;
  #fields: ReadonlyMap<string, Field> | undefined;
  #inline: ReadonlyMap<number, SchemaNode> | undefined;

  constructor(typeName: string, text: string, resolve: Resolve) {
    this.typeName = typeName;
    this.#text = text;
    this.#resolve = resolve;
    this.mapType = this.#head().includes("atomic") ? "atomic" : "granular";
  }

  #head(): string[] {
    const end = this.#text.indexOf("\n");
    return (end < 0 ? this.#text : this.#text.slice(0, end)).split(" ");
  }

  get fields(): ReadonlyMap<string, Field> {
    return (this.#fields ??= new Map(
      this.#text
        .split("\n")
        .slice(1)
        .map((line) => readField(line, this.#resolve)),
    ));
  }

  get inline(): ReadonlyMap<number, SchemaNode> | undefined {
    if (this.#inline !== undefined) return this.#inline;
    const found = new Map<number, SchemaNode>();
    for (const word of this.#head()) {
      if (!word.startsWith("inline=")) continue;
      const [number = "", name = ""] = word.slice("inline=".length).split(":");
      found.set(Number(number), this.#resolve(name));
    }
    return (this.#inline = found.size === 0 ? undefined : found);
  }
}

/** The same struct where a field of it says how it is merged (`persistentvolume.spec.claimRef`). */
class WithMapType implements StructNode {
  readonly kind = "struct";
  readonly open = false;
  readonly mapType: MapType;
  readonly #of: StructNode;

  constructor(of: StructNode, mapType: MapType) {
    this.#of = of;
    this.mapType = mapType;
  }

  get typeName(): string | undefined {
    return this.#of.typeName;
  }

  get fields(): ReadonlyMap<string, Field> {
    return this.#of.fields;
  }

  get inline(): ReadonlyMap<number, SchemaNode> | undefined {
    return this.#of.inline;
  }
}
