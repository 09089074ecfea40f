/** What the compilers found, as changes to objects: statuses and annotations that differ from what stands there. Pure. */
import {
  setCondition,
  type Condition,
  type Ingress,
  type KubeObject,
  type Resource,
  type Service,
  INGRESSES,
  SERVICES,
} from "@travelops/kube";
import type { CompiledGatewayApi, WantedParent } from "./gateway-api.ts";
import type { CompiledRoute } from "./route.ts";
import { ROUTER_NAME } from "./route.ts";
import {
  GATEWAYS,
  GATEWAY_CLASSES,
  GRPC_ROUTES,
  HTTP_ROUTES,
  ROUTES,
  TLS_ROUTES,
  type AnyRoute,
  type ParentStatus,
} from "./types.ts";
import type { WantedCondition } from "./world.ts";

export const LOCAL_URL_ANNOTATION = "travelops.io/local-url";

/** One merge patch to one object. */
export interface Intent {
  readonly resource: Resource;
  readonly object: KubeObject;
  readonly subresource?: "status";
  readonly patch: Readonly<Record<string, unknown>>;
}

const statusIntent = (resource: Resource, object: KubeObject, status: Record<string, unknown>): Intent[] => {
  const current = (object["status"] ?? {}) as Record<string, unknown>;
  const changed = Object.entries(status).filter(([key, value]) => !same(current[key], value));
  return changed.length === 0
    ? []
    : [{ resource, object, subresource: "status", patch: { status: Object.fromEntries(changed) } }];
};

/** Deep equality of JSON values, whatever the order of keys. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) !== Array.isArray(b)) return false;
  const [ka, kb] = [definedKeys(a), definedKeys(b)];
  return (
    ka.length === kb.length &&
    ka.every((key) => same((a as Record<string, unknown>)[key], (b as Record<string, unknown>)[key]))
  );
}

const definedKeys = (value: object): string[] =>
  Object.keys(value).filter((key) => (value as Record<string, unknown>)[key] !== undefined);

const conditionsOf = (
  known: readonly Condition[] | undefined,
  wanted: readonly WantedCondition[],
  now: number,
): Condition[] =>
  wanted.reduce<Condition[]>((list, condition) => setCondition(list, condition, now), [...(known ?? [])]);

export function routeIntents(compiled: CompiledRoute, appsDomain: string, now: number): Intent[] {
  const { route, host, admitted } = compiled;
  if ((route.spec.host ?? "") === "") {
    const annotations = { "openshift.io/host.generated": "true" };
    return [{ resource: ROUTES, object: route, patch: { metadata: { annotations }, spec: { host } } }];
  }
  const others = (route.status?.ingress ?? []).filter((i) => i.routerName !== ROUTER_NAME);
  const ours = route.status?.ingress?.find((i) => i.routerName === ROUTER_NAME && i.host === host);
  const entry = {
    host,
    routerName: ROUTER_NAME,
    routerCanonicalHostname: `router-default.${appsDomain}`,
    wildcardPolicy: (route.spec.wildcardPolicy ?? "") === "" ? "None" : route.spec.wildcardPolicy,
    conditions: conditionsOf(ours?.conditions, [admitted], now),
  };
  return statusIntent(ROUTES, route, { ingress: [...others, entry] });
}

export const ingressIntents = (ingress: Ingress): Intent[] =>
  statusIntent(INGRESSES, ingress, { loadBalancer: { ingress: [{ ip: "127.0.0.1" }] } });

export function serviceIntents(service: Service): Intent[] {
  if (service.spec.type !== "LoadBalancer") return [];
  return statusIntent(SERVICES, service, { loadBalancer: { ingress: [{ ip: "127.0.0.1", ipMode: "VIP" }] } });
}

export function gatewayApiIntents(compiled: CompiledGatewayApi, now: number): Intent[] {
  return [
    ...compiled.classes.flatMap(({ gatewayClass, conditions }) =>
      statusIntent(GATEWAY_CLASSES, gatewayClass, {
        conditions: conditionsOf(gatewayClass.status?.conditions, conditions, now),
      }),
    ),
    ...compiled.gateways.flatMap(({ gateway, addresses, conditions, listeners }) =>
      statusIntent(GATEWAYS, gateway, {
        addresses,
        conditions: conditionsOf(gateway.status?.conditions, conditions, now),
        listeners: listeners.map((listener) => {
          const known = gateway.status?.listeners?.find((l) => l.name === listener.name);
          return { ...listener, conditions: conditionsOf(known?.conditions, listener.conditions, now) };
        }),
      }),
    ),
    ...compiled.routes.flatMap(({ kind, route, parents }) => parentIntents(RESOURCES[kind], route, parents, now)),
  ];
}

const RESOURCES = { HTTPRoute: HTTP_ROUTES, GRPCRoute: GRPC_ROUTES, TLSRoute: TLS_ROUTES } as const;
const OURS = new Set(["travelops.io/gateway-controller"]);

/** Our parents' entries replaced, those of other controllers kept. */
function parentIntents(resource: Resource, route: AnyRoute, wanted: readonly WantedParent[], now: number): Intent[] {
  const controllers = new Set([...OURS, ...wanted.map((w) => w.controllerName)]);
  const current = route.status?.parents ?? [];
  const kept = current.filter((p) => !controllers.has(p.controllerName));
  const ours = wanted.map((w): ParentStatus => {
    const known = current.find((p) => p.controllerName === w.controllerName && same(p.parentRef, w.parentRef));
    return {
      parentRef: w.parentRef,
      controllerName: w.controllerName,
      conditions: conditionsOf(known?.conditions, w.conditions, now),
    };
  });
  if (ours.length === 0 && kept.length === current.length) return [];
  return statusIntent(resource, route, { parents: [...kept, ...ours] });
}

/** The annotation that tells where an object answers on 127.0.0.1. */
export function urlIntents(resource: Resource, object: KubeObject, urls: readonly string[]): Intent[] {
  const value = urls.join(",");
  const current = object.metadata.annotations?.[LOCAL_URL_ANNOTATION] ?? "";
  if (current === value) return [];
  return [
    {
      resource,
      object,
      patch: { metadata: { annotations: { [LOCAL_URL_ANNOTATION]: value === "" ? null : value } } },
    },
  ];
}
