/** What calls of functions cost, and how large what they give can be, as upstream reckons it. */
import {
  addSizes,
  byFactor,
  LIST_COST,
  MOST,
  multiplySizes,
  plus,
  REGEX_FACTOR,
  STRUCT_COST,
  sizeOf,
  TEXT_FACTOR,
  times,
  upTo,
} from "./estimate.ts";
import type { Estimate, Size } from "./estimate.ts";
import type { CelType } from "./sizes.ts";

/** The cost of a call without that of its operands; `size` is that of its result, where it can be told. */
export interface CallCost {
  readonly cost: number;
  readonly size?: Size | undefined;
}

/** A call: `target.name(args)`, or `name(args)` without a target. */
export interface Call {
  readonly name: string;
  readonly target: Estimate | undefined;
  readonly args: readonly Estimate[];
  /** The most that an item of the target may measure, and its type. */
  readonly item: { readonly size: Size; readonly type: CelType } | undefined;
}

/** A call as far as types go. */
export interface TypedCall {
  readonly name: string;
  readonly target: { readonly type: CelType } | undefined;
  readonly args: readonly { readonly type: CelType }[];
}

type Coster = (call: Call) => CallCost | undefined;

const AUTHORIZATION_CHECK = 350_000;
const FORMAT_REGEX = 128;

const first = ({ args }: Call): Size | undefined => (args[0] === undefined ? undefined : sizeOf(args[0]));
const reading = (size: Size, factor = 1): number => byFactor(size.max, factor * TEXT_FACTOR);

const readsFirst =
  (factor: number, keeps: boolean): Coster =>
  (call) => {
    const size = first(call);
    return size === undefined ? undefined : { cost: reading(size, factor), size: keeps ? size : undefined };
  };
const readsTarget =
  (factor: number): Coster =>
  ({ target }) =>
    target === undefined ? undefined : { cost: reading(sizeOf(target), factor), size: sizeOf(target) };

/** Goes through a list once, and through the texts in it. */
const goesThrough: Coster = ({ target, item }) => {
  if (target === undefined) return undefined;
  const size = sizeOf(target);
  if (item === undefined) return { cost: reading(size) };
  const texts = item.type.kind === "string" || item.type.kind === "bytes" ? reading(item.size) : 0;
  return { cost: times(size.max, plus(1, texts)) };
};

const replaces: Coster = ({ target, args: [what, by] }) => {
  if (target === undefined || what === undefined || by === undefined) return undefined;
  const [whole, old, next] = [sizeOf(target), sizeOf(what), sizeOf(by)];
  let [count, kept] = [0, 0];
  if (old.min === 0) [count, kept] = [plus(whole.max, 1), whole.max];
  else if (next.max <= old.min) kept = whole.max;
  else count = Math.ceil(whole.max / old.min);
  return { cost: reading(whole, 2), size: upTo(plus(times(count, next.max), kept)) };
};

const splits: Coster = ({ target, args }) => {
  if (target === undefined) return undefined;
  const limit = args[1]?.literal;
  const most = typeof limit === "bigint" ? (limit < 0n ? MOST : Number(limit)) : sizeOf(target).max;
  return { cost: reading(sizeOf(target), 2), size: upTo(most) };
};

const joins: Coster = ({ target, args, item }) => {
  if (target === undefined) return undefined;
  const list = sizeOf(target);
  let size: Size = item === undefined ? upTo(0) : multiplySizes(list, item.size);
  const separator = args[0];
  if (separator !== undefined)
    size = addSizes(
      size,
      multiplySizes(sizeOf(separator), { min: Math.max(list.min - 1, 0), max: Math.max(list.max - 1, 0) }),
    );
  return { cost: reading(size), size };
};

function matchCost(text: Size, pattern: Size): number {
  return times(reading(addSizes(text, { min: 1, max: 1 })), byFactor(pattern.max, REGEX_FACTOR));
}

const finds: Coster = ({ target, args: [pattern] }) =>
  target === undefined || pattern === undefined
    ? undefined
    : { cost: matchCost(sizeOf(target), sizeOf(pattern)), size: upTo(sizeOf(target).max) };

const matches: Coster = ({ target, args: [pattern] }) =>
  target === undefined || pattern === undefined ? undefined : { cost: matchCost(sizeOf(target), sizeOf(pattern)) };

const contains: Coster = ({ target, args: [part] }) =>
  target === undefined || part === undefined
    ? undefined
    : { cost: times(reading(sizeOf(target)), reading(sizeOf(part))) };

const selects: Coster = (call) => {
  const size = first(call);
  if (size === undefined) return undefined;
  const requirements = byFactor(byFactor(size.max, 0.5), LIST_COST + STRUCT_COST);
  return { cost: plus(LIST_COST, reading(size), requirements) };
};

/** Addresses are of 16 bytes at most, and compared as such. */
const ADDRESS_TWICE = 4;
const containsAddress =
  (base: number): Coster =>
  ({ args: [other] }) =>
    other === undefined ? undefined : { cost: plus(base, other.type.kind === "string" ? reading(sizeOf(other)) : 0) };

const makesList = (size: Size, factor = 1): CallCost => ({
  cost: plus(byFactor(size.max, factor), 1, LIST_COST),
  size,
});
const square = (estimate: Estimate): Size => multiplySizes(sizeOf(estimate), sizeOf(estimate));
const number = (estimate: Estimate | undefined, otherwise: number): number =>
  typeof estimate?.literal === "bigint" && estimate.literal >= 0n ? Number(estimate.literal) : otherwise;

const compares =
  (factor: number): Coster =>
  ({ args: [a, b] }) =>
    a === undefined || b === undefined
      ? undefined
      : { cost: plus(byFactor(times(sizeOf(a).max, sizeOf(b).max), factor), 1) };

const onTarget =
  (cost: (target: Estimate, call: Call) => CallCost): Coster =>
  (call) =>
    call.target === undefined ? undefined : cost(call.target, call);

const COSTERS: ReadonlyMap<string, Coster> = new Map<string, Coster>([
  ["check", () => ({ cost: AUTHORIZATION_CHECK })],
  ["fieldSelector", selects],
  ["labelSelector", selects],
  ...["isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"].map((name) => [name, goesThrough] as const),
  ["url", readsFirst(1, true)],
  ["jsonpatch.escapeKey", readsFirst(1, true)],
  ...["lowerAscii", "upperAscii", "substring", "trim"].map((name) => [name, readsTarget(1)] as const),
  ["replace", replaces],
  ["split", splits],
  ["join", joins],
  ["find", finds],
  ["findAll", finds],
  ["matches", matches],
  ["contains", contains],
  ["startsWith", readsFirst(1, false)],
  ["endsWith", readsFirst(1, false)],
  ["format", onTarget((target) => ({ cost: reading(sizeOf(target)) }))],
  ...["cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"].map(
    (name) => [name, readsFirst(1, false)] as const,
  ),
  ["ip", (call) => (call.target === undefined ? readsFirst(1, false)(call) : { cost: 1 })],
  ["ip.isCanonical", readsFirst(2, false)],
  ["containsIP", containsAddress(ADDRESS_TWICE)],
  ["containsCIDR", containsAddress(ADDRESS_TWICE + 2 + 1)],
  [
    "validate",
    (call) => {
      const size = first(call);
      return size === undefined ? undefined : { cost: byFactor(reading(size), FORMAT_REGEX * REGEX_FACTOR) };
    },
  ],
  [
    "bytes",
    (call) => {
      const size = first(call);
      return size === undefined || call.args[0]?.type.kind !== "string"
        ? undefined
        : { cost: reading(size), size: { min: size.min, max: Math.min(MOST, size.max * 4) } };
    },
  ],
  ["string", (call) => (call.args[0]?.type.kind === "bytes" ? readsFirst(1, true)(call) : undefined)],
  ["strings.quote", readsFirst(1, false)],
  ["sets.contains", compares(1)],
  ["sets.intersects", compares(1)],
  ["sets.equivalent", compares(2)],
  ["lists.range", ({ args }) => makesList(upTo(number(args[0], MOST)))],
  ["slice", onTarget((list, { args }) => makesList(upTo(number(args[1], sizeOf(list).max) - number(args[0], 0))))],
  ["reverse", onTarget((list) => makesList(sizeOf(list)))],
  ["flatten", onTarget((list, { args }) => makesList(sizeOf(list), args.length === 0 ? 1 : number(args[0], MOST)))],
  ["distinct", onTarget((list) => makesList(square(list), 2))],
  ["sort", onTarget((list, { item }) => makesList(square(list), item?.type.kind === "string" ? 2 + TEXT_FACTOR : 2))],
]);

/** What a call costs beyond its operands: one unit, if nothing else is known of it. */
export const callCost = (call: Call): CallCost => COSTERS.get(call.name)?.(call) ?? { cost: 1 };

const RESULTS: Readonly<Record<string, string>> = {
  string:
    "string lowerAscii upperAscii substring trim replace join charAt format find getScheme getHostname getHost getPort getEscapedPath strings.quote jsonpatch.escapeKey reason error",
  int: "int size indexOf lastIndexOf asInteger compareTo sign major minor patch prefixLength family getFullYear getMonth getDate getDayOfMonth getDayOfWeek getDayOfYear getHours getMinutes getSeconds getMilliseconds",
  bool: "bool has contains startsWith endsWith matches isURL isIP isCIDR isQuantity isSemver isSorted isInteger isGreaterThan isLessThan hasValue allowed errored containsIP containsCIDR ip.isCanonical isUnspecified isLoopback isLinkLocalMulticast isLinkLocalUnicast isGlobalUnicast sets.contains sets.intersects sets.equivalent",
  double: "double asApproximateFloat",
  uint: "uint",
  bytes: "bytes",
  timestamp: "timestamp",
  duration: "duration",
  quantity: "quantity add sub",
  url: "url",
  cidr: "cidr masked",
  ip: "ip",
  semver: "semver",
  type: "type",
};

const RESULT_OF: ReadonlyMap<string, CelType> = new Map(
  Object.entries(RESULTS).flatMap(([kind, names]) =>
    names.split(" ").map((name) => [name, { kind } as CelType] as const),
  ),
);

const DYN: CelType = { kind: "dyn" };
const TEXTS: CelType = { kind: "list", element: { kind: "string" } };

/** The type of what a call gives; `dyn` where it does not matter or cannot be told. */
export function resultType({ name, target, args: [arg] }: TypedCall): CelType {
  const held = target?.type.kind === "optional" ? target.type.of : DYN;
  const items = target?.type.kind === "list" ? target.type.element : DYN;
  switch (name) {
    case "split":
    case "findAll":
      return TEXTS;
    case "validate":
      return { kind: "optional", of: TEXTS };
    case "value":
    case "orValue":
      return held.kind === "dyn" && arg !== undefined ? arg.type : held;
    case "or":
      return target?.type ?? DYN;
    case "optional.of":
    case "optional.ofNonZeroValue":
      return { kind: "optional", of: arg?.type ?? DYN };
    case "optional.none":
      return { kind: "optional", of: DYN };
    case "max":
    case "min":
    case "sum":
      return items;
    case "first":
    case "last":
      return { kind: "optional", of: items };
    case "slice":
    case "reverse":
    case "distinct":
    case "sort":
    case "sortByAssociatedKeys":
      return target?.type ?? DYN;
    case "lists.range":
      return { kind: "list", element: { kind: "int" } };
    default:
      return RESULT_OF.get(name) ?? DYN;
  }
}
