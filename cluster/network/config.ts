/**
 * What the dataplane is told: neutral rows that the controllers compile from Kubernetes objects.
 * One row a key; a delta replaces or removes rows, so the same message type carries snapshot and change.
 */

export interface EndpointConfig {
  readonly ip: string;
  readonly port: number;
  /** Takes traffic of ClusterIPs and of the ingress. */
  readonly ready: boolean;
  /** Set where the endpoint has a DNS name of its own (a StatefulSet's pod). */
  readonly hostname?: string;
  /** Where it runs; only of Services that ask for it. */
  readonly node?: string;
  readonly zone?: string;
}

export interface ServicePortConfig {
  readonly name: string;
  readonly port: number;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly appProtocol?: string;
  /** The port of every node's address. */
  readonly nodePort?: number;
  readonly endpoints: readonly EndpointConfig[];
}

export interface ServiceConfig {
  readonly namespace: string;
  readonly name: string;
  /** Empty for headless and ExternalName. */
  readonly clusterIPs: readonly string[];
  readonly externalName?: string;
  readonly headless: boolean;
  /** DNS publishes endpoints that are not ready, too. */
  readonly publishNotReady: boolean;
  /** sessionAffinity ClientIP, in seconds. */
  readonly affinitySeconds?: number;
  /** internalTrafficPolicy Local: pods reach the endpoints of their own node only. */
  readonly local?: boolean;
  /** externalTrafficPolicy Local: a node's port leads to the endpoints of that node only. */
  readonly externalLocal?: boolean;
  /** trafficDistribution: what is as near as that comes first, the rest where nothing is. */
  readonly prefer?: "zone" | "node";
  readonly ports: readonly ServicePortConfig[];
}

/** Who a pod address is: the source of a connection. */
export interface PodConfig {
  readonly ip: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccount: string;
  readonly node: string;
  /** Known once a Service prefers what is near. */
  readonly zone?: string;
  readonly labels: Readonly<Record<string, string>>;
}

export type Protocol = "TCP" | "UDP" | "SCTP";

/** Ports of a rule; `destinations`: only there has the name that the rule gives this number. */
export interface PolicyPort {
  readonly protocol: Protocol;
  readonly from: number;
  readonly to: number;
  readonly destinations?: readonly string[];
}

/** Addresses from `from` to `to`, as numbers. */
export interface AddressRange {
  readonly from: number;
  readonly to: number;
}

/** What one rule of a policy lets through. */
export interface PolicyRule {
  /** Absent: everybody. `ids` are pod addresses, the addresses of DNS and ingress, and `gateway:ns/name`. */
  readonly peers?: { readonly ids: readonly string[]; readonly blocks: readonly AddressRange[] };
  /** Absent: every port of every protocol. */
  readonly ports?: readonly PolicyPort[];
}

/** A NetworkPolicy with its selectors resolved. */
export interface PolicyConfig {
  /** Addresses of the pods it selects. */
  readonly pods: readonly string[];
  /** Absent: the policy says nothing of that direction; empty: nothing passes. */
  readonly ingress?: readonly PolicyRule[];
  readonly egress?: readonly PolicyRule[];
}

export type StringMatch = { readonly type: "Exact" | "RegularExpression"; readonly value: string };

export interface HttpMatch {
  readonly path: {
    readonly type: "Exact" | "PathPrefix" | "RegularExpression" | "RawPrefix";
    readonly value: string;
  };
  readonly method?: string;
  readonly headers: readonly (StringMatch & { readonly name: string })[];
  readonly query: readonly (StringMatch & { readonly name: string })[];
}

export type PathModifier =
  | { readonly type: "ReplaceFullPath"; readonly value: string }
  | { readonly type: "ReplacePrefixMatch"; readonly value: string };

export interface HeaderChange {
  readonly set: readonly { readonly name: string; readonly value: string }[];
  readonly add: readonly { readonly name: string; readonly value: string }[];
  readonly remove: readonly string[];
}

export type HttpFilter =
  | { readonly type: "requestHeaders"; readonly change: HeaderChange }
  | { readonly type: "responseHeaders"; readonly change: HeaderChange }
  | { readonly type: "rewrite"; readonly hostname?: string; readonly path?: PathModifier }
  | {
      readonly type: "redirect";
      readonly scheme?: string;
      readonly hostname?: string;
      readonly port?: number;
      readonly path?: PathModifier;
      readonly statusCode: number;
    }
  | {
      readonly type: "cors";
      readonly origins: readonly string[];
      readonly credentials: boolean;
      readonly methods: readonly string[];
      readonly headers: readonly string[];
      readonly expose: readonly string[];
      /** Seconds. */
      readonly maxAge: number;
    }
  | {
      readonly type: "mirror";
      readonly backend: BackendTarget;
      readonly numerator: number;
      readonly denominator: number;
    };

/** A port of a Service, and how it wants to be spoken to. */
export interface BackendTarget {
  readonly service: string;
  readonly port: number;
  readonly protocol: "http" | "h2c";
  /** Re-encrypt: speak TLS to the endpoint. `ca` absent: the endpoint's certificate is not checked. */
  readonly tls?: { readonly ca?: string; readonly serverName?: string };
}

export type WeightedBackend =
  | {
      readonly kind: "service";
      readonly weight: number;
      readonly target: BackendTarget;
      readonly filters: readonly HttpFilter[];
    }
  /** A reference that resolves to nothing: its share of the requests gets a 500, as the Gateway API wants it. */
  | { readonly kind: "invalid"; readonly weight: number; readonly why: string };

/** How a rule answers on plain HTTP and on TLS listeners. */
export type SchemeUse = "serve" | "redirect" | "none";

export interface HttpRule {
  readonly match: HttpMatch;
  readonly filters: readonly HttpFilter[];
  readonly backends: readonly WeightedBackend[];
  /** Milliseconds; 0 or absent: no limit. */
  readonly requestTimeoutMs?: number;
  readonly backendTimeoutMs?: number;
}

/** One host name of one object: `a.b`, `*.b` or `*`. */
export interface HostConfig {
  readonly hostname: string;
  /** The `*` of an Ingress or Route stands for one label, that of a Gateway for any number. */
  readonly oneLabel?: boolean;
  readonly http: SchemeUse;
  readonly https: SchemeUse;
  readonly rules: readonly HttpRule[];
  readonly certificate?: { readonly cert: string; readonly key: string };
  /** TLS goes to the backend as it is, chosen by SNI. */
  readonly passthrough?: readonly WeightedBackend[];
  /** TLS ends here, with `certificate`, and what is inside goes to the backend as it is. */
  readonly terminated?: readonly WeightedBackend[];
}

/** All that one Route, Ingress, HTTPRoute, GRPCRoute or TLSRoute asks of the ingress. */
export interface FrontConfig {
  /** `Route/ns/name`. */
  readonly owner: string;
  readonly namespace: string;
  readonly name: string;
  /** creationTimestamp in ms: the older object wins a tie. */
  readonly created: number;
  readonly hosts: readonly HostConfig[];
  /** `gateway:ns/name` of the Gateways that it came in by: whom NetworkPolicies take its traffic to be from. */
  readonly gateways?: readonly string[];
}

export interface DataplaneSettings {
  readonly clusterName: string;
  /** `cluster.local`. */
  readonly clusterDomain: string;
  /** `apps.CLUSTER.travelops.localhost`. */
  readonly appsDomain: string;
  readonly podRange: string;
  readonly serviceRange: string;
  readonly sandbox: "namespaces" | "bare";
  /** Unix socket for dials of the API server and for bare pods. */
  readonly socketPath: string;
  /** Certificate for hosts that bring none. */
  readonly certificate: { readonly cert: string; readonly key: string };
  /** Ports that users see, for redirects and pages. */
  readonly publicPorts: { readonly http: number; readonly https: number };
  /** Bare sandbox: where the API server really listens. */
  readonly apiServer?: { readonly host: string; readonly port: number };
}

export interface Delta {
  readonly services?: Readonly<Record<string, ServiceConfig | null>>;
  readonly pods?: Readonly<Record<string, PodConfig | null>>;
  readonly fronts?: Readonly<Record<string, FrontConfig | null>>;
  readonly policies?: Readonly<Record<string, PolicyConfig | null>>;
}

/** What a listening socket of the host is for; it travels beside the message as a handle. */
export type HostListener =
  | { readonly kind: "http" }
  | { readonly kind: "https" }
  /** A port of 127.0.0.1 that stands for one host of the ingress. */
  | { readonly kind: "host"; readonly hostname: string }
  /** NodePort or LoadBalancer. */
  | { readonly kind: "service"; readonly service: string; readonly port: number; readonly protocol?: "UDP" };

/** A part of a cluster beside this one (its API, its ingress), as pods reach it. */
export interface SiblingAddress {
  readonly address: string;
  /** Ports of that address, and where each is on 127.0.0.1 of this machine. */
  readonly ports: Readonly<Record<number, number>>;
}

export type ToDataplane =
  | {
      readonly type: "start";
      readonly settings: DataplaneSettings;
      readonly snapshot: Delta;
      /** A dataplane before this one had policies: the kernel may hold pods to rules that nobody wants any more. */
      readonly rulesMayStand?: boolean;
      /** A dataplane before this one may have told the kernel of Services. */
      readonly servicesMayStand?: boolean;
    }
  | { readonly type: "delta"; readonly delta: Delta }
  | { readonly type: "listen"; readonly id: string; readonly listener: HostListener }
  | { readonly type: "unlisten"; readonly id: string }
  | { readonly type: "forwarded"; readonly id: number; readonly answer: string | null }
  | { readonly type: "sibling"; readonly id: number; readonly answer: SiblingAddress | null };

export type PolicyEnforcement =
  | { readonly kind: "full" }
  /** What goes through Services, ingress and egress proxy is held to them; what else is not, and why. */
  | { readonly kind: "partial"; readonly why: string };

export type FromDataplane =
  | { readonly type: "ready" }
  /** The socket of a `listen` has arrived: the sender's copy can go. */
  | { readonly type: "listening"; readonly id: string }
  /** A DNS query for a name outside the cluster (base64), to ask the host's resolvers. */
  | { readonly type: "forward"; readonly id: number; readonly query: string }
  /** A pod asks for a host of a cluster beside this one: where is it? */
  | { readonly type: "sibling"; readonly id: number; readonly host: string }
  /** How far NetworkPolicies are enforced, once there are any. */
  | { readonly type: "policies"; readonly enforcement: PolicyEnforcement }
  | { readonly type: "log"; readonly level: "warn" | "error"; readonly message: string };
