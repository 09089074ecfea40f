/** Affinity and anti-affinity between pods. Pure: counts matching pods by topology, then asks node by node. */
import type { Pod, PodAffinityTerm } from "@travelops/kube";
import { selects } from "@travelops/kube";
import type { NodeInfo } from "./node-info.ts";

/** Labels of a namespace, for terms that select namespaces. */
export type NamespaceLabels = (namespace: string) => Readonly<Record<string, string>> | undefined;

type Counts = Map<string, number>;

export interface AffinityState {
  /** Topologies (`key=value`) where pods stand that the incoming pod must be near, a map a term. */
  readonly near: readonly { term: PodAffinityTerm; counts: Counts }[];
  readonly apart: readonly { term: PodAffinityTerm; counts: Counts }[];
  /** Topologies that existing pods keep the incoming pod out of. */
  readonly kept: ReadonlySet<string>;
  /** The incoming pod may be the first of its group. */
  readonly first: boolean;
}

const required = (terms: PodAffinityTerm[] | undefined): readonly PodAffinityTerm[] => terms ?? [];
const nearTerms = (pod: Pod): readonly PodAffinityTerm[] =>
  required(pod.spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution);
const apartTerms = (pod: Pod): readonly PodAffinityTerm[] =>
  required(pod.spec.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution);

/** Whether `term`, stated by `owner`, means `other`. */
function termMeans(term: PodAffinityTerm, owner: Pod, other: Pod, labelsOf: NamespaceLabels): boolean {
  const namespace = other.metadata.namespace ?? "";
  if (!namespaceMeant(term, owner, namespace, labelsOf)) return false;
  const labels = other.metadata.labels;
  if (!selects(term.labelSelector, labels)) return false;
  const own = owner.metadata.labels ?? {};
  const same = (key: string): boolean => own[key] === undefined || own[key] === labels?.[key];
  const differs = (key: string): boolean => own[key] === undefined || own[key] !== labels?.[key];
  return (term.matchLabelKeys ?? []).every(same) && (term.mismatchLabelKeys ?? []).every(differs);
}

function namespaceMeant(term: PodAffinityTerm, owner: Pod, namespace: string, labelsOf: NamespaceLabels): boolean {
  const named = term.namespaces ?? [];
  if (named.length === 0 && term.namespaceSelector === undefined) return namespace === (owner.metadata.namespace ?? "");
  return named.includes(namespace) || selects(term.namespaceSelector, labelsOf(namespace) ?? {});
}

const topologyOf = (info: NodeInfo, key: string): string | undefined => {
  const value = info.labels[key];
  return value === undefined ? undefined : `${key}=${value}`;
};

function countTerm(term: PodAffinityTerm, pod: Pod, nodes: readonly NodeInfo[], labelsOf: NamespaceLabels): Counts {
  const counts: Counts = new Map();
  for (const info of nodes) {
    const topology = topologyOf(info, term.topologyKey);
    if (topology === undefined) continue;
    for (const other of info.pods) {
      if (termMeans(term, pod, other, labelsOf)) counts.set(topology, (counts.get(topology) ?? 0) + 1);
    }
  }
  return counts;
}

/** Undefined when no pod anywhere states any required term that matters: the common case, and free. */
export function affinityState(
  pod: Pod,
  nodes: readonly NodeInfo[],
  labelsOf: NamespaceLabels,
): AffinityState | undefined {
  const kept = new Set<string>();
  for (const info of nodes) {
    for (const other of info.pods) {
      for (const term of apartTerms(other)) {
        const topology = topologyOf(info, term.topologyKey);
        if (topology !== undefined && termMeans(term, other, pod, labelsOf)) kept.add(topology);
      }
    }
  }
  const count = (term: PodAffinityTerm) => ({ term, counts: countTerm(term, pod, nodes, labelsOf) });
  const near = nearTerms(pod).map(count);
  const apart = apartTerms(pod).map(count);
  if (kept.size === 0 && near.length === 0 && apart.length === 0) return undefined;
  const first =
    near.every(({ counts }) => counts.size === 0) && near.every(({ term }) => termMeans(term, pod, pod, labelsOf));
  return { near, apart, kept, first };
}

export type AffinityFault = "affinity" | "anti-affinity" | "existing";

export function affinityFault(state: AffinityState, info: NodeInfo): AffinityFault | undefined {
  for (const { term, counts } of state.near) {
    const topology = topologyOf(info, term.topologyKey);
    if (topology === undefined) return "affinity";
    if (!counts.has(topology) && !state.first) return "affinity";
  }
  for (const { term, counts } of state.apart) {
    const topology = topologyOf(info, term.topologyKey);
    if (topology !== undefined && counts.has(topology)) return "anti-affinity";
  }
  for (const [key, value] of Object.entries(info.labels)) if (state.kept.has(`${key}=${value}`)) return "existing";
  return undefined;
}

/** Preferred terms of the pod itself, summed over the pods near each node. */
export function affinityPreference(
  pod: Pod,
  nodes: readonly NodeInfo[],
  labelsOf: NamespaceLabels,
): ((info: NodeInfo) => number) | undefined {
  const near = pod.spec.affinity?.podAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const apart = pod.spec.affinity?.podAntiAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
  const terms = [
    ...near.map(({ weight, podAffinityTerm }) => ({ weight, term: podAffinityTerm })),
    ...apart.map(({ weight, podAffinityTerm }) => ({ weight: -weight, term: podAffinityTerm })),
  ].map(({ weight, term }) => ({ weight, term, counts: countTerm(term, pod, nodes, labelsOf) }));
  if (terms.length === 0) return undefined;
  return (info) =>
    terms.reduce((sum, { weight, term, counts }) => {
      const topology = topologyOf(info, term.topologyKey);
      return sum + (topology === undefined ? 0 : weight * (counts.get(topology) ?? 0));
    }, 0);
}
