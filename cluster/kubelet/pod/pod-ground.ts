/** What a pod stands on before its containers: its address, its volumes, its sandbox. */
import { mkdirSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { steadyNow } from "@travelops/kube/api/clock.ts";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import type { PodSandbox } from "../sandbox/sandbox.ts";
import { PodVolumes, type VolumeFailure } from "../volumes/pod-volumes.ts";
import { PodTokens } from "../volumes/tokens.ts";
import { podLabel, type KubeletContext } from "./kubelet-context.ts";
import { podLimitations } from "./limitations.ts";
import { podHostname } from "./pod-files.ts";
import { podLimits } from "./resource-limits.ts";
import { initializeAgain, type PodRecord } from "./pod-record.ts";

export interface AddressPool {
  /** `wanted` where it is free. Throws when there is none left. */
  allocate(wanted: string | undefined): string;
  release(address: string): void;
}

export interface GroundOwner {
  pod(): Pod;
  readonly record: PodRecord;
  readonly directory: string;
  wake(): void;
  event(type: "Normal" | "Warning", reason: string, message: string): void;
}

const RETRY_MS = 1000;
const VOLUME_RETRY_MS = 2000;

export class PodGround {
  readonly volumes: PodVolumes;
  readonly #context: KubeletContext;
  readonly #addresses: AddressPool;
  readonly #owner: GroundOwner;
  readonly #tokens: PodTokens;
  #sandbox: PodSandbox | undefined;
  #address: string | undefined;
  #creating: Promise<void> | undefined;
  #notBefore = 0;
  #said = "";

  constructor(context: KubeletContext, addresses: AddressPool, owner: GroundOwner) {
    this.#context = context;
    this.#addresses = addresses;
    this.#owner = owner;
    this.volumes = new PodVolumes(owner.directory, context.hostPaths, context.sandbox.users);
    this.#tokens = new PodTokens(context.client, context.clock, owner.pod(), () => owner.wake());
  }

  get sandbox(): PodSandbox | undefined {
    return this.#sandbox;
  }

  /** The sandbox has ended with its podhost: a new one has to be made. */
  get isLost(): boolean {
    return this.#sandbox?.gone === true;
  }

  get waitsForVolumes(): boolean {
    return this.#said !== "" && this.#sandbox === undefined;
  }

  /** Makes what is missing and keeps volumes up to date. Not ready: something is missing, and is waited for. */
  prepare(now: number): { ready: boolean; wakeAt: number } {
    if (this.isLost) this.#lose();
    mkdirSync(this.#owner.directory, { recursive: true, mode: 0o755 });
    if (this.#address === undefined && !this.#takeAddress()) return { ready: false, wakeAt: now + RETRY_MS };
    const failures = this.volumes.sync(this.#owner.pod(), this.#volumeSources(), this.#context.clock.now());
    const renewal = this.#tokens.nextRenewal;
    if (failures.length > 0) {
      this.#sayFailures(failures);
      return { ready: false, wakeAt: Math.min(renewal, now + VOLUME_RETRY_MS) };
    }
    if (this.#sandbox !== undefined) return { ready: true, wakeAt: renewal };
    if (now < this.#notBefore) return { ready: false, wakeAt: this.#notBefore };
    this.#creating ??= this.#create().finally(() => {
      this.#creating = undefined;
      this.#owner.wake();
    });
    return { ready: false, wakeAt: renewal };
  }

  /** Resolves when no creation is under way. */
  async settled(): Promise<void> {
    await this.#creating;
  }

  /** Takes sandbox, address and root file systems away; volumes and logs stay. */
  async takeDown(): Promise<void> {
    const { log } = this.#context;
    const { record, directory } = this.#owner;
    const sandbox = this.#sandbox;
    this.#sandbox = undefined;
    record.sandboxReady = false;
    await sandbox
      ?.remove()
      .catch((error: unknown) =>
        log.warn("a pod's sandbox was not taken down", { pod: podLabel(this.#owner.pod()), err: error }),
      );
    if (this.#address !== undefined && this.#owner.pod().spec.hostNetwork !== true)
      this.#addresses.release(this.#address);
    this.#address = undefined;
    await rm(join(directory, "containers"), { recursive: true, force: true }).catch(() => {});
  }

  #lose(): void {
    const { record } = this.#owner;
    this.#sandbox = undefined;
    record.sandboxReady = false;
    initializeAgain(this.#owner.pod(), record);
    this.#owner.event("Normal", "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.");
  }

  #takeAddress(): boolean {
    const { node } = this.#context;
    const { record } = this.#owner;
    try {
      this.#address =
        this.#owner.pod().spec.hostNetwork === true ? node.hostIP : this.#addresses.allocate(record.podIP);
      record.podIP = undefined;
      return true;
    } catch (error) {
      this.#sandboxFailed(error);
      return false;
    }
  }

  async #create(): Promise<void> {
    const { sandbox, clock } = this.#context;
    const { record, directory } = this.#owner;
    const pod = this.#owner.pod();
    const { metadata, spec } = pod;
    try {
      this.#sandbox = await sandbox.createPod({
        uid: metadata.uid ?? "",
        namespace: metadata.namespace ?? "",
        name: metadata.name ?? "",
        hostname: podHostname(pod, { domain: this.#context.dns.domain, node: this.#context.node.name }),
        ip: this.#address ?? "",
        hostNetwork: spec.hostNetwork === true,
        shareProcessNamespace: spec.shareProcessNamespace === true,
        directory,
        memoryVolumes: PodVolumes.memoryVolumes(pod),
        limits: podLimits(pod, this.#context.podPidsLimit),
      });
      record.podIP = this.#address;
      record.sandboxReady = true;
      const limitations = podLimitations(pod, sandbox);
      if (limitations.length > 0)
        this.#owner.event("Normal", "SandboxLimitation", `The ${sandbox.kind} sandbox: ${limitations.join("; ")}`);
    } catch (error) {
      this.#notBefore = steadyNow(clock) + RETRY_MS;
      this.#sandboxFailed(error);
    }
  }

  #sandboxFailed(error: unknown): void {
    this.#owner.event(
      "Warning",
      "FailedCreatePodSandBox",
      `Failed to create pod sandbox: ${error instanceof Error ? error.message : String(error)}`,
    );
  }

  #volumeSources(): Parameters<PodVolumes["sync"]>[1] {
    const { sources, node } = this.#context;
    const namespace = this.#owner.pod().metadata.namespace ?? "";
    return {
      configMap: (name) => sources.configMaps.get(namespace, name),
      secret: (name) => sources.secrets.get(namespace, name),
      token: (audience, seconds) => this.#tokens.get(audience, seconds),
      claim: (name) => sources.claims.get(namespace, name),
      persistentVolume: (name) => sources.volumes.get("", name),
      node,
      podIP: this.#address ?? "",
    };
  }

  #sayFailures(failures: readonly VolumeFailure[]): void {
    // The first wait for a token is part of every start and no fault.
    if (this.#tokens.waiting) return;
    const key = JSON.stringify(failures);
    if (key === this.#said) return;
    this.#said = key;
    for (const { volume, message } of failures)
      this.#owner.event("Warning", "FailedMount", `MountVolume.SetUp failed for volume "${volume}" : ${message}`);
  }
}
