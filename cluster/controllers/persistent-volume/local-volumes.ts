/** The directories behind volumes of the built-in storage class. */
import { chmod, mkdir, rm } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, resolve } from "node:path";
import type { PersistentVolume, PersistentVolumeClaim, StorageClass } from "@travelops/kube";
import { DEFAULT_CLASS } from "./match.ts";

export const PROVISIONER = "travelops.io/local";
export const PROVISIONED_BY = "pv.kubernetes.io/provisioned-by";

export const LOCAL_CLASS: StorageClass = {
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  metadata: { name: "local", annotations: { [DEFAULT_CLASS]: "true" } },
  provisioner: PROVISIONER,
  reclaimPolicy: "Delete",
  volumeBindingMode: "Immediate",
  allowVolumeExpansion: true,
};

export interface LocalVolumes {
  provision(claim: PersistentVolumeClaim, storageClass: StorageClass): Promise<PersistentVolume>;
  /** Removes the directory of a volume made here. */
  remove(volume: PersistentVolume): Promise<void>;
}

/** Volumes as directories below `directory`. */
export function localVolumes(directory: string): LocalVolumes {
  if (!isAbsolute(directory)) throw new TypeError(`the directory for volumes must be absolute, not ${directory}`);
  const root = resolve(directory);
  return {
    async provision(claim, storageClass) {
      const name = `pvc-${claim.metadata.uid}`;
      const path = join(root, name);
      // What is in a volume is its pods' alone, whatever the rights of the directory that the user named.
      await mkdir(root, { recursive: true, mode: 0o700 });
      await mkdir(path, { recursive: true });
      // Containers run as users of their own.
      await chmod(path, 0o777);
      return volumeOf(claim, storageClass, name, path);
    },
    async remove(volume) {
      const path = resolve(volume.spec.hostPath?.path ?? "");
      // Only what this made: a volume's path is anyone's to write who may write volumes.
      if (dirname(path) !== root || basename(path) !== volume.metadata.name) {
        throw new Error(
          `${volume.spec.hostPath?.path ?? "no path"} is not a directory of the ${LOCAL_CLASS.metadata.name} storage class`,
        );
      }
      await rm(path, { recursive: true, force: true });
    },
  };
}

function volumeOf(
  claim: PersistentVolumeClaim,
  storageClass: StorageClass,
  name: string,
  path: string,
): PersistentVolume {
  const storage = claim.spec.resources?.requests?.["storage"] ?? "1Gi";
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name, annotations: { [PROVISIONED_BY]: PROVISIONER } },
    spec: {
      capacity: { storage },
      accessModes: claim.spec.accessModes,
      volumeMode: claim.spec.volumeMode,
      storageClassName: storageClass.metadata.name,
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? "Delete",
      hostPath: { path, type: "DirectoryOrCreate" },
      claimRef: {
        apiVersion: "v1",
        kind: "PersistentVolumeClaim",
        namespace: claim.metadata.namespace,
        name: claim.metadata.name,
        uid: claim.metadata.uid,
      },
    },
  };
}
