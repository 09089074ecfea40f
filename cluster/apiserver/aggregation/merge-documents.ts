/** Discovery and the index of OpenAPI, with what other servers serve. */
import { createHash } from "node:crypto";
import { compareVersions } from "../registry/registry.ts";
import { header, type ApiCall } from "../request/api-call.ts";
import { objectReply, type Reply } from "../request/reply.ts";
import type { RemoteApi } from "./api-service.ts";
import type { RemoteDocuments, RemoteResource } from "./availability.ts";

export interface KnownRemote {
  readonly remote: RemoteApi;
  readonly documents: RemoteDocuments | undefined;
}

interface LegacyGroup {
  readonly name: string;
  readonly versions: readonly { readonly groupVersion: string; readonly version: string }[];
  readonly preferredVersion?: { readonly groupVersion: string; readonly version: string };
}

/** Groups in the order of their weight. */
function groupsOf(remotes: readonly KnownRemote[]): Map<string, KnownRemote[]> {
  const groups = new Map<string, KnownRemote[]>();
  const weighty = remotes.toSorted(
    (a, b) =>
      b.remote.groupPriority - a.remote.groupPriority ||
      b.remote.versionPriority - a.remote.versionPriority ||
      compareVersions(a.remote.version, b.remote.version),
  );
  for (const known of weighty) {
    const { group } = known.remote;
    groups.set(group, [...(groups.get(group) ?? []), known]);
  }
  return groups;
}

const versionsOf = (group: string, known: readonly KnownRemote[]) =>
  known.map(({ remote: { version } }) => ({ groupVersion: `${group}/${version}`, version }));

function mergedGroup(own: LegacyGroup | undefined, group: string, known: readonly KnownRemote[]): LegacyGroup {
  const theirs = versionsOf(group, known);
  const kept = (own?.versions ?? []).filter((each) => !theirs.some(({ version }) => version === each.version));
  const versions = [...theirs, ...kept].toSorted((a, b) => compareVersions(a.version, b.version));
  return { ...own, name: group, versions, ...(versions[0] === undefined ? {} : { preferredVersion: versions[0] }) };
}

/** `/apis`, as a list of groups. */
export function mergeGroups(reply: Reply, remotes: readonly KnownRemote[]): Reply {
  if (reply.kind !== "object" || reply.code !== 200) return reply;
  const list = reply.value.object as { readonly groups: readonly LegacyGroup[] };
  const theirs = groupsOf(remotes);
  const groups = list.groups.map((group) => {
    const known = theirs.get(group.name);
    theirs.delete(group.name);
    return known === undefined ? group : mergedGroup(group, group.name, known);
  });
  return objectReply({
    ...list,
    groups: [...groups, ...[...theirs].map(([name, known]) => mergedGroup(undefined, name, known))],
  });
}

/** `/apis/GROUP`. */
export function mergeGroup(reply: Reply, group: string, remotes: readonly KnownRemote[]): Reply {
  const known = groupsOf(remotes).get(group);
  if (known === undefined) return reply;
  const own = reply.kind === "object" && reply.code === 200 ? (reply.value.object as LegacyGroup) : undefined;
  return objectReply({ kind: "APIGroup", apiVersion: "v1", ...mergedGroup(own, group, known) });
}

interface AggregatedVersion {
  readonly version: string;
  readonly resources?: readonly unknown[];
  readonly freshness: string;
}

interface AggregatedGroup {
  readonly metadata: { readonly name?: string };
  readonly versions: readonly AggregatedVersion[];
}

/** `/apis`, everything in one answer. */
export function mergeAggregated(
  call: ApiCall,
  reply: Extract<Reply, { kind: "raw" }>,
  remotes: readonly KnownRemote[],
): Reply {
  if (reply.code !== 200) return reply;
  const list = JSON.parse(Buffer.from(reply.body).toString("utf8")) as { readonly items: readonly AggregatedGroup[] };
  const theirs = groupsOf(remotes);
  const merged = (own: AggregatedGroup | undefined, name: string, known: readonly KnownRemote[]): AggregatedGroup => {
    const added = known.map(aggregatedVersion);
    const kept = (own?.versions ?? []).filter((each) => !added.some(({ version }) => version === each.version));
    return {
      metadata: { ...own?.metadata, name },
      versions: [...added, ...kept].toSorted((a, b) => compareVersions(a.version, b.version)),
    };
  };
  const items = list.items.map((item) => {
    const name = item.metadata.name ?? "";
    const known = theirs.get(name);
    theirs.delete(name);
    return known === undefined ? item : merged(item, name, known);
  });
  const all = [...items, ...[...theirs].map(([name, known]) => merged(undefined, name, known))];
  return tagged(call, reply.contentType, { ...list, items: all });
}

function aggregatedVersion({ remote, documents }: KnownRemote): AggregatedVersion {
  const { version, group } = remote;
  if (documents === undefined || !remote.available)
    return {
      version,
      ...(documents === undefined ? {} : { resources: resourcesOf(group, version, documents) }),
      freshness: "Stale",
    };
  return { version, resources: resourcesOf(group, version, documents), freshness: "Current" };
}

function resourcesOf(group: string, version: string, { resources }: RemoteDocuments): unknown[] {
  const kindOf = (resource: RemoteResource) => ({
    group: resource.group ?? group,
    version: resource.version ?? version,
    kind: resource.kind ?? "",
  });
  return resources
    .filter(({ name }) => !name.includes("/"))
    .map((resource) => {
      const subresources = resources
        .filter(({ name }) => name.startsWith(`${resource.name}/`))
        .map((sub) => ({
          subresource: sub.name.slice(resource.name.length + 1),
          responseKind: kindOf(sub),
          verbs: sub.verbs ?? [],
        }));
      return {
        resource: resource.name,
        responseKind: kindOf(resource),
        scope: resource.namespaced === true ? "Namespaced" : "Cluster",
        singularResource: resource.singularName ?? "",
        verbs: resource.verbs ?? [],
        ...(resource.shortNames === undefined ? {} : { shortNames: resource.shortNames }),
        ...(resource.categories === undefined ? {} : { categories: resource.categories }),
        ...(subresources.length === 0 ? {} : { subresources }),
      };
    });
}

/** `/openapi/v3`. */
export function mergeIndex(call: ApiCall, reply: Reply, remotes: readonly KnownRemote[]): Reply {
  if (reply.kind !== "raw" || reply.code !== 200) return reply;
  const index = JSON.parse(Buffer.from(reply.body).toString("utf8")) as { readonly paths: Record<string, unknown> };
  const paths = { ...index.paths };
  for (const { remote, documents } of remotes) {
    const path = `apis/${remote.group}/${remote.version}`;
    if (documents?.openApi === undefined) delete paths[path];
    else paths[path] = { serverRelativeURL: documents.openApi };
  }
  return tagged(call, reply.contentType, { ...index, paths });
}

function tagged(call: ApiCall, contentType: string, value: unknown): Reply {
  const body = Buffer.from(JSON.stringify(value));
  const etag = createHash("sha512").update(body).digest("hex").toUpperCase();
  const headers = { etag: `"${etag}"`, vary: "Accept" };
  if (header(call.headers, "if-none-match").replaceAll('"', "") === etag)
    return { kind: "raw", code: 304, contentType, body: "", headers };
  return { kind: "raw", code: 200, contentType, body, headers };
}
