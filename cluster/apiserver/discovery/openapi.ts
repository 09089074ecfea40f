/** OpenAPI documents: v3 by group version behind hash URLs, and v2 in one piece (`openapi-v2.ts`). Each is made when it is first asked for. */
import { createHash } from "node:crypto";
import { formatApiVersion, notAcceptable, resourceNotFound } from "@travelops/kube";
import { header, type ApiCall } from "../request/api-call.ts";
import { parseAccept } from "../request/negotiation.ts";
import type { Reply } from "../request/reply.ts";
import type { Registry, ServedResource } from "../registry/registry.ts";
import type { ServerCore } from "../server-options.ts";
import { KUBERNETES_VERSION } from "../system/paths.ts";

interface Document {
  readonly hash: string;
  readonly body: Buffer;
}

const cache = new WeakMap<Registry, Map<string, Document>>();
const fingerprints = new WeakMap<ServedResource, string>();

const documentsOf = (registry: Registry): Map<string, Document> => {
  let documents = cache.get(registry);
  if (documents === undefined) cache.set(registry, (documents = new Map()));
  return documents;
};

const digest = (text: string | Buffer): string => createHash("sha512").update(text).digest("hex").toUpperCase();

/** Tells apart what a document would say of a resource, without making the document. */
function fingerprint(resource: ServedResource): string {
  let known = fingerprints.get(resource);
  if (known === undefined) {
    const { row } = resource;
    const custom = (row as { openApiSchema?: unknown }).openApiSchema;
    const subresources = [...row.subresources];
    known = digest(
      JSON.stringify([row.resource, row.kind, row.listKind, row.namespaced, row.verbs, subresources, custom ?? null]),
    );
    fingerprints.set(resource, known);
  }
  return known;
}

const hashOf = (registry: Registry, group: string, version: string): string =>
  digest(KUBERNETES_VERSION + registry.resources(group, version).map(fingerprint).join());

const pathOf = (group: string, version: string): string =>
  group === "" ? `api/${version}` : `apis/${group}/${version}`;

function index(registry: Registry): unknown {
  const paths: Record<string, { serverRelativeURL: string }> = {};
  for (const group of registry.groups()) {
    for (const version of registry.versions(group)) {
      const path = pathOf(group, version);
      paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hashOf(registry, group, version)}` };
    }
  }
  return { paths };
}

async function documentV3(registry: Registry, group: string, version: string): Promise<Document> {
  const hash = hashOf(registry, group, version);
  const documents = documentsOf(registry);
  const path = pathOf(group, version);
  const known = documents.get(path);
  if (known?.hash === hash) return known;
  const { openApiV3 } = await import("@travelops/kube/schema/openapi");
  const rows = registry.resources(group, version).map(({ row }) => row);
  const document = {
    hash,
    body: Buffer.from(
      JSON.stringify(openApiV3(formatApiVersion(group, version), rows, { version: KUBERNETES_VERSION })),
    ),
  };
  documents.set(path, document);
  return document;
}

const json = (body: Buffer, headers: Readonly<Record<string, string>>): Reply => ({
  kind: "raw",
  code: 200,
  contentType: "application/json",
  body,
  headers,
});

function acceptsJson(call: ApiCall): boolean {
  const accept = header(call.headers, "accept");
  if (accept === "") return true;
  return parseAccept(accept).some(
    ({ type }) => type === "application/json" || type === "*/*" || type === "application/*",
  );
}

const notModified = (call: ApiCall, etag: string): Reply | undefined =>
  header(call.headers, "if-none-match").replaceAll('"', "") === etag
    ? { kind: "raw", code: 304, contentType: "application/json", body: "", headers: { etag: `"${etag}"` } }
    : undefined;

const YEAR_S = 31_536_000;

async function handleV3(core: ServerCore, call: ApiCall, rest: readonly string[]): Promise<Reply> {
  const { registry } = core;
  if (rest.length === 0) {
    const body = Buffer.from(JSON.stringify(index(registry)));
    const etag = digest(body);
    return notModified(call, etag) ?? json(body, { etag: `"${etag}"` });
  }
  const [root, ...parts] = rest;
  const group = root === "api" ? "" : (parts.shift() ?? "");
  const version = parts.shift() ?? "";
  if ((root !== "api" && root !== "apis") || parts.length > 0 || !registry.hasGroupVersion(group, version))
    throw resourceNotFound();
  const { hash, body } = await documentV3(registry, group, version);
  const asked = call.query.get("hash");
  if (asked !== null && asked !== hash) {
    const location = `/openapi/v3/${pathOf(group, version)}?hash=${hash}`;
    return { kind: "raw", code: 301, contentType: "text/plain", body: "", headers: { location } };
  }
  const caching: Record<string, string> =
    asked === null
      ? {}
      : { "cache-control": "public, immutable", expires: new Date(core.clock.now() + YEAR_S * 1000).toUTCString() };
  return notModified(call, hash) ?? json(body, { etag: `"${hash}"`, vary: "Accept", ...caching });
}

/** Answers `/openapi/v3`, its documents, and `/openapi/v2`. Throws `StatusError` 404 and 406. */
export async function handleOpenApi(core: ServerCore, call: ApiCall, path: string): Promise<Reply> {
  const [, dialect, ...rest] = path.split("/").filter((part) => part !== "");
  if (dialect === "v3") {
    if (!acceptsJson(call)) throw notAcceptable("only the following media types are accepted: application/json");
    return handleV3(core, call, rest);
  }
  if (dialect !== "v2" || rest.length > 0) throw resourceNotFound();
  return (await import("./openapi-v2.ts")).handleOpenApiV2(core, call);
}
