/**
 * Brings the store's events to every watcher. One subscription a table; watchers that ask for the same thing
 * form a group, so that an event is filtered and encoded once a group and handed to each member as it is.
 * The events of one commit reach a connection together.
 */
import type { WatchFrame } from "@travelops/kube";
import type { Store, StoredObject, StoreEvent } from "../../store/store.ts";
import type { EncodedFrame, WatchSink } from "../request/reply.ts";
import type { Metrics } from "../system/metrics.ts";

export interface WatchSpec {
  readonly table: string;
  /** "" for all namespaces. */
  readonly namespace: string;
  /** Only the object of this name. */
  readonly name: string | undefined;
  /** Undefined: everything matches. */
  readonly matches: ((object: StoredObject) => boolean) | undefined;
  /** Tells apart what `matches` filters. */
  readonly filterKey: string;
  readonly shape: WatchShape;
}

/** How objects look to a watcher: version, table, metadata only. */
export interface WatchShape {
  readonly key: string;
  frame(type: WatchFrame["type"], stored: StoredObject): EncodedFrame;
  bookmark(revision: number, initialEventsEnd: boolean): EncodedFrame;
}

class Group {
  readonly spec: WatchSpec;
  readonly members = new Set<WatchSink>();
  pending: EncodedFrame[] = [];
  constructor(spec: WatchSpec) {
    this.spec = spec;
  }
}

class TableWatch {
  readonly groups = new Map<string, Group>();
  /** By namespace; "" for all. */
  readonly wide = new Map<string, Set<Group>>();
  /** By `namespace/name`. */
  readonly narrow = new Map<string, Set<Group>>();
  unsubscribe: () => void = () => {};
}

const groupKey = (spec: WatchSpec): string =>
  `${spec.shape.key}\u0000${spec.namespace}\u0000${spec.name ?? "\u0001"}\u0000${spec.filterKey}`;

/** The last state of an object that left a selector, at the revision at which it did. */
function departed(event: StoreEvent, previous: StoredObject): StoredObject {
  const resourceVersion = String(event.revision);
  const object = { ...previous.object, metadata: { ...previous.object.metadata, resourceVersion } };
  let bytes: Buffer | undefined;
  return {
    key: previous.key,
    revision: event.revision,
    object,
    get bytes() {
      return (bytes ??= Buffer.from(JSON.stringify(object)));
    },
  };
}

interface Seen {
  readonly type: WatchFrame["type"];
  readonly stored: StoredObject;
}

/** What a watcher with this filter sees of an event; undefined for nothing. */
function seenBy(
  event: StoreEvent,
  matches: ((object: StoredObject) => boolean) | undefined,
  departedOnce: () => StoredObject | undefined,
): Seen | undefined {
  if (event.type === "delete") {
    const last = event.previous ?? event.object;
    return matches === undefined || matches(last) ? { type: "DELETED", stored: event.object } : undefined;
  }
  if (matches === undefined) {
    return { type: event.type === "create" ? "ADDED" : "MODIFIED", stored: event.object };
  }
  const before = event.previous !== undefined && matches(event.previous);
  const after = matches(event.object);
  if (after) return { type: before ? "MODIFIED" : "ADDED", stored: event.object };
  const gone = before ? departedOnce() : undefined;
  return gone === undefined ? undefined : { type: "DELETED", stored: gone };
}

const once = <T>(make: () => T): (() => T) => {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
};

const departedOf = (event: StoreEvent): (() => StoredObject | undefined) =>
  once(() => (event.previous === undefined ? undefined : departed(event, event.previous)));

export class WatchHub {
  readonly #store: Store;
  readonly #metrics: Metrics;
  readonly #tables = new Map<string, TableWatch>();
  readonly #dirty = new Set<Group>();
  readonly #sinks = new Set<WatchSink>();
  readonly #stopCommits: () => void;

  constructor(store: Store, metrics: Metrics) {
    this.#store = store;
    this.#metrics = metrics;
    this.#stopCommits = store.onCommit(() => this.#flush());
  }

  /** Frames of the history after `from`, for a watcher that joins now. Throws `Compacted`. */
  history(spec: WatchSpec, from: number): EncodedFrame[] {
    const frames: EncodedFrame[] = [];
    const stop = this.#store.watch(spec.table, from, (event) => {
      if (event.revision <= from || !inScope(spec, event.object)) return;
      const seen = seenBy(event, spec.matches, departedOf(event));
      if (seen !== undefined) frames.push(spec.shape.frame(seen.type, seen.stored));
    });
    stop();
    return frames;
  }

  /** Everything committed from now on goes to `sink`, until the result is called. */
  join(spec: WatchSpec, sink: WatchSink): () => void {
    const table = this.#tableWatch(spec.table);
    const key = groupKey(spec);
    let group = table.groups.get(key);
    if (group === undefined) {
      group = new Group(spec);
      table.groups.set(key, group);
      indexAdd(table, group);
    }
    const joined = group;
    joined.members.add(sink);
    this.#sinks.add(sink);
    this.#metrics.watchers(spec.table, 1);
    return () => this.#leave(table, key, joined, sink);
  }

  /** Ends every watch of a table (its resource is no longer served). */
  endTable(table: string): void {
    for (const group of this.#tables.get(table)?.groups.values() ?? []) {
      for (const sink of [...group.members]) sink.end();
    }
  }

  close(): void {
    for (const sink of [...this.#sinks]) sink.end();
    for (const table of this.#tables.values()) table.unsubscribe();
    this.#tables.clear();
    this.#stopCommits();
  }

  #leave(table: TableWatch, key: string, group: Group, sink: WatchSink): void {
    if (!group.members.delete(sink)) return;
    this.#sinks.delete(sink);
    this.#metrics.watchers(group.spec.table, -1);
    if (group.members.size > 0) return;
    if (table.groups.get(key) === group) table.groups.delete(key);
    indexRemove(table, group);
    this.#dirty.delete(group);
    if (table.groups.size > 0) return;
    table.unsubscribe();
    this.#tables.delete(group.spec.table);
  }

  #tableWatch(name: string): TableWatch {
    let table = this.#tables.get(name);
    if (table !== undefined) return table;
    table = new TableWatch();
    this.#tables.set(name, table);
    const dispatch = table;
    table.unsubscribe = this.#store.watch(name, this.#store.revision, (event) => this.#dispatch(dispatch, event));
    return table;
  }

  #dispatch(table: TableWatch, event: StoreEvent): void {
    const { namespace, name } = event.object.key;
    const frames = new Map<string, EncodedFrame>();
    const gone = departedOf(event);
    this.#offer(table.wide.get(""), event, frames, gone);
    if (namespace !== "") this.#offer(table.wide.get(namespace), event, frames, gone);
    if (table.narrow.size === 0) return;
    this.#offer(table.narrow.get(`/${name}`), event, frames, gone);
    if (namespace !== "") this.#offer(table.narrow.get(`${namespace}/${name}`), event, frames, gone);
  }

  #offer(
    groups: ReadonlySet<Group> | undefined,
    event: StoreEvent,
    frames: Map<string, EncodedFrame>,
    gone: () => StoredObject | undefined,
  ): void {
    if (groups === undefined) return;
    for (const group of groups) {
      const { spec } = group;
      const seen = seenBy(event, spec.matches, gone);
      if (seen === undefined) continue;
      const key = `${spec.shape.key}/${seen.type}`;
      let frame = frames.get(key);
      if (frame === undefined) frames.set(key, (frame = spec.shape.frame(seen.type, seen.stored)));
      group.pending.push(frame);
      this.#dirty.add(group);
    }
  }

  #flush(): void {
    if (this.#dirty.size === 0) return;
    const groups = [...this.#dirty];
    this.#dirty.clear();
    for (const group of groups) {
      const frames = group.pending;
      group.pending = [];
      for (const sink of group.members) sink.send(frames);
    }
  }
}

const inScope = (spec: WatchSpec, stored: StoredObject): boolean =>
  (spec.namespace === "" || stored.key.namespace === spec.namespace) &&
  (spec.name === undefined || stored.key.name === spec.name);

function indexOf(table: TableWatch, group: Group): [index: Map<string, Set<Group>>, key: string] {
  const { namespace, name } = group.spec;
  return name === undefined ? [table.wide, namespace] : [table.narrow, `${namespace}/${name}`];
}

function indexAdd(table: TableWatch, group: Group): void {
  const [index, key] = indexOf(table, group);
  const groups = index.get(key);
  if (groups === undefined) index.set(key, new Set([group]));
  else groups.add(group);
}

function indexRemove(table: TableWatch, group: Group): void {
  const [index, key] = indexOf(table, group);
  const groups = index.get(key);
  if (groups === undefined) return;
  groups.delete(group);
  if (groups.size === 0) index.delete(key);
}
