/**
 * Looks at the disk now and then: a pod above a limit of its own is evicted, and while the disk is nearly full the node
 * says so, takes no new pods, and evicts the one that holds most.
 */
import { join } from "node:path";
import type { Clock } from "@travelops/kube/api/clock.ts";
import type { Logger } from "@travelops/kube/api/logger.ts";
import type { Pod } from "@travelops/kube/api/types/index.ts";
import type { PodWorker } from "../pod/pod-worker.ts";
import { diskSpace, diskUsage, type DiskSpace } from "./disk-usage.ts";
import { exceededStorage, hasStorageLimits, totalUse, type StorageUse } from "./storage-limits.ts";

const EVERY_MS = 10_000;
const PRESSED_EVERY_MS = 1000;
/** Upstream's tenth of the disk would press most laptops for ever. */
const LEAST_AVAILABLE = 100 * 1024 * 1024;
const LEAST_PART = 0.05;
/** A pod that holds less is not worth its end. */
const WORTH_IT = 1024 * 1024;
/** Pods of this priority and above stay. */
const CRITICAL = 2_000_000_000;

export interface EvictionsOptions {
  /** On the disk in question. */
  readonly directory: string;
  readonly clock: Clock;
  readonly log: Logger;
  readonly workers: () => Iterable<PodWorker>;
  /** The disk has become nearly full, or is so no longer. */
  readonly onPressure: (pressed: boolean) => void;
  readonly space?: (directory: string) => Promise<DiskSpace>;
}

export class Evictions {
  readonly #options: EvictionsOptions;
  #pressed = false;
  #closed = false;
  #cancel: (() => void) | undefined;

  constructor(options: EvictionsOptions) {
    this.#options = options;
    this.#arm();
  }

  get pressed(): boolean {
    return this.#pressed;
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
  }

  #arm(): void {
    if (this.#closed) return;
    const { clock, log } = this.#options;
    this.#cancel = clock.setTimeout(
      () =>
        void this.#look()
          .catch((error: unknown) => log.warn("the disk was not looked at", { err: error }))
          .finally(() => this.#arm()),
      this.#pressed ? PRESSED_EVERY_MS : EVERY_MS,
    );
  }

  async #look(): Promise<void> {
    const { directory, space = diskSpace, onPressure } = this.#options;
    const { available, capacity } = await space(directory);
    const threshold = Math.min(LEAST_AVAILABLE, capacity * LEAST_PART);
    const pressed = available < threshold;
    if (pressed !== this.#pressed) {
      this.#pressed = pressed;
      onPressure(pressed);
    }
    for (const worker of this.#candidates()) {
      if (!hasStorageLimits(worker.pod)) continue;
      const message = exceededStorage(worker.pod, await storageUse(worker.pod, worker.directory));
      if (message !== undefined) worker.evict(message);
    }
    if (pressed) await this.#relieve(threshold, available);
  }

  #candidates(): PodWorker[] {
    return [...this.#options.workers()].filter((worker) => !worker.ends);
  }

  async #relieve(threshold: number, available: number): Promise<void> {
    let most: { worker: PodWorker; use: StorageUse; total: number } | undefined;
    for (const worker of this.#candidates()) {
      if ((worker.pod.spec.priority ?? 0) >= CRITICAL) continue;
      const use = await storageUse(worker.pod, worker.directory);
      const total = totalUse(use);
      if (total >= WORTH_IT && total > (most?.total ?? 0)) most = { worker, use, total };
    }
    most?.worker.evict(
      `The node was low on resource: ephemeral-storage. Threshold quantity: ${Math.floor(threshold)}, available: ${Ki(available)}. ${largest(most.worker.pod, most.use)}`,
    );
  }
}

const Ki = (bytes: number): string => `${Math.floor(bytes / 1024)}Ki`;

function largest(pod: Pod, { containers }: StorageUse): string {
  return pod.spec.containers
    .map(({ name, resources }) => {
      const request = resources?.requests?.["ephemeral-storage"] ?? "0";
      return `Container ${name} was using ${Ki(containers.get(name) ?? 0)}, request is ${request}, has larger consumption of ephemeral-storage. `;
    })
    .join("");
}

export async function storageUse(pod: Pod, directory: string): Promise<StorageUse> {
  const emptyDirs = new Map<string, number>();
  for (const { name, emptyDir } of pod.spec.volumes ?? [])
    if (emptyDir !== undefined && emptyDir.medium !== "Memory")
      emptyDirs.set(name, await diskUsage(join(directory, "volumes", "empty-dir", name)));
  const containers = new Map<string, number>();
  for (const { name } of [...pod.spec.containers, ...(pod.spec.initContainers ?? [])])
    containers.set(
      name,
      (await diskUsage(join(directory, "containers", name))) + (await diskUsage(join(directory, "logs", name))),
    );
  return { emptyDirs, containers };
}
