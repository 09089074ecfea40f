/** What a pod's persistent volumes say about where it can run. Pure. */
import type { Node, NodeSelector, PersistentVolume, PersistentVolumeClaim, Pod, StorageClass } from "@travelops/kube";
import {
  freeVolumes,
  reservedVolume,
  SELECTED_NODE,
  waitsForConsumer,
} from "../controllers/persistent-volume/match.ts";
import { nodeSelectorMatches } from "./node-affinity.ts";

export interface VolumeLookup {
  claim(namespace: string, name: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
  volumes(): readonly PersistentVolume[];
  storageClass(name: string): StorageClass | undefined;
}

/** What a volume asks of a pod's node, and what is said of a node that does not have it. */
export interface VolumeNeed {
  readonly selector: NodeSelector;
  readonly otherwise: string;
}

const OUT_OF_REACH = "node(s) didn't match PersistentVolume's node affinity";
const NONE_FREE = "node(s) didn't find available persistent volumes to bind";

export type VolumeDemand =
  | {
      readonly ok: true;
      readonly needs: readonly VolumeNeed[];
      /** Claims that get a volume only for the node that is chosen. */
      readonly waiting: readonly PersistentVolumeClaim[];
    }
  | { readonly ok: false; readonly reason: string };

/** Names of the claims a pod uses; ephemeral volumes have claims named after pod and volume. */
export function claimNames(pod: Pod): string[] {
  return (pod.spec.volumes ?? []).flatMap((volume) => {
    if (volume.persistentVolumeClaim !== undefined) return [volume.persistentVolumeClaim.claimName];
    return volume.ephemeral === undefined ? [] : [`${pod.metadata.name}-${volume.name}`];
  });
}

export function volumeDemand(pod: Pod, lookup: VolumeLookup): VolumeDemand {
  const needs: VolumeNeed[] = [];
  const waiting: PersistentVolumeClaim[] = [];
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
    const storageClass = lookup.storageClass(claim.spec.storageClassName ?? "");
    if (claim.status?.phase !== "Bound" && waitsForConsumer(storageClass)) {
      waiting.push(claim);
      const free = freeFor(claim, lookup);
      const selector = storageClass?.provisioner === NO_PROVISIONER ? placesOf(free) : undefined;
      if (selector !== undefined) needs.push({ selector, otherwise: NONE_FREE });
      continue;
    }
    if (claim.status?.phase !== "Bound" || volume === undefined) {
      return { ok: false, reason: "pod has unbound immediate PersistentVolumeClaims" };
    }
    const required = volume.spec.nodeAffinity?.required;
    if (required !== undefined) needs.push({ selector: required, otherwise: OUT_OF_REACH });
  }
  return { ok: true, needs, waiting };
}

const NO_PROVISIONER = "kubernetes.io/no-provisioner";

const freeFor = (claim: PersistentVolumeClaim, lookup: VolumeLookup): PersistentVolume[] => {
  const reserved = reservedVolume(claim, lookup.volumes());
  return reserved === undefined ? freeVolumes(claim, lookup.volumes()) : [reserved];
};

/** The nodes that reach at least one of the volumes, none where there is none; undefined where that is every node. */
function placesOf(volumes: readonly PersistentVolume[]): NodeSelector | undefined {
  const required = volumes.map((volume) => volume.spec.nodeAffinity?.required);
  if (required.includes(undefined)) return undefined;
  return { nodeSelectorTerms: required.flatMap((one) => one?.nodeSelectorTerms ?? []) };
}

/** What has to be done so that a waiting claim gets a volume on `node`; undefined where it is under way. */
export type Preparation =
  | { readonly kind: "reserve"; readonly volume: PersistentVolume }
  | { readonly kind: "provision"; readonly annotations: Readonly<Record<string, string>> };

export function preparationOf(claim: PersistentVolumeClaim, node: Node, lookup: VolumeLookup): Preparation | undefined {
  if (reservedVolume(claim, lookup.volumes()) !== undefined) return undefined;
  if (claim.metadata.annotations?.[SELECTED_NODE] !== undefined) return undefined;
  const reachable = freeVolumes(claim, lookup.volumes()).find(({ spec: { nodeAffinity } }) =>
    nodeAffinity?.required === undefined ? true : nodeSelectorMatches(nodeAffinity.required, node),
  );
  if (reachable !== undefined) return { kind: "reserve", volume: reachable };
  return { kind: "provision", annotations: { [SELECTED_NODE]: node.metadata.name ?? "" } };
}
