/** Addresses that are written as few write them. */
import { isIPv4, isIPv6 } from "node:net";

const MAPPED = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/;

/** As RFC 5952 has it. */
const canonical = (address: string): string => new URL(`http://[${address}]/`).hostname.slice(1, -1);

function mapped(shown: string): string | undefined {
  const found = MAPPED.exec(shown);
  if (found === null) return undefined;
  const parts = [found[1] ?? "0", found[2] ?? "0"].map((part) => Number.parseInt(part, 16));
  return parts.flatMap((part) => [part >> 8, part & 0xff]).join(".");
}

/** Says of a valid address how it should be written. */
export function addressWarnings(address: string, path: string, warn: (text: string) => void): void {
  if (isIPv4(address) || address.includes("%")) return;
  const quoted = JSON.stringify(address);
  const invalid = "will be considered invalid in a future Kubernetes release";
  if (!isIPv6(address)) {
    const plain = address.split(".").map(Number).join(".");
    if (isIPv4(plain)) warn(`${path}: non-standard IP address ${quoted} ${invalid}: use ${JSON.stringify(plain)}`);
    return;
  }
  const shown = canonical(address);
  const four = mapped(shown);
  if (four !== undefined) warn(`${path}: non-standard IP address ${quoted} ${invalid}: use ${JSON.stringify(four)}`);
  else if (shown !== address)
    warn(`${path}: IPv6 address ${quoted} should be in RFC 5952 canonical format (${JSON.stringify(shown)})`);
}
