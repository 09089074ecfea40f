import type { Clock } from "@travelops/kube/api/clock";
import type { Logger } from "@travelops/kube/api/logger";
import type { AuditLog } from "./audit-log.ts";
import { EventWindow } from "./event-window.ts";
import type { Maintenance } from "./maintenance.ts";
import { ObjectTables, withPast, type Past } from "./object-tables.ts";
import type { RevisionLog } from "./revision-log.ts";
import { Compacted, StoreUnavailable } from "./store.ts";
import type { Actor, Change, ListRange, ListResult, ObjectKey, Store, StoredObject, StoreEvent } from "./store.ts";
import { isDiskFull } from "./store-open-error.ts";
import { versionAt } from "./stored-version.ts";
import { Watchers } from "./watchers.ts";
import { WriteBatch } from "./write-batch.ts";

const WINDOW_EVENTS = 2_000;
const WINDOW_BYTES = 4 * 1024 * 1024;

export interface LogStoreParts {
  readonly dir: string;
  readonly log: RevisionLog;
  readonly audit: AuditLog;
  readonly maintenance: Maintenance;
  readonly encryptedTables: ReadonlySet<string>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The store: committed objects in memory, the log on disk behind them. */
export class LogStore implements Store {
  readonly #parts: LogStoreParts;
  readonly #tables = new ObjectTables();
  readonly #window: EventWindow;
  readonly #watchers: Watchers;
  #batch = new WriteBatch();
  #flush: NodeJS.Immediate | undefined;
  #revision: number;
  /** The last change of each table since this store was opened, at `#opened`. */
  readonly #changed = new Map<string, number>();
  readonly #opened: number;
  #failing = false;
  #closed = false;

  constructor(parts: LogStoreParts) {
    this.#parts = parts;
    this.#revision = parts.log.revision;
    this.#opened = this.#revision;
    this.#window = new EventWindow(this.#revision, WINDOW_EVENTS, WINDOW_BYTES);
    this.#watchers = new Watchers(parts.logger);
    for (const stored of parts.log.current()) this.#tables.put(stored);
  }

  get revision(): number {
    return this.#revision;
  }

  get compactedRevision(): number {
    return this.#parts.log.compacted;
  }

  get(key: ObjectKey): StoredObject | undefined {
    return this.#tables.get(key);
  }

  listStaged(table: string, namespace: string): readonly StoredObject[] {
    const { items } = this.#tables.list(table, { namespace });
    const staged = new Map(this.#batch.stagedIn(table, namespace));
    if (staged.size === 0) return items;
    const untouched = items.filter((item) => item.key.namespace === namespace && !staged.has(item.key.name));
    return [...untouched, ...[...staged.values()].filter((object) => object !== undefined)];
  }

  count(table: string, namespace?: string): number {
    return this.#tables.count(table, namespace);
  }

  tables(): string[] {
    return this.#tables.names();
  }

  list(table: string, range: ListRange = {}): ListResult {
    this.#checkOpen();
    const { revision } = range;
    if (revision === undefined || revision >= this.#revision) {
      return { ...this.#tables.list(table, range), revision: this.#revision };
    }
    if (revision < this.compactedRevision) throw new Compacted(this.compactedRevision);
    // Of a table that rested since then, the present is the past: a list in pages is true for the revision of its first.
    if (revision >= (this.#changed.get(table) ?? this.#opened)) return { ...this.#tables.list(table, range), revision };
    return { ...this.#listAt(table, revision, range), revision };
  }

  /** A list as it was: what the events since then changed is taken back. */
  #listAt(table: string, revision: number, range: ListRange): Omit<ListResult, "revision"> {
    const events = [...this.#eventsSince(table, revision)];
    if (this.#parts.encryptedTables.has(table) && events.some((event) => event.type !== "create")) {
      throw new Compacted(this.#revision); // What was superseded is gone at once.
    }
    const past = new Map<string, Past>();
    for (const { object, previous } of events) {
      const { key } = object;
      const id = `${key.namespace}/${key.name}`;
      if (!past.has(id) && isInRange(key, range)) past.set(id, { key, stored: previous });
    }
    const { limit, ...whole } = range;
    const items = withPast(this.#tables.list(table, whole).items, past.values());
    if (limit === undefined || limit <= 0 || limit >= items.length) return { items, remaining: 0 };
    return { items: items.slice(0, limit), remaining: items.length - limit };
  }

  #eventsSince(table: string, revision: number): Iterable<StoreEvent> {
    if (revision < this.compactedRevision) throw new Compacted(this.compactedRevision);
    // Encrypted tables stay out of the window: memory would keep what the history must not.
    const inMemory = revision >= this.#window.after && !this.#parts.encryptedTables.has(table);
    return inMemory ? this.#window.since(revision, table) : this.#parts.log.events(table, revision);
  }

  watch(table: string, from: number, listener: (event: StoreEvent) => void): () => void {
    this.#checkOpen();
    if (from < this.#revision) for (const event of this.#eventsSince(table, from)) listener(event);
    return this.#watchers.add(table, Math.max(from, this.#revision), listener);
  }

  onCommit(listener: (revision: number) => void): () => void {
    return this.#watchers.addCommit(listener);
  }

  write(
    key: ObjectKey,
    actor: Actor,
    change: (current: StoredObject | undefined) => Change,
  ): Promise<StoredObject | undefined> {
    if (this.#closed) return Promise.reject(closedError());
    const batch = this.#batch;
    const staged = batch.staged(key);
    const current = staged === undefined ? this.#tables.get(key) : staged.object;
    let event: StoreEvent | undefined;
    try {
      event = this.#eventOf(key, current, change(current));
    } catch (error) {
      // An error that rests on staged writes holds only if they do.
      if (staged === undefined) return Promise.reject(error as Error);
      return batch.follow(() => {
        throw error;
      });
    }
    if (event === undefined) return staged === undefined ? Promise.resolve(current) : batch.follow(() => current);
    const { object } = event;
    batch.add({ event, actor });
    this.#flush ??= setImmediate(() => this.#commit());
    return batch.follow(() => object);
  }

  #eventOf(key: ObjectKey, current: StoredObject | undefined, change: Change): StoreEvent | undefined {
    if (change.op === "none" || (change.op === "delete" && current === undefined)) return undefined;
    const revision = this.#revision + this.#batch.writes.length + 1;
    const type = change.op === "delete" ? "delete" : current === undefined ? "create" : "update";
    const state = change.op === "put" ? change.object : (change.object ?? current?.object);
    if (state === undefined) return undefined;
    const object = versionAt(
      current?.key ?? { table: key.table, namespace: key.namespace, name: key.name },
      revision,
      state,
    );
    return { type, revision, object, previous: current };
  }

  #commit(): void {
    const batch = this.#batch;
    this.#batch = new WriteBatch();
    if (this.#flush !== undefined) clearImmediate(this.#flush);
    this.#flush = undefined;
    if (batch.writes.length === 0) return batch.succeed();
    const events = batch.writes.map((write) => write.event);
    const time = this.#parts.clock.now();
    try {
      this.#parts.log.append(events, time);
    } catch (error) {
      return batch.fail(this.#unavailable(error));
    }
    if (this.#failing) this.#parts.logger.info("the store can write again", { dir: this.#parts.dir });
    this.#failing = false;
    this.#apply(events);
    this.#watchers.publish(events, this.#revision);
    for (const { event, actor } of batch.writes)
      this.#parts.audit.record(time, actor, event.object.key, event.revision);
    batch.succeed();
    this.#parts.maintenance.committed();
  }

  #apply(events: readonly StoreEvent[]): void {
    for (const event of events) {
      const hidden = this.#parts.encryptedTables.has(event.object.key.table);
      if (event.type === "delete") this.#tables.remove(event.object.key);
      else this.#tables.put(event.object);
      if (!hidden) this.#window.push(event);
      else if (event.previous !== undefined) this.#parts.maintenance.scrubbed();
      this.#revision = event.revision;
      this.#changed.set(event.object.key.table, event.revision);
    }
  }

  #unavailable(error: unknown): StoreUnavailable {
    const { dir, logger } = this.#parts;
    const why = isDiskFull(error) ? "its disk is full" : error instanceof Error ? error.message : String(error);
    if (!this.#failing) logger.error("the store cannot write", { dir, err: error });
    this.#failing = true;
    return new StoreUnavailable(
      `the store in ${dir} cannot write (${why}): nothing was changed; make room, then try again`,
      { cause: error },
    );
  }

  #checkOpen(): void {
    if (this.#closed) throw closedError();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#commit();
    this.#closed = true;
    this.#parts.maintenance.close();
    this.#watchers.clear();
    await this.#parts.audit.close();
    this.#parts.log.close();
  }
}

const isInRange = ({ namespace, name }: ObjectKey, { namespace: wanted = "", after }: ListRange): boolean =>
  (wanted === "" || namespace === wanted) &&
  (after === undefined || namespace > after.namespace || (namespace === after.namespace && name > after.name));

const closedError = (): StoreUnavailable => new StoreUnavailable("the store is closed");
