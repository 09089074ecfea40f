/** The custom kinds that the network serves, with the fields it reads. */
import { customResource, type Condition, type KubeObject } from "@travelops/kube";

export interface RouteTarget {
  kind?: string;
  name: string;
  weight?: number;
}

export interface RouteHeaderAction {
  name: string;
  action: { type: "Set" | "Delete"; set?: { value: string } };
}

export interface Route extends KubeObject {
  spec: {
    host?: string;
    subdomain?: string;
    path?: string;
    to: RouteTarget;
    alternateBackends?: RouteTarget[];
    port?: { targetPort: string | number };
    wildcardPolicy?: string;
    httpHeaders?: { actions?: { request?: RouteHeaderAction[]; response?: RouteHeaderAction[] } };
    tls?: {
      termination: "edge" | "passthrough" | "reencrypt";
      insecureEdgeTerminationPolicy?: string;
      certificate?: string;
      key?: string;
      caCertificate?: string;
      destinationCACertificate?: string;
      externalCertificate?: { name: string };
    };
  };
  status?: { ingress?: { host?: string; routerName?: string; conditions?: Condition[] }[] };
}

export interface GatewayClass extends KubeObject {
  spec: { controllerName: string };
  status?: { conditions?: Condition[] };
}

export interface CertificateRef {
  group?: string;
  kind?: string;
  name: string;
  namespace?: string;
}

export interface Listener {
  name: string;
  hostname?: string;
  port: number;
  protocol: string;
  tls?: {
    mode?: string;
    certificateRefs?: CertificateRef[];
  };
  allowedRoutes?: {
    namespaces?: {
      from?: string;
      selector?: {
        matchLabels?: Record<string, string>;
        matchExpressions?: { key: string; operator: string; values?: string[] }[];
      };
    };
    kinds?: { group?: string; kind: string }[];
  };
}

export interface Gateway extends KubeObject {
  spec: { gatewayClassName: string; listeners: Listener[]; addresses?: { type?: string; value?: string }[] };
  status?: {
    addresses?: unknown;
    conditions?: Condition[];
    listeners?: { name: string; conditions?: Condition[] }[];
  };
}

export interface ParentRef {
  group?: string;
  kind?: string;
  namespace?: string;
  name: string;
  sectionName?: string;
  port?: number;
}

export interface BackendRef {
  group?: string;
  kind?: string;
  name: string;
  namespace?: string;
  port?: number;
  weight?: number;
}

export interface HeaderModifier {
  set?: { name: string; value: string }[];
  add?: { name: string; value: string }[];
  remove?: string[];
}

export interface GatewayPath {
  type: "ReplaceFullPath" | "ReplacePrefixMatch";
  replaceFullPath?: string;
  replacePrefixMatch?: string;
}

export interface RouteFilter {
  type: string;
  requestHeaderModifier?: HeaderModifier;
  responseHeaderModifier?: HeaderModifier;
  requestMirror?: {
    backendRef: BackendRef;
    percent?: number;
    fraction?: { numerator: number; denominator?: number };
  };
  requestRedirect?: {
    scheme?: string;
    hostname?: string;
    port?: number;
    statusCode?: number;
    path?: GatewayPath;
  };
  urlRewrite?: { hostname?: string; path?: GatewayPath };
  cors?: {
    allowOrigins?: string[];
    allowCredentials?: boolean;
    allowMethods?: string[];
    allowHeaders?: string[];
    exposeHeaders?: string[];
    maxAge?: number;
  };
}

export interface ValueMatch {
  type?: string;
  name: string;
  value: string;
}

export interface HttpRouteRule {
  matches?: {
    path?: { type?: string; value?: string };
    method?: string;
    headers?: ValueMatch[];
    queryParams?: ValueMatch[];
  }[];
  filters?: RouteFilter[];
  backendRefs?: (BackendRef & { filters?: RouteFilter[] })[];
  timeouts?: { request?: string; backendRequest?: string };
}

export interface GrpcRouteRule {
  matches?: { method?: { type?: string; service?: string; method?: string }; headers?: ValueMatch[] }[];
  filters?: RouteFilter[];
  backendRefs?: (BackendRef & { filters?: RouteFilter[] })[];
}

export interface ParentStatus {
  parentRef: ParentRef;
  controllerName: string;
  conditions?: Condition[];
}

export interface RouteObject<Rule> extends KubeObject {
  spec: { parentRefs?: ParentRef[]; hostnames?: string[]; rules?: Rule[] };
  status?: { parents?: ParentStatus[] };
}

export type HttpRoute = RouteObject<HttpRouteRule>;
export type GrpcRoute = RouteObject<GrpcRouteRule>;
export type TlsRoute = RouteObject<{ backendRefs?: BackendRef[] }>;
export type AnyRoute = RouteObject<unknown>;

export interface ReferenceGrant extends KubeObject {
  spec: {
    from: { group: string; kind: string; namespace: string }[];
    to: { group: string; kind: string; name?: string }[];
  };
}

export const GATEWAY_GROUP = "gateway.networking.k8s.io";
export const ROUTES = customResource<Route>("route.openshift.io", "v1", "routes", "Route", true);
export const GATEWAY_CLASSES = customResource<GatewayClass>(
  GATEWAY_GROUP,
  "v1",
  "gatewayclasses",
  "GatewayClass",
  false,
);
export const GATEWAYS = customResource<Gateway>(GATEWAY_GROUP, "v1", "gateways", "Gateway", true);
export const HTTP_ROUTES = customResource<HttpRoute>(GATEWAY_GROUP, "v1", "httproutes", "HTTPRoute", true);
export const GRPC_ROUTES = customResource<GrpcRoute>(GATEWAY_GROUP, "v1", "grpcroutes", "GRPCRoute", true);
export const TLS_ROUTES = customResource<TlsRoute>(GATEWAY_GROUP, "v1", "tlsroutes", "TLSRoute", true);
/** v1beta1 is in every release of the Gateway API. */
export const REFERENCE_GRANTS = customResource<ReferenceGrant>(
  GATEWAY_GROUP,
  "v1beta1",
  "referencegrants",
  "ReferenceGrant",
  true,
);
