/** What a pod's persistent volumes say about where it can run. Pure. */
import type { NodeSelector, PersistentVolume, PersistentVolumeClaim, Pod } from "@travelops/kube";

export interface VolumeLookup {
  claim(namespace: string, name: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
}

export type VolumeDemand =
  | { readonly ok: true; readonly affinities: readonly NodeSelector[] }
  | { readonly ok: false; readonly reason: string };

/** Names of the claims a pod uses; ephemeral volumes have claims named after pod and volume. */
export function claimNames(pod: Pod): string[] {
  return (pod.spec.volumes ?? []).flatMap((volume) => {
    if (volume.persistentVolumeClaim !== undefined) return [volume.persistentVolumeClaim.claimName];
    return volume.ephemeral === undefined ? [] : [`${pod.metadata.name}-${volume.name}`];
  });
}

export function volumeDemand(pod: Pod, lookup: VolumeLookup): VolumeDemand {
  const affinities: NodeSelector[] = [];
  for (const name of claimNames(pod)) {
    const claim = lookup.claim(pod.metadata.namespace ?? "", name);
    if (claim === undefined) return { ok: false, reason: `persistentvolumeclaim "${name}" not found` };
    if (claim.metadata.deletionTimestamp !== undefined) {
      return { ok: false, reason: `persistentvolumeclaim "${name}" is being deleted` };
    }
    if (claim.status?.phase === "Lost") {
      return {
        ok: false,
        reason: `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec.volumeName}"`,
      };
    }
    const volume = claim.spec.volumeName === undefined ? undefined : lookup.volume(claim.spec.volumeName);
    if (claim.status?.phase !== "Bound" || volume === undefined) {
      return { ok: false, reason: "pod has unbound immediate PersistentVolumeClaims" };
    }
    const required = volume.spec.nodeAffinity?.required;
    if (required !== undefined) affinities.push(required);
  }
  return { ok: true, affinities };
}
