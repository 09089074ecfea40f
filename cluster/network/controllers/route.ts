/** OpenShift's Route → front and status. Pure. */
import { parseDuration } from "@travelops/kube/api/duration";
import type { HeaderChange, HostConfig, HttpFilter, HttpRule, SchemeUse, WeightedBackend } from "../config.ts";
import { canonicalHost } from "../sibling-names.ts";
import { inlinePair, routeFault } from "./route-fault.ts";
import type { Route, RouteHeaderAction, RouteTarget } from "./types.ts";
import { createdAt, defaultHost, ownerOf, targetOf, type WantedCondition, type World } from "./world.ts";
import type { FrontConfig } from "../config.ts";

export const ROUTER_NAME = "default";

export interface CompiledRoute {
  readonly route: Route;
  readonly host: string;
  readonly front: FrontConfig | undefined;
  readonly admitted: WantedCondition;
}

/** The host a Route has, or gets. */
function routeHost(route: Route, appsDomain: string): string {
  const { host, subdomain } = route.spec;
  if (host !== undefined && host !== "") return host.toLowerCase();
  return subdomain !== undefined && subdomain !== "" ? `${subdomain}.${appsDomain}` : defaultHost(route, appsDomain);
}

/** All Routes at once: a host belongs to the namespace of its oldest Route, a host and path to the oldest Route. */
export function compileRoutes(routes: readonly Route[], world: World): CompiledRoute[] {
  const hostNamespace = new Map<string, Route>();
  const paths = new Map<string, Route>();
  // Objects made within one second have one age: who was admitted stays so.
  const settled = routes.toSorted(
    (a, b) => Number(isAdmitted(b)) - Number(isAdmitted(a)) || (ownerOf(a) < ownerOf(b) ? -1 : 1),
  );
  return settled
    .toSorted((a, b) => createdAt(a) - createdAt(b))
    .map((route) => {
      const host = routeHost(route, world.appsDomain);
      const subdomain = route.spec.wildcardPolicy === "Subdomain";
      const hostname = subdomain ? `*.${host.split(".").slice(1).join(".")}` : host;
      const claimed = canonicalHost(hostname, world.appsDomain);
      const place = `${claimed}${route.spec.path ?? ""}`;
      const holder = hostNamespace.get(claimed) ?? route;
      const samePath = paths.get(place) ?? route;
      const rival = holder.metadata.namespace === route.metadata.namespace ? samePath : holder;
      if (rival !== route) {
        const message =
          rival.metadata.namespace === route.metadata.namespace
            ? `route ${rival.metadata.name ?? ""} already exposes ${host} and is older`
            : `a route in another namespace holds ${host} and is older than ${route.metadata.name ?? ""}`;
        return {
          route,
          host,
          front: undefined,
          admitted: { type: "Admitted", status: "False", reason: "HostAlreadyClaimed", message },
        };
      }
      const fault = routeFault(route, world.keyPairs);
      if (fault !== undefined) {
        return {
          route,
          host,
          front: undefined,
          admitted: { type: "Admitted", status: "False", reason: "ExtendedValidationFailed", message: fault },
        };
      }
      hostNamespace.set(claimed, holder);
      paths.set(place, route);
      return {
        route,
        host,
        front: routeFront(route, hostname, world),
        admitted: { type: "Admitted", status: "True" },
      };
    });
}

const isAdmitted = (route: Route): boolean =>
  route.status?.ingress?.some(
    (i) =>
      i.routerName === ROUTER_NAME && i.conditions?.some((c) => c.type === "Admitted" && c.status === "True") === true,
  ) === true;

function routeFront(route: Route, hostname: string, world: World): FrontConfig {
  const { tls } = route.spec;
  const base = {
    owner: ownerOf(route),
    namespace: route.metadata.namespace ?? "",
    name: route.metadata.name ?? "",
    created: createdAt(route),
  };
  const backends = routeBackends(route, world);
  const oneLabel = hostname.startsWith("*.") ? { oneLabel: true } : {};
  const http = insecure(tls?.termination, tls?.insecureEdgeTerminationPolicy);
  if (tls?.termination === "passthrough") {
    const rules: HttpRule[] = http === "redirect" ? [rule(route, backends)] : [];
    return { ...base, hosts: [{ hostname, ...oneLabel, http, https: "none", rules, passthrough: backends }] };
  }
  const certificate = routeCertificate(route, world);
  const host: HostConfig = {
    hostname,
    ...oneLabel,
    http,
    https: "serve",
    rules: [rule(route, backends)],
    ...(certificate === undefined ? {} : { certificate }),
  };
  return { ...base, hosts: [host] };
}

function insecure(termination: string | undefined, policy: string | undefined): SchemeUse {
  if (termination === undefined) return "serve";
  if (policy === "Redirect") return "redirect";
  return policy === "Allow" && termination !== "passthrough" ? "serve" : "none";
}

function routeCertificate(route: Route, world: World): { cert: string; key: string } | undefined {
  const { tls } = route.spec;
  const inline = tls && inlinePair(tls);
  if (inline !== undefined) return inline;
  return tls?.externalCertificate === undefined
    ? undefined
    : world.certificate(route.metadata.namespace ?? "", tls.externalCertificate.name);
}

function routeBackends(route: Route, world: World): WeightedBackend[] {
  const targets = [route.spec.to, ...(route.spec.alternateBackends ?? [])];
  return targets.map((target) => routeBackend(route, target, world));
}

function routeBackend(route: Route, target: RouteTarget, world: World): WeightedBackend {
  const namespace = route.metadata.namespace ?? "";
  const weight = target.weight ?? 100;
  const service = world.service(namespace, target.name);
  const port = service === undefined ? undefined : routePort(route, service.spec.ports ?? []);
  // A Service that is missing is one without endpoints: the router answers 503.
  if (service === undefined || port === undefined) {
    return {
      kind: "service",
      weight,
      target: {
        service: `${namespace}/${target.name}`,
        port: Number(route.spec.port?.targetPort ?? 0) || 0,
        protocol: "http",
      },
      filters: [],
    };
  }
  const { tls } = route.spec;
  const ca = tls?.destinationCACertificate;
  const reencrypt = tls?.termination === "reencrypt" ? { tls: ca === undefined || ca === "" ? {} : { ca } } : {};
  return { kind: "service", weight, target: targetOf(service, port, reencrypt), filters: [] };
}

/** `targetPort` names a port of the Service, or is a number of it or of its pods. */
function routePort(
  route: Route,
  ports: readonly { name?: string; port: number; targetPort?: string | number }[],
): number | undefined {
  const wanted = route.spec.port?.targetPort;
  if (wanted === undefined) return ports[0]?.port;
  const number = Number(wanted);
  const found =
    ports.find((p) => p.name === wanted || p.targetPort === wanted) ??
    ports.find((p) => p.targetPort === number) ??
    ports.find((p) => p.port === number);
  return found?.port;
}

function rule(route: Route, backends: readonly WeightedBackend[]): HttpRule {
  const annotations = route.metadata.annotations ?? {};
  const filters: HttpFilter[] = [];
  const rewrite = annotations["haproxy.router.openshift.io/rewrite-target"];
  if (rewrite !== undefined) filters.push({ type: "rewrite", path: { type: "ReplacePrefixMatch", value: rewrite } });
  const { request = [], response = [] } = route.spec.httpHeaders?.actions ?? {};
  if (request.length > 0) filters.push({ type: "requestHeaders", change: headerChange(request) });
  if (response.length > 0) filters.push({ type: "responseHeaders", change: headerChange(response) });
  const backendTimeoutMs = parseDuration(annotations["haproxy.router.openshift.io/timeout"]);
  return {
    match: { path: { type: "PathPrefix", value: route.spec.path ?? "/" }, headers: [], query: [] },
    filters,
    backends,
    ...(backendTimeoutMs === undefined ? {} : { backendTimeoutMs }),
  };
}

const headerChange = (actions: readonly RouteHeaderAction[]): HeaderChange => ({
  set: actions.filter((a) => a.action.type === "Set").map((a) => ({ name: a.name, value: a.action.set?.value ?? "" })),
  add: [],
  remove: actions.filter((a) => a.action.type === "Delete").map((a) => a.name),
});
