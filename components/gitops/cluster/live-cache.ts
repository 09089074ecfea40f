/**
 * The live state of the kinds that any Application manages, by watch: one informer a kind, started when first needed.
 * What the engine itself just wrote is seen at once, before the watch brings it.
 */
import type { KubeClient, KubeObject, Resource } from "@travelops/kube";
import { createInformer, type Informer } from "@travelops/kube/controller/informer";
import type { Logger } from "@travelops/kube/api/logger";
import { keyOf, keyText, type ResourceKey } from "../application/resource-key.ts";

export type LiveListener = (object: KubeObject, old: KubeObject | undefined) => void;

interface Watched {
  informer: Informer;
  stop: AbortController;
}

const resourceId = (resource: Resource): string => `${resource.group}/${resource.version}/${resource.resource}`;
const revisionOf = (object: KubeObject): bigint => BigInt(object.metadata.resourceVersion ?? "0");

export class LiveCache {
  readonly #client: KubeClient;
  readonly #log: Logger;
  readonly #watched = new Map<string, Watched>();
  readonly #byKind = new Map<string, Watched>();
  readonly #recent = new Map<string, KubeObject>();
  readonly #gone = new Set<string>();
  readonly #listeners = new Set<LiveListener>();

  constructor(client: KubeClient, log: Logger) {
    this.#client = client;
    this.#log = log;
  }

  onChange(listener: LiveListener): void {
    this.#listeners.add(listener);
  }

  /** Follows a resource from now on; resolves once its present state is known. */
  async follow(resource: Resource, signal: AbortSignal): Promise<void> {
    const id = resourceId(resource);
    let watched = this.#watched.get(id);
    if (watched === undefined) {
      watched = this.#start(resource, signal);
      this.#watched.set(id, watched);
      this.#byKind.set(`${resource.group}/${resource.kind}`, watched);
    }
    await watched.informer.synced();
  }

  #start(resource: Resource, signal: AbortSignal): Watched {
    const informer = createInformer(this.#client, resource, { log: this.#log });
    const stop = new AbortController();
    informer.onEvent((event) => {
      this.#settle(event.object, event.type === "deleted");
      for (const listener of this.#listeners) listener(event.object, event.old);
    });
    informer
      .run(AbortSignal.any([signal, stop.signal]))
      .catch((error: unknown) =>
        this.#log.error("watch ended", { resource: resourceId(resource), error: String(error) }),
      );
    return { informer, stop };
  }

  /** The watch has caught up with what was noted. */
  #settle(object: KubeObject, deleted: boolean): void {
    const key = keyText(keyOf(object));
    const recent = this.#recent.get(key);
    if (recent !== undefined && (deleted || revisionOf(object) >= revisionOf(recent))) this.#recent.delete(key);
    if (deleted) this.#gone.delete(object.metadata.uid ?? "");
  }

  get(key: ResourceKey): KubeObject | undefined {
    const seen = this.#byKind.get(`${key.group}/${key.kind}`)?.informer.get(key.namespace, key.name);
    const recent = this.#recent.get(keyText(key));
    const newest =
      recent !== undefined && (seen === undefined || revisionOf(recent) > revisionOf(seen)) ? recent : seen;
    return newest !== undefined && this.#gone.has(newest.metadata.uid ?? "") ? undefined : newest;
  }

  /** Every followed object that `owned` accepts. */
  list(owned: (object: KubeObject) => boolean): KubeObject[] {
    const found: KubeObject[] = [];
    const keys = new Set<string>();
    for (const { informer } of new Set(this.#byKind.values())) {
      for (const object of informer.list()) {
        keys.add(keyText(keyOf(object)));
        if (!this.#gone.has(object.metadata.uid ?? "") && owned(object)) found.push(this.get(keyOf(object)) ?? object);
      }
    }
    for (const [key, object] of this.#recent) if (!keys.has(key) && owned(object)) found.push(object);
    return found;
  }

  noteWritten(object: KubeObject): void {
    this.#recent.set(keyText(keyOf(object)), object);
  }

  /** A delete that left nothing behind. An object that waits for finalizers is still there. */
  noteDeleted(object: KubeObject): void {
    this.#recent.delete(keyText(keyOf(object)));
    if (object.metadata.uid !== undefined) this.#gone.add(object.metadata.uid);
  }

  /** Stops following a kind whose CRD is gone. */
  unfollow(resource: Resource): void {
    const watched = this.#watched.get(resourceId(resource));
    watched?.stop.abort();
    this.#watched.delete(resourceId(resource));
    this.#byKind.delete(`${resource.group}/${resource.kind}`);
  }
}
