/** Pods stamped from a template. */
import type { KubeObject, OwnerReference, Pod, PodTemplateSpec } from "@travelops/kube";
import { canonicalJson, fnv32a, safeEncode } from "@travelops/kube";

export const TEMPLATE_HASH = "pod-template-hash";

/** A pod as the template says, without a name. */
export function podFromTemplate(template: PodTemplateSpec, namespace: string, owner: OwnerReference): Pod {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace,
      ...(labels === undefined ? {} : { labels }),
      ...(annotations === undefined ? {} : { annotations }),
      ...(finalizers === undefined ? {} : { finalizers }),
      ownerReferences: [owner],
    },
    spec: template.spec,
  };
}

/** The base of a generated pod name, cut as upstream does so that the suffix fits. */
export const podPrefix = (owner: KubeObject): string => `${owner.metadata.name}-`;

/** A short name for the contents of a template; `collisions` gives another where two templates share one. */
export function templateHash(template: unknown, collisions = 0): string {
  return safeEncode(String(fnv32a(`${canonicalJson(template)}${collisions === 0 ? "" : collisions}`)));
}
