/** The function libraries that Kubernetes adds to CEL, for rules of custom resources. */
import type { Environment } from "@marcbachmann/cel-js";
import { addQuantity, compareQuantity, parseQuantity, subQuantity, tryParseQuantity } from "../api/quantity.ts";
import type { Quantity } from "../api/quantity.ts";
import { FORMAT_NAMES, namedFormat } from "./cel-format.ts";
import type { NamedFormat } from "./cel-format.ts";
import {
  Cidr,
  CelUrl,
  IpAddress,
  isGlobalUnicast,
  isLinkLocalMulticast,
  isLinkLocalUnicast,
  isLoopback,
  parseCidr,
  parseIp,
  parseUrl,
} from "./cel-network.ts";
import { addStrings } from "./cel-strings.ts";
import { equalJson } from "./json-value.ts";

type Optionals = { of(value: unknown): unknown; none(): unknown };

/** A quantity as a type of its own, so that the engine can tell it from a map. */
class CelQuantity {
  readonly value: Quantity;
  constructor(value: Quantity) {
    this.value = value;
  }
}
class CelFormat {
  readonly format: NamedFormat;
  constructor(format: NamedFormat) {
    this.format = format;
  }
}
class SemanticVersion {
  readonly parts: readonly (string | bigint)[];
  constructor(parts: readonly (string | bigint)[]) {
    this.parts = parts;
  }
}
class SetsNamespace {}
class ListsNamespace {}
class FormatNamespace {}
class IpNamespace {}

const fail = (text: string): never => {
  throw new Error(text);
};

/** The order that `sort` and `sortBy` go by. */
export const compareValues = compare;

export function addLibraries(env: Environment, optional: Optionals): void {
  addLists(env, optional);
  addSets(env);
  addStrings(env);
  addQuantities(env);
  addNetwork(env);
  addUrls(env);
  addFormats(env, optional);
  addSemver(env);
}

/** Order of values of one type; of different types there is none. */
function compare(a: unknown, b: unknown): number {
  if ((typeof a === "bigint" || typeof a === "number") && (typeof b === "bigint" || typeof b === "number"))
    return a < b ? -1 : a > b ? 1 : 0;
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : a > b ? 1 : 0;
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  if (a instanceof Date && b instanceof Date) return a.getTime() - b.getTime();
  if (typeof a === "object" && typeof b === "object" && a !== null && b !== null) {
    const [left, right] = [Number(a), Number(b)];
    if (!Number.isNaN(left) && !Number.isNaN(right)) return left - right;
  }
  return fail("no such overload");
}

/** Equality in lists: whole numbers and others are compared by value. */
function same(a: unknown, b: unknown): boolean {
  const numbers = (typeof a === "bigint" || typeof a === "number") && (typeof b === "bigint" || typeof b === "number");
  if (numbers) return compare(a, b) === 0;
  if (a instanceof Map && b instanceof Map)
    return a.size === b.size && [...a].every(([key, value]) => b.has(key) && same(value, b.get(key)));
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item, i) => same(item, b[i]));
  if (
    typeof a === "object" &&
    typeof b === "object" &&
    a !== null &&
    b !== null &&
    !(a instanceof Map) &&
    !(b instanceof Map)
  ) {
    const [left, right] = [Object.entries(a), b as Record<string, unknown>];
    return left.length === Object.keys(right).length && left.every(([key, value]) => same(value, right[key]));
  }
  return a === b || equalJson(a, b);
}

const ends = (list: readonly unknown[], sign: 1 | -1, name: string): unknown =>
  list.length === 0
    ? fail(`${name} called on empty list`)
    : list.reduce((best, item) => (compare(item, best) * sign < 0 ? item : best));

function sum(list: readonly unknown[]): unknown {
  let total: bigint | number = 0n;
  for (const item of list) {
    if (typeof item === "bigint" && typeof total === "bigint") total += item;
    else if (typeof item === "number" || typeof item === "bigint") total = Number(total) + Number(item);
    else return fail("no such overload");
  }
  return total;
}

const flatten = (list: readonly unknown[], depth: number): unknown[] =>
  list.flatMap((item) => (Array.isArray(item) && depth > 0 ? flatten(item, depth - 1) : [item]));

const MAX_RANGE = 100_000n;

function addLists(env: Environment, optional: Optionals): void {
  const distinct = (list: readonly unknown[]): unknown[] =>
    list.filter((item, i) => list.findIndex((other) => same(item, other)) === i);
  env
    .registerFunction("list.isSorted(): bool", (list: unknown[]) =>
      list.every((item, i) => i === 0 || compare(list[i - 1], item) <= 0),
    )
    .registerFunction("list.sum(): dyn", sum)
    .registerFunction("list.min(): dyn", (list: unknown[]) => ends(list, 1, "min"))
    .registerFunction("list.max(): dyn", (list: unknown[]) => ends(list, -1, "max"))
    .registerFunction("list.indexOf(dyn): int", (list: unknown[], item: unknown) =>
      BigInt(list.findIndex((other) => same(other, item))),
    )
    .registerFunction("list.lastIndexOf(dyn): int", (list: unknown[], item: unknown) =>
      BigInt(list.findLastIndex((other) => same(other, item))),
    )
    .registerFunction("list.distinct(): list", distinct)
    .registerFunction("list.reverse(): list", (list: unknown[]) => list.toReversed())
    .registerFunction("list.sort(): list", (list: unknown[]) => list.toSorted(compare))
    .registerFunction("list.flatten(): list", (list: unknown[]) => flatten(list, 1))
    .registerFunction("list.flatten(int): list", (list: unknown[], depth: bigint) =>
      depth < 0n ? fail("level must be non-negative") : flatten(list, Number(depth)),
    )
    .registerFunction("list.slice(int, int): list", (list: unknown[], from: bigint, to: bigint) =>
      from < 0n || to > BigInt(list.length) || from > to
        ? fail(`cannot slice(${from}, ${to}), list length ${list.length}`)
        : list.slice(Number(from), Number(to)),
    )
    .registerFunction("list.first(): optional<dyn>", (list: unknown[]) =>
      list.length === 0 ? optional.none() : optional.of(list[0]),
    )
    .registerFunction("list.last(): optional<dyn>", (list: unknown[]) =>
      list.length === 0 ? optional.none() : optional.of(list.at(-1)),
    )
    .registerType("ListsNamespace", ListsNamespace)
    .registerConstant("lists", "ListsNamespace", new ListsNamespace())
    .registerFunction("ListsNamespace.range(int): list", (_: unknown, size: bigint) =>
      size > MAX_RANGE
        ? fail(`range exceeds ${MAX_RANGE}`)
        : Array.from({ length: Math.max(0, Number(size)) }, (_, i) => BigInt(i)),
    );
}

function addSets(env: Environment): void {
  const has = (list: readonly unknown[], item: unknown): boolean => list.some((other) => same(other, item));
  env
    .registerType("SetsNamespace", SetsNamespace)
    .registerConstant("sets", "SetsNamespace", new SetsNamespace())
    .registerFunction("SetsNamespace.contains(list, list): bool", (_: unknown, a: unknown[], b: unknown[]) =>
      b.every((item) => has(a, item)),
    )
    .registerFunction("SetsNamespace.intersects(list, list): bool", (_: unknown, a: unknown[], b: unknown[]) =>
      b.some((item) => has(a, item)),
    )
    .registerFunction(
      "SetsNamespace.equivalent(list, list): bool",
      (_: unknown, a: unknown[], b: unknown[]) => b.every((item) => has(a, item)) && a.every((item) => has(b, item)),
    );
}

const NANO = 1_000_000_000n;
const INT64 = 1n << 63n;
const ofInteger = (value: bigint): Quantity => ({ nano: value * NANO, format: "DecimalSI" });
const isInt64 = ({ nano }: Quantity): boolean => nano % NANO === 0n && nano / NANO < INT64 && nano / NANO >= -INT64;

function addQuantities(env: Environment): void {
  const made = (value: Quantity): CelQuantity => new CelQuantity(value);
  env
    .registerType("kubernetes.Quantity", CelQuantity)
    .registerFunction("quantity(string): kubernetes.Quantity", (text: string) => made(parseQuantity(text)))
    .registerFunction("isQuantity(string): bool", (text: string) => tryParseQuantity(text) !== undefined)
    .registerFunction("kubernetes.Quantity.sign(): int", (q: CelQuantity) =>
      q.value.nano > 0n ? 1n : q.value.nano < 0n ? -1n : 0n,
    )
    .registerFunction("kubernetes.Quantity.isInteger(): bool", (q: CelQuantity) => isInt64(q.value))
    .registerFunction("kubernetes.Quantity.asInteger(): int", (q: CelQuantity) =>
      isInt64(q.value) ? q.value.nano / NANO : fail("cannot convert value to integer"),
    )
    .registerFunction(
      "kubernetes.Quantity.asApproximateFloat(): double",
      (q: CelQuantity) => Number(q.value.nano) / 1e9,
    )
    .registerFunction(
      "kubernetes.Quantity.add(kubernetes.Quantity): kubernetes.Quantity",
      (a: CelQuantity, b: CelQuantity) => made(addQuantity(a.value, b.value)),
    )
    .registerFunction("kubernetes.Quantity.add(int): kubernetes.Quantity", (a: CelQuantity, b: bigint) =>
      made(addQuantity(a.value, ofInteger(b))),
    )
    .registerFunction(
      "kubernetes.Quantity.sub(kubernetes.Quantity): kubernetes.Quantity",
      (a: CelQuantity, b: CelQuantity) => made(subQuantity(a.value, b.value)),
    )
    .registerFunction("kubernetes.Quantity.sub(int): kubernetes.Quantity", (a: CelQuantity, b: bigint) =>
      made(subQuantity(a.value, ofInteger(b))),
    )
    .registerFunction(
      "kubernetes.Quantity.isGreaterThan(kubernetes.Quantity): bool",
      (a: CelQuantity, b: CelQuantity) => compareQuantity(a.value, b.value) > 0,
    )
    .registerFunction(
      "kubernetes.Quantity.isLessThan(kubernetes.Quantity): bool",
      (a: CelQuantity, b: CelQuantity) => compareQuantity(a.value, b.value) < 0,
    )
    .registerFunction("kubernetes.Quantity.compareTo(kubernetes.Quantity): int", (a: CelQuantity, b: CelQuantity) =>
      BigInt(compareQuantity(a.value, b.value)),
    )
    .registerOperator(
      "kubernetes.Quantity == kubernetes.Quantity",
      (a: CelQuantity, b: CelQuantity) => compareQuantity(a.value, b.value) === 0,
    );
}

function addNetwork(env: Environment): void {
  const ip = (text: string): IpAddress =>
    parseIp(text) ??
    fail(
      `IP Address ${JSON.stringify(text)} parse error during conversion from string: ParseAddr(${JSON.stringify(text)}): unable to parse IP`,
    );
  const cidr = (text: string): Cidr => parseCidr(text) ?? fail(`network address parse error: ${JSON.stringify(text)}`);
  env
    .registerType("net.IP", IpAddress)
    .registerType("net.CIDR", Cidr)
    .registerType("IpNamespace", IpNamespace)
    .registerConstant("ip", "IpNamespace", new IpNamespace())
    .registerFunction("ip(string): net.IP", ip)
    .registerFunction("isIP(string): bool", (text: string) => parseIp(text) !== undefined)
    .registerFunction(
      "IpNamespace.isCanonical(string): bool",
      (_: unknown, text: string) => ip(text).toString() === text,
    )
    .registerFunction("net.IP.family(): int", (address: IpAddress) => BigInt(address.family))
    .registerFunction("net.IP.isUnspecified(): bool", (address: IpAddress) => address.value === 0n)
    .registerFunction("net.IP.isLoopback(): bool", isLoopback)
    .registerFunction("net.IP.isLinkLocalMulticast(): bool", isLinkLocalMulticast)
    .registerFunction("net.IP.isLinkLocalUnicast(): bool", isLinkLocalUnicast)
    .registerFunction("net.IP.isGlobalUnicast(): bool", isGlobalUnicast)
    .registerFunction("string(net.IP): string", (address: IpAddress) => address.toString())
    .registerOperator("net.IP == net.IP", (a: IpAddress, b: IpAddress) => a.equals(b))
    .registerFunction("cidr(string): net.CIDR", cidr)
    .registerFunction("isCIDR(string): bool", (text: string) => parseCidr(text) !== undefined)
    .registerFunction("net.CIDR.containsIP(net.IP): bool", (net: Cidr, address: IpAddress) => net.containsIp(address))
    .registerFunction("net.CIDR.containsIP(string): bool", (net: Cidr, text: string) => net.containsIp(ip(text)))
    .registerFunction("net.CIDR.containsCIDR(net.CIDR): bool", (net: Cidr, other: Cidr) => net.containsCidr(other))
    .registerFunction("net.CIDR.containsCIDR(string): bool", (net: Cidr, text: string) => net.containsCidr(cidr(text)))
    .registerFunction("net.CIDR.ip(): net.IP", (net: Cidr) => net.address)
    .registerFunction("net.CIDR.masked(): net.CIDR", (net: Cidr) => net.masked)
    .registerFunction("net.CIDR.prefixLength(): int", (net: Cidr) => BigInt(net.length))
    .registerFunction("string(net.CIDR): string", (net: Cidr) => net.toString())
    .registerOperator("net.CIDR == net.CIDR", (a: Cidr, b: Cidr) => a.equals(b));
}

function addUrls(env: Environment): void {
  env
    .registerType("net.URL", CelUrl)
    .registerFunction(
      "url(string): net.URL",
      (text: string) =>
        parseUrl(text) ??
        fail(`URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`),
    )
    .registerFunction("isURL(string): bool", (text: string) => parseUrl(text) !== undefined)
    .registerFunction("net.URL.getScheme(): string", (url: CelUrl) => url.scheme)
    .registerFunction("net.URL.getHost(): string", (url: CelUrl) => url.host)
    .registerFunction("net.URL.getHostname(): string", (url: CelUrl) => url.hostname)
    .registerFunction("net.URL.getPort(): string", (url: CelUrl) => url.port)
    .registerFunction("net.URL.getEscapedPath(): string", (url: CelUrl) => url.path)
    .registerFunction("net.URL.getQuery(): map", (url: CelUrl) => url.parameters);
}

function addFormats(env: Environment, optional: Optionals): void {
  const named = (name: string): CelFormat => {
    const format = namedFormat(name);
    return format === undefined ? fail(`unknown format ${name}`) : new CelFormat(format);
  };
  env
    .registerType("kubernetes.NamedFormat", CelFormat)
    .registerType("FormatNamespace", FormatNamespace)
    .registerConstant("format", "FormatNamespace", new FormatNamespace());
  for (const name of FORMAT_NAMES)
    env.registerFunction(`FormatNamespace.${name}(): kubernetes.NamedFormat`, () => named(name));
  env
    .registerFunction("FormatNamespace.named(string): optional<kubernetes.NamedFormat>", (_: unknown, name: string) =>
      namedFormat(name) === undefined ? optional.none() : optional.of(named(name)),
    )
    .registerFunction(
      "kubernetes.NamedFormat.validate(string): optional<list>",
      ({ format }: CelFormat, text: string) => {
        const faults = format.faults(text);
        return faults.length === 0 ? optional.none() : optional.of(faults);
      },
    );
}

const SEMVER =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?$/;

function parseSemver(text: string): SemanticVersion | undefined {
  const match = SEMVER.exec(text);
  if (match === null) return undefined;
  const numbers = match.slice(1, 4).map((part) => BigInt(part));
  const labels = match[4]?.split(".").map((label) => (/^\d+$/.test(label) ? BigInt(label) : label)) ?? [];
  return new SemanticVersion([...numbers, ...labels]);
}

function compareSemver(a: SemanticVersion, b: SemanticVersion): number {
  for (let i = 0; i < 3; i++) {
    const order = compare(a.parts[i], b.parts[i]);
    if (order !== 0) return order;
  }
  if (a.parts.length === 3 || b.parts.length === 3) return b.parts.length - a.parts.length;
  for (let i = 3; i < Math.min(a.parts.length, b.parts.length); i++) {
    const [left, right] = [a.parts[i], b.parts[i]];
    const order = typeof left === typeof right ? compare(left, right) : typeof left === "bigint" ? -1 : 1;
    if (order !== 0) return order;
  }
  return a.parts.length - b.parts.length;
}

function addSemver(env: Environment): void {
  const sign = (value: number): bigint => (value > 0 ? 1n : value < 0 ? -1n : 0n);
  env
    .registerType("kubernetes.Semver", SemanticVersion)
    .registerFunction(
      "semver(string): kubernetes.Semver",
      (text: string) => parseSemver(text) ?? fail(`semver parse error: ${JSON.stringify(text)}`),
    )
    .registerFunction("isSemver(string): bool", (text: string) => parseSemver(text) !== undefined)
    .registerFunction("kubernetes.Semver.major(): int", (version: SemanticVersion) => version.parts[0])
    .registerFunction("kubernetes.Semver.minor(): int", (version: SemanticVersion) => version.parts[1])
    .registerFunction("kubernetes.Semver.patch(): int", (version: SemanticVersion) => version.parts[2])
    .registerFunction(
      "kubernetes.Semver.isGreaterThan(kubernetes.Semver): bool",
      (a: SemanticVersion, b: SemanticVersion) => compareSemver(a, b) > 0,
    )
    .registerFunction(
      "kubernetes.Semver.isLessThan(kubernetes.Semver): bool",
      (a: SemanticVersion, b: SemanticVersion) => compareSemver(a, b) < 0,
    )
    .registerFunction("kubernetes.Semver.compareTo(kubernetes.Semver): int", (a: SemanticVersion, b: SemanticVersion) =>
      sign(compareSemver(a, b)),
    )
    .registerOperator(
      "kubernetes.Semver == kubernetes.Semver",
      (a: SemanticVersion, b: SemanticVersion) => compareSemver(a, b) === 0,
    );
}
