/** Addresses, networks and URLs in rules: `ip`, `cidr`, `url`. */
import { isIP } from "node:net";

export class IpAddress {
  readonly value: bigint;
  readonly family: 4 | 6;
  constructor(value: bigint, family: 4 | 6) {
    this.value = value;
    this.family = family;
  }

  get bits(): number {
    return this.family === 4 ? 32 : 128;
  }

  /** In bytes, as costs go by it. */
  get celSize(): number {
    return this.bits / 8;
  }

  equals(other: IpAddress): boolean {
    return this.family === other.family && this.value === other.value;
  }

  /** Whether the first `length` bits are those of `prefix`. */
  startsWith(prefix: bigint, length: number): boolean {
    const shift = BigInt(this.bits - length);
    return this.value >> shift === prefix >> shift;
  }

  toString(): string {
    if (this.family === 4) return [24n, 16n, 8n, 0n].map((shift) => String((this.value >> shift) & 255n)).join(".");
    return printV6(this.value);
  }
}

function printV6(value: bigint): string {
  const words = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  let best = { at: -1, length: 1 };
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && words[i + length] === "0") length++;
    if (length > best.length) best = { at: i, length };
  }
  if (best.at < 0) return words.join(":");
  return `${words.slice(0, best.at).join(":")}::${words.slice(best.at + best.length).join(":")}`;
}

/** Undefined for what is no address; mapped addresses and zones are none here. */
export function parseIp(text: string): IpAddress | undefined {
  const family = isIP(text);
  if (family === 0 || text.includes("%") || (family === 6 && text.includes("."))) return undefined;
  if (family === 4)
    return new IpAddress(
      text.split(".").reduce((value, part) => (value << 8n) | BigInt(part), 0n),
      4,
    );
  const [head = "", tail] = text.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const words =
    tail === undefined ? left : [...left, ...Array<string>(8 - left.length - right.length).fill("0"), ...right];
  const value = words.reduce((sum, word) => (sum << 16n) | BigInt(`0x${word}`), 0n);
  return value >> 32n === 0xffffn ? undefined : new IpAddress(value, 6);
}

export class Cidr {
  readonly address: IpAddress;
  readonly length: number;
  constructor(address: IpAddress, length: number) {
    this.address = address;
    this.length = length;
  }

  get celSize(): number {
    return Math.ceil(this.length / 8);
  }

  equals(other: Cidr): boolean {
    return this.length === other.length && this.address.equals(other.address);
  }

  get masked(): Cidr {
    const shift = BigInt(this.address.bits - this.length);
    return new Cidr(new IpAddress((this.address.value >> shift) << shift, this.address.family), this.length);
  }

  containsIp(ip: IpAddress): boolean {
    return ip.family === this.address.family && ip.startsWith(this.address.value, this.length);
  }

  containsCidr(other: Cidr): boolean {
    return other.length >= this.length && this.containsIp(other.address);
  }

  toString(): string {
    return `${this.address.toString()}/${this.length}`;
  }
}

export function parseCidr(text: string): Cidr | undefined {
  const [address = "", length = "", ...rest] = text.split("/");
  const ip = parseIp(address);
  if (ip === undefined || rest.length > 0 || !/^(?:0|[1-9]\d*)$/.test(length) || Number(length) > ip.bits)
    return undefined;
  return new Cidr(ip, Number(length));
}

export const isLoopback = (ip: IpAddress): boolean => (ip.family === 4 ? ip.value >> 24n === 127n : ip.value === 1n);
export const isLinkLocalMulticast = (ip: IpAddress): boolean =>
  ip.family === 4 ? ip.value >> 8n === 0xe00000n : ip.value >> 112n === 0xff02n;
export const isLinkLocalUnicast = (ip: IpAddress): boolean =>
  ip.family === 4 ? ip.value >> 16n === 0xa9fen : ip.value >> 118n === 0x3fan;

export function isGlobalUnicast(ip: IpAddress): boolean {
  const multicast = ip.family === 4 ? ip.value >> 28n === 0xen : ip.value >> 120n === 0xffn;
  const broadcast = ip.family === 4 && ip.value === 0xffffffffn;
  return ip.value !== 0n && !broadcast && !multicast && !isLoopback(ip) && !isLinkLocalUnicast(ip);
}

/** A URL as `net/url` splits it, for absolute URIs and absolute paths. */
export class CelUrl {
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
  readonly query: string;

  constructor(scheme: string, host: string, path: string, query: string) {
    this.scheme = scheme;
    this.host = host;
    this.path = path;
    this.query = query;
  }

  equals(other: CelUrl): boolean {
    return (
      this.scheme === other.scheme && this.host === other.host && this.path === other.path && this.query === other.query
    );
  }

  get hostname(): string {
    return this.host.startsWith("[") ? this.host.slice(1, this.host.indexOf("]")) : this.host.replace(/:\d*$/, "");
  }

  get port(): string {
    return /:(\d+)$/.exec(this.host.replace(/^\[[^\]]*\]/, ""))?.[1] ?? "";
  }

  get parameters(): Map<string, string[]> {
    const out = new Map<string, string[]>();
    for (const [key, value] of new URLSearchParams(this.query)) out.set(key, [...(out.get(key) ?? []), value]);
    return out;
  }
}

const URI = /^(?:([a-zA-Z][a-zA-Z0-9+.-]*):)?(?:\/\/([^/?]*))?([^?]*)(?:\?(.*))?$/s;

export function parseUrl(text: string): CelUrl | undefined {
  // eslint-disable-next-line no-control-regex
  if (text === "" || /[\u0000-\u001f\u007f]/.test(text)) return undefined;
  const [, scheme = "", authority = "", path = "", query = ""] = URI.exec(text) ?? [];
  if (scheme === "" && !path.startsWith("/")) return undefined;
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  if (/%(?![0-9a-fA-F]{2})/.test(path) || !/^(?:\[[0-9a-fA-F:.%\w-]+\]|[^\s<>"[\]{}|\\^`:]*)(?::\d*)?$/.test(host))
    return undefined;
  return new CelUrl(scheme.toLowerCase(), host, path, query);
}
