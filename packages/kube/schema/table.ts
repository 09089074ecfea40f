/** The built-in kinds: rows and schema nodes from the compact facts, read once and built as they are asked for. */
import { readFileSync } from "node:fs";
import type { ResourceRow, SchemaNode, StructNode, SubresourceRow } from "./node.ts";
import { TableStruct } from "./type-facts.ts";

type SubresourceFact = readonly [group: string, version: string, kind: string, verbs: readonly string[]];
type ResourceFact = readonly [
  group: string,
  version: string,
  resource: string,
  kind: string,
  namespaced: 0 | 1,
  verbs: readonly string[],
  shortNames: readonly string[],
  categories: readonly string[],
  subresources: Readonly<Record<string, SubresourceFact>>,
];

interface TypeFacts {
  /** `group/version/kind` → short type name. */
  readonly kinds: Readonly<Record<string, string>>;
  /** Short type name → its text. */
  readonly types: Readonly<Record<string, string>>;
}

const PREFIXES: readonly (readonly [short: string, full: string])[] = [
  ["meta.v1.", "io.k8s.apimachinery.pkg.apis.meta.v1."],
  ["apiextensions.v1.", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1."],
  ["apiregistration.v1.", "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1."],
  ["", "io.k8s.api."],
];

function fullName(short: string): string {
  const [from, to] = PREFIXES.find(([prefix]) => short.startsWith(prefix)) ?? ["", ""];
  return to + short.slice(from.length);
}

/** `io.k8s.api.core.v1.Pod` → `core.v1.Pod`, the name the facts use. */
export function shortName(full: string): string {
  const [to, from] = PREFIXES.find(([, prefix]) => full.startsWith(prefix)) ?? ["", ""];
  return to + full.slice(from.length);
}

/** Options kinds stand in every group version (`apps/v1 DeleteOptions`), always with the same shape. */
const IN_EVERY_GROUP: ReadonlyMap<string, string> = new Map([
  ["DeleteOptions", "meta.v1.DeleteOptions"],
  ["CreateOptions", "meta.v1.CreateOptions"],
  ["UpdateOptions", "meta.v1.UpdateOptions"],
  ["PatchOptions", "meta.v1.PatchOptions"],
  ["GetOptions", "meta.v1.GetOptions"],
  ["ListOptions", "meta.v1.ListOptions"],
  ["WatchEvent", "meta.v1.WatchEvent"],
]);

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`./facts/${name}`, import.meta.url), "utf8"));

let typeFacts: TypeFacts | undefined;
let rows: readonly ResourceRow[] | undefined;
const structs = new Map<string, StructNode>();

const facts = (): TypeFacts => (typeFacts ??= read("types.json") as TypeFacts);

function resolve(short: string): StructNode {
  const known = structs.get(short);
  if (known !== undefined) return known;
  const text = facts().types[short];
  if (text === undefined) throw new Error(`the schema table has no type ${fullName(short)}`);
  const node = new TableStruct(fullName(short), text, resolve);
  structs.set(short, node);
  return node;
}

const SCALARS: ReadonlyMap<string, SchemaNode> = new Map<string, SchemaNode>([
  ["io.k8s.apimachinery.pkg.api.resource.Quantity", { kind: "scalar", type: "quantity" }],
  ["io.k8s.apimachinery.pkg.apis.meta.v1.Time", { kind: "scalar", type: "time", format: "date-time" }],
  ["io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime", { kind: "scalar", type: "micro-time", format: "date-time" }],
  ["io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1", { kind: "any", wire: "fields-v1" }],
  ["io.k8s.apimachinery.pkg.runtime.RawExtension", { kind: "any", wire: "raw-extension" }],
  [
    "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
    { kind: "scalar", type: "int-or-string", format: "int-or-string" },
  ],
]);

/** The node of a built-in type by its OpenAPI name (`io.k8s.api.core.v1.PodSpec`); throws when there is none. */
export function typeNode(openapiName: string): SchemaNode {
  return SCALARS.get(openapiName) ?? resolve(shortName(openapiName));
}

/** The node of a kind, also of kinds that are no resource (DeleteOptions, Scale, TokenRequest, Status …). */
export function kindNode(group: string, version: string, kind: string): StructNode | undefined {
  const short = IN_EVERY_GROUP.get(kind) ?? facts().kinds[`${group}/${version}/${kind}`];
  return short === undefined ? undefined : resolve(short);
}

const subresource = ([group, version, kind, verbs]: SubresourceFact): SubresourceRow => ({
  group,
  version,
  kind,
  verbs,
});

class BuiltinRow implements ResourceRow {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly namespaced: boolean;
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: ReadonlyMap<string, SubresourceRow>;

  constructor(fact: ResourceFact) {
    const [group, version, resource, kind, namespaced, verbs, shortNames, categories, subresources] = fact;
    this.group = group;
    this.version = version;
    this.resource = resource;
    this.singular = kind.toLowerCase();
    this.kind = kind;
    this.listKind = `${kind}List`;
    this.namespaced = namespaced === 1;
    this.verbs = verbs;
    this.shortNames = shortNames;
    this.categories = categories;
    this.subresources = new Map(Object.entries(subresources).map(([name, sub]) => [name, subresource(sub)]));
  }

  get schema(): StructNode {
    const node = kindNode(this.group, this.version, this.kind);
    if (node === undefined)
      throw new Error(`the schema table has no type for ${this.group}/${this.version} ${this.kind}`);
    return node;
  }
}

/** All stable built-in resources; of several versions of one resource the preferred one stands first. */
export function builtinRows(): readonly ResourceRow[] {
  return (rows ??= (read("resources.json") as ResourceFact[]).map((fact) => new BuiltinRow(fact)));
}
