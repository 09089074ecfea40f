import type { ListRange, ListResult, ObjectKey, StoredObject } from "./store.ts";

/** The objects of one namespace (or all of a cluster-scoped table), by name and in order of name. */
interface NamespaceObjects {
  readonly byName: Map<string, StoredObject>;
  /** Made by the first list, kept in order from then on. */
  sorted: StoredObject[] | undefined;
}

interface Table {
  readonly namespaces: Map<string, NamespaceObjects>;
  sortedNamespaces: string[] | undefined;
  size: number;
}

/** The committed state: current objects by table, namespace and name. */
export class ObjectTables {
  readonly #tables = new Map<string, Table>();

  get(key: ObjectKey): StoredObject | undefined {
    return this.#tables.get(key.table)?.namespaces.get(key.namespace)?.byName.get(key.name);
  }

  put(stored: StoredObject): void {
    const { table: tableName, namespace, name } = stored.key;
    let table = this.#tables.get(tableName);
    if (table === undefined)
      this.#tables.set(tableName, (table = { namespaces: new Map(), sortedNamespaces: undefined, size: 0 }));
    let objects = table.namespaces.get(namespace);
    if (objects === undefined) {
      table.namespaces.set(namespace, (objects = { byName: new Map(), sorted: undefined }));
      table.sortedNamespaces = undefined;
    }
    const before = objects.byName.size;
    objects.byName.set(name, stored);
    const added = objects.byName.size > before;
    if (added) table.size++;
    if (objects.sorted !== undefined) objects.sorted.splice(lowerBound(objects.sorted, name), added ? 0 : 1, stored);
  }

  remove(key: ObjectKey): void {
    const table = this.#tables.get(key.table);
    const objects = table?.namespaces.get(key.namespace);
    if (table === undefined || objects === undefined || !objects.byName.delete(key.name)) return;
    table.size--;
    objects.sorted?.splice(lowerBound(objects.sorted, key.name), 1);
    if (objects.byName.size > 0) return;
    table.namespaces.delete(key.namespace);
    table.sortedNamespaces = undefined;
    if (table.size === 0) this.#tables.delete(key.table);
  }

  count(tableName: string, namespace?: string): number {
    const table = this.#tables.get(tableName);
    if (table === undefined) return 0;
    return namespace === undefined || namespace === ""
      ? table.size
      : (table.namespaces.get(namespace)?.byName.size ?? 0);
  }

  names(): string[] {
    return [...this.#tables.keys()];
  }

  list(tableName: string, range: ListRange): Omit<ListResult, "revision"> {
    const table = this.#tables.get(tableName);
    if (table === undefined) return { items: [], remaining: 0 };
    const namespaces =
      range.namespace === undefined || range.namespace === "" ? namespacesOf(table) : [range.namespace];
    const limit = range.limit === undefined || range.limit <= 0 ? Infinity : range.limit;
    const items: StoredObject[] = [];
    let remaining = 0;
    for (const namespace of namespaces) {
      if (range.after !== undefined && namespace < range.after.namespace) continue;
      const sorted = sortedOf(table.namespaces.get(namespace));
      let at =
        range.after !== undefined && namespace === range.after.namespace ? upperBound(sorted, range.after.name) : 0;
      for (; at < sorted.length && items.length < limit; at++) items.push(sorted[at] as StoredObject);
      remaining += sorted.length - at;
    }
    return { items, remaining };
  }
}

/** What an object was at an earlier revision; undefined where it did not exist. */
export interface Past {
  readonly key: ObjectKey;
  readonly stored: StoredObject | undefined;
}

/** `items` (in order) with some objects as they were. */
export function withPast(items: readonly StoredObject[], past: Iterable<Past>): StoredObject[] {
  const result = [...items];
  for (const { key, stored } of past) {
    const at = positionOf(result, key);
    const there = result[at];
    const known = there !== undefined && there.key.namespace === key.namespace && there.key.name === key.name;
    result.splice(at, known ? 1 : 0, ...(stored === undefined ? [] : [stored]));
  }
  return result;
}

/** First position that is not before the key. */
function positionOf(items: readonly StoredObject[], { namespace, name }: ObjectKey): number {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const { key } = items[middle] as StoredObject;
    if (key.namespace < namespace || (key.namespace === namespace && key.name < name)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function namespacesOf(table: Table): readonly string[] {
  return (table.sortedNamespaces ??= [...table.namespaces.keys()].sort(compare));
}

function sortedOf(objects: NamespaceObjects | undefined): readonly StoredObject[] {
  if (objects === undefined) return [];
  return (objects.sorted ??= [...objects.byName.values()].sort((a, b) => compare(a.key.name, b.key.name)));
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** First position whose name is not before `name`. */
function lowerBound(sorted: readonly StoredObject[], name: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as StoredObject).key.name < name) low = middle + 1;
    else high = middle;
  }
  return low;
}

function upperBound(sorted: readonly StoredObject[], name: string): number {
  const at = lowerBound(sorted, name);
  return sorted[at]?.key.name === name ? at + 1 : at;
}
