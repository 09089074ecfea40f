/** Taints and the tolerations against them. Pure. */
import type { Node, Pod, Taint, Toleration } from "@travelops/kube";

export function tolerates(toleration: Toleration, taint: Taint): boolean {
  if ((toleration.effect ?? "") !== "" && toleration.effect !== taint.effect) return false;
  if ((toleration.key ?? "") !== "" && toleration.key !== taint.key) return false;
  if (toleration.operator === "Exists") return true;
  if ((toleration.key ?? "") === "") return false;
  return (toleration.value ?? "") === (taint.value ?? "");
}

const untolerated = (pod: Pod, node: Node, effects: readonly string[]): Taint[] =>
  (node.spec?.taints ?? []).filter(
    (taint) => effects.includes(taint.effect) && !(pod.spec.tolerations ?? []).some((one) => tolerates(one, taint)),
  );

/** The first taint that keeps the pod off the node. */
export const forbiddingTaint = (pod: Pod, node: Node): Taint | undefined =>
  untolerated(pod, node, ["NoSchedule", "NoExecute"])[0];

/** How many taints would rather have the pod elsewhere. */
export const dislikes = (pod: Pod, node: Node): number => untolerated(pod, node, ["PreferNoSchedule"]).length;

const UNSCHEDULABLE: Taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };

/** A cordoned node takes only pods that tolerate it. */
export const isClosed = (pod: Pod, node: Node): boolean =>
  node.spec?.unschedulable === true && !(pod.spec.tolerations ?? []).some((one) => tolerates(one, UNSCHEDULABLE));
