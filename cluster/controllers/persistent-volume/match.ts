/** Which volume suits a claim. Pure. */
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from "@travelops/kube";
import { compareQuantity, selects, tryParseQuantity, ZERO } from "@travelops/kube";

export const DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class";

const sizeOf = (text: string | undefined) => tryParseQuantity(text) ?? ZERO;

export const isClaimedBy = (volume: PersistentVolume, claim: PersistentVolumeClaim): boolean => {
  const reference = volume.spec.claimRef;
  if (reference?.name !== claim.metadata.name || reference?.namespace !== claim.metadata.namespace) return false;
  return reference?.uid === undefined || reference.uid === claim.metadata.uid;
};

/** On what a controller or the scheduler brought together, and not the user. */
export const BOUND_BY_CONTROLLER = "pv.kubernetes.io/bound-by-controller";
/** Where the scheduler says for which node a volume is made. */
export const SELECTED_NODE = "volume.kubernetes.io/selected-node";

/** Whether a claim on this class waits for the pod that uses it first. */
export const waitsForConsumer = (storageClass: StorageClass | undefined): boolean =>
  storageClass?.volumeBindingMode === "WaitForFirstConsumer";

function suits(volume: PersistentVolume, claim: PersistentVolumeClaim): boolean {
  if (volume.metadata.deletionTimestamp !== undefined) return false;
  if ((volume.spec.storageClassName ?? "") !== (claim.spec.storageClassName ?? "")) return false;
  if ((volume.spec.volumeMode ?? "Filesystem") !== (claim.spec.volumeMode ?? "Filesystem")) return false;
  const modes = volume.spec.accessModes ?? [];
  if (!(claim.spec.accessModes ?? []).every((mode) => modes.includes(mode))) return false;
  if (claim.spec.selector !== undefined && !selects(claim.spec.selector, volume.metadata.labels)) return false;
  return (
    compareQuantity(sizeOf(volume.spec.capacity?.["storage"]), sizeOf(claim.spec.resources?.requests?.["storage"])) >= 0
  );
}

/** One that was made or set aside for the claim. */
export const reservedVolume = (
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
): PersistentVolume | undefined =>
  volumes.find((volume) => volume.spec.claimRef !== undefined && isClaimedBy(volume, claim));

/** All that are free and suit, the smallest first. */
export const freeVolumes = (claim: PersistentVolumeClaim, volumes: readonly PersistentVolume[]): PersistentVolume[] =>
  volumes
    .filter(
      (volume) =>
        volume.spec.claimRef === undefined &&
        volume.status?.phase !== "Released" &&
        volume.status?.phase !== "Failed" &&
        suits(volume, claim),
    )
    .toSorted((a, b) => compareQuantity(sizeOf(a.spec.capacity?.["storage"]), sizeOf(b.spec.capacity?.["storage"])));

/** One reserved for the claim, else the smallest that is free and suits. */
export const volumeFor = (
  claim: PersistentVolumeClaim,
  volumes: readonly PersistentVolume[],
): PersistentVolume | undefined => reservedVolume(claim, volumes) ?? freeVolumes(claim, volumes)[0];

/** The size a bound claim asks for, where its volume is smaller. */
export function askedGrowth(claim: PersistentVolumeClaim, volume: PersistentVolume): string | undefined {
  const asked = claim.spec.resources?.requests?.["storage"];
  return compareQuantity(sizeOf(asked), sizeOf(volume.spec.capacity?.["storage"])) > 0 ? asked : undefined;
}

export function asksForMore(claim: PersistentVolumeClaim, than: PersistentVolumeClaim): boolean {
  const storage = ({ spec }: PersistentVolumeClaim) => sizeOf(spec.resources?.requests?.["storage"]);
  return compareQuantity(storage(claim), storage(than)) > 0;
}

/** The youngest of those marked as default. */
export function defaultClass(classes: readonly StorageClass[]): StorageClass | undefined {
  return classes
    .filter((one) => one.metadata.annotations?.[DEFAULT_CLASS] === "true")
    .toSorted(
      (a, b) => Date.parse(b.metadata.creationTimestamp ?? "") - Date.parse(a.metadata.creationTimestamp ?? ""),
    )[0];
}
