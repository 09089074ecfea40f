/** The function libraries that Kubernetes adds to CEL, for rules of custom resources. */
import { addQuantity, compareQuantity, subQuantity, tryParseQuantity } from "../../api/quantity.ts";
import type { Quantity } from "../../api/quantity.ts";
import { FORMAT_NAMES, namedFormat } from "./format.ts";
import type { NamedFormat } from "./format.ts";
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
} from "./network.ts";
import { compareValues, equal } from "./compare.ts";
import type { Registry } from "./functions.ts";
import { CelOptional, CostExceeded, fault as fail } from "./kinds.ts";
import { BINARY } from "./operators.ts";
import { addStrings } from "./strings.ts";

/** A quantity as a type of its own, so that the engine can tell it from a map. */
class CelQuantity {
  readonly value: Quantity;
  constructor(value: Quantity) {
    this.value = value;
  }
  equals(other: CelQuantity): boolean {
    return compareQuantity(this.value, other.value) === 0;
  }
}
class CelFormat {
  readonly format: NamedFormat;
  constructor(format: NamedFormat) {
    this.format = format;
  }
  equals(other: CelFormat): boolean {
    return this.format.name === other.format.name;
  }
}
class SemanticVersion {
  readonly parts: readonly (string | bigint)[];
  constructor(parts: readonly (string | bigint)[]) {
    this.parts = parts;
  }
  equals(other: SemanticVersion): boolean {
    return compareSemver(this, other) === 0;
  }
}
class SetsNamespace {}
class ListsNamespace {}
class FormatNamespace {}
class IpNamespace {}

export function addLibraries(env: Registry): void {
  addLists(env);
  addSets(env);
  addStrings(env);
  addQuantities(env);
  addNetwork(env);
  addUrls(env);
  addFormats(env);
  addSemver(env);
}

const ends = (list: readonly unknown[], sign: 1 | -1, name: string): unknown =>
  list.length === 0
    ? fail(`${name} called on empty list`)
    : list.reduce((best, item) => (compareValues(item, best) * sign < 0 ? item : best));

const sum = (list: readonly unknown[]): unknown =>
  list.length === 0 ? 0n : list.reduce((total, item) => BINARY["+"]?.(total, item));

const flatten = (list: readonly unknown[], depth: number): unknown[] =>
  list.flatMap((item) => (Array.isArray(item) && depth > 0 ? flatten(item, depth - 1) : [item]));

/** A longer range costs more than any expression may. */
const LONGEST_RANGE = 1_000_000n;

function range(size: bigint): bigint[] {
  if (size > LONGEST_RANGE) throw new CostExceeded();
  return Array.from({ length: Math.max(0, Number(size)) }, (_, i) => BigInt(i));
}

function slice(list: readonly unknown[], from: bigint, to: bigint): unknown[] {
  const cannot = (why: string): never => fail(`cannot slice(${from}, ${to}), ${why}`);
  if (from < 0n || to < 0n) return cannot("negative indexes not supported");
  if (from > to) return cannot("start index must be less than or equal to end index");
  return to > BigInt(list.length) ? cannot(`list is length ${list.length}`) : list.slice(Number(from), Number(to));
}

/** The items in the order of their keys. */
function sortByKeys(list: readonly unknown[], keys: readonly unknown[]): unknown[] {
  return list
    .map((item, i) => ({ item, key: keys[i] }))
    .toSorted((a, b) => compareValues(a.key, b.key))
    .map(({ item }) => item);
}

function addLists(env: Registry): void {
  const distinct = (list: readonly unknown[]): unknown[] =>
    list.filter((item, i) => list.findIndex((other) => equal(item, other)) === i);
  env
    .registerFunction("list.isSorted(): bool", (list: unknown[]) =>
      list.every((item, i) => i === 0 || compareValues(list[i - 1], item) <= 0),
    )
    .registerFunction("list.sum(): dyn", sum)
    .registerFunction("list.min(): dyn", (list: unknown[]) => ends(list, 1, "min"))
    .registerFunction("list.max(): dyn", (list: unknown[]) => ends(list, -1, "max"))
    .registerFunction("list.indexOf(dyn): int", (list: unknown[], item: unknown) =>
      BigInt(list.findIndex((other) => equal(other, item))),
    )
    .registerFunction("list.lastIndexOf(dyn): int", (list: unknown[], item: unknown) =>
      BigInt(list.findLastIndex((other) => equal(other, item))),
    )
    .registerFunction("list.distinct(): list", distinct)
    .registerFunction("list.reverse(): list", (list: unknown[]) => list.toReversed())
    .registerFunction("list.sort(): list", (list: unknown[]) => list.toSorted(compareValues))
    .registerFunction("list.flatten(): list", (list: unknown[]) => flatten(list, 1))
    .registerFunction("list.flatten(int): list", (list: unknown[], depth: bigint) =>
      depth < 0n ? fail("level must be non-negative") : flatten(list, Number(depth)),
    )
    .registerFunction("list.slice(int, int): list", slice)
    .registerFunction("list.first(): optional<dyn>", (list: unknown[]) =>
      list.length === 0 ? CelOptional.none() : CelOptional.of(list[0]),
    )
    .registerFunction("list.last(): optional<dyn>", (list: unknown[]) =>
      list.length === 0 ? CelOptional.none() : CelOptional.of(list.at(-1)),
    )
    .registerType("ListsNamespace", ListsNamespace)
    .registerConstant("lists", "ListsNamespace", new ListsNamespace())
    .registerFunction("ListsNamespace.range(int): list<int>", (_: unknown, size: bigint) => range(size))
    .registerFunction("list.sortByAssociatedKeys(list): list", sortByKeys);
}

function addSets(env: Registry): void {
  const has = (list: readonly unknown[], item: unknown): boolean => list.some((other) => equal(other, item));
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

const NO_QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

function toQuantity(text: string): CelQuantity {
  const value = tryParseQuantity(text);
  if (value !== undefined) return new CelQuantity(value);
  const parts = text !== "" && /^[+-]?\d*\.?\d*[eEinumkKMGTP]*[-+]?\d*$/.test(text);
  return fail(parts ? "unable to parse quantity's suffix" : NO_QUANTITY);
}

function addQuantities(env: Registry): void {
  const made = (value: Quantity): CelQuantity => new CelQuantity(value);
  env
    .registerType("kubernetes.Quantity", CelQuantity)
    .registerFunction("quantity(string): kubernetes.Quantity", toQuantity)
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
    .registerOperator("kubernetes.Quantity == kubernetes.Quantity");
}

const NO_NETWORK = "network address parse error during conversion from string";
const isMapped = (text: string): boolean => /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(text);

function cidrFault(text: string): string {
  const shown = JSON.stringify(text);
  if (isMapped(text.replace(/\/\d+$/, ""))) return `IPv4-mapped IPv6 address ${shown} is not allowed`;
  const why = text.includes("/") ? `ParseAddr(${JSON.stringify(text.split("/", 1)[0])}): unable to parse IP` : "no '/'";
  return `${NO_NETWORK}: netip.ParsePrefix(${shown}): ${why}`;
}

function ipFault(text: string): string {
  const shown = JSON.stringify(text);
  if (isMapped(text)) return `IPv4-mapped IPv6 address ${shown} is not allowed`;
  return `IP Address ${shown} parse error during conversion from string: ParseAddr(${shown}): ${addressFault(text)}`;
}

/** Why an address cannot be read; what is no number is named by the first that is not. */
const addressFault = (text: string): string =>
  /^[\d.]+%/.test(text)
    ? `unexpected character (at ${JSON.stringify(text.slice(text.indexOf("%")))})`
    : "unable to parse IP";

function addNetwork(env: Registry): void {
  const ip = (text: string): IpAddress => parseIp(text) ?? fail(ipFault(text));
  const cidr = (text: string): Cidr => parseCidr(text) ?? fail(`${NO_NETWORK}: ${cidrFault(text)}`);
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
    .registerOperator("net.IP == net.IP")
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
    .registerOperator("net.CIDR == net.CIDR");
}

function addUrls(env: Registry): void {
  env
    .registerType("net.URL", CelUrl)
    .registerOperator("net.URL == net.URL")
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

function addFormats(env: Registry): void {
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
      namedFormat(name) === undefined ? CelOptional.none() : CelOptional.of(named(name)),
    )
    .registerFunction(
      "kubernetes.NamedFormat.validate(string): optional<list>",
      ({ format }: CelFormat, text: string) => {
        const faults = format.faults(text);
        return faults.length === 0 ? CelOptional.none() : CelOptional.of(faults);
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

/** Why a text is no version, in the words of the library that upstream reads it with. */
function semverFault(text: string): string {
  const parts = /^([^.]*)\.([^.]*)\.([^+-]*)/.exec(text)?.slice(1);
  if (parts === undefined) return "No Major.Minor.Patch elements found";
  for (const [i, what] of ["Major", "Minor", "Patch"].entries()) {
    const part = parts[i] ?? "";
    if (!/^\d+$/.test(part))
      return `Invalid character(s) found in ${what.toLowerCase()} number ${JSON.stringify(part)}`;
    if (/^0\d/.test(part)) return `${what} number must not contain leading zeroes ${JSON.stringify(part)}`;
  }
  return `Invalid version ${JSON.stringify(text)}`;
}

const toSemver = (text: string): SemanticVersion => parseSemver(text) ?? fail(semverFault(text));

/** `v1.2` → `1.2.0`, `01.2.3` → `1.2.3` */
function normalized(text: string): string {
  const parts = text.replace(/^v/, "").split(".");
  const three = [parts[0] ?? "", parts[1] ?? "0", parts.length < 3 ? "0" : parts.slice(2).join(".")];
  return three.map((part) => part.replace(/^0+(?=\d)/, "")).join(".");
}

function compareSemver(a: SemanticVersion, b: SemanticVersion): number {
  for (let i = 0; i < 3; i++) {
    const order = compareValues(a.parts[i], b.parts[i]);
    if (order !== 0) return order;
  }
  if (a.parts.length === 3 || b.parts.length === 3) return b.parts.length - a.parts.length;
  for (let i = 3; i < Math.min(a.parts.length, b.parts.length); i++) {
    const [left, right] = [a.parts[i], b.parts[i]];
    const order = typeof left === typeof right ? compareValues(left, right) : typeof left === "bigint" ? -1 : 1;
    if (order !== 0) return order;
  }
  return a.parts.length - b.parts.length;
}

function addSemver(env: Registry): void {
  const sign = (value: number): bigint => (value > 0 ? 1n : value < 0 ? -1n : 0n);
  env
    .registerType("kubernetes.Semver", SemanticVersion)
    .registerFunction("semver(string): kubernetes.Semver", toSemver)
    .registerFunction("semver(string, bool): kubernetes.Semver", (text: string, lenient: boolean) =>
      toSemver(lenient ? normalized(text) : text),
    )
    .registerFunction("isSemver(string): bool", (text: string) => parseSemver(text) !== undefined)
    .registerFunction(
      "isSemver(string, bool): bool",
      (text: string, lenient: boolean) => parseSemver(lenient ? normalized(text) : text) !== undefined,
    )
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
    .registerOperator("kubernetes.Semver == kubernetes.Semver");
}
