/** The pods and claims of a StatefulSet, by their ordinal. Pure. */
import type { PersistentVolumeClaim, Pod, PodTemplateSpec, StatefulSet } from "@travelops/kube";
import { controllerReference, STATEFUL_SETS } from "@travelops/kube";
import { REVISION_HASH } from "../shared/set-history.ts";
import { wantedOwners } from "./claim-owners.ts";
import { podFromTemplate } from "../shared/template.ts";

export const podName = (set: StatefulSet, ordinal: number): string => `${set.metadata.name}-${ordinal}`;

const claimName = (template: PersistentVolumeClaim, pod: string): string => `${template.metadata.name}-${pod}`;

export function statefulPod(set: StatefulSet, template: PodTemplateSpec, ordinal: number, revision: string): Pod {
  const name = podName(set, ordinal);
  const pod = podFromTemplate(template, set.metadata.namespace ?? "", controllerReference(set, STATEFUL_SETS));
  const templates = set.spec.volumeClaimTemplates ?? [];
  const claims = new Set(templates.map((claim) => claim.metadata.name));
  const volumes = [
    ...(pod.spec.volumes ?? []).filter((volume) => !claims.has(volume.name)),
    ...templates.map((claim) => ({
      name: claim.metadata.name ?? "",
      persistentVolumeClaim: { claimName: claimName(claim, name) },
    })),
  ];
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      name,
      labels: {
        ...pod.metadata.labels,
        "statefulset.kubernetes.io/pod-name": name,
        "apps.kubernetes.io/pod-index": String(ordinal),
        [REVISION_HASH]: revision,
      },
    },
    spec: {
      ...pod.spec,
      hostname: name,
      subdomain: set.spec.serviceName,
      ...(volumes.length === 0 ? {} : { volumes }),
    },
  };
}

/** The claims of one pod. */
export function claimsFor(set: StatefulSet, ordinal: number): PersistentVolumeClaim[] {
  return (set.spec.volumeClaimTemplates ?? []).map((template) => {
    const claim: PersistentVolumeClaim = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: {
        name: claimName(template, podName(set, ordinal)),
        namespace: set.metadata.namespace,
        labels: { ...template.metadata.labels, ...set.spec.selector.matchLabels },
        ...(template.metadata.annotations === undefined ? {} : { annotations: template.metadata.annotations }),
      },
      spec: template.spec,
    };
    const ownerReferences = wantedOwners(claim, set, undefined, true);
    return ownerReferences === undefined ? claim : { ...claim, metadata: { ...claim.metadata, ownerReferences } };
  });
}
