import type { KubeObject, Taint } from "@travelops/kube";
import { withSpec, writes } from "./plugin.ts";
import type { AdmissionPlugin } from "./plugin.ts";

const NOT_READY: Taint = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" };

/** A new node takes no pods until it has reported that it is ready; the node-lifecycle controller takes the taint off. */
export const nodeTaint: AdmissionPlugin = {
  name: "TaintNodesByCondition",
  mutate(object, attributes) {
    if (attributes.operation !== "CREATE" || !writes(attributes, "", "nodes")) return object;
    const taints = taintsOf(object);
    return taints.some(({ key, effect }) => key === NOT_READY.key && effect === NOT_READY.effect)
      ? object
      : withSpec(object, { taints: [...taints, NOT_READY] });
  },
};

const taintsOf = (node: KubeObject): readonly Taint[] =>
  (node["spec"] as { readonly taints?: readonly Taint[] } | undefined)?.taints ?? [];
