/** Which listeners a route of the Gateway API is attached to, and why not to others. Pure. */
import { selects } from "@travelops/kube";
import { controllerFor, listenerStates, type ListenerState, type RouteKind } from "./gateway-listeners.ts";
import { GATEWAY_GROUP, type AnyRoute, type Gateway, type Listener, type ParentRef } from "./types.ts";
import { defaultHost, type WantedCondition, type World } from "./world.ts";

export interface GatewayState {
  readonly gateway: Gateway;
  readonly controllerName: string;
  readonly listeners: readonly ListenerState[];
  /** Routes attached, by listener name. */
  readonly attached: Map<string, number>;
}

export interface Attachment {
  readonly gateway: GatewayState;
  readonly listener: ListenerState;
  readonly hostnames: readonly string[];
}

export interface ParentResult {
  readonly parentRef: ParentRef;
  readonly controllerName: string;
  readonly accepted: WantedCondition;
  readonly attachments: readonly Attachment[];
}

/** The Gateways whose class is served here, by `namespace/name`. */
export function gatewayStates(world: World): Map<string, GatewayState> {
  const states = new Map<string, GatewayState>();
  for (const gateway of world.gateways) {
    const controllerName = controllerFor(
      world.gatewayClasses.find((c) => c.metadata.name === gateway.spec.gatewayClassName),
    );
    if (controllerName === undefined) continue;
    states.set(`${gateway.metadata.namespace ?? ""}/${gateway.metadata.name ?? ""}`, {
      gateway,
      controllerName,
      listeners: listenerStates(gateway, world),
      attached: new Map(),
    });
  }
  return states;
}

/** One result for each parent that is ours. */
export function attachRoute(
  route: AnyRoute,
  kind: RouteKind,
  gateways: ReadonlyMap<string, GatewayState>,
  world: World,
): ParentResult[] {
  const results: ParentResult[] = [];
  for (const parentRef of route.spec.parentRefs ?? []) {
    if ((parentRef.group ?? GATEWAY_GROUP) !== GATEWAY_GROUP || (parentRef.kind ?? "Gateway") !== "Gateway") continue;
    const gateway = gateways.get(`${parentRef.namespace ?? route.metadata.namespace ?? ""}/${parentRef.name}`);
    if (gateway !== undefined) results.push(attachToParent(route, kind, parentRef, gateway, world));
  }
  return results;
}

function attachToParent(
  route: AnyRoute,
  kind: RouteKind,
  parentRef: ParentRef,
  gateway: GatewayState,
  world: World,
): ParentResult {
  const result = (
    ok: boolean,
    reason: string,
    message: string,
    attachments: readonly Attachment[] = [],
  ): ParentResult => ({
    parentRef,
    controllerName: gateway.controllerName,
    accepted: {
      type: "Accepted",
      status: ok ? "True" : "False",
      reason,
      message,
      observedGeneration: route.metadata.generation ?? 0,
    },
    attachments,
  });
  const named = gateway.listeners.filter(
    ({ listener }) =>
      (parentRef.sectionName === undefined || parentRef.sectionName === listener.name) &&
      (parentRef.port === undefined || parentRef.port === listener.port),
  );
  if (named.length === 0)
    return result(
      false,
      "NoMatchingParent",
      `Gateway ${parentRef.name} has no listener ${parentRef.sectionName ?? `on port ${parentRef.port ?? 0}`}`,
    );
  const allowed = named.filter((l) => l.kinds.includes(kind) && allowsNamespace(gateway.gateway, l, route, world));
  if (allowed.length === 0)
    return result(
      false,
      "NotAllowedByListeners",
      `no listener of Gateway ${parentRef.name} takes a ${kind} of namespace ${route.metadata.namespace ?? ""}`,
    );
  const attachments: Attachment[] = [];
  for (const listener of allowed) {
    const hostnames = intersectHostnames(
      listener.listener.hostname,
      route.spec.hostnames ?? [],
      defaultHost(gateway.gateway, world.appsDomain),
    );
    if (hostnames.length === 0) continue;
    gateway.attached.set(listener.listener.name, (gateway.attached.get(listener.listener.name) ?? 0) + 1);
    attachments.push({ gateway, listener, hostnames: isolated(hostnames, listener, gateway.listeners) });
  }
  if (attachments.length === 0)
    return result(
      false,
      "NoMatchingListenerHostname",
      `no host name of the route fits a listener of Gateway ${parentRef.name}`,
    );
  return result(true, "Accepted", "the route is accepted", attachments);
}

/** Without the names that belong to another listener of the port, one that fits them better. */
function isolated(
  hostnames: readonly string[],
  { listener: own }: ListenerState,
  all: readonly ListenerState[],
): readonly string[] {
  const weight = ({ hostname = "" }: Listener): number => hostname.replace(/^\*/, "").length;
  const better = all.flatMap(({ listener, accepted }) =>
    accepted && listener.port === own.port && weight(listener) > weight(own) ? [listener.hostname ?? ""] : [],
  );
  if (better.length === 0) return hostnames;
  return hostnames.filter((name) => !better.some((other) => intersectPair(other.toLowerCase(), name) === name));
}

function allowsNamespace(gateway: Gateway, { listener }: ListenerState, route: AnyRoute, world: World): boolean {
  const { from = "Same", selector } = listener.allowedRoutes?.namespaces ?? {};
  if (from === "All") return true;
  if (from === "Selector") {
    const labels = world.namespaceLabels(route.metadata.namespace ?? "");
    return labels !== undefined && selector !== undefined && selects(selector as Parameters<typeof selects>[0], labels);
  }
  return gateway.metadata.namespace === route.metadata.namespace;
}

/** The more specific of each pair that fits. A route and a listener without any name get the Gateway's own host, and any other. */
export function intersectHostnames(
  listener: string | undefined,
  route: readonly string[],
  gatewayHost: string,
): string[] {
  const own = listener === undefined || listener === "" ? undefined : listener.toLowerCase();
  if (route.length === 0) return own === undefined ? [gatewayHost, "*"] : [own];
  const names = route.map((name) => name.toLowerCase());
  if (own === undefined) return names;
  return [...new Set(names.flatMap((name) => intersectPair(own, name) ?? []))];
}

function intersectPair(a: string, b: string): string | undefined {
  if (a === b) return a;
  const covers = (wildcard: string, name: string): boolean =>
    wildcard.startsWith("*.") && name.endsWith(wildcard.slice(1)) && name.length > wildcard.length - 1;
  if (covers(a, b)) return b;
  return covers(b, a) ? a : undefined;
}
