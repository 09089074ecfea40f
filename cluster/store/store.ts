/**
 * The revision log: one ordered history of every object, as etcd has it. A revision is a row id;
 * a watch is the tail of the log. Current objects stand in memory, already parsed and (once) encoded,
 * so that a read never touches the disk.
 */
import type { KubeObject } from "@travelops/kube";

/** Where an object lives. `namespace` is "" for cluster-scoped resources. */
export interface ObjectKey {
  /** `resource.group`, e.g. `deployments.apps`, `pods.` (storage is by resource, whatever the version). */
  readonly table: string;
  readonly namespace: string;
  readonly name: string;
}

/** One version of one object. Immutable: shared by every reader and watcher. */
export interface StoredObject {
  readonly key: ObjectKey;
  /** The revision that wrote it (its metadata.resourceVersion). */
  readonly revision: number;
  readonly object: KubeObject;
  /** `object` without managedFields, where that may be at hand when `object` is not: for selecting. */
  readonly lean?: KubeObject;
  /** JSON of `object`, encoded at most once. */
  readonly bytes: Buffer;
}

/** One entry of the log. For a delete, `object` is the last state, carrying the deletion's revision. */
export interface StoreEvent {
  readonly type: "create" | "update" | "delete";
  readonly revision: number;
  readonly object: StoredObject;
  /** The state before (create: undefined). */
  readonly previous: StoredObject | undefined;
}

/** What a write does to the object it was shown. */
export type Change =
  | { readonly op: "put"; readonly object: KubeObject }
  /** `object`: the final state that watchers see (default: the current one). */
  | { readonly op: "delete"; readonly object?: KubeObject }
  /** Nothing is written, no revision is spent. */
  | { readonly op: "none" };

export interface ListResult {
  readonly items: readonly StoredObject[];
  /** Revision the list is true for. */
  readonly revision: number;
  /** Items after the last one returned; 0 when the list is complete. */
  readonly remaining: number;
}

export interface ListRange {
  /** "" or absent: all namespaces. Order is by namespace, then name (byte order). */
  readonly namespace?: string;
  readonly limit?: number;
  /** Exclusive start, from a continue token. */
  readonly after?: { namespace: string; name: string };
  /** Exact revision wanted; throws `Compacted` where the history no longer has it. */
  readonly revision?: number;
}

/** The history asked for is gone; `oldest` is the first revision a watch may still start after. */
export class Compacted extends Error {
  readonly oldest: number;
  constructor(oldest: number) {
    super(`required revision has been compacted; oldest is ${oldest}`);
    this.name = "Compacted";
    this.oldest = oldest;
  }
}

/** The disk refused a write; the store stays readable and writable again once there is room. */
export class StoreUnavailable extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "StoreUnavailable";
  }
}

/** Who does the write, for the audit log. Never holds values. */
export interface Actor {
  readonly user: string;
  readonly verb: string;
}

export interface Store {
  /** Last committed revision. */
  readonly revision: number;
  /** Oldest revision a watch may start from. */
  readonly compactedRevision: number;
  get(key: ObjectKey): StoredObject | undefined;
  list(table: string, range?: ListRange): ListResult;
  /**
   * What writers see: the objects of a namespace with all staged writes applied, in no order.
   * For checks that must hold among writes of one turn (quotas); readers use `list`.
   */
  listStaged(table: string, namespace: string): readonly StoredObject[];
  /** Number of objects of a table, in a namespace where given. */
  count(table: string, namespace?: string): number;
  /** Names of tables that hold at least one object. */
  tables(): string[];
  /**
   * The single write primitive. `change` runs synchronously on the staged view (all earlier writes included),
   * must be pure, and may throw: then nothing is written and the promise rejects with what it threw.
   * Resolves once durable: with the new object (put), its last state (delete), or the current one (none).
   * The store sets `metadata.resourceVersion`.
   */
  write(
    key: ObjectKey,
    actor: Actor,
    change: (current: StoredObject | undefined) => Change,
  ): Promise<StoredObject | undefined>;
  /**
   * Calls `listener` for each event of a table after revision `from`, in order: the history at once
   * (before this returns), then live in the turn in which it was committed. Throws `Compacted`.
   * A listener must not throw and must not block.
   */
  watch(table: string, from: number, listener: (event: StoreEvent) => void): () => void;
  /** Called once a commit, after all its listeners, with the new revision: progress for bookmarks. */
  onCommit(listener: (revision: number) => void): () => void;
  /** Commits what is pending, then closes. Later calls throw. */
  close(): Promise<void>;
}
