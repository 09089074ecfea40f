/** Addresses and ranges that are taken as they are, and would better be written otherwise. */
import { Cidr, type IpAddress, parseIp } from "@travelops/kube/schema/cel/network";

const MAPPED = /^::ffff:(?=[\d.]+$)/i;
const withoutZeros = (text: string): string => text.replaceAll(/\b0+(?=\d)/g, "");
const isV4 = (text: string): boolean => /^[\d.]+$/.test(text);

/** An address as upstream reads it: zeros before octets are nothing, and a mapped one is IPv4. */
function parseLoosely(text: string): { readonly ip: IpAddress; readonly strict: boolean } | undefined {
  const bare = text.replace(MAPPED, "");
  const plain = isV4(bare) ? withoutZeros(bare) : bare;
  const ip = parseIp(plain);
  return ip === undefined ? undefined : { ip, strict: plain === text };
}

/** What a writer is told of an address that is no error. */
export function addressWarnings(text: string, path: string): string[] {
  const read = parseLoosely(text);
  if (read === undefined) return [];
  const shown = read.ip.toString();
  const [was, better] = [JSON.stringify(text), JSON.stringify(shown)];
  if (!read.strict)
    return [
      `${path}: non-standard IP address ${was} will be considered invalid in a future Kubernetes release: use ${better}`,
    ];
  if (read.ip.family === 4 || shown === text) return [];
  return [`${path}: IPv6 address ${was} should be in RFC 5952 canonical format (${better})`];
}

/** What a writer is told of a range that is no error. */
export function rangeWarnings(text: string, path: string): string[] {
  const [address = "", length = ""] = text.split("/");
  const read = parseLoosely(address);
  if (read === undefined || !/^\d+$/.test(length)) return [];
  const mapped = MAPPED.test(address);
  const range = new Cidr(read.ip, Math.max(0, Number(length) - (mapped ? 96 : 0)));
  const [was, masked] = [JSON.stringify(text), range.masked];
  const better = JSON.stringify(masked.toString());
  const said: string[] = [];
  if (!masked.address.equals(range.address)) {
    const alone = JSON.stringify(`${range.address.toString()}/${range.address.bits}`);
    said.push(`${path}: CIDR value ${was} is ambiguous in this context (should be ${better} or ${alone}?)`);
  }
  if (!read.strict || withoutZeros(length) !== length)
    said.push(
      `${path}: non-standard CIDR value ${was} will be considered invalid in a future Kubernetes release: use ${better}`,
    );
  if (said.length === 0 && read.ip.family === 6 && range.toString() !== text)
    said.push(
      `${path}: IPv6 CIDR value ${was} should be in RFC 5952 canonical format (${JSON.stringify(range.toString())})`,
    );
  return said;
}
