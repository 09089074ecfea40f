/** Which addresses a cluster uses: disjoint for every index, so that clusters of one machine never collide. */

export interface AddressPlan {
  /** A /16; a /24 of it a node, the first /24 for the bridge and the nodes themselves. */
  readonly podRange: string;
  readonly serviceRange: string;
  /** The bridge. */
  readonly gateway: string;
  readonly apiService: string;
  readonly dnsService: string;
  node(index: number): { readonly address: string; readonly podCIDR: string };
}

const MOST_CLUSTERS = 60;

export function addressPlan(index: number): AddressPlan {
  if (!Number.isInteger(index) || index < 0 || index >= MOST_CLUSTERS)
    throw new RangeError(`a cluster's index is 0 to ${MOST_CLUSTERS - 1}, not ${index}`);
  const pods = `10.${128 + index * 2}`;
  const services = `10.${64 + index}`;
  return {
    podRange: `${pods}.0.0/16`,
    serviceRange: `${services}.0.0/16`,
    gateway: `${pods}.0.1`,
    apiService: `${services}.0.1`,
    dnsService: `${services}.0.10`,
    node: (node) => ({ address: `${pods}.0.${10 + node}`, podCIDR: `${pods}.${node + 1}.0/24` }),
  };
}
