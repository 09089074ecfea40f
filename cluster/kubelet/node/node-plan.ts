/** Names, addresses and labels of a cluster's nodes, by the address plan: a /24 of the pod range each. */
import type { KubeletOptions } from "../kubelet.ts";

export interface NodePlan {
  readonly podRange: string;
  readonly serviceRange: string;
  /** The bridge: the first node's address, with the range's length. */
  readonly gateway: string;
  /** For the sandbox: addresses of the nodes besides the bridge's own. */
  readonly nodeAddresses: readonly string[];
  readonly dnsServer: string;
  readonly nodes: readonly KubeletOptions["node"][];
}

const MAX_NODES = 100;

/** `index`: the cluster's number, from 0. The first node has the control plane's role, too, as a single-node OpenShift has. */
export function planNodes({ cluster, index, count }: { cluster: string; index: number; count: number }): NodePlan {
  if (!Number.isInteger(index) || index < 0 || index > 60)
    throw new RangeError(`the cluster's index ${index} is not between 0 and 60`);
  if (!Number.isInteger(count) || count < 1 || count > MAX_NODES)
    throw new RangeError(`--nodes ${count}: there can be 1 to ${MAX_NODES} nodes`);
  const pods = `10.${128 + index * 2}`;
  const services = `10.${64 + index}`;
  const nodes = Array.from({ length: count }, (_, i) => ({
    name: `${cluster}-node-${i + 1}`,
    address: `${pods}.${i}.1`,
    podCIDR: `${pods}.${i}.0/24`,
    labels: {
      "node-role.kubernetes.io/worker": "",
      ...(i === 0 ? { "node-role.kubernetes.io/control-plane": "", "node-role.kubernetes.io/master": "" } : {}),
      "topology.kubernetes.io/region": "local",
      "topology.kubernetes.io/zone": `local-${i + 1}`,
    },
  }));
  return {
    podRange: `${pods}.0.0/16`,
    serviceRange: `${services}.0.0/16`,
    gateway: `${pods}.0.1/16`,
    nodeAddresses: nodes.slice(1).map((node) => node.address),
    dnsServer: `${services}.0.10`,
    nodes,
  };
}
