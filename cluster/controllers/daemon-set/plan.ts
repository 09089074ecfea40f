/** Which nodes run a DaemonSet's pod, and which pods are to come and go. Pure. */
import type { DaemonSet, Node, Pod, Toleration } from "@travelops/kube";
import { podWantsNode } from "../../scheduler/node-affinity.ts";
import { tolerates } from "../../scheduler/taints.ts";
import { scaled } from "../shared/int-or-percent.ts";
import { isAvailable, isFinished, isTerminating } from "../shared/pods.ts";

const NAME = "metadata.name";

/** What a daemon bears that others do not. */
const TOLERATIONS: readonly Toleration[] = [
  { key: "node.kubernetes.io/not-ready", operator: "Exists", effect: "NoExecute" },
  { key: "node.kubernetes.io/unreachable", operator: "Exists", effect: "NoExecute" },
  { key: "node.kubernetes.io/disk-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/memory-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/pid-pressure", operator: "Exists", effect: "NoSchedule" },
  { key: "node.kubernetes.io/unschedulable", operator: "Exists", effect: "NoSchedule" },
];
const NETWORK: Toleration = {
  key: "node.kubernetes.io/network-unavailable",
  operator: "Exists",
  effect: "NoSchedule",
};

function withTolerations(pod: Pod): Pod {
  const wanted = pod.spec.hostNetwork === true ? [...TOLERATIONS, NETWORK] : TOLERATIONS;
  const known = pod.spec.tolerations ?? [];
  const missing = wanted.filter((one) => !known.some((other) => other.key === one.key && other.effect === one.effect));
  return { ...pod, spec: { ...pod.spec, tolerations: [...known, ...missing] } };
}

/** The pod bound to one node by its affinity: the scheduler still checks that it fits. */
export function daemonPod(base: Pod, node: string): Pod {
  const pod = withTolerations(base);
  const field = { key: NAME, operator: "In", values: [node] };
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const terms = required?.nodeSelectorTerms ?? [{}];
  const nodeSelectorTerms = terms.map((term) => ({ ...term, matchFields: [field] }));
  return {
    ...pod,
    spec: {
      ...pod.spec,
      affinity: {
        ...pod.spec.affinity,
        nodeAffinity: {
          ...pod.spec.affinity?.nodeAffinity,
          requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms },
        },
      },
    },
  };
}

/** The node a pod is on, or is meant for. */
export function nodeOf(pod: Pod): string | undefined {
  if ((pod.spec.nodeName ?? "") !== "") return pod.spec.nodeName;
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const fields = required?.nodeSelectorTerms.flatMap((term) => term.matchFields ?? []) ?? [];
  return fields.find((field) => field.key === NAME)?.values?.[0];
}

export interface NodeFit {
  readonly shouldRun: boolean;
  /** A pod that is there already may stay: a taint with NoSchedule came later. */
  readonly mayStay: boolean;
}

export function fitOf(base: Pod, node: Node): NodeFit {
  const pod = withTolerations(base);
  const named = pod.spec.nodeName ?? "";
  if ((named !== "" && named !== node.metadata.name) || !podWantsNode(pod, node))
    return { shouldRun: false, mayStay: false };
  const forbids = (effects: readonly string[]): boolean =>
    (node.spec?.taints ?? []).some(
      (taint) => effects.includes(taint.effect) && !(pod.spec.tolerations ?? []).some((one) => tolerates(one, taint)),
    );
  return { shouldRun: !forbids(["NoSchedule", "NoExecute"]), mayStay: !forbids(["NoExecute"]) };
}

export interface DaemonInput {
  readonly set: DaemonSet;
  readonly base: Pod;
  readonly nodes: readonly Node[];
  readonly pods: readonly Pod[];
  readonly isUpdated: (pod: Pod) => boolean;
  readonly isDeleting: (pod: Pod) => boolean;
  readonly now: number;
}

export interface DaemonPlan {
  /** Names of nodes. */
  readonly create: readonly string[];
  readonly remove: readonly Pod[];
  readonly ended: readonly Pod[];
}

export function daemonPlan(input: DaemonInput): DaemonPlan {
  const { nodes, pods, base, isDeleting } = input;
  const byNode = Map.groupBy(pods, (pod) => nodeOf(pod) ?? "");
  const create: string[] = [];
  const remove: Pod[] = [];
  const ended: Pod[] = [];
  const kept = new Map<string, Pair>();
  const surge = maxSurge(input.set, nodes.length);
  for (const node of nodes) {
    const name = node.metadata.name ?? "";
    const here = (byNode.get(name) ?? []).toSorted(
      (a, b) => Number(b.spec.nodeName !== undefined) - Number(a.spec.nodeName !== undefined),
    );
    const { shouldRun, mayStay } = fitOf(base, node);
    const leaving = here.some((pod) => isDeleting(pod));
    const staying = here.filter((pod) => !isDeleting(pod));
    const over = staying.filter(isFinished);
    ended.push(...over);
    const living = staying.filter((pod) => !over.includes(pod));
    if (!mayStay) {
      remove.push(...living);
      continue;
    }
    // While a new template comes in ahead of the old one, a node has a pod of each.
    const [updated, old] = [true, false].map((is) => living.find((pod) => input.isUpdated(pod) === is));
    const pair = surge > 0 ? { old, updated } : { old: living[0] };
    remove.push(...living.filter((pod) => pod !== pair.old && pod !== pair.updated));
    if (living.length > 0) kept.set(name, pair);
    else if (shouldRun && !leaving && over.length === 0) create.push(name);
  }
  const known = new Set(nodes.map((node) => node.metadata.name));
  for (const pod of pods)
    if (!known.has(nodeOf(pod)) && (pod.spec.nodeName ?? "") === "" && !isDeleting(pod)) remove.push(pod);
  if (surge > 0) {
    const next = surging(input, kept, surge);
    return { create: [...create, ...next.create], remove: [...remove, ...next.remove], ended };
  }
  const single = [...kept.values()].flatMap(({ old }) => old ?? []);
  return { create, remove: [...remove, ...outdated(input, single, create.length)], ended };
}

/** The pods that stay on a node; without a surge whichever it has is `old`. */
interface Pair {
  readonly old?: Pod;
  readonly updated?: Pod;
}

const maxSurge = ({ spec: { updateStrategy } }: DaemonSet, nodes: number): number =>
  updateStrategy?.type === "OnDelete" ? 0 : scaled(updateStrategy?.rollingUpdate?.maxSurge, nodes, "up");

/** Each node gets the new pod before it loses the old one; one whose old pod is of no use does not have to wait. */
function surging(
  { set, now }: DaemonInput,
  kept: ReadonlyMap<string, Pair>,
  most: number,
): { create: string[]; remove: Pod[] } {
  const minReady = set.spec.minReadySeconds ?? 0;
  const urgent: string[] = [];
  const patient: string[] = [];
  const remove: Pod[] = [];
  let underWay = 0;
  for (const [node, { old, updated }] of kept) {
    if (old === undefined) continue;
    if (updated === undefined) (isAvailable(old, minReady, now) ? patient : urgent).push(node);
    else if (isAvailable(updated, minReady, now)) remove.push(old);
    else underWay++;
  }
  return { create: [...urgent, ...patient.slice(0, Math.max(0, most - underWay))], remove };
}

/** Pods of an old template that may go now: broken ones at once, others as far as availability allows. */
function outdated(
  { set, isUpdated, nodes, now, pods, isDeleting }: DaemonInput,
  kept: readonly Pod[],
  missing: number,
): Pod[] {
  if (set.spec.updateStrategy?.type === "OnDelete") return [];
  const minReady = set.spec.minReadySeconds ?? 0;
  const well = (pod: Pod): boolean => isAvailable(pod, minReady, now) && !isTerminating(pod);
  const old = kept.filter((pod) => !isUpdated(pod));
  const broken = old.filter((pod) => !well(pod));
  const most = Math.max(1, scaled(set.spec.updateStrategy?.rollingUpdate?.maxUnavailable ?? 1, nodes.length, "up"));
  const leaving = pods.filter(isDeleting).length;
  const unwell = kept.filter((pod) => !well(pod)).length + missing + leaving;
  return [...broken, ...old.filter(well).slice(0, Math.max(0, most - unwell))];
}
