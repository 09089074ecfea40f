/** Everything that is not a resource: version, health, metrics, discovery, OpenAPI, the issuer's documents. */
import { notImplemented } from "@travelops/kube";
import type { ApiCall } from "../request/api-call.ts";
import { methodNotAllowed } from "../request/method-not-allowed.ts";
import { objectReply, type Reply } from "../request/reply.ts";
import type { PathRequest } from "../request/request-info.ts";
import type { ServerCore } from "../server-options.ts";

/** The Kubernetes version whose API is served. */
export const KUBERNETES_VERSION = "v1.35.2";

function version(): unknown {
  return {
    major: "1",
    minor: "35",
    emulationMajor: "1",
    emulationMinor: "35",
    minCompatibilityMajor: "1",
    minCompatibilityMinor: "34",
    gitVersion: `${KUBERNETES_VERSION}+travelops`,
    gitCommit: "",
    gitTreeState: "clean",
    buildDate: "1970-01-01T00:00:00Z",
    goVersion: `node-${process.version}`,
    compiler: "node",
    platform: `${process.platform}/${process.arch === "x64" ? "amd64" : process.arch}`,
  };
}

const CHECKS: readonly (readonly [name: string, ok: (core: ServerCore) => boolean])[] = [
  ["ping", () => true],
  ["log", () => true],
  ["etcd", (core) => core.store.revision >= 0],
  ["poststarthook/bootstrap", (core) => core.ready],
];

function health(core: ServerCore, call: ApiCall, kind: string, only: string): Reply {
  const excluded = new Set(call.query.getAll("exclude"));
  const checks = CHECKS.filter(([name]) => kind === "readyz" || name !== "poststarthook/bootstrap");
  if (only !== "") {
    const check = checks.find(([name]) => name === only);
    if (check === undefined) return pageNotFound();
    return text(check[1](core) ? 200 : 500, check[1](core) ? "ok" : "failed");
  }
  const results = checks.map(([name, ok]) => [name, excluded.has(name) || ok(core)] as const);
  const healthy = results.every(([, ok]) => ok);
  if (healthy && !call.query.has("verbose")) return text(200, "ok");
  const lines = results.map(([name, ok]) => `[${ok ? "+" : "-"}]${name} ${ok ? "ok" : "failed: reason withheld"}`);
  return text(healthy ? 200 : 500, `${lines.join("\n")}\n${kind} check ${healthy ? "passed" : "failed"}\n`);
}

const text = (code: number, body: string, contentType = "text/plain; charset=utf-8"): Reply => ({
  kind: "raw",
  code,
  contentType,
  body,
});

const LISTED = [
  "/.well-known/openid-configuration",
  "/api",
  "/api/v1",
  "/apis",
  "/healthz",
  "/livez",
  "/metrics",
  "/openapi/v2",
  "/openapi/v3",
  "/openid/v1/jwks",
  "/readyz",
  "/version",
];

function index(core: ServerCore): unknown {
  const groups = core.registry.groups().filter((group) => group !== "");
  const paths = groups.flatMap((group) => [
    `/apis/${group}`,
    ...core.registry.versions(group).map((groupVersion) => `/apis/${group}/${groupVersion}`),
  ]);
  return { paths: [...LISTED, ...paths].sort() };
}

/** Answers a request that names no resource. Throws `StatusError` 404 for paths that are not there. */
export async function handlePath(core: ServerCore, call: ApiCall, info: PathRequest): Promise<Reply> {
  if (info.verb !== "get" && info.verb !== "head") {
    throw methodNotAllowed();
  }
  const path = info.path.length > 1 && info.path.endsWith("/") ? info.path.slice(0, -1) : info.path;
  const [, first = "", ...rest] = path.split("/");
  switch (first) {
    case "":
      return objectReply(index(core));
    case "version":
      return rest.length === 0 ? objectReply(version()) : pageNotFound();
    case "healthz":
    case "livez":
    case "readyz":
      return health(core, call, first, rest.join("/"));
    case "metrics":
      return rest.length === 0
        ? text(200, core.metrics.render(core.store) + core.flows.render(), "text/plain; version=0.0.4; charset=utf-8")
        : pageNotFound();
    case "api":
    case "apis":
      return (await import("../discovery/discovery.ts")).handleDiscovery(core, call, path);
    case "openapi":
      return (await import("../discovery/openapi.ts")).handleOpenApi(core, call, path);
    case ".well-known":
      if (path === "/.well-known/openid-configuration") return objectReply(core.access.openidConfiguration());
      return pageNotFound();
    case "openid":
      return path === "/openid/v1/jwks" ? jwks(core) : pageNotFound();
    case "logs":
    case "debug":
      throw notImplemented(path);
    default:
      return pageNotFound();
  }
}

const jwks = (core: ServerCore): Reply => ({
  kind: "raw",
  code: 200,
  contentType: "application/jwk-set+json",
  body: JSON.stringify(core.access.jwks()),
  headers: { "cache-control": "public, max-age=3600" },
});

/** What upstream's router says of a path that nobody serves: no Status. */
export const pageNotFound = (): Reply => text(404, "404 page not found\n");
