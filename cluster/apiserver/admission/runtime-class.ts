import { isDeepStrictEqual } from "node:util";
import { forbidden } from "@travelops/kube";
import type { AdmissionPlugin } from "./plugin.ts";
import { lookUp, shownName, withSpec, writes } from "./plugin.ts";
import { podSpec } from "./pod-shape.ts";
import type { Toleration } from "./pod-shape.ts";

interface RuntimeClassFields {
  readonly overhead?: { readonly podFixed?: Record<string, string | number> };
  readonly scheduling?: {
    readonly nodeSelector?: Record<string, string>;
    readonly tolerations?: readonly Toleration[];
  };
}

/** Takes over what a pod's RuntimeClass says about its overhead and its nodes. */
export const runtimeClass: AdmissionPlugin = {
  name: "RuntimeClass",
  mutate(object, attributes, view) {
    if (!writes(attributes, "", "pods") || attributes.operation !== "CREATE") return object;
    const spec = podSpec(object);
    const refuse = (why: string) =>
      forbidden({ group: "", resource: "pods" }, shownName(attributes), `pod rejected: ${why}`);
    const name = spec.runtimeClassName ?? "";
    if (name === "") {
      if (spec.overhead !== undefined)
        throw refuse("Pod Overhead set without corresponding RuntimeClass defined Overhead");
      return object;
    }
    const found = lookUp(view, "runtimeclasses.node.k8s.io", "", name);
    if (found === undefined) throw refuse(`RuntimeClass ${JSON.stringify(name)} not found`);
    const { overhead, scheduling } = found as unknown as RuntimeClassFields;
    const changes: Record<string, unknown> = {};
    if (overhead?.podFixed !== undefined) {
      if (spec.overhead !== undefined && !isDeepStrictEqual(spec.overhead, overhead.podFixed))
        throw refuse("Pod's Overhead doesn't match RuntimeClass's defined Overhead");
      changes["overhead"] = overhead.podFixed;
    }
    const selector = scheduling?.nodeSelector ?? {};
    for (const [key, value] of Object.entries(selector)) {
      const own = spec.nodeSelector?.[key];
      if (own !== undefined && own !== value)
        throw refuse(
          `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`,
        );
    }
    if (Object.keys(selector).length > 0) changes["nodeSelector"] = { ...spec.nodeSelector, ...selector };
    const tolerations = spec.tolerations ?? [];
    const added = (scheduling?.tolerations ?? []).filter(
      (one) => !tolerations.some((have) => isDeepStrictEqual(have, one)),
    );
    if (added.length > 0) changes["tolerations"] = [...tolerations, ...added];
    return Object.keys(changes).length === 0 ? object : withSpec(object, changes);
  },
};
