/**
 * Who the parts of the network that are no pods here are to NetworkPolicies: cluster DNS and the ingress have the
 * namespaces and labels under which upstream runs them, so that policies written for a real cluster fit.
 */
import type { ClusterAddresses } from "../address.ts";
import type { PolicyPeer } from "./network-policy.ts";
import type { Gateway } from "./types.ts";

type Labels = Readonly<Record<string, string>>;

const DNS_PORTS = [
  { name: "dns", number: 53, protocol: "UDP" },
  { name: "dns-tcp", number: 53, protocol: "TCP" },
] as const;

/** OpenShift's own labels of the namespaces where these peers live, for as long as nobody made them. */
const OWN_NAMESPACES: Readonly<Record<string, Labels>> = {
  "openshift-ingress": {
    "network.openshift.io/policy-group": "ingress",
    "policy-group.network.openshift.io/ingress": "",
  },
  "openshift-dns": {},
  "kube-system": {},
};

export function servicePeers(addresses: ClusterAddresses, gateways: readonly Gateway[]): PolicyPeer[] {
  return [
    { id: addresses.dns, namespace: "kube-system", labels: { "k8s-app": "kube-dns" }, ports: DNS_PORTS },
    {
      id: addresses.dns,
      namespace: "openshift-dns",
      labels: { "dns.operator.openshift.io/daemonset-dns": "default" },
      ports: DNS_PORTS,
    },
    {
      id: addresses.gateway,
      namespace: "openshift-ingress",
      labels: { "ingresscontroller.operator.openshift.io/deployment-ingresscontroller": "default" },
      ports: [],
    },
    // A Gateway is a Deployment beside it where Istio serves it.
    ...gateways.map((gateway) => ({
      id: gatewayId(gateway.metadata.namespace ?? "", gateway.metadata.name ?? ""),
      namespace: gateway.metadata.namespace ?? "",
      labels: { "gateway.networking.k8s.io/gateway-name": gateway.metadata.name ?? "" },
      ports: [],
    })),
  ];
}

/** By what the dataplane knows a Gateway. */
export const gatewayId = (namespace: string, name: string): string => `gateway:${namespace}/${name}`;

/** A namespace's labels as selectors see them; those of the network's own places stand even where nobody made these. */
export function policyNamespaceLabels(name: string, labels: Labels | undefined): Labels | undefined {
  const own = OWN_NAMESPACES[name];
  return own === undefined ? labels : { "kubernetes.io/metadata.name": name, ...own, ...labels };
}
