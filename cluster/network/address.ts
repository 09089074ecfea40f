/** IPv4 arithmetic of the cluster's address plan. */

export function parseIPv4(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part)) return undefined;
    const byte = Number(part);
    if (byte > 255) return undefined;
    value = value * 256 + byte;
  }
  return value;
}

export function formatIPv4(value: number): string {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255].join(".");
}

/** First and last address of an IPv4 range in CIDR notation; `undefined` when it is none. */
export function cidrBounds(cidr: string): { from: number; to: number } | undefined {
  const [base = "", bits = "32"] = cidr.split("/");
  const start = parseIPv4(base);
  const prefix = Number(bits);
  if (start === undefined || !/^\d{1,2}$/.test(bits) || prefix > 32) return undefined;
  const size = 2 ** (32 - prefix);
  const from = start - (start % size);
  return { from, to: from + size - 1 };
}

export interface Range {
  contains(address: string): boolean;
  /** The n-th address of the range. */
  at(n: number): string;
}

/** `10.64.0.0/16` → membership and addresses by offset. */
export function parseRange(cidr: string): Range {
  const [base = "", bits = ""] = cidr.split("/");
  const start = parseIPv4(base);
  const prefix = Number(bits);
  if (start === undefined || !(prefix >= 0 && prefix <= 32))
    throw new Error(`"${cidr}" is not an IPv4 range like 10.64.0.0/16`);
  const size = 2 ** (32 - prefix);
  const first = start - (start % size);
  return {
    contains(address) {
      const value = parseIPv4(address);
      return value !== undefined && value >= first && value < first + size;
    },
    at: (n) => formatIPv4((first + n) >>> 0),
  };
}

/**
 * Clusters of this machine as pods see them, the same in each: 10.127.INDEX.1 is a cluster's API, .2 its ingress. No
 * cluster's own ranges come there.
 */
export const SIBLING_RANGE = "10.127.0.0/16";

/** The addresses that every cluster has at the same place of its ranges. */
export interface ClusterAddresses {
  readonly api: string;
  readonly dns: string;
  /** The bridge of the pods' network: ingress on 80 and 443, egress proxy on 3128. */
  readonly gateway: string;
}

export const EGRESS_PORT = 3128;

export function clusterAddresses(podRange: string, serviceRange: string): ClusterAddresses {
  const services = parseRange(serviceRange);
  return { api: services.at(1), dns: services.at(10), gateway: parseRange(podRange).at(1) };
}
