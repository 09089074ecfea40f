/** What filters do to a request or an answer, as pure functions. */
import type { HeaderChange, HttpFilter, HttpRule, PathModifier, WeightedBackend } from "../../config.ts";

export type HeaderMap = Record<string, string | string[] | undefined>;

/** Set, then add, then remove; names are compared in lower case. */
export function changeHeaders(headers: HeaderMap, change: HeaderChange): HeaderMap {
  const next: HeaderMap = { ...headers };
  for (const { name, value } of change.set) next[name.toLowerCase()] = value;
  for (const { name, value } of change.add) {
    const before = next[name.toLowerCase()];
    next[name.toLowerCase()] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  for (const name of change.remove) delete next[name.toLowerCase()];
  return next;
}

/** The new path (query untouched) when a rule that matched by `prefix` rewrites or redirects. */
export function modifyPath(path: string, prefix: string | undefined, modifier: PathModifier): string {
  if (modifier.type === "ReplaceFullPath") return modifier.value === "" ? "/" : modifier.value;
  const matched = (prefix ?? "/").replace(/\/+$/, "");
  const rest = path.slice(matched.length);
  const base = modifier.value.replace(/\/+$/, "");
  const joined = rest === "" || rest.startsWith("/") ? base + rest : `${base}/${rest}`;
  return joined === "" ? "/" : joined;
}

/** Location of a redirect: what the filter does not name stays as the request had it. */
export function redirectLocation(
  filter: Extract<HttpFilter, { type: "redirect" }>,
  request: {
    scheme: "http" | "https";
    hostname: string;
    portFor: (scheme: string) => number;
    path: string;
    search: string;
  },
  prefix: string | undefined,
): string {
  const scheme = filter.scheme ?? request.scheme;
  const port = filter.port ?? request.portFor(scheme);
  const path = filter.path === undefined ? request.path : modifyPath(request.path, prefix, filter.path);
  const shown = port === defaultPort(scheme) ? "" : `:${port}`;
  return `${scheme}://${filter.hostname ?? request.hostname}${shown}${path}${request.search}`;
}

export const defaultPort = (scheme: string): number => (scheme === "https" ? 443 : 80);

/** The prefix a rule matched by, where it did. */
export function matchedPrefix(rule: HttpRule): string | undefined {
  const { path } = rule.match;
  return path.type === "PathPrefix" || path.type === "RawPrefix" ? path.value : undefined;
}

/** Proportional to weights; `undefined` when all are 0 or there is no backend. */
export function pickBackend(backends: readonly WeightedBackend[], random: () => number): WeightedBackend | undefined {
  const total = backends.reduce((sum, b) => sum + b.weight, 0);
  if (total <= 0) return undefined;
  let point = random() * total;
  for (const backend of backends) {
    if (backend.weight <= 0) continue;
    point -= backend.weight;
    if (point < 0) return backend;
  }
  return backends.findLast((b) => b.weight > 0);
}

/** Headers that end at a proxy. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "transfer-encoding",
  "upgrade",
  "te",
  "trailer",
  "http2-settings",
]);

/** Request headers as the backend sees them, before the rule's own filters. */
export function forwardHeaders(
  headers: HeaderMap,
  facts: { remoteAddress: string; scheme: "http" | "https"; authority: string; publicPort: number },
): HeaderMap {
  const next = endToEnd(headers);
  const before = headers["x-forwarded-for"];
  next["x-forwarded-for"] =
    before === undefined
      ? facts.remoteAddress
      : `${Array.isArray(before) ? before.join(", ") : before}, ${facts.remoteAddress}`;
  next["x-forwarded-proto"] = facts.scheme;
  next["x-forwarded-host"] = facts.authority;
  next["x-forwarded-port"] = String(facts.publicPort);
  next["host"] = facts.authority;
  return next;
}

/** Without what belongs to one hop only; `te: trailers` stays, gRPC asks for it. */
export function endToEnd(headers: HeaderMap): HeaderMap {
  const connection = headers["connection"];
  const named = (Array.isArray(connection) ? connection.join(",") : (connection ?? "")).toLowerCase().split(/\s*,\s*/);
  const next: HeaderMap = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(":") || value === undefined) continue;
    if (HOP_BY_HOP.has(name) && !(name === "te" && value === "trailers")) continue;
    if (named.includes(name) && name !== "te") continue;
    next[name] = value;
  }
  return next;
}
