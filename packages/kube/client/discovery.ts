/** What an API server serves, found by kind or by resource; asked again when something is unknown. */
import type { GroupVersionKind } from "../api/object.ts";
import type { Resource } from "./client.ts";
import type { Transport } from "./transport.ts";

export interface DiscoveredResource extends Resource {
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly subresources: readonly string[];
}

export interface Discovery {
  /** Undefined when the server does not serve the kind, having asked again. */
  resourceFor(gvk: GroupVersionKind): Promise<DiscoveredResource | undefined>;
  /** By group and plural name, in its preferred version. */
  resourceByName(group: string, resource: string): Promise<DiscoveredResource | undefined>;
  /** Every resource in its preferred version. */
  all(): Promise<readonly DiscoveredResource[]>;
  /** Forgets what was learnt. */
  refresh(): void;
}

interface AggregatedResource {
  resource: string;
  responseKind?: { kind?: string; group?: string; version?: string };
  scope?: string;
  verbs?: string[];
  shortNames?: string[];
  categories?: string[];
  subresources?: { subresource: string }[];
}

interface AggregatedList {
  kind?: string;
  items?: {
    metadata?: { name?: string };
    versions?: { version: string; freshness?: string; resources?: AggregatedResource[] }[];
  }[];
}

const ACCEPT = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json";

interface Table {
  /** All versions, the preferred one of a group first. */
  readonly all: readonly DiscoveredResource[];
  readonly byKind: ReadonlyMap<string, DiscoveredResource>;
  readonly byName: ReadonlyMap<string, DiscoveredResource>;
}

const kindKey = (group: string, version: string, kind: string): string => `${group}/${version}/${kind}`;

/** Asks lazily: the first look-up does. */
export function discover(transport: Transport): Discovery {
  let table: Promise<Table> | undefined;
  const load = (): Promise<Table> => {
    table ??= fetchTable(transport).catch((error: unknown) => {
      table = undefined;
      throw error;
    });
    return table;
  };
  const lookup = async (
    find: (table: Table) => DiscoveredResource | undefined,
  ): Promise<DiscoveredResource | undefined> => {
    const known = table !== undefined;
    const found = find(await load());
    if (found !== undefined || !known) return found;
    table = undefined;
    return find(await load());
  };
  return {
    resourceFor: ({ group, version, kind }) => lookup((t) => t.byKind.get(kindKey(group, version, kind))),
    resourceByName: (group, resource) => lookup((t) => t.byName.get(`${group}/${resource}`)),
    all: async () => [...(await load()).byName.values()],
    refresh() {
      table = undefined;
    },
  };
}

async function fetchTable(transport: Transport): Promise<Table> {
  const [core, groups] = await Promise.all([fetchLists(transport, "/api"), fetchLists(transport, "/apis")]);
  const all = [...core, ...groups];
  const byKind = new Map<string, DiscoveredResource>();
  const byName = new Map<string, DiscoveredResource>();
  for (const resource of all) {
    const kind = kindKey(resource.group, resource.version, resource.kind);
    if (!byKind.has(kind)) byKind.set(kind, resource);
    const name = `${resource.group}/${resource.resource}`;
    if (!byName.has(name)) byName.set(name, resource);
  }
  return { all, byKind, byName };
}

async function fetchLists(transport: Transport, path: string): Promise<DiscoveredResource[]> {
  const { body } = await transport.call({ method: "GET", path, headers: { accept: ACCEPT } });
  const list = body as AggregatedList;
  if (list.kind === "APIGroupDiscoveryList") return fromAggregated(list);
  return fromLegacy(transport, path, body);
}

function fromAggregated(list: AggregatedList): DiscoveredResource[] {
  return (list.items ?? []).flatMap((item) => {
    const group = item.metadata?.name ?? "";
    return (item.versions ?? []).flatMap(({ version, resources }) =>
      (resources ?? []).map((entry) => ({
        group,
        version,
        resource: entry.resource,
        kind: entry.responseKind?.kind ?? "",
        namespaced: entry.scope === "Namespaced",
        verbs: entry.verbs ?? [],
        shortNames: entry.shortNames ?? [],
        categories: entry.categories ?? [],
        subresources: (entry.subresources ?? []).map((sub) => sub.subresource),
      })),
    );
  });
}

interface LegacyGroups {
  versions?: string[];
  groups?: { name: string; preferredVersion?: { version: string }; versions: { version: string }[] }[];
}

interface LegacyResources {
  resources?: {
    name: string;
    kind: string;
    namespaced: boolean;
    verbs?: string[];
    shortNames?: string[];
    categories?: string[];
  }[];
}

/** Servers before 1.26, and proxies that drop the Accept header. */
async function fromLegacy(transport: Transport, path: string, body: unknown): Promise<DiscoveredResource[]> {
  const { versions, groups } = body as LegacyGroups;
  const wanted =
    versions !== undefined
      ? versions.map((version) => ({ group: "", version, path: `${path}/${version}` }))
      : (groups ?? []).flatMap((g) =>
          g.versions
            .toSorted(
              (a, b) =>
                Number(b.version === g.preferredVersion?.version) - Number(a.version === g.preferredVersion?.version),
            )
            .map(({ version }) => ({ group: g.name, version, path: `${path}/${g.name}/${version}` })),
        );
  const lists = await Promise.all(
    wanted.map(async (one) => {
      const answer = await transport.call({ method: "GET", path: one.path });
      return legacyResources(one.group, one.version, answer.body as LegacyResources);
    }),
  );
  return lists.flat();
}

function legacyResources(group: string, version: string, list: LegacyResources): DiscoveredResource[] {
  const entries = list.resources ?? [];
  return entries
    .filter((entry) => !entry.name.includes("/"))
    .map((entry) => ({
      group,
      version,
      resource: entry.name,
      kind: entry.kind,
      namespaced: entry.namespaced,
      verbs: entry.verbs ?? [],
      shortNames: entry.shortNames ?? [],
      categories: entry.categories ?? [],
      subresources: entries
        .filter((other) => other.name.startsWith(`${entry.name}/`))
        .map((other) => other.name.slice(entry.name.length + 1)),
    }));
}
