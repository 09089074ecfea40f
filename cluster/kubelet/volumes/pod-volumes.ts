/** The volumes of one pod: set up once, then kept up to date while the objects behind them change. */
import { mkdirSync, chmodSync } from "node:fs";
import { join } from "node:path";
import { tryParseQuantity, quantityValue } from "@travelops/kube/api/quantity.ts";
import type { PersistentVolume, PersistentVolumeClaim, Pod } from "@travelops/kube/api/types/index.ts";
import type { Volume } from "@travelops/kube/api/types/volume.ts";
import { PayloadPathError, writeAtomically, type Payload } from "./atomic-writer.ts";
import type { MemoryVolume, SandboxUsers } from "../sandbox/sandbox.ts";
import { resolveHostPath, type HostPathRule } from "./host-path.ts";
import { giveToGroup } from "./ownership.ts";
import {
  configMapPayload,
  downwardPayload,
  projectedPayload,
  secretPayload,
  VolumeError,
  type PayloadSources,
} from "./payload.ts";

export interface VolumeSources extends PayloadSources {
  claim(name: string): PersistentVolumeClaim | undefined;
  persistentVolume(name: string): PersistentVolume | undefined;
}

/** Where a volume is: a path of the host, or one of the pod's memory volumes. */
export type VolumePlace =
  | { readonly kind: "path"; readonly path: string; readonly file: boolean; readonly readOnly: boolean }
  | { readonly kind: "memory"; readonly name: string };

export interface VolumeFailure {
  readonly volume: string;
  readonly message: string;
}

export class PodVolumes {
  readonly places = new Map<string, VolumePlace>();
  readonly #directory: string;
  readonly #rule: HostPathRule;
  readonly #users: SandboxUsers;

  constructor(directory: string, rule: HostPathRule, users: SandboxUsers) {
    this.#directory = directory;
    this.#rule = rule;
    this.#users = users;
  }

  /** Sets up what is missing and brings projected files up to date; returns what cannot be done (yet). */
  sync(pod: Pod, sources: VolumeSources, now: number): VolumeFailure[] {
    const failures: VolumeFailure[] = [];
    for (const volume of pod.spec.volumes ?? []) {
      try {
        this.places.set(volume.name, this.#place(pod, volume, sources, now));
      } catch (error) {
        if (!(error instanceof VolumeError) && !(error instanceof PayloadPathError)) throw error;
        // What was set up stays: an object that is deleted later does not take the files away.
        if (!this.places.has(volume.name)) failures.push({ volume: volume.name, message: error.message });
      }
    }
    return failures;
  }

  /** Memory volumes, which the sandbox makes with the pod. */
  static memoryVolumes(pod: Pod): MemoryVolume[] {
    const group = pod.spec.securityContext?.fsGroup;
    return (pod.spec.volumes ?? []).flatMap((volume) => {
      if (volume.emptyDir?.medium !== "Memory") return [];
      const limit = tryParseQuantity(volume.emptyDir.sizeLimit);
      return [
        {
          name: volume.name,
          ...(group === undefined ? {} : { group }),
          ...(limit === undefined || limit.nano === 0n ? {} : { sizeBytes: Number(quantityValue(limit)) }),
        },
      ];
    });
  }

  #place(pod: Pod, volume: Volume, sources: VolumeSources, now: number): VolumePlace {
    if (volume.emptyDir !== undefined)
      return volume.emptyDir.medium === "Memory"
        ? { kind: "memory", name: volume.name }
        : this.#emptyDir(pod, volume.name);
    if (volume.configMap !== undefined)
      return this.#projected(
        pod,
        "configmap",
        volume,
        configMapPayload(pod, volume.configMap, volume.configMap.defaultMode, sources),
        now,
      );
    if (volume.secret !== undefined) {
      const { secretName, items, optional, defaultMode } = volume.secret;
      return this.#projected(
        pod,
        "secret",
        volume,
        secretPayload(pod, { name: secretName, items, optional }, defaultMode, sources),
        now,
      );
    }
    if (volume.projected !== undefined)
      return this.#projected(
        pod,
        "projected",
        volume,
        projectedPayload(pod, volume.projected.sources ?? [], volume.projected.defaultMode, sources),
        now,
      );
    if (volume.downwardAPI !== undefined)
      return this.#projected(
        pod,
        "downward-api",
        volume,
        downwardPayload(pod, volume.downwardAPI.items, volume.downwardAPI.defaultMode, sources),
        now,
      );
    if (volume.hostPath !== undefined)
      return {
        kind: "path",
        readOnly: false,
        ...resolveHostPath(this.#rule, volume.hostPath.path, volume.hostPath.type),
      };
    if (volume.persistentVolumeClaim !== undefined)
      return this.#claim(
        pod,
        volume,
        {
          name: volume.persistentVolumeClaim.claimName,
          readOnly: volume.persistentVolumeClaim.readOnly === true,
        },
        sources,
      );
    if (volume.ephemeral !== undefined)
      return this.#claim(pod, volume, { name: `${pod.metadata.name}-${volume.name}`, readOnly: false }, sources);
    const kind = Object.keys(volume).find((key) => key !== "name") ?? "none";
    throw new VolumeError(`volumes of the kind ${kind} are not supported by the embedded cluster`);
  }

  /** Where the pod has an fsGroup that can be had: as the machine knows it. */
  #groupOf(pod: Pod): number | undefined {
    const group = pod.spec.securityContext?.fsGroup;
    return this.#users.kind !== "range" || group === undefined ? undefined : this.#users.hostId(group);
  }

  #emptyDir(pod: Pod, name: string): VolumePlace {
    const path = join(this.#directory, "volumes", "empty-dir", name);
    if (this.places.has(name)) return { kind: "path", path, file: false, readOnly: false };
    mkdirSync(path, { recursive: true, mode: 0o777 });
    chmodSync(path, 0o777);
    const group = this.#groupOf(pod);
    if (group !== undefined) giveToGroup(path, { group, readOnly: false });
    return { kind: "path", path, file: false, readOnly: false };
  }

  #projected(pod: Pod, kind: string, volume: Volume, payload: Payload, now: number): VolumePlace {
    const path = join(this.#directory, "volumes", kind, volume.name);
    const group = pod.spec.securityContext?.fsGroup;
    writeAtomically(
      path,
      payload,
      now,
      this.#users.kind === "range" ? { hostId: this.#users.hostId, group } : undefined,
    );
    return { kind: "path", path, file: false, readOnly: true };
  }

  #claim(
    pod: Pod,
    { name: ownName }: Volume,
    { name, readOnly }: { name: string; readOnly: boolean },
    sources: VolumeSources,
  ): VolumePlace {
    const claim = sources.claim(name);
    if (claim === undefined) throw new VolumeError(`persistentvolumeclaim "${name}" not found`);
    const volumeName = claim.spec.volumeName;
    if (volumeName === undefined || volumeName === "" || claim.status?.phase !== "Bound")
      throw new VolumeError(
        `PVC ${claim.metadata.namespace}/${name} is not bound (phase: ${claim.status?.phase ?? "Pending"})`,
      );
    const volume = sources.persistentVolume(volumeName);
    if (volume === undefined) throw new VolumeError(`persistentvolume "${volumeName}" not found`);
    if (claim.spec.volumeMode === "Block")
      throw new VolumeError(`volumeMode Block of the claim ${name} is not supported by the embedded cluster`);
    const { hostPath, local } = volume.spec;
    const path = local?.path ?? hostPath?.path;
    if (path === undefined) {
      const kind = Object.keys(volume.spec).find((key) => !KNOWN_PV_FIELDS.has(key)) ?? "none";
      throw new VolumeError(`persistent volumes of the kind ${kind} are not supported by the embedded cluster`);
    }
    const place = resolveHostPath(this.#rule, path, local === undefined ? hostPath?.type : "DirectoryOrCreate");
    const group = this.#groupOf(pod);
    // A hostPath keeps its owner, but for those that the built-in class has made.
    const isOwn = local !== undefined || volume.metadata.annotations?.[PROVISIONED_BY] === LOCAL_PROVISIONER;
    if (group !== undefined && isOwn && !readOnly && !this.places.has(ownName)) {
      const policy = pod.spec.securityContext?.fsGroupChangePolicy;
      giveToGroup(place.path, { group, readOnly }, policy === "OnRootMismatch");
    }
    return { kind: "path", readOnly, ...place };
  }
}

const PROVISIONED_BY = "pv.kubernetes.io/provisioned-by";
const LOCAL_PROVISIONER = "travelops.io/local";

const KNOWN_PV_FIELDS = new Set([
  "capacity",
  "accessModes",
  "claimRef",
  "persistentVolumeReclaimPolicy",
  "storageClassName",
  "volumeMode",
  "nodeAffinity",
  "mountOptions",
  "volumeAttributesClassName",
]);
