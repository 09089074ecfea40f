/** The Gateway API as a whole: Gateways and their routes → fronts and statuses. Pure. */
import { controllerFor } from "./gateway-listeners.ts";
import { attachRoute, gatewayStates, type Attachment, type GatewayState, type ParentResult } from "./route-parents.ts";
import { compileBackends, compileGrpcRule, compileHttpRule, type Faults, type RuleContext } from "./route-rules.ts";
import { gatewayAddresses, type AddressFault } from "./gateway-addresses.ts";
import { gatewayId } from "./policy-peers.ts";
import type { RouteKind } from "./gateway-listeners.ts";
import {
  GATEWAY_GROUP,
  type AnyRoute,
  type Gateway,
  type GatewayClass,
  type GrpcRoute,
  type HttpRoute,
  type ParentRef,
  type TlsRoute,
} from "./types.ts";
import { createdAt, defaultHost, ownerOf, type WantedCondition, type World } from "./world.ts";
import type { FrontConfig, HostConfig, HttpRule } from "../config.ts";

export interface WantedParent {
  readonly parentRef: ParentRef;
  readonly controllerName: string;
  readonly conditions: readonly WantedCondition[];
}

export interface CompiledRouteStatus {
  readonly kind: RouteKind;
  readonly route: AnyRoute;
  readonly parents: readonly WantedParent[];
  readonly front: FrontConfig | undefined;
}

export interface CompiledGateway {
  readonly gateway: Gateway;
  readonly host: string;
  readonly addresses: readonly { readonly type: string; readonly value: string }[];
  readonly conditions: readonly WantedCondition[];
  readonly listeners: readonly {
    readonly name: string;
    readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[];
    readonly attachedRoutes: number;
    readonly conditions: readonly WantedCondition[];
  }[];
}

export interface CompiledGatewayApi {
  readonly classes: readonly {
    readonly gatewayClass: GatewayClass;
    readonly conditions: readonly WantedCondition[];
  }[];
  readonly gateways: readonly CompiledGateway[];
  readonly routes: readonly CompiledRouteStatus[];
}

export function compileGatewayApi(
  world: World,
  routes: { http: readonly HttpRoute[]; grpc: readonly GrpcRoute[]; tls: readonly TlsRoute[] },
): CompiledGatewayApi {
  const states = gatewayStates(world);
  const compiled = [
    ...routes.http.map((route) =>
      compileRoute(route, "HTTPRoute", states, world, (c) =>
        (route.spec.rules ?? [{}]).flatMap((r) => compileHttpRule(r, c)),
      ),
    ),
    ...routes.grpc.map((route) =>
      compileRoute(route, "GRPCRoute", states, world, (c) =>
        (route.spec.rules ?? [{}]).flatMap((r) => compileGrpcRule(r, c)),
      ),
    ),
    ...routes.tls.map((route) => compileTlsRoute(route, states, world)),
  ];
  return {
    classes: world.gatewayClasses
      .filter((c) => controllerFor(c) !== undefined)
      .map((gatewayClass) => ({ gatewayClass, conditions: [acceptedClass(gatewayClass)] })),
    gateways: [...states.values()].map((state) => gatewayStatus(state, world)),
    routes: compiled,
  };
}

const acceptedClass = (gatewayClass: GatewayClass): WantedCondition => ({
  type: "Accepted",
  status: "True",
  reason: "Accepted",
  message: "served by the cluster's own ingress",
  observedGeneration: gatewayClass.metadata.generation ?? 0,
});

function gatewayStatus(state: GatewayState, world: World): CompiledGateway {
  const { gateway } = state;
  const host = defaultHost(gateway, world.appsDomain);
  const asked = gatewayAddresses(gateway, host, world);
  return {
    gateway,
    host,
    addresses: asked.addresses,
    conditions: gatewayConditions(state, asked.fault),
    listeners: state.listeners.map((l) => ({
      name: l.listener.name,
      supportedKinds: l.kinds.map((kind) => ({ group: GATEWAY_GROUP, kind })),
      attachedRoutes: state.attached.get(l.listener.name) ?? 0,
      conditions: l.conditions,
    })),
  };
}

function gatewayConditions({ gateway, listeners }: GatewayState, fault: AddressFault | undefined): WantedCondition[] {
  const observedGeneration = gateway.metadata.generation ?? 0;
  const say = (type: string, ok: boolean, reason: string, message: string): WantedCondition => ({
    type,
    status: ok ? "True" : "False",
    reason,
    message,
    observedGeneration,
  });
  if (fault?.reason === "UnsupportedAddress")
    return [
      say("Accepted", false, fault.reason, fault.message),
      say("Programmed", false, "Invalid", "the Gateway is not accepted"),
    ];
  const valid = listeners.every((l) => l.conditions.every((c) => c.type !== "Accepted" || c.status === "True"));
  const serves = listeners.some((l) => l.accepted);
  return [
    valid
      ? say("Accepted", true, "Accepted", "the Gateway is accepted")
      : say("Accepted", serves, "ListenersNotValid", "some listeners are not valid; see their conditions"),
    fault === undefined
      ? say(
          "Programmed",
          serves,
          serves ? "Programmed" : "Invalid",
          serves ? "the Gateway serves" : "no listener serves; see their conditions",
        )
      : say("Programmed", false, fault.reason, fault.message),
  ];
}

function compileRoute(
  route: AnyRoute,
  kind: RouteKind,
  states: ReadonlyMap<string, GatewayState>,
  world: World,
  rulesOf: (context: RuleContext) => HttpRule[],
): CompiledRouteStatus {
  const parents = attachRoute(route, kind, states, world);
  if (parents.length === 0) return { kind, route, parents: [], front: undefined };
  const faults: Faults = {};
  const rules = rulesOf({ kind, namespace: route.metadata.namespace ?? "", world, faults });
  const hosts =
    faults.unsupported === undefined
      ? mergeHosts(
          parents.flatMap((p) => p.attachments),
          rules,
        )
      : [];
  return {
    kind,
    route,
    parents: parents.map((p) => wantedParent(p, route, faults)),
    front: frontOf(route, hosts, parents),
  };
}

function compileTlsRoute(
  route: TlsRoute,
  states: ReadonlyMap<string, GatewayState>,
  world: World,
): CompiledRouteStatus {
  const parents = attachRoute(route, "TLSRoute", states, world);
  const faults: Faults = {};
  const context: RuleContext = { kind: "TLSRoute", namespace: route.metadata.namespace ?? "", world, faults };
  const passthrough = (route.spec.rules ?? []).flatMap((rule) => compileBackends(rule.backendRefs ?? [], context));
  const hosts = new Map<string, HostConfig>();
  for (const { listener, hostnames } of parents.flatMap((p) => p.attachments)) {
    if (!listener.accepted) continue;
    const { certificate } = listener;
    const end = listener.listener.tls?.mode === "Passthrough" ? { passthrough } : { terminated: passthrough };
    for (const hostname of hostnames)
      hosts.set(hostname, {
        ...{ hostname, http: "none", https: "none", rules: [], ...end },
        ...(certificate === undefined ? {} : { certificate }),
      });
  }
  return {
    kind: "TLSRoute",
    route,
    parents: parents.map((p) => wantedParent(p, route, faults)),
    front: frontOf(route, [...hosts.values()], parents),
  };
}

function frontOf(
  route: AnyRoute,
  hosts: readonly HostConfig[],
  parents: readonly ParentResult[],
): FrontConfig | undefined {
  if (hosts.length === 0) return undefined;
  const gateways = new Set(
    parents
      .flatMap((p) => p.attachments)
      .map(({ gateway: { gateway } }) => gatewayId(gateway.metadata.namespace ?? "", gateway.metadata.name ?? "")),
  );
  return {
    gateways: [...gateways],
    owner: ownerOf(route),
    namespace: route.metadata.namespace ?? "",
    name: route.metadata.name ?? "",
    created: createdAt(route),
    hosts,
  };
}

/** One host a name, served on plain HTTP, on TLS or both, as its listeners are. */
function mergeHosts(attachments: readonly Attachment[], rules: readonly HttpRule[]): HostConfig[] {
  const hosts = new Map<string, HostConfig>();
  for (const { listener, hostnames } of attachments) {
    if (!listener.accepted) continue;
    const secure = listener.listener.protocol === "HTTPS";
    for (const hostname of hostnames) {
      const known = hosts.get(hostname);
      const certificate = listener.certificate ?? known?.certificate;
      hosts.set(hostname, {
        hostname,
        http: secure ? (known?.http ?? "none") : "serve",
        https: secure ? "serve" : (known?.https ?? "none"),
        rules,
        ...(certificate === undefined ? {} : { certificate }),
      });
    }
  }
  return [...hosts.values()];
}

function wantedParent(parent: ParentResult, route: AnyRoute, faults: Faults): WantedParent {
  const observedGeneration = route.metadata.generation ?? 0;
  const { parentRef, controllerName } = parent;
  const accepted: WantedCondition =
    faults.unsupported === undefined || parent.accepted.status === "False"
      ? parent.accepted
      : {
          type: "Accepted",
          status: "False",
          reason: "UnsupportedValue",
          message: faults.unsupported,
          observedGeneration,
        };
  const resolved: WantedCondition = {
    type: "ResolvedRefs",
    status: faults.refs === undefined ? "True" : "False",
    reason: faults.refs?.reason ?? "ResolvedRefs",
    message: faults.refs?.message ?? "all references are resolved",
    observedGeneration,
  };
  return { parentRef, controllerName, conditions: [accepted, resolved] };
}
