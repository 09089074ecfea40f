/**
 * A local, indexed copy of one resource that follows the server, for any number of readers. Objects are shared
 * between all of them (and with the in-process server): treat them as frozen.
 */
import type { Clock } from "../api/clock.ts";
import type { Logger } from "../api/logger.ts";
import { leanObject } from "../api/lean-object.ts";
import type { KubeObject } from "../api/object.ts";
import type { KubeClient, Resource } from "../client/client.ts";
import { type ReflectorSink, type ReflectorSource, runReflector } from "./reflector.ts";

export type InformerEvent<T extends KubeObject> =
  | { readonly type: "added"; readonly object: T; readonly old?: undefined }
  | { readonly type: "updated"; readonly object: T; readonly old: T }
  /** `object` is the last state, as far as it is known. */
  | { readonly type: "deleted"; readonly object: T; readonly old?: undefined };

export type IndexFunction<T extends KubeObject> = (object: T) => readonly string[];

export interface InformerOptions<T extends KubeObject> {
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  indexes?: Readonly<Record<string, IndexFunction<T>>>;
  /** Who owns which field is half of a small object, and few readers ask for it. An update without it changes no owner. */
  managedFields?: "keep" | "drop";
  clock?: Clock;
  random?: () => number;
  log?: Logger;
}

export interface Informer<T extends KubeObject = KubeObject> {
  readonly resource: Resource<T>;
  get(namespace: string, name: string): T | undefined;
  /** All, or those of one namespace. */
  list(namespace?: string): T[];
  byIndex(index: string, value: string): T[];
  /** Adds an index, also while running. */
  addIndex(name: string, values: IndexFunction<T>): void;
  /** Called for every change, in order; what is known already comes first as "added". Returns how to stop it. */
  onEvent(listener: (event: InformerEvent<T>) => void): () => void;
  /**
   * Takes in the answer of an own write before the watch brings it, so that the next look sees it: without
   * this a controller that runs again at once would make what it has just made. Ignored where it is old news.
   */
  note(object: T): void;
  readonly hasSynced: boolean;
  /** Resolves once the first state is in; rejects when the informer is stopped before. */
  synced(): Promise<void>;
  /** Follows until `signal` aborts. */
  run(signal: AbortSignal): Promise<void>;
}

/** `namespace/name`, or `name` for cluster-scoped objects: the key of queues. */
export const keyOf = (object: KubeObject): string =>
  joinKey(object.metadata.namespace ?? "", object.metadata.name ?? "");

export const joinKey = (namespace: string, name: string): string => (namespace === "" ? name : `${namespace}/${name}`);

export function splitKey(key: string): { namespace: string; name: string } {
  const slash = key.indexOf("/");
  return slash < 0 ? { namespace: "", name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** Makes an informer; it reads nothing before `run`. */
export function createInformer<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  options: InformerOptions<T> = {},
): Informer<T> {
  const { namespace, labelSelector, fieldSelector } = options;
  const scope = { namespace, labelSelector, fieldSelector };
  const source: ReflectorSource<T> = {
    list: (signal) => client.list(resource, { ...scope, signal }),
    watch: (watch) => client.watch(resource, { ...scope, ...watch }),
  };
  return new StoreInformer(resource, source, options);
}

class StoreInformer<T extends KubeObject> implements Informer<T> {
  readonly resource: Resource<T>;
  readonly #source: ReflectorSource<T>;
  readonly #options: InformerOptions<T>;
  readonly #namespaces = new Map<string, Map<string, T>>();
  readonly #indexes = new Map<string, Index<T>>();
  readonly #listeners = new Set<(event: InformerEvent<T>) => void>();
  readonly #synced = Promise.withResolvers<void>();
  #hasSynced = false;
  /** The watch has delivered everything up to here. */
  #reached = Number.NaN;
  /** Own writes that are ahead of the watch. */
  readonly #noted = new Map<string, T>();
  /** What is kept of an object. */
  readonly #kept: (object: T) => T;

  constructor(resource: Resource<T>, source: ReflectorSource<T>, options: InformerOptions<T>) {
    this.resource = resource;
    this.#source = source;
    this.#options = options;
    this.#kept = options.managedFields === "drop" ? leanObject : (object) => object;
    for (const [name, values] of Object.entries(options.indexes ?? {})) this.#indexes.set(name, new Index(values));
    // Whoever does not wait for it must not be killed by its rejection.
    this.#synced.promise.catch(() => {});
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  get(namespace: string, name: string): T | undefined {
    return this.#namespaces.get(namespace)?.get(name);
  }

  list(namespace?: string): T[] {
    if (namespace !== undefined) return [...(this.#namespaces.get(namespace)?.values() ?? [])];
    const all: T[] = [];
    for (const objects of this.#namespaces.values()) all.push(...objects.values());
    return all;
  }

  byIndex(index: string, value: string): T[] {
    const found = this.#indexes.get(index);
    if (found === undefined) throw new Error(`the informer of ${this.resource.resource} has no index ${index}`);
    return found.get(value);
  }

  addIndex(name: string, values: IndexFunction<T>): void {
    if (this.#indexes.has(name)) return;
    const index = new Index(values);
    for (const object of this.list()) index.add(object);
    this.#indexes.set(name, index);
  }

  onEvent(listener: (event: InformerEvent<T>) => void): () => void {
    for (const object of this.list()) listener({ type: "added", object });
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  synced(): Promise<void> {
    return this.#synced.promise;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, random, log } = this.#options;
    const sink: ReflectorSink<T> = {
      replace: (objects, resourceVersion) => this.#replace(objects.map(this.#kept), Number(resourceVersion)),
      upsert: (object) => this.#upsert(this.#kept(object)),
      remove: (object) => this.#remove(object),
      reached: (resourceVersion) => this.#reach(Number(resourceVersion)),
    };
    await runReflector(this.#source, sink, signal, { name: this.resource.resource, clock, random, log });
    this.#synced.reject(new Error(`the informer of ${this.resource.resource} was stopped`));
  }

  note(object: T): void {
    const revision = Number(object.metadata.resourceVersion);
    // What the watch has passed it has told, also whether the object is gone since.
    if (!(revision > this.#reached)) return;
    const kept = this.#kept(object);
    this.#noted.set(keyOf(object), kept);
    this.#upsert(kept);
  }

  #reach(revision: number): void {
    this.#reached = revision;
    for (const [key, object] of this.#noted) {
      if (Number(object.metadata.resourceVersion) <= revision) this.#noted.delete(key);
    }
  }

  #replace(listed: readonly T[], revision: number): void {
    this.#reach(revision);
    const objects = new Map<string, T>();
    for (const object of listed) objects.set(keyOf(object), object);
    for (const [key, object] of this.#noted) objects.set(key, object);
    for (const object of this.list()) if (!objects.has(keyOf(object))) this.#forget(object);
    for (const object of objects.values()) this.#put(object);
    this.#hasSynced = true;
    this.#synced.resolve();
  }

  #upsert(object: T): void {
    const old = this.get(object.metadata.namespace ?? "", object.metadata.name ?? "");
    if (old === undefined || !isOlder(object, old)) this.#put(object);
  }

  #remove(object: T): void {
    const old = this.get(object.metadata.namespace ?? "", object.metadata.name ?? "");
    if (old !== undefined && (old.metadata.uid === object.metadata.uid || !isOlder(object, old))) this.#forget(object);
  }

  #put(object: T): void {
    const { namespace = "", name = "" } = object.metadata;
    const old = this.get(namespace, name);
    if (old !== undefined && old.metadata.uid !== object.metadata.uid) {
      // Deleted and made again while nobody watched.
      this.#forget(old);
      this.#put(object);
      return;
    }
    if (old !== undefined && old.metadata.resourceVersion === object.metadata.resourceVersion) return;
    let objects = this.#namespaces.get(namespace);
    if (objects === undefined) this.#namespaces.set(namespace, (objects = new Map<string, T>()));
    objects.set(name, object);
    for (const index of this.#indexes.values()) {
      if (old !== undefined) index.remove(old);
      index.add(object);
    }
    this.#emit(old === undefined ? { type: "added", object } : { type: "updated", object, old });
  }

  /** `last` may be newer than what is stored. */
  #forget(last: T): void {
    const { namespace = "", name = "" } = last.metadata;
    const objects = this.#namespaces.get(namespace);
    const stored = objects?.get(name);
    if (objects === undefined || stored === undefined) return;
    objects.delete(name);
    if (objects.size === 0) this.#namespaces.delete(namespace);
    for (const index of this.#indexes.values()) index.remove(stored);
    this.#emit({ type: "deleted", object: last });
  }

  #emit(event: InformerEvent<T>): void {
    for (const listener of this.#listeners) {
      try {
        listener(event);
      } catch (error) {
        this.#options.log?.error("a listener failed", { resource: this.resource.resource, err: error });
      }
    }
  }
}

/** Resource versions count up (apimachinery has called them comparable since 1.35); others are taken as new. */
function isOlder(object: KubeObject, known: KubeObject): boolean {
  const a = Number(object.metadata.resourceVersion);
  const b = Number(known.metadata.resourceVersion);
  return Number.isSafeInteger(a) && Number.isSafeInteger(b) && a < b;
}

class Index<T extends KubeObject> {
  readonly #values: IndexFunction<T>;
  readonly #sets = new Map<string, Map<string, T>>();

  constructor(values: IndexFunction<T>) {
    this.#values = values;
  }

  get(value: string): T[] {
    return [...(this.#sets.get(value)?.values() ?? [])];
  }

  add(object: T): void {
    for (const value of this.#values(object)) {
      let set = this.#sets.get(value);
      if (set === undefined) this.#sets.set(value, (set = new Map<string, T>()));
      set.set(keyOf(object), object);
    }
  }

  remove(object: T): void {
    for (const value of this.#values(object)) {
      const set = this.#sets.get(value);
      set?.delete(keyOf(object));
      if (set?.size === 0) this.#sets.delete(value);
    }
  }
}
