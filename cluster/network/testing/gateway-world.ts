/** Gateways, routes and Services for tests of what they do to requests and what their statuses say. */
import type { KubeObject, Service } from "@travelops/kube";
import { compileGatewayApi, type CompiledGatewayApi } from "../controllers/gateway-api.ts";
import { KeyPairs } from "../controllers/key-pair.ts";
import type {
  Gateway,
  GatewayClass,
  HttpRoute,
  HttpRouteRule,
  Listener,
  ReferenceGrant,
} from "../controllers/types.ts";
import type { World } from "../controllers/world.ts";
import { planRequest, type Plan } from "../dataplane/ingress/request-plan.ts";
import { RouteTable } from "../dataplane/ingress/route-table.ts";
import type { FrontConfig } from "../config.ts";

export const APPS = "apps.test";
const SERVICES = ["shop/one", "shop/two", "shop/three", "far/away"];

const service = (key: string): Service => {
  const [namespace = "", name = ""] = key.split("/");
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace }, spec: { ports: [{ port: 80 }] } };
};

export const meta = (name: string, namespace = "shop", age = 0): KubeObject["metadata"] => ({
  name,
  namespace,
  generation: 4,
  creationTimestamp: new Date(age * 1000).toISOString(),
});

export const http = (extra: Partial<Listener> = {}): Listener => ({
  name: "http",
  port: 80,
  protocol: "HTTP",
  ...extra,
});

export const gateway = (listeners: Listener[], spec: Partial<Gateway["spec"]> = {}): Gateway => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "Gateway",
  metadata: meta("gw"),
  spec: { gatewayClassName: "travelops", listeners, ...spec },
});

export interface RouteOptions {
  readonly name?: string;
  readonly namespace?: string;
  readonly age?: number;
  readonly hostnames?: string[];
  readonly sectionName?: string;
  readonly port?: number;
}

export const route = (rules: HttpRouteRule[], options: RouteOptions = {}): HttpRoute => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind: "HTTPRoute",
  metadata: meta(options.name ?? "r", options.namespace ?? "shop", options.age ?? 0),
  spec: {
    parentRefs: [
      {
        name: "gw",
        namespace: "shop",
        ...(options.sectionName === undefined ? {} : { sectionName: options.sectionName }),
        ...(options.port === undefined ? {} : { port: options.port }),
      },
    ],
    rules,
    ...(options.hostnames === undefined ? {} : { hostnames: options.hostnames }),
  },
});

/** A rule that sends what matches to a Service of `shop`. */
export const to = (backend: string, rule: Partial<HttpRouteRule> = {}): HttpRouteRule => ({
  backendRefs: [{ name: backend, port: 80 }],
  ...rule,
});

export function testWorld(gateways: readonly Gateway[], grants: readonly ReferenceGrant[] = []): World {
  return {
    appsDomain: APPS,
    service: (namespace, name) =>
      SERVICES.includes(`${namespace}/${name}`) ? service(`${namespace}/${name}`) : undefined,
    certificate: (_namespace, name) => (name === "tls" ? { cert: "C", key: "K" } : undefined),
    keyPairs: new KeyPairs(),
    namespaceLabels: (name) => ({ "kubernetes.io/metadata.name": name }),
    grants,
    gatewayClasses: [
      {
        apiVersion: "gateway.networking.k8s.io/v1",
        kind: "GatewayClass",
        metadata: { name: "travelops" },
        spec: { controllerName: "travelops.io/gateway-controller" },
      } as GatewayClass,
    ],
    gateways,
  };
}

export const compiled = (gateways: Gateway[], routes: HttpRoute[], grants?: ReferenceGrant[]): CompiledGatewayApi =>
  compileGatewayApi(testWorld(gateways, grants), { http: routes, grpc: [], tls: [] });

export interface Asked {
  readonly host?: string;
  readonly path?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly scheme?: "http" | "https";
  readonly random?: number;
}

/** What the ingress would do with a request. */
export function planned(fronts: readonly (FrontConfig | undefined)[], asked: Asked): Plan {
  const table = new RouteTable(
    fronts.filter((f) => f !== undefined),
    APPS,
  );
  const { scheme = "http", host = "any.org" } = asked;
  return planRequest(
    { table, clusterName: "hub", random: () => asked.random ?? 0 },
    {
      method: asked.method ?? "GET",
      url: asked.path ?? "/",
      authority: host,
      headers: { host, ...asked.headers },
      remoteAddress: "1.2.3.4",
    },
    { scheme, publicPort: scheme === "http" ? 8080 : 8443, httpsPort: 8443 },
  );
}

/** In a word: the Service, the status, or where a redirect leads. */
export function outcome(plan: Plan): string {
  switch (plan.kind) {
    case "forward":
      return plan.target.service.replace("shop/", "");
    case "redirect":
      return `${plan.status} ${plan.location}`;
    case "answer":
      return String(plan.status);
    case "page":
      return String(plan.page.status);
  }
}
