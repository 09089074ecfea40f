/** NetworkPolicies → rows of the dataplane: selectors resolved to addresses, names of ports to numbers. Pure. */
import { selects, type KubeObject, type LabelSelector, type Pod } from "@travelops/kube";
import type { PolicyConfig, PolicyPort, PolicyRule, Protocol } from "../config.ts";
import { blockRanges, mergeRanges } from "../policy/ranges.ts";

export interface NetworkPolicyPeer {
  podSelector?: LabelSelector;
  namespaceSelector?: LabelSelector;
  ipBlock?: { cidr: string; except?: string[] };
}

export interface NetworkPolicyPort {
  protocol?: string;
  port?: number | string;
  endPort?: number;
}

export interface NetworkPolicy extends KubeObject {
  spec?: {
    podSelector?: LabelSelector;
    policyTypes?: string[];
    ingress?: { from?: NetworkPolicyPeer[]; ports?: NetworkPolicyPort[] }[];
    egress?: { to?: NetworkPolicyPeer[]; ports?: NetworkPolicyPort[] }[];
  };
}

type Labels = Readonly<Record<string, string>>;

/** Whoever selectors can name: a pod, or a part of the cluster that upstream runs as one. */
export interface PolicyPeer {
  /** Its address, or another name that the dataplane knows it by. */
  readonly id: string;
  readonly namespace: string;
  readonly labels: Labels;
  readonly ports: readonly { readonly name: string; readonly number: number; readonly protocol: Protocol }[];
}

export interface PolicyWorld {
  readonly pods: readonly PolicyPeer[];
  /** DNS, the ingress and Gateways. */
  readonly services: readonly PolicyPeer[];
  namespaceLabels(namespace: string): Labels | undefined;
}

const protocolOf = (protocol: string | undefined): Protocol =>
  protocol === "UDP" || protocol === "SCTP" ? protocol : "TCP";

/** A pod with a network of its own; those that use the node's are not subject to policies, as upstream has it. */
export function peerOfPod(pod: Pod): PolicyPeer | undefined {
  const { podIP, phase } = pod.status ?? {};
  if (podIP === undefined || podIP === "" || pod.spec.hostNetwork === true) return undefined;
  if (phase === "Succeeded" || phase === "Failed") return undefined;
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  return {
    id: podIP,
    namespace: pod.metadata.namespace ?? "",
    labels: pod.metadata.labels ?? {},
    ports: containers.flatMap(({ ports = [] }) =>
      ports.flatMap((p) =>
        p.name === undefined ? [] : [{ name: p.name, number: p.containerPort, protocol: protocolOf(p.protocol) }],
      ),
    ),
  };
}

export function compilePolicy(policy: NetworkPolicy, world: PolicyWorld): PolicyConfig {
  const { spec = {} } = policy;
  const namespace = policy.metadata.namespace ?? "";
  const selected = world.pods.filter(
    (pod) => pod.namespace === namespace && selects(spec.podSelector ?? {}, pod.labels),
  );
  const types = spec.policyTypes ?? (spec.egress === undefined ? ["Ingress"] : ["Ingress", "Egress"]);
  const context = { namespace, world };
  return {
    pods: selected.map((pod) => pod.id),
    ...(types.includes("Ingress")
      ? { ingress: (spec.ingress ?? []).map(({ from, ports }) => ruleOf(from, ports, selected, context)) }
      : {}),
    ...(types.includes("Egress")
      ? { egress: (spec.egress ?? []).map(({ to, ports }) => ruleOf(to, ports, undefined, context)) }
      : {}),
  };
}

interface Context {
  readonly namespace: string;
  readonly world: PolicyWorld;
}

/** `destinations`: the pods that a named port is looked up in; of egress any that may be meant. */
function ruleOf(
  peers: readonly NetworkPolicyPeer[] | undefined,
  ports: readonly NetworkPolicyPort[] | undefined,
  destinations: readonly PolicyPeer[] | undefined,
  context: Context,
): PolicyRule {
  const { pods, services } = context.world;
  const open = peers === undefined || peers.length === 0;
  return {
    ...(open ? {} : { peers: peersOf(peers, context) }),
    ...(ports === undefined || ports.length === 0
      ? {}
      : { ports: ports.flatMap((port) => portsOf(port, destinations ?? [...pods, ...services])) }),
  };
}

function peersOf(peers: readonly NetworkPolicyPeer[], { namespace, world }: Context): NonNullable<PolicyRule["peers"]> {
  const ids = new Set<string>();
  for (const { podSelector, namespaceSelector } of peers) {
    if (podSelector === undefined && namespaceSelector === undefined) continue;
    const inNamespace = (name: string): boolean =>
      namespaceSelector === undefined
        ? name === namespace
        : selects(namespaceSelector, world.namespaceLabels(name) ?? { "kubernetes.io/metadata.name": name });
    for (const peer of [...world.pods, ...world.services]) {
      if (inNamespace(peer.namespace) && selects(podSelector ?? {}, peer.labels)) ids.add(peer.id);
    }
  }
  const blocks = peers.flatMap(({ ipBlock }) =>
    ipBlock === undefined ? [] : blockRanges(ipBlock.cidr, ipBlock.except),
  );
  return { ids: [...ids].toSorted(), blocks: mergeRanges(blocks) };
}

const LAST_PORT = 65_535;

function portsOf(port: NetworkPolicyPort, destinations: readonly PolicyPeer[]): PolicyPort[] {
  const protocol = protocolOf(port.protocol);
  if (port.port === undefined) return [{ protocol, from: 0, to: LAST_PORT }];
  if (typeof port.port === "number") return [{ protocol, from: port.port, to: port.endPort ?? port.port }];
  const byNumber = new Map<number, string[]>();
  for (const { id, ports } of destinations) {
    const found = ports.find((p) => p.name === port.port && p.protocol === protocol);
    if (found !== undefined) byNumber.set(found.number, [...(byNumber.get(found.number) ?? []), id]);
  }
  return [...byNumber].map(([number, ids]) => ({ protocol, from: number, to: number, destinations: ids.toSorted() }));
}
