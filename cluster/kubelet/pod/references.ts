/** Which ConfigMaps, Secrets and claims a pod refers to. */
import type { Pod } from "@travelops/kube/api/types/index.ts";

export type ReferenceKind = "configMap" | "secret" | "claim";

/** `KIND/NAME` of each. */
export function podReferences(pod: Pod): Set<string> {
  const found = new Set<string>();
  const add = (kind: ReferenceKind, name: string | undefined): void => {
    if (name !== undefined && name !== "") found.add(`${kind}/${name}`);
  };
  for (const container of [...pod.spec.containers, ...(pod.spec.initContainers ?? [])]) {
    for (const source of container.envFrom ?? []) {
      add("configMap", source.configMapRef?.name);
      add("secret", source.secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      add("configMap", valueFrom?.configMapKeyRef?.name);
      add("secret", valueFrom?.secretKeyRef?.name);
    }
  }
  for (const volume of pod.spec.volumes ?? []) {
    add("configMap", volume.configMap?.name);
    add("secret", volume.secret?.secretName);
    add("claim", volume.persistentVolumeClaim?.claimName);
    if (volume.ephemeral !== undefined) add("claim", `${pod.metadata.name}-${volume.name}`);
    for (const source of volume.projected?.sources ?? []) {
      add("configMap", source.configMap?.name);
      add("secret", source.secret?.name);
    }
  }
  return found;
}
