/** Writes intents: the newest for an object counts, one write an object at a time, failures are tried again. */
import { isConflict, isNotFound, type Clock, type KubeClient, type Logger } from "@travelops/kube";
import type { Intent } from "./status-intents.ts";

const RETRY_MS = 1000;

export class IntentWriter {
  readonly #client: KubeClient;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #again: () => void;
  /** Objects being written; true: something else was to be written meanwhile. */
  readonly #busy = new Map<string, boolean>();
  #cancelRetry: (() => void) | undefined;
  #closed = false;

  /** `again` asks for a new look at the world: after a write that failed, and after one that others were waiting for. */
  constructor(options: { client: KubeClient; clock: Clock; log: Logger; again: () => void }) {
    this.#client = options.client;
    this.#clock = options.clock;
    this.#log = options.log;
    this.#again = options.again;
  }

  write(intents: readonly Intent[]): void {
    for (const intent of intents) {
      const key = this.#key(intent);
      if (this.#busy.has(key)) this.#busy.set(key, true);
      else void this.#send(key, intent);
    }
  }

  #key({ resource, object }: Intent): string {
    return `${resource.group}/${resource.resource}/${object.metadata.namespace ?? ""}/${object.metadata.name ?? ""}`;
  }

  async #send(key: string, { resource, object, subresource, patch }: Intent): Promise<void> {
    this.#busy.set(key, false);
    const { namespace = "", name = "", resourceVersion, uid } = object.metadata;
    const metadata = { ...(patch["metadata"] as object | undefined), resourceVersion, uid };
    try {
      await this.#client.patch(
        resource,
        namespace,
        name,
        "application/merge-patch+json",
        { ...patch, metadata },
        { subresource, fieldManager: "travelops-network" },
      );
      const more = this.#busy.get(key) === true;
      this.#busy.delete(key);
      if (more && !this.#closed) this.#again();
    } catch (error) {
      this.#busy.delete(key);
      if (this.#closed || isNotFound(error)) return;
      if (!isConflict(error))
        this.#log.warn(`cannot write ${subresource ?? "annotations"} of ${resource.kind} ${namespace}/${name}`, {
          err: error,
        });
      this.#cancelRetry ??= this.#clock.setTimeout(
        () => {
          this.#cancelRetry = undefined;
          this.#again();
        },
        isConflict(error) ? 50 : RETRY_MS,
      );
    }
  }

  close(): void {
    this.#closed = true;
    this.#cancelRetry?.();
  }
}
