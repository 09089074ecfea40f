/** Rules of HTTPRoute, GRPCRoute and TLSRoute → rules of the dataplane, with what could not be resolved. Pure. */
import { parseDuration } from "@travelops/kube/api/duration";
import { parsePercentOrFraction } from "./fraction.ts";
import { mayReference, type RouteKind } from "./gateway-listeners.ts";
import {
  GATEWAY_GROUP,
  type BackendRef,
  type GatewayPath,
  type GrpcRouteRule,
  type HeaderModifier,
  type HttpRouteRule,
  type RouteFilter,
  type ValueMatch,
} from "./types.ts";
import { targetOf, type World } from "./world.ts";
import type {
  BackendTarget,
  HeaderChange,
  HttpFilter,
  HttpMatch,
  HttpRule,
  PathModifier,
  StringMatch,
  WeightedBackend,
} from "../config.ts";

/** Collects the first fault of each kind while a route is compiled. */
export interface Faults {
  /** ResolvedRefs=False. */
  refs?: { reason: "InvalidKind" | "BackendNotFound" | "RefNotPermitted"; message: string };
  /** Accepted=False. */
  unsupported?: string;
}

export interface RuleContext {
  readonly kind: RouteKind;
  readonly namespace: string;
  readonly world: World;
  readonly faults: Faults;
}

export function compileHttpRule(rule: HttpRouteRule, context: RuleContext): HttpRule[] {
  const filters = compileFilters(rule.filters ?? [], context);
  const backends = compileBackends(rule.backendRefs ?? [], context);
  const requestTimeoutMs = parseDuration(rule.timeouts?.request);
  const backendTimeoutMs = parseDuration(rule.timeouts?.backendRequest);
  const matches = rule.matches === undefined || rule.matches.length === 0 ? [{}] : rule.matches;
  return matches.map((match) => ({
    match: compileMatch(match, context),
    filters,
    backends,
    ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
    ...(backendTimeoutMs === undefined ? {} : { backendTimeoutMs }),
  }));
}

export function compileGrpcRule(rule: GrpcRouteRule, context: RuleContext): HttpRule[] {
  const filters = compileFilters(rule.filters ?? [], context);
  const backends = compileBackends(rule.backendRefs ?? [], context);
  const matches = rule.matches === undefined || rule.matches.length === 0 ? [{}] : rule.matches;
  return matches.map((match) => {
    const headers = (match.headers ?? []).map((h) => valueMatch(h, context));
    return { match: { path: grpcPath(match.method, context), headers, query: [] }, filters, backends };
  });
}

function grpcPath(
  method: { type?: string; service?: string; method?: string } | undefined,
  context: RuleContext,
): HttpMatch["path"] {
  if (method === undefined) return { type: "RawPrefix", value: "/" };
  const { service, method: name } = method;
  if (method.type === "RegularExpression")
    return checked({ type: "RegularExpression", value: `/${service ?? "[^/]+"}/${name ?? "[^/]+"}` }, context);
  if (service !== undefined && name !== undefined) return { type: "Exact", value: `/${service}/${name}` };
  if (service !== undefined) return { type: "PathPrefix", value: `/${service}` };
  return { type: "RegularExpression", value: `/[^/]+/${escapeExpression(name ?? "")}` };
}

const escapeExpression = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);

export function compileBackends(
  refs: readonly (BackendRef & { filters?: RouteFilter[] })[],
  context: RuleContext,
): WeightedBackend[] {
  return refs.map((ref) => {
    const weight = ref.weight ?? 1;
    const target = resolveBackend(ref, context);
    if (typeof target === "string") return { kind: "invalid", weight, why: target };
    return { kind: "service", weight, target, filters: compileFilters(ref.filters ?? [], context) };
  });
}

/** The target, or why there is none. */
function resolveBackend(ref: BackendRef, context: RuleContext): BackendTarget | string {
  const { world, faults, namespace, kind } = context;
  const fail = (reason: "InvalidKind" | "BackendNotFound" | "RefNotPermitted", message: string): string => {
    faults.refs ??= { reason, message };
    return message;
  };
  if ((ref.group ?? "") !== "" || (ref.kind ?? "Service") !== "Service") {
    return fail(
      "InvalidKind",
      `backendRefs: ${ref.group ?? "core"}/${ref.kind ?? ""} is not supported; name a Service`,
    );
  }
  const target = ref.namespace ?? namespace;
  const from = { group: GATEWAY_GROUP, kind, namespace };
  if (!mayReference(world.grants, from, { group: "", kind: "Service", namespace: target, name: ref.name })) {
    return fail(
      "RefNotPermitted",
      `no ReferenceGrant in namespace ${target} lets a ${kind} of ${namespace} use Service ${ref.name}`,
    );
  }
  const service = world.service(target, ref.name);
  if (service === undefined) return fail("BackendNotFound", `Service ${target}/${ref.name} does not exist`);
  if (ref.port === undefined || service.spec.ports?.some((p) => p.port === ref.port) !== true) {
    return fail("BackendNotFound", `Service ${target}/${ref.name} has no port ${ref.port ?? "(none was named)"}`);
  }
  return targetOf(service, ref.port, kind === "GRPCRoute" ? { protocol: "h2c" } : {});
}

function compileMatch(match: NonNullable<HttpRouteRule["matches"]>[number], context: RuleContext): HttpMatch {
  const type = match.path?.type ?? "PathPrefix";
  const value = match.path?.value ?? "/";
  if (type !== "Exact" && type !== "PathPrefix" && type !== "RegularExpression")
    context.faults.unsupported ??= `matches.path.type ${type} is not supported`;
  return {
    path: checked({ type: type as "Exact" | "PathPrefix" | "RegularExpression", value }, context),
    ...(match.method === undefined ? {} : { method: match.method }),
    headers: firstOfEach(match.headers ?? [], (name) => name.toLowerCase()).map((h) => valueMatch(h, context)),
    query: firstOfEach(match.queryParams ?? [], (name) => name).map((q) => valueMatch(q, context)),
  };
}

/** The first of equal names counts. */
function firstOfEach(matches: readonly ValueMatch[], same: (name: string) => string): ValueMatch[] {
  return matches.filter((m, i) => matches.findIndex((other) => same(other.name) === same(m.name)) === i);
}

const valueMatch = (match: ValueMatch, context: RuleContext): StringMatch & { name: string } => ({
  ...checked({ type: match.type === "RegularExpression" ? "RegularExpression" : "Exact", value: match.value }, context),
  name: match.name,
});

function checked<T extends { readonly type: string; readonly value: string }>(match: T, context: RuleContext): T {
  if (match.type === "RegularExpression") {
    try {
      new RegExp(match.value, "u");
    } catch (error) {
      context.faults.unsupported ??= `"${match.value}" is no regular expression: ${error instanceof Error ? error.message : ""}`;
    }
  }
  return match;
}

function compileFilters(filters: readonly RouteFilter[], context: RuleContext): HttpFilter[] {
  return filters.flatMap((filter): HttpFilter[] => {
    switch (filter.type) {
      case "RequestHeaderModifier":
        return [{ type: "requestHeaders", change: headerChange(filter.requestHeaderModifier) }];
      case "ResponseHeaderModifier":
        return [{ type: "responseHeaders", change: headerChange(filter.responseHeaderModifier) }];
      case "RequestRedirect": {
        const { scheme, hostname, port, statusCode = 302, path } = filter.requestRedirect ?? {};
        return [{ type: "redirect", scheme, hostname, port, statusCode, ...withPath(path) }];
      }
      case "URLRewrite":
        return [{ type: "rewrite", hostname: filter.urlRewrite?.hostname, ...withPath(filter.urlRewrite?.path) }];
      case "RequestMirror": {
        if (filter.requestMirror === undefined) return [];
        const backend = resolveBackend(filter.requestMirror.backendRef, context);
        return typeof backend === "string"
          ? []
          : [{ type: "mirror", backend, ...parsePercentOrFraction(filter.requestMirror) }];
      }
      case "CORS": {
        const { allowOrigins = [], allowMethods = [], allowHeaders = [], exposeHeaders = [] } = filter.cors ?? {};
        return [
          {
            type: "cors",
            origins: allowOrigins,
            credentials: filter.cors?.allowCredentials === true,
            methods: allowMethods,
            headers: allowHeaders,
            expose: exposeHeaders,
            maxAge: filter.cors?.maxAge ?? 5,
          },
        ];
      }
      default:
        context.faults.unsupported ??= `filter ${filter.type} is not supported; use RequestHeaderModifier, ResponseHeaderModifier, RequestRedirect, URLRewrite, RequestMirror or CORS`;
        return [];
    }
  });
}

const headerChange = (modifier: HeaderModifier | undefined): HeaderChange => ({
  set: modifier?.set ?? [],
  add: modifier?.add ?? [],
  remove: modifier?.remove ?? [],
});

function withPath(path: GatewayPath | undefined): { path?: PathModifier } {
  if (path === undefined) return {};
  return {
    path: {
      type: path.type,
      value: (path.type === "ReplaceFullPath" ? path.replaceFullPath : path.replacePrefixMatch) ?? "",
    },
  };
}
