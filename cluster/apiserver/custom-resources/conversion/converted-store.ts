/**
 * The store as one request sees it that speaks another version than the stored one: objects are converted where
 * they are read and where they are written, so that everything between is in the request's version, as upstream.
 */
import { isDeepStrictEqual } from "node:util";
import type { KubeObject } from "@travelops/kube";
import type { Typed } from "@travelops/kube/schema/managed-fields";
import type { Actor, Change, ListRange, ListResult, ObjectKey, Store, StoredObject } from "../../../store/store.ts";
import type { ServerCore } from "../../server-options.ts";
import type { Conversion } from "./conversion.ts";
import { storedAs, type Converter } from "./converter.ts";

/** Thrown by a synchronous reader that needs what only the webhook can tell: whoever catches it resolves, and tries again. */
export class NeedsConversion extends Error {
  readonly resolve: () => Promise<void>;
  constructor(resolve: () => Promise<void>) {
    super("an object has to be converted first");
    this.resolve = resolve;
  }
}

/** Runs what reads converted objects, as often as it finds one that is not converted yet. */
export async function converting<T>(run: () => T | Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof NeedsConversion)) throw error;
      await error.resolve();
    }
  }
}

export type Versions = Pick<Conversion, "request" | "storage">;

const idOf = ({ key, revision }: StoredObject): string => `${revision}/${key.namespace}/${key.name}`;

export class ConvertedStore implements Store {
  readonly #inner: Store;
  readonly #core: ServerCore;
  readonly #converter: Converter;
  readonly #versions: Versions;
  /** What this request has had converted, by revision and key. */
  readonly #own = new Map<string, StoredObject>();
  /** Objects in the versions of field managers. */
  readonly #managed: { from: KubeObject; apiVersion: string; to: KubeObject }[] = [];

  constructor(core: ServerCore, converter: Converter, versions: Versions) {
    this.#inner = core.store;
    this.#core = core;
    this.#converter = converter;
    this.#versions = versions;
  }

  get revision(): number {
    return this.#inner.revision;
  }
  get compactedRevision(): number {
    return this.#inner.compactedRevision;
  }

  get(key: ObjectKey): StoredObject | undefined {
    const stored = this.#inner.get(key);
    if (stored === undefined) return undefined;
    const own = this.#own.get(idOf(stored)) ?? this.#now(stored);
    if (own !== undefined) return own;
    throw new NeedsConversion(async () => void (await this.#read(stored)));
  }

  list(table: string, range?: ListRange): ListResult {
    const result = this.#inner.list(table, range);
    const known = (stored: StoredObject): StoredObject | undefined =>
      this.#own.get(idOf(stored)) ?? this.#now(stored) ?? this.#converter.seen(stored, this.#versions.request);
    if (result.items.some((stored) => known(stored) === undefined)) {
      throw new NeedsConversion(async () => {
        const converted = await this.#converter.convertStored(this.#core, result.items, this.#versions.request);
        for (const [i, stored] of result.items.entries()) this.#own.set(idOf(stored), converted[i] as StoredObject);
      });
    }
    return { ...result, items: result.items.map((stored) => known(stored) as StoredObject) };
  }

  listStaged(table: string, namespace: string): readonly StoredObject[] {
    return this.#inner.listStaged(table, namespace);
  }
  count(table: string, namespace?: string): number {
    return this.#inner.count(table, namespace);
  }
  tables(): string[] {
    return this.#inner.tables();
  }

  /** Converts outside the store's change, and writes only what still follows the object that was converted. */
  async write(
    key: ObjectKey,
    actor: Actor,
    change: (current: StoredObject | undefined) => Change,
  ): Promise<StoredObject | undefined> {
    for (;;) {
      const current = this.#inner.get(key);
      const shown = current === undefined ? undefined : await this.#read(current);
      const wanted = await converting(() => change(shown));
      const target = await this.#toStorage(wanted);
      let overtaken = false;
      const stored = await this.#inner.write(key, actor, (now) => {
        overtaken = now?.revision !== current?.revision;
        return overtaken ? { op: "none" } : target;
      });
      if (!overtaken) return stored === undefined ? undefined : await this.#read(stored);
    }
  }

  watch(...args: Parameters<Store["watch"]>): () => void {
    return this.#inner.watch(...args);
  }
  onCommit(listener: (revision: number) => void): () => void {
    return this.#inner.onCommit(listener);
  }
  close(): Promise<void> {
    return Promise.reject(new Error("a request does not close the store"));
  }

  /** For managed fields: the object in the version of a manager; undefined when that version is gone. */
  readonly managedAs = (object: KubeObject, apiVersion: string): Typed | undefined => {
    const node = this.#converter.schema(apiVersion);
    if (node === undefined) return undefined;
    const now = this.#converter.now(object, apiVersion);
    if (now !== undefined) return { node, object: now };
    const known = this.#managed.find((one) => one.apiVersion === apiVersion && isDeepStrictEqual(one.from, object));
    if (known !== undefined) return { node, object: known.to };
    throw new NeedsConversion(async () => {
      const to = await this.#converter.convert(this.#core, object, apiVersion);
      this.#managed.push({ from: object, apiVersion, to });
    });
  };

  /** What nobody has to be asked for. */
  #now(stored: StoredObject): StoredObject | undefined {
    const object = this.#converter.now(this.#converter.filled(stored.object), this.#versions.request);
    if (object === stored.object) return stored;
    return object === undefined ? undefined : storedAs(stored, object);
  }

  async #read(stored: StoredObject): Promise<StoredObject> {
    const own = this.#own.get(idOf(stored)) ?? this.#now(stored);
    if (own !== undefined) return own;
    const filled = this.#converter.filled(stored.object);
    const object = await this.#converter.convert(this.#core, filled, this.#versions.request);
    const converted = storedAs(stored, object);
    this.#own.set(idOf(stored), converted);
    return converted;
  }

  async #toStorage(change: Change): Promise<Change> {
    if (change.op === "none" || change.object === undefined) return change;
    const object = await this.#converter.convert(this.#core, change.object, this.#versions.storage);
    return { ...change, object };
  }
}
