/** Which groups, versions and resources there are: aggregated (one answer) and legacy (an answer a group version). */
import { createHash } from "node:crypto";
import { formatApiVersion, notAcceptable } from "@travelops/kube";
import { header, type ApiCall } from "../request/api-call.ts";
import { parseAccept, PROTOBUF } from "../request/negotiation.ts";
import { objectReply, type Reply } from "../request/reply.ts";
import type { Registry, ServedResource } from "../registry/registry.ts";
import type { ServerCore } from "../server-options.ts";
import { pageNotFound } from "../system/paths.ts";

interface Document {
  readonly generation: number;
  readonly body: Buffer;
  readonly etag: string;
}

const documents = new WeakMap<Registry, Map<string, Document>>();

/** A document made of the registry, kept until the registry changes. */
function documentOf(registry: Registry, name: string, make: () => unknown): Document {
  let cache = documents.get(registry);
  if (cache === undefined) documents.set(registry, (cache = new Map()));
  let document = cache.get(name);
  if (document === undefined || document.generation !== registry.generation) {
    const body = Buffer.from(JSON.stringify(make()));
    const etag = createHash("sha512").update(body).digest("hex").toUpperCase();
    document = { generation: registry.generation, body, etag };
    cache.set(name, document);
  }
  return document;
}

const VERBS_SORTED = (verbs: readonly string[]): string[] => [...verbs].sort();

/** Of a kind that is being removed only what takes objects away is told. */
const CHANGES: ReadonlySet<string> = new Set(["create", "patch", "update"]);

/** Those of custom resources stand as upstream lists them. */
const verbsOf = ({ row, origin, closing }: Pick<ServedResource, "row" | "origin" | "closing">): readonly string[] =>
  closing === true
    ? row.verbs.filter((verb) => !CHANGES.has(verb))
    : origin === "custom"
      ? row.verbs
      : VERBS_SORTED(row.verbs);

function aggregatedResource(resource: ServedResource): unknown {
  const { row } = resource;
  const subresources = [...row.subresources].map(([name, sub]) => ({
    subresource: name,
    responseKind: { group: sub.group, version: sub.version, kind: sub.kind },
    verbs: VERBS_SORTED(sub.verbs.flatMap(connectVerbs)),
  }));
  return {
    resource: row.resource,
    responseKind: { group: row.group, version: row.version, kind: row.kind },
    scope: row.namespaced ? "Namespaced" : "Cluster",
    singularResource: row.singular,
    verbs: verbsOf(resource),
    ...(row.shortNames.length > 0 ? { shortNames: row.shortNames } : {}),
    ...(row.categories.length > 0 ? { categories: row.categories } : {}),
    ...(subresources.length > 0 ? { subresources } : {}),
  };
}

/** `connect` is no verb of RBAC or of clients: it is every HTTP method. */
const connectVerbs = (verb: string): string[] => (verb === "connect" ? ["create", "get"] : [verb]);

const aggregatedGroup = (registry: Registry, group: string): unknown => ({
  metadata: { name: group === "" ? undefined : group, creationTimestamp: null },
  versions: registry.versions(group).map((version) => ({
    version,
    resources: registry.resources(group, version).map(aggregatedResource),
    freshness: "Current",
  })),
});

function aggregated(registry: Registry, core: boolean, apiVersion: string): unknown {
  const groups = registry.groups().filter((group) => (group === "") === core);
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: `apidiscovery.k8s.io/${apiVersion}`,
    metadata: {},
    items: groups.map((group) => aggregatedGroup(registry, group)),
  };
}

function legacyGroup(registry: Registry, group: string): Record<string, unknown> {
  const versions = registry
    .versions(group)
    .map((version) => ({ groupVersion: formatApiVersion(group, version), version }));
  return { name: group, versions, preferredVersion: versions[0] };
}

const resourceVerbs = (verbs: readonly string[]): string[] => VERBS_SORTED(verbs.flatMap(connectVerbs));

function legacyResources(registry: Registry, group: string, version: string): unknown {
  const resources = registry.resources(group, version).flatMap(({ row, storageRow, origin, closing }) => [
    {
      name: row.resource,
      singularName: row.singular,
      namespaced: row.namespaced,
      kind: row.kind,
      verbs: verbsOf({ row, origin, ...(closing === undefined ? {} : { closing }) }),
      ...(row.shortNames.length > 0 ? { shortNames: row.shortNames } : {}),
      ...(row.categories.length > 0 ? { categories: row.categories } : {}),
      storageVersionHash: createHash("sha256")
        .update(`${group}/${storageRow.version}/${row.kind}`)
        .digest()
        .subarray(0, 8)
        .toString("base64"),
    },
    ...[...row.subresources].map(([name, sub]) => ({
      name: `${row.resource}/${name}`,
      singularName: "",
      namespaced: row.namespaced,
      ...(sub.group === row.group && sub.version === row.version ? {} : { group: sub.group, version: sub.version }),
      kind: sub.kind,
      verbs: resourceVerbs(sub.verbs),
    })),
  ]);
  return {
    kind: "APIResourceList",
    ...(group === "" ? {} : { apiVersion: "v1" }),
    groupVersion: formatApiVersion(group, version),
    resources,
  };
}

function legacyRoot(registry: Registry): unknown {
  return {
    kind: "APIVersions",
    versions: registry.versions(""),
    serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress: "" }],
  };
}

type Form = { readonly kind: "legacy" } | { readonly kind: "aggregated"; readonly version: "v2" | "v2beta1" };

function formOf(call: ApiCall): Form {
  const accept = header(call.headers, "accept");
  if (accept === "") return { kind: "legacy" };
  for (const { type, parameters } of parseAccept(accept)) {
    if (type === PROTOBUF && !parameters.has("as")) return { kind: "legacy" };
    if (type !== "application/json" && type !== "*/*" && type !== "application/*") continue;
    const as = parameters.get("as");
    if (as === undefined) return { kind: "legacy" };
    const version = parameters.get("v");
    if (
      as === "APIGroupDiscoveryList" &&
      parameters.get("g") === "apidiscovery.k8s.io" &&
      (version === "v2" || version === "v2beta1")
    ) {
      return { kind: "aggregated", version };
    }
  }
  throw notAcceptable("only the following media types are accepted: application/json");
}

function conditional(call: ApiCall, document: Document, contentType: string): Reply {
  const headers = { etag: `"${document.etag}"`, vary: "Accept" };
  const known = header(call.headers, "if-none-match").replaceAll('"', "");
  if (known === document.etag) return { kind: "raw", code: 304, contentType, body: "", headers };
  return { kind: "raw", code: 200, contentType, body: document.body, headers };
}

/** Answers `/api`, `/apis` and what is below them. Throws `StatusError` 404 and 406. */
export function handleDiscovery(core: ServerCore, call: ApiCall, path: string): Reply {
  const { registry } = core;
  const [root = "", group, version] = path.split("/").filter((part) => part !== "");
  const isCore = root === "api";
  if (group === undefined) {
    const form = formOf(call);
    if (form.kind === "aggregated") {
      const document = documentOf(registry, `${root}/${form.version}`, () =>
        aggregated(registry, isCore, form.version),
      );
      return conditional(
        call,
        document,
        `application/json;g=apidiscovery.k8s.io;v=${form.version};as=APIGroupDiscoveryList`,
      );
    }
    if (isCore) return objectReply(legacyRoot(registry));
    const groups = registry.groups().filter((name) => name !== "");
    return objectReply({
      kind: "APIGroupList",
      apiVersion: "v1",
      groups: groups.map((name) => legacyGroup(registry, name)),
    });
  }
  if (isCore) {
    if (!registry.hasGroupVersion("", group) || version !== undefined) return pageNotFound();
    return objectReply(legacyResources(registry, "", group));
  }
  if (version === undefined) {
    if (registry.versions(group).length === 0) return pageNotFound();
    return objectReply({ kind: "APIGroup", apiVersion: "v1", ...legacyGroup(registry, group) });
  }
  if (!registry.hasGroupVersion(group, version)) return pageNotFound();
  return objectReply(legacyResources(registry, group, version));
}
