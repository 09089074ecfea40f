/** What to do with one request, decided before a byte moves. */
import net from "node:net";
import os from "node:os";
import type { BackendTarget, HttpFilter, WeightedBackend } from "../../config.ts";
import {
  changeHeaders,
  defaultPort,
  forwardHeaders,
  matchedPrefix,
  modifyPath,
  pickBackend,
  redirectLocation,
  type HeaderMap,
} from "./filters.ts";
import { answerChange, isPreflight, preflightHeaders } from "./cors.ts";
import { hostnameOf, type RankedRule, type RequestHead } from "./match.ts";
import { invalidBackend, noRule, unknownHost, type Page } from "./pages.ts";
import type { RouteTable, Scheme } from "./route-table.ts";

/** How a connection reached the ingress. */
export interface Entry {
  readonly scheme: Scheme;
  /** The port that the client used, as it sees it. */
  readonly publicPort: number;
  readonly httpsPort: number;
  /** Set on a port that stands for one host. */
  readonly hostname?: string;
}

export interface ForwardPlan {
  readonly kind: "forward";
  readonly owner: string;
  readonly gateways: readonly string[] | undefined;
  readonly target: BackendTarget;
  readonly path: string;
  readonly headers: HeaderMap;
  readonly responseFilters: readonly HttpFilter[];
  readonly mirrors: readonly Extract<HttpFilter, { type: "mirror" }>[];
  readonly requestTimeoutMs: number;
  readonly backendTimeoutMs: number;
}

export type Plan =
  | ForwardPlan
  | { readonly kind: "redirect"; readonly status: number; readonly location: string }
  /** Answered here: a preflight. */
  | { readonly kind: "answer"; readonly status: number; readonly headers: Readonly<Record<string, string>> }
  | { readonly kind: "page"; readonly page: Page };

export interface IncomingHead {
  readonly method: string;
  readonly url: string;
  readonly authority: string;
  readonly headers: HeaderMap;
  readonly remoteAddress: string;
}

/** Names that mean this machine whoever says them: a page of elsewhere cannot have them lead here. */
const MACHINE = new Set(["", "localhost", "host.docker.internal", "host.containers.internal"]);

/**
 * The host a request is for: on a host's own port every address and every name of this machine mean that host. Other
 * names do not: a stranger's page could make its own name lead to 127.0.0.1 and read what is served here.
 */
export function requestedHost(authority: string, entry: Entry): string {
  const hostname = hostnameOf(authority);
  if (entry.hostname === undefined) return hostname;
  const here = MACHINE.has(hostname) || net.isIP(hostname) !== 0 || hostname === os.hostname().toLowerCase();
  return here || /^[^.]+\.localhost$/.test(hostname) ? entry.hostname : hostname;
}

export interface PlanOptions {
  readonly table: RouteTable;
  readonly clusterName: string;
  readonly random: () => number;
}

export function planRequest(options: PlanOptions, incoming: IncomingHead, reached: Entry): Plan {
  const { table } = options;
  const { path, search } = splitUrl(incoming.url);
  const hostname = requestedHost(incoming.authority, reached);
  // Pods, of other clusters too, know the well-known ports only.
  const entry = table.saidByPods(hostname)
    ? { ...reached, publicPort: defaultPort(reached.scheme), httpsPort: defaultPort("https") }
    : reached;
  const head: RequestHead = {
    method: incoming.method,
    path,
    query: new URLSearchParams(search),
    headers: incoming.headers,
  };
  const found = table.find(hostname, entry.scheme, head, entry.hostname !== undefined);
  switch (found.kind) {
    case "no-host": {
      const shown = entry.publicPort === defaultPort(entry.scheme) ? "" : `:${entry.publicPort}`;
      return {
        kind: "page",
        page: unknownHost(
          hostname,
          options.clusterName,
          table.names(),
          (n) => `${entry.scheme}://${n}${shown}/`,
          entry.hostname === undefined ? undefined : `${entry.hostname} at ${entry.scheme}://127.0.0.1${shown}/`,
        ),
      };
    }
    case "no-rule":
      return { kind: "page", page: noRule(hostname, path, table.owners(hostname)) };
    case "redirect-to-https": {
      const port = entry.httpsPort === 443 ? "" : `:${entry.httpsPort}`;
      return { kind: "redirect", status: 302, location: `https://${hostname}${port}${path}${search}` };
    }
    case "rule":
      return planRule(options, found.ranked, incoming, entry, { path, search, hostname });
  }
}

function planRule(
  { random, table }: PlanOptions,
  ranked: RankedRule,
  incoming: IncomingHead,
  entry: Entry,
  at: { path: string; search: string; hostname: string },
): Plan {
  const { rule, front } = ranked;
  const prefix = matchedPrefix(rule);
  const cors = rule.filters.find((f) => f.type === "cors");
  if (cors !== undefined && isPreflight(incoming.method, incoming.headers))
    return { kind: "answer", status: 204, headers: preflightHeaders(cors, incoming.headers) };
  const redirect = rule.filters.find((f) => f.type === "redirect");
  if (redirect !== undefined) {
    const hostname = hostnameOf(incoming.authority) || at.hostname;
    const here = redirect.hostname === undefined || table.serves(redirect.hostname.toLowerCase());
    const portFor = (scheme: string): number => (here ? ownPort(entry, scheme) : defaultPort(scheme));
    const request = { scheme: entry.scheme, hostname, portFor, path: at.path, search: at.search };
    return {
      kind: "redirect",
      status: redirect.statusCode,
      location: redirectLocation(redirect, request, prefix),
    };
  }
  const backend = pickBackend(rule.backends, random);
  const fault = backendFault(backend);
  if (backend?.kind !== "service") return { kind: "page", page: invalidBackend(fault, front.owner) };
  const filters = [...rule.filters, ...backend.filters];
  let headers = forwardHeaders(incoming.headers, {
    remoteAddress: incoming.remoteAddress,
    scheme: entry.scheme,
    authority: incoming.authority,
    publicPort: entry.publicPort,
  });
  let path = at.path;
  for (const filter of filters) {
    if (filter.type === "requestHeaders") headers = changeHeaders(headers, filter.change);
    if (filter.type === "rewrite") {
      if (filter.hostname !== undefined) headers = { ...headers, host: filter.hostname };
      if (filter.path !== undefined) path = modifyPath(path, prefix, filter.path);
    }
  }
  return {
    kind: "forward",
    owner: front.owner,
    gateways: front.gateways,
    target: backend.target,
    path: path + at.search,
    headers,
    responseFilters: [
      ...filters.filter((f) => f.type === "responseHeaders"),
      ...filters
        .filter((f) => f.type === "cors")
        .map((f): HttpFilter => ({ type: "responseHeaders", change: answerChange(f, incoming.headers) })),
    ],
    mirrors: filters.filter((f) => f.type === "mirror"),
    requestTimeoutMs: rule.requestTimeoutMs ?? 0,
    backendTimeoutMs: rule.backendTimeoutMs ?? 0,
  };
}

/** Where this ingress really listens for a scheme, not its well-known port. */
function ownPort(entry: Entry, scheme: string): number {
  if (scheme === entry.scheme) return entry.publicPort;
  return scheme === "https" ? entry.httpsPort : defaultPort(scheme);
}

function backendFault(backend: WeightedBackend | undefined): string {
  if (backend === undefined) return "The rule has no backend, or all its weights are 0.";
  return backend.kind === "invalid" ? backend.why : "";
}

/** Origin or absolute form → path and search (`?a=b` or empty). */
function splitUrl(url: string): { path: string; search: string } {
  const origin = url.startsWith("/") ? url : (/^[a-z]+:\/\/[^/?]*(.*)$/i.exec(url)?.[1] ?? url);
  const question = origin.indexOf("?");
  const path = question < 0 ? origin : origin.slice(0, question);
  return {
    path: path.startsWith("/") ? path : `/${path}`,
    search: question < 0 ? "" : origin.slice(question),
  };
}
