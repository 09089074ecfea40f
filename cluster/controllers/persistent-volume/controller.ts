/** Brings claims and volumes together, makes volumes of the built-in class, and reclaims them. */
import type { Informer, PersistentVolume, PersistentVolumeClaim, StorageClass } from "@travelops/kube";
import {
  isAlreadyExists,
  joinKey,
  keyOf,
  PERSISTENT_VOLUME_CLAIMS,
  PERSISTENT_VOLUMES,
  PODS,
  runController,
  sourceOf,
  splitKey,
  STORAGE_CLASSES,
} from "@travelops/kube";
import type { ControllerContext } from "../context.ts";
import { claimNames } from "../../scheduler/volumes.ts";
import { isNamespaceTerminating, messageOf } from "../shared/pod-control.ts";
import { isFinished } from "../shared/pods.ts";
import { created, deleteExactly, patched, writeStatus } from "../shared/write.ts";
import { LOCAL_CLASS, type LocalVolumes, localVolumes, PROVISIONED_BY, PROVISIONER } from "./local-volumes.ts";
import {
  askedGrowth,
  asksForMore,
  BOUND_BY_CONTROLLER,
  defaultClass,
  isClaimedBy,
  reservedVolume,
  SELECTED_NODE,
  volumeFor,
  waitsForConsumer,
} from "./match.ts";

const BIND_COMPLETED = "pv.kubernetes.io/bind-completed";
/** Who is to make a claim's volume reads it there. */
const PROVISIONER_NAMES = ["volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner"];
const CLAIM_PROTECTION = "kubernetes.io/pvc-protection";
const VOLUME_PROTECTION = "kubernetes.io/pv-protection";
const WORKERS = 4;

/** Runs until the signal aborts. */
export async function persistentVolumeController(context: ControllerContext): Promise<void> {
  const { client, informers, signal, clock, log } = context;
  const claims = informers.of(PERSISTENT_VOLUME_CLAIMS);
  const volumes = informers.of(PERSISTENT_VOLUMES);
  const classes = informers.of(STORAGE_CLASSES);
  const pods = informers.of(PODS);
  pods.addIndex("claim", (pod) => claimNames(pod).map((name) => joinKey(pod.metadata.namespace ?? "", name)));
  const binder = new VolumeBinder(context, claims, volumes, classes);
  const waiting = (): string[] =>
    claims
      .list()
      .filter((claim) => claim.status?.phase !== "Bound")
      .map(keyOf);
  if (context.volumesDirectory !== undefined) {
    await classes.synced().catch(() => {});
    if (!signal.aborted && classes.list().length === 0) {
      await client.create(STORAGE_CLASSES, LOCAL_CLASS).catch((error: unknown) => {
        if (!isAlreadyExists(error) && !signal.aborted) throw error;
      });
    }
  }
  const unsubscribe = claims.onEvent(({ object, old }) => {
    if (old !== undefined && asksForMore(object, old)) binder.sayWhoExpands(object);
  });
  signal.addEventListener("abort", unsubscribe, { once: true });
  const common = { workers: WORKERS, signal, clock, log };
  await Promise.all([
    runController({
      ...common,
      name: "persistentvolume-claims",
      sources: [
        sourceOf(claims, ({ object }) => [keyOf(object)]),
        sourceOf(volumes, ({ object }) => {
          const reference = object.spec.claimRef;
          return reference === undefined ? waiting() : [joinKey(reference.namespace ?? "", reference.name ?? "")];
        }),
        sourceOf(classes, waiting),
        sourceOf(pods, ({ object, old }) => {
          const ended = object.metadata.deletionTimestamp !== undefined || isFinished(object) || old === undefined;
          return ended ? claimNames(object).map((name) => joinKey(object.metadata.namespace ?? "", name)) : [];
        }),
      ],
      reconcile: (key) =>
        binder.syncClaim(
          key,
          // One without a node uses nothing yet, and now never will.
          pods.byIndex("claim", key).some((pod) => !isFinished(pod) && (pod.spec.nodeName ?? "") !== ""),
        ),
    }),
    runController({
      ...common,
      name: "persistentvolumes",
      sources: [
        sourceOf(volumes, ({ object }) => [object.metadata.name ?? ""]),
        sourceOf(claims, ({ object }) => (object.spec.volumeName === undefined ? [] : [object.spec.volumeName])),
      ],
      reconcile: (name) => binder.syncVolume(name),
    }),
  ]);
}

class VolumeBinder {
  readonly #context: ControllerContext;
  readonly #claims: Informer<PersistentVolumeClaim>;
  readonly #volumes: Informer<PersistentVolume>;
  readonly #classes: Informer<StorageClass>;
  readonly #local: LocalVolumes | undefined;

  constructor(
    context: ControllerContext,
    claims: Informer<PersistentVolumeClaim>,
    volumes: Informer<PersistentVolume>,
    classes: Informer<StorageClass>,
  ) {
    this.#context = context;
    this.#claims = claims;
    this.#volumes = volumes;
    this.#classes = classes;
    this.#local = context.volumesDirectory === undefined ? undefined : localVolumes(context.volumesDirectory);
  }

  async syncClaim(key: string, inUse: boolean): Promise<void> {
    const { namespace, name } = splitKey(key);
    const claim = this.#claims.get(namespace, name);
    if (claim === undefined) return;
    if (claim.metadata.deletionTimestamp !== undefined) {
      if (!inUse) await this.#unprotect(this.#claims, claim, CLAIM_PROTECTION);
      return;
    }
    if (claim.metadata.annotations?.[BIND_COMPLETED] !== undefined) return this.#keepBound(claim);
    const wanted = claim.spec.volumeName ?? "";
    if (wanted !== "") {
      const volume = this.#volumes.get("", wanted);
      if (volume !== undefined && (volume.spec.claimRef === undefined || isClaimedBy(volume, claim)))
        await this.#bind(claim, volume);
      return;
    }
    const waits = waitsForConsumer(this.#classes.get("", claim.spec.storageClassName ?? ""));
    // For one that waits the scheduler chooses, by setting a volume aside or naming the node to make one for.
    const volume = (waits ? reservedVolume : volumeFor)(claim, this.#volumes.list());
    if (volume !== undefined) return this.#bind(claim, volume);
    if (!waits || claim.metadata.annotations?.[SELECTED_NODE] !== undefined) return this.#provision(claim);
    const message = "waiting for first consumer to be created before binding";
    this.#record(claim, "Normal", "WaitForFirstConsumer", message);
  }

  async #keepBound(claim: PersistentVolumeClaim): Promise<void> {
    const volume = this.#volumes.get("", claim.spec.volumeName ?? "");
    if (volume === undefined) {
      if (claim.status?.phase !== "Lost") {
        await writeStatus(this.#context.client, this.#claims, claim, { ...claim.status, phase: "Lost" });
        this.#record(
          claim,
          "Warning",
          "ClaimLost",
          "Bound claim has lost its PersistentVolume. Data on the volume is lost!",
        );
      }
      return;
    }
    if (volume.spec.claimRef !== undefined && !isClaimedBy(volume, claim)) return;
    await this.#bind(claim, await this.#grow(claim, volume));
  }

  /** Of a claim that asks for more than before: only volumes of the class `local` grow by themselves. */
  sayWhoExpands(claim: PersistentVolumeClaim): void {
    const volume = this.#volumes.get("", claim.spec.volumeName ?? "");
    if (volume === undefined || !isClaimedBy(volume, claim) || askedGrowth(claim, volume) === undefined) return;
    if (volume.metadata.annotations?.[PROVISIONED_BY] === PROVISIONER) return;
    const message = "waiting for an external controller to expand this PVC";
    this.#context.recorder("volume_expand").record(claim, "Normal", "ExternalExpanding", message);
  }

  /** A directory is as large as its disk: growing it is saying so. */
  async #grow(claim: PersistentVolumeClaim, volume: PersistentVolume): Promise<PersistentVolume> {
    const storage = askedGrowth(claim, volume);
    if (storage === undefined || volume.metadata.annotations?.[PROVISIONED_BY] !== PROVISIONER) return volume;
    if (this.#classes.get("", claim.spec.storageClassName ?? "")?.allowVolumeExpansion !== true) return volume;
    const capacity = { ...volume.spec.capacity, storage };
    const grown = await patched(this.#context.client, this.#volumes, volume, { spec: { capacity } });
    this.#record(claim, "Normal", "VolumeResizeSuccessful", "Resize volume succeeded");
    return grown;
  }

  /** Each step may be the last before a crash; the next pass goes on from there. */
  async #bind(claim: PersistentVolumeClaim, volume: PersistentVolume): Promise<void> {
    const { client } = this.#context;
    const { namespace, name, uid } = claim.metadata;
    let bound = volume;
    if (volume.spec.claimRef?.uid !== uid) {
      const claimRef = { apiVersion: "v1", kind: "PersistentVolumeClaim", namespace, name, uid };
      // Set aside by somebody for a claim of this name, it is not the controller's choice.
      const isOurs = volume.spec.claimRef === undefined;
      const metadata = isOurs ? { annotations: { [BOUND_BY_CONTROLLER]: "yes" } } : {};
      bound = await patched(client, this.#volumes, volume, { metadata, spec: { claimRef } });
    }
    if (bound.status?.phase !== "Bound")
      await writeStatus(client, this.#volumes, bound, { ...bound.status, phase: "Bound" });
    let current = claim;
    if (claim.spec.volumeName !== volume.metadata.name || claim.metadata.annotations?.[BIND_COMPLETED] === undefined) {
      const annotations = {
        [BIND_COMPLETED]: "yes",
        ...((claim.spec.volumeName ?? "") === "" ? { [BOUND_BY_CONTROLLER]: "yes" } : {}),
      };
      current = await patched(client, this.#claims, claim, {
        metadata: { annotations },
        spec: { volumeName: volume.metadata.name },
      });
    }
    const { accessModes, capacity } = volume.spec;
    await writeStatus(client, this.#claims, current, { ...current.status, phase: "Bound", accessModes, capacity });
  }

  async #provision(claim: PersistentVolumeClaim): Promise<void> {
    const fallback = claim.spec.storageClassName === undefined ? defaultClass(this.#classes.list()) : undefined;
    if (fallback !== undefined) {
      // A claim that came before the default class gets it now; its event leads back here.
      await patched(this.#context.client, this.#claims, claim, { spec: { storageClassName: fallback.metadata.name } });
      return;
    }
    const className = claim.spec.storageClassName ?? "";
    const storageClass = className === "" ? undefined : this.#classes.get("", className);
    if (className === "") {
      this.#record(
        claim,
        "Normal",
        "FailedBinding",
        "no persistent volumes available for this claim and no storage class is set",
      );
    } else if (storageClass === undefined) {
      this.#record(claim, "Warning", "ProvisioningFailed", `storageclass.storage.k8s.io "${className}" not found`);
    } else if (storageClass.provisioner !== PROVISIONER) {
      const message = `Waiting for a volume to be created either by the external provisioner '${storageClass.provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`;
      this.#record(claim, "Normal", "ExternalProvisioning", message);
      const { provisioner } = storageClass;
      const annotations = Object.fromEntries(PROVISIONER_NAMES.map((key) => [key, provisioner]));
      if (PROVISIONER_NAMES.some((key) => claim.metadata.annotations?.[key] !== provisioner))
        await patched(this.#context.client, this.#claims, claim, { metadata: { annotations } });
    } else await this.#provisionLocal(claim, storageClass);
  }

  async #provisionLocal(claim: PersistentVolumeClaim, storageClass: StorageClass): Promise<void> {
    if (this.#local === undefined) {
      this.#record(
        claim,
        "Warning",
        "ProvisioningFailed",
        `this cluster was started without a directory for volumes of ${PROVISIONER}`,
      );
      return;
    }
    if (claim.spec.volumeMode === "Block") {
      this.#record(claim, "Warning", "ProvisioningFailed", `${PROVISIONER} does not support block volumes`);
      return;
    }
    try {
      const volume = await created(
        this.#context.client,
        this.#volumes,
        await this.#local.provision(claim, storageClass),
      );
      this.#record(claim, "Normal", "ProvisioningSucceeded", `Successfully provisioned volume ${volume.metadata.name}`);
      await this.#bind(claim, volume);
    } catch (error) {
      // Made by a pass that was cut short: its event leads back here.
      if (isAlreadyExists(error) || isNamespaceTerminating(error)) return;
      this.#record(claim, "Warning", "ProvisioningFailed", messageOf(error));
      throw error;
    }
  }

  async syncVolume(name: string): Promise<void> {
    const volume = this.#volumes.get("", name);
    if (volume === undefined) return;
    const { client } = this.#context;
    const reference = volume.spec.claimRef;
    const claim =
      reference === undefined ? undefined : this.#claims.get(reference.namespace ?? "", reference.name ?? "");
    const isHeld = claim !== undefined && isClaimedBy(volume, claim);
    if (volume.metadata.deletionTimestamp !== undefined) {
      if (!isHeld) await this.#unprotect(this.#volumes, volume, VOLUME_PROTECTION);
      return;
    }
    if (reference?.uid === undefined) {
      if (volume.status?.phase !== "Available")
        await writeStatus(client, this.#volumes, volume, { ...volume.status, phase: "Available" });
      return;
    }
    if (isHeld) return;
    if (volume.status?.phase !== "Released")
      await writeStatus(client, this.#volumes, volume, { ...volume.status, phase: "Released" });
    if (
      volume.spec.persistentVolumeReclaimPolicy !== "Delete" ||
      volume.metadata.annotations?.[PROVISIONED_BY] !== PROVISIONER
    )
      return;
    await this.#reclaim(volume);
  }

  async #reclaim(volume: PersistentVolume): Promise<void> {
    if (this.#local === undefined) return;
    try {
      await this.#local.remove(volume);
    } catch (error) {
      this.#record(volume, "Warning", "VolumeFailedDelete", messageOf(error));
      throw error;
    }
    await deleteExactly(this.#context.client, PERSISTENT_VOLUMES, volume);
  }

  async #unprotect<T extends PersistentVolume | PersistentVolumeClaim>(
    informer: Informer<T>,
    object: T,
    finalizer: string,
  ): Promise<void> {
    const finalizers = object.metadata.finalizers ?? [];
    if (!finalizers.includes(finalizer)) return;
    const left = finalizers.filter((one) => one !== finalizer);
    await patched(this.#context.client, informer, object, {
      metadata: { finalizers: left.length === 0 ? null : left },
    });
  }

  #record(
    object: PersistentVolume | PersistentVolumeClaim,
    type: "Normal" | "Warning",
    reason: string,
    message: string,
  ): void {
    this.#context.recorder("persistentvolume-controller").record(object, type, reason, message);
  }
}
