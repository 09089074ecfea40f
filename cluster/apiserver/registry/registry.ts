/**
 * The table of what is served: one `ServedResource` a row, built in or made from a CRD at run time.
 * Everything that routes, lists or publishes resources reads it, and nothing else knows which exist.
 */
import type { GroupResource, KubeObject } from "@travelops/kube";
import type { ResourceRow, StructNode } from "@travelops/kube/schema/node";
import type { Convert } from "@travelops/kube/schema/managed-fields";
import type { StoredObject } from "../../store/store.ts";
import type { Conversion } from "../custom-resources/conversion/conversion.ts";
import { LazyEncoded, type Encoded } from "../request/reply.ts";
import type { Strategy } from "./strategy.ts";

export type Origin = "builtin" | "custom";

/** Objects made when they are asked for, from stored ones of the same names. */
export interface VirtualResource {
  list(sources: readonly KubeObject[], now: number): Promise<KubeObject[]>;
  get(source: KubeObject, now: number): Promise<KubeObject>;
}

/** One served version of one resource. */
export interface ServedResource {
  readonly row: ResourceRow;
  /** The version objects are stored in. */
  readonly storageRow: ResourceRow;
  /** Table of the store. */
  readonly table: string;
  readonly groupResource: GroupResource;
  readonly strategy: Strategy;
  readonly origin: Origin;
  /** Identity where absent. */
  readonly fromStorage?: (object: KubeObject) => KubeObject;
  readonly toStorage?: (object: KubeObject) => KubeObject;
  /** Nothing is stored: its objects are made from those of `table`. */
  readonly virtual?: VirtualResource;
  /** Stored objects may be of another version than this one, or a webhook makes them it. */
  readonly conversion?: Conversion;
  /** An object in the version of one of its field managers; absent: all versions have one shape. */
  readonly managedAs?: Convert;
  /** Its definition is being deleted: objects go, and no new ones come. */
  readonly closing?: boolean;
  /** Text of `Warning` headers for every use of a deprecated version. */
  readonly deprecation?: string;
}

/** An object of the stored version in the one that is served. */
export const shownAs = (resource: ServedResource, object: KubeObject): KubeObject =>
  resource.fromStorage?.(object) ?? object;

/** The schema of what `shownAs` gives. */
export const shownSchema = (resource: ServedResource): StructNode =>
  (resource.fromStorage === undefined ? resource.storageRow : resource.row).schema;

/** Events alone stand in no watch cache upstream, which reads and refuses in ways of its own. */
export const hasNoCache = (table: string): boolean => table === "events.";

export interface View extends Encoded {
  readonly object: KubeObject;
}

const views = new WeakMap<ServedResource, WeakMap<StoredObject, View>>();

/** A stored object in the version served; shared and encoded once. */
export function viewOf(resource: ServedResource, stored: StoredObject): View {
  const convert = resource.fromStorage;
  if (convert === undefined) return stored;
  let cache = views.get(resource);
  if (cache === undefined) views.set(resource, (cache = new WeakMap()));
  let view = cache.get(stored);
  if (view === undefined) {
    const object = convert(stored.object);
    view = object === stored.object ? stored : (new LazyEncoded(object) as unknown as View);
    cache.set(stored, view);
  }
  return view;
}

const keyOf = (group: string, version: string, resource: string): string => `${group}/${version}/${resource}`;

export class Registry {
  readonly #rows = new Map<string, ServedResource>();
  readonly #groups = new Map<string, Set<string>>();
  readonly #listeners = new Set<() => void>();
  #generation = 1;

  /** Counts changes: whoever caches what it made of the table compares it. */
  get generation(): number {
    return this.#generation;
  }

  add(resources: readonly ServedResource[]): void {
    for (const resource of resources) {
      const { group, version, resource: name } = resource.row;
      this.#rows.set(keyOf(group, version, name), resource);
      let versions = this.#groups.get(group);
      if (versions === undefined) this.#groups.set(group, (versions = new Set()));
      versions.add(version);
    }
    this.#changed();
  }

  /** Stops serving every version of a resource. */
  remove(groupResource: GroupResource): void {
    for (const [key, { row }] of this.#rows) {
      if (row.group === groupResource.group && row.resource === groupResource.resource) this.#rows.delete(key);
    }
    const left = new Set(
      [...this.#rows.values()].filter((r) => r.row.group === groupResource.group).map((r) => r.row.version),
    );
    if (left.size === 0) this.#groups.delete(groupResource.group);
    else this.#groups.set(groupResource.group, left);
    this.#changed();
  }

  get(group: string, version: string, resource: string): ServedResource | undefined {
    return this.#rows.get(keyOf(group, version, resource));
  }

  /** Any served version of a resource, the preferred one first. */
  find(group: string, resource: string): ServedResource | undefined {
    for (const version of this.versions(group)) {
      const found = this.get(group, version, resource);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  hasGroupVersion(group: string, version: string): boolean {
    return this.#groups.get(group)?.has(version) === true;
  }

  /** Served groups, the core group first, then built-in ones, then custom ones, each in order of arrival. */
  groups(): string[] {
    return [...this.#groups.keys()];
  }

  /** Versions of a group, most preferred first. */
  versions(group: string): string[] {
    return [...(this.#groups.get(group) ?? [])].sort(compareVersions);
  }

  resources(group: string, version: string): ServedResource[] {
    const found: ServedResource[] = [];
    for (const resource of this.#rows.values()) {
      if (resource.row.group === group && resource.row.version === version) found.push(resource);
    }
    return found.sort((a, b) => (a.row.resource < b.row.resource ? -1 : 1));
  }

  all(): IterableIterator<ServedResource> {
    return this.#rows.values();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #changed(): void {
    this.#generation++;
    for (const listener of this.#listeners) listener();
  }
}

const VERSION = /^v(\d+)(?:(alpha|beta)(\d+))?$/;

/** Upstream's order of versions: v2, v1, v1beta2, v1beta1, v1alpha1, then others by name. */
export function compareVersions(a: string, b: string): number {
  const left = VERSION.exec(a);
  const right = VERSION.exec(b);
  if (left === null || right === null) {
    if (left !== null) return -1;
    if (right !== null) return 1;
    return a < b ? -1 : a > b ? 1 : 0;
  }
  const stage = (match: RegExpExecArray): number => (match[2] === undefined ? 2 : match[2] === "beta" ? 1 : 0);
  return (
    stage(right) - stage(left) || Number(right[1]) - Number(left[1]) || Number(right[3] ?? 0) - Number(left[3] ?? 0)
  );
}
