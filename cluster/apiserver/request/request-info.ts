/**
 * What a request asks for, parsed once from its method, path and query, and read by authorization, audit and
 * routing alike (upstream: apiserver/pkg/endpoints/request/requestinfo.go).
 */
import { badRequest } from "@travelops/kube";

export type ResourceVerb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection";

export interface ResourceRequest {
  readonly kind: "resource";
  readonly path: string;
  readonly verb: ResourceVerb;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  /** "" for cluster-scoped resources and for all namespaces. */
  readonly namespace: string;
  readonly name: string;
  /** Path segments after a subresource that takes a path (`proxy`). */
  readonly rest: string;
}

export interface PathRequest {
  readonly kind: "path";
  readonly path: string;
  /** Lower-case HTTP method. */
  readonly verb: string;
}

export type RequestInfo = ResourceRequest | PathRequest;

/** Subresources of a namespace itself: all else under a namespace is a resource of its own. */
const NAMESPACE_SUBRESOURCES: ReadonlySet<string> = new Set(["status", "finalize"]);

const VERBS: Readonly<Record<string, ResourceVerb>> = {
  GET: "get",
  HEAD: "get",
  POST: "create",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

/** As upstream, an escaped slash parts like any other: no name or namespace ever holds one. */
function segments(path: string): string[] {
  return decoded(path)
    .split("/")
    .filter((part) => part !== "");
}

function decoded(path: string): string {
  if (!path.includes("%")) return path;
  try {
    return decodeURIComponent(path);
  } catch {
    throw badRequest(`the path ${JSON.stringify(path)} holds a malformed percent escape`);
  }
}

const isTrue = (value: string | null): boolean => value !== null && (value === "1" || value === "true" || value === "");

/** Parses what a request asks for. Throws `StatusError` 400 for a path that cannot be decoded. */
export function parseRequestInfo(method: string, path: string, query: URLSearchParams): RequestInfo {
  const parts = segments(path);
  const nonResource = (): PathRequest => ({ kind: "path", path, verb: method.toLowerCase() });
  let group = "";
  let rest: string[];
  if (parts[0] === "api" && parts.length >= 3) {
    rest = parts.slice(1);
  } else if (parts[0] === "apis" && parts.length >= 4) {
    group = parts[1] ?? "";
    rest = parts.slice(2);
  } else {
    return nonResource();
  }
  const version = rest[0] ?? "";
  rest = rest.slice(1);
  let verb = VERBS[method];
  if (verb === undefined) return nonResource();

  let deprecatedWatch = false;
  if (rest[0] === "watch" && rest.length > 1) {
    deprecatedWatch = true;
    rest = rest.slice(1);
  }
  let namespace = "";
  if (rest[0] === "namespaces") {
    const third = rest[2];
    if (rest.length > 2 && third !== undefined && !NAMESPACE_SUBRESOURCES.has(third)) {
      namespace = rest[1] ?? "";
      rest = rest.slice(2);
    } else if (rest.length > 1 && group === "") {
      namespace = rest[1] ?? "";
    }
  }
  const [resource = "", name = "", subresource = "", ...tail] = rest;
  const collection = name === "";
  if (deprecatedWatch && verb === "get") verb = "watch";
  else if (verb === "get" && subresource === "" && isTrue(query.get("watch"))) verb = "watch";
  else if (collection && verb === "get") verb = "list";
  else if (collection && verb === "delete") verb = "deletecollection";
  const cleanNamespace = resource === "namespaces" && group === "" && namespace === name ? "" : namespace;
  return {
    kind: "resource",
    path,
    verb,
    group,
    version,
    resource,
    subresource,
    namespace: cleanNamespace,
    name,
    rest: tail.join("/"),
  };
}

/** The namespace that authorization sees: a namespace's own requests are made in it. */
export const authorizationNamespace = (info: ResourceRequest): string =>
  info.group === "" && info.resource === "namespaces" ? info.name : info.namespace;

/** Requests that last as long as the client likes: no in-flight limit, no deadline. */
export function isLongRunning(info: RequestInfo): boolean {
  if (info.kind === "path") return false;
  return info.verb === "watch" || LONG_SUBRESOURCES.has(info.subresource);
}

const LONG_SUBRESOURCES: ReadonlySet<string> = new Set(["attach", "exec", "proxy", "log", "portforward"]);
