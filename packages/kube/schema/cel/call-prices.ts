/** What calls cost when they run, in upstream's units: those of the Go engine, and of Kubernetes' own libraries. */
import { kindOf, sizeOfValue } from "./kinds.ts";
import { LIST_COST, REGEX_FACTOR, STRUCT_COST, TEXT_FACTOR } from "./estimate.ts";
import type { CelType } from "./sizes.ts";

/** Takes what a call was given, its target first, and what it gave. */
export type Price = (args: readonly unknown[], result: unknown) => number;

const AUTHORIZATION_CHECK = 350_000;

const reading = (value: unknown, factor = 1): number => Math.ceil(sizeOfValue(value) * factor * TEXT_FACTOR);
const readsFirst: Price = ([text]) => reading(text);
const readsTwice: Price = ([text]) => reading(text, 2);
const matching = (text: unknown, pattern: number): number =>
  Math.ceil((1 + sizeOfValue(text)) * TEXT_FACTOR) * Math.ceil(pattern * REGEX_FACTOR);
const finds: Price = ([text, pattern]) => matching(text, sizeOfValue(pattern));
const shorter: Price = ([a, b]) => Math.ceil(Math.min(sizeOfValue(a), sizeOfValue(b)) * TEXT_FACTOR);
const both: Price = ([a, b]) => Math.ceil((sizeOfValue(a) + sizeOfValue(b)) * TEXT_FACTOR);
export const one: Price = () => 1;

/** Once through everything, with what is in it. */
function traversal(value: unknown): number {
  if (typeof value === "string") return Math.floor(Buffer.byteLength(value) * TEXT_FACTOR);
  if (value instanceof Uint8Array) return Math.floor(value.length * TEXT_FACTOR);
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + traversal(item), 0);
  if (value instanceof Map) return [...value].reduce((sum, [key, item]) => sum + traversal(key) + traversal(item), 0);
  return 1;
}

const makesList = (size: number, factor = 1): number => Math.trunc(size * factor) + 1 + LIST_COST;
const makesResult: Price = (_, result) => makesList(sizeOfValue(result));
const comparesAll = (list: unknown): number => {
  const size = sizeOfValue(list);
  const kind = Array.isArray(list) ? kindOf(list[0]) : "";
  return makesList(size * size, kind === "string" || kind === "bytes" ? 2 + TEXT_FACTOR : 2);
};
const sets =
  (factor: number): Price =>
  ([a, b]) =>
    1 + Math.trunc(sizeOfValue(a) * sizeOfValue(b) * factor);

const network =
  (wider: boolean, text: boolean): Price =>
  ([net, other]) =>
    reading(net, 2) + (wider ? reading(net) + 1 : 0) + (text ? reading(other) : 0);

const selector: Price = ([, text]) =>
  LIST_COST + reading(text) + Math.ceil(Math.ceil(sizeOfValue(text) * 0.5) * (LIST_COST + STRUCT_COST));

interface WithFormat {
  readonly format: { readonly patternSize: number };
}
const validates: Price = ([format, text]) => matching(text, (format as WithFormat).format.patternSize);

/** By the names of functions, whatever they take. */
const BY_NAME: ReadonlyMap<string, Price> = new Map<string, Price>([
  ["check", () => AUTHORIZATION_CHECK],
  ["fieldSelector", selector],
  ["labelSelector", selector],
  ...["isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"].map((name): [string, Price] => [
    name,
    ([list]) => traversal(list),
  ]),
  ...["url", "lowerAscii", "upperAscii", "substring", "trim", "cidr", "isIP", "isCIDR"].map((name): [string, Price] => [
    name,
    readsFirst,
  ]),
  ...["quantity", "isQuantity", "semver", "isSemver", "startsWith", "endsWith", "format", "strings.quote"].map(
    (name): [string, Price] => [name, readsFirst],
  ),
  ["replace", readsTwice],
  ["split", readsTwice],
  ["ip.isCanonical", readsTwice],
  ["join", (_, result) => reading(result, 2)],
  ["find", finds],
  ["findAll", finds],
  ["contains", ([text, part]) => reading(text) * reading(part)],
  ["validate", validates],
  ["sets.contains", sets(1)],
  ["sets.intersects", sets(1)],
  ["sets.equivalent", sets(2)],
  ["slice", makesResult],
  ["lists.range", makesResult],
  ["reverse", makesResult],
  ["flatten", ([list, depth]) => makesList(sizeOfValue(list), typeof depth === "bigint" ? Number(depth) : 1)],
  ["distinct", ([list]) => comparesAll(list)],
]);

const isText = (type: CelType | undefined): boolean => type?.kind === "string" || type?.kind === "bytes";
const SINGLE: ReadonlySet<string> = new Set("int uint double bool timestamp duration null type".split(" "));
/** Of size 1, whatever it is. */
const isSingle = ({ kind }: CelType): boolean => SINGLE.has(kind);
const isKnown = (type: CelType | undefined): boolean => type !== undefined && type.kind !== "dyn";
/** Where one side is a text or the like, the other can be nothing else. */
const someText = (types: readonly CelType[]): boolean => types.some(isText);

const OPAQUE: ReadonlySet<string> = new Set(["quantity", "ip", "cidr", "format", "url", "semver", "authorizer"]);

const mayBeOpaque = (type: CelType | undefined): boolean =>
  type === undefined || type.kind === "dyn" || OPAQUE.has(type.kind);
const equality: Price = (args, result) => (OPAQUE.has(shortKind(args[0])) ? 1 : shorter(args, result));

/** The price of a call as far as it is known what it takes; what may be one of several functions costs 1. */
export function priceOf(name: string, types: readonly CelType[], member = false): Price {
  switch (name) {
    case "<":
    case "<=":
    case ">":
    case ">=":
      return someText(types) ? shorter : one;
    case "+":
      return someText(types) ? both : one;
    case "in":
      return types[1]?.kind === "list" ? ([, list]) => sizeOfValue(list) : one;
    case "string":
      return types[0]?.kind === "bytes" ? readsFirst : one;
    case "bytes":
      return types[0]?.kind === "string" ? readsFirst : one;
    case "ip":
      return member ? one : readsFirst;
    case "matches":
      return member ? finds : one;
    case "containsIP":
    case "containsCIDR":
      return network(name === "containsCIDR", types[1]?.kind === "string");
    case "sort":
      return types[0]?.kind === "list" && isKnown(types[0].element) ? ([list]) => comparesAll(list) : one;
    case "sortByAssociatedKeys":
      return types[1]?.kind === "list" && isKnown(types[1].element) ? ([, keys]) => comparesAll(keys) : one;
    case "==":
    case "!=":
      return types.every(isSingle) ? one : name === "==" && mayBeOpaque(types[0]) ? equality : shorter;
    default:
      return BY_NAME.get(name) ?? one;
  }
}

/** `kubernetes.Quantity` → `quantity` */
const shortKind = (value: unknown): string => {
  const kind = kindOf(value);
  if (kind.startsWith("kubernetes.authorization.")) return "authorizer";
  if (kind === "kubernetes.NamedFormat") return "format";
  return kind.includes(".") ? (kind.split(".").at(-1) ?? "").toLowerCase() : "";
};
