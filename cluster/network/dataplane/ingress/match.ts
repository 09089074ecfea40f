/** Which rule serves a request: the Gateway API's matching and its order of precedence, as pure functions. */
import type { FrontConfig, HostConfig, HttpMatch, HttpRule, StringMatch } from "../../config.ts";

export interface RequestHead {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** A rule with all that decides its rank. */
export interface RankedRule {
  readonly front: FrontConfig;
  readonly host: HostConfig;
  readonly rule: HttpRule;
  readonly index: number;
}

const PATH_RANK = { Exact: 3, PathPrefix: 2, RawPrefix: 2, RegularExpression: 1 } as const;

/** What takes all that nobody else takes: an Ingress's default backend. */
const rankOf = ({ type, value }: HttpMatch["path"]): number =>
  type === "RawPrefix" && value === "" ? 0 : PATH_RANK[type];

/** Sorts so that the first rule that matches is the one that the Gateway API wants. */
export function compareRules(a: RankedRule, b: RankedRule): number {
  const [pa, pb] = [a.rule.match.path, b.rule.match.path];
  return (
    rankOf(pb) - rankOf(pa) ||
    prefixLength(pb.value) - prefixLength(pa.value) ||
    Number(b.rule.match.method !== undefined) - Number(a.rule.match.method !== undefined) ||
    b.rule.match.headers.length - a.rule.match.headers.length ||
    b.rule.match.query.length - a.rule.match.query.length ||
    a.front.created - b.front.created ||
    compareText(`${a.front.namespace}/${a.front.name}`, `${b.front.namespace}/${b.front.name}`) ||
    compareText(a.front.owner, b.front.owner) ||
    a.index - b.index
  );
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
const prefixLength = (value: string): number =>
  value.length > 1 && value.endsWith("/") ? value.length - 1 : value.length;

export function matches(match: HttpMatch, head: RequestHead): boolean {
  if (match.method !== undefined && match.method !== head.method) return false;
  if (!matchesPath(match.path, head.path)) return false;
  return (
    match.headers.every((h) => {
      const value = head.headers[h.name.toLowerCase()];
      return value !== undefined && matchesText(h, Array.isArray(value) ? value.join(",") : value);
    }) &&
    match.query.every((q) => {
      const value = head.query.get(q.name);
      return value !== null && matchesText(q, value);
    })
  );
}

/** `/a` covers `/a`, `/a/` and `/a/b`, not `/ab`. */
export function matchesPath(match: HttpMatch["path"], path: string): boolean {
  switch (match.type) {
    case "Exact":
      return path === match.value;
    case "PathPrefix": {
      const prefix = match.value.replace(/\/+$/, "");
      return prefix === "" || path === prefix || path.startsWith(`${prefix}/`);
    }
    case "RawPrefix":
      return path.startsWith(match.value);
    case "RegularExpression":
      return expression(match.value)?.test(path) ?? false;
  }
}

const matchesText = (match: StringMatch, value: string): boolean =>
  match.type === "Exact" ? value === match.value : (expression(match.value)?.test(value) ?? false);

const expressions = new Map<string, RegExp | undefined>();

/** Compiled once; an expression that does not compile matches nothing (its object's status says so). */
export function expression(source: string): RegExp | undefined {
  if (expressions.has(source)) return expressions.get(source);
  let compiled: RegExp | undefined;
  try {
    compiled = new RegExp(`^(?:${source})$`, "u");
  } catch {
    compiled = undefined;
  }
  if (expressions.size > 1000) expressions.clear();
  expressions.set(source, compiled);
  return compiled;
}

/** Exact beats `*.suffix`, the longer suffix beats the shorter, all beat `*`. */
export function hostCandidates(hostname: string): string[] {
  const labels = hostname.split(".");
  const wildcards = labels.slice(1).map((_, i) => `*.${labels.slice(i + 1).join(".")}`);
  return [hostname, ...wildcards, "*"];
}

/** Host header or :authority → name in lower case, without port. */
export function hostnameOf(authority: string | undefined): string {
  const text = (authority ?? "").toLowerCase();
  if (text.startsWith("[")) return text.slice(1, text.indexOf("]") < 0 ? undefined : text.indexOf("]"));
  const colon = text.lastIndexOf(":");
  return (colon < 0 ? text : text.slice(0, colon)).replace(/\.$/, "");
}
