/** The informers of the network, and what of their events matters. */
import {
  createInformer,
  ENDPOINT_SLICES,
  INGRESS_CLASSES,
  INGRESSES,
  NAMESPACES,
  NETWORK_POLICIES,
  NODES,
  PODS,
  SECRETS,
  SERVICES,
  type Clock,
  type Informer,
  type InformerEvent,
  type KubeClient,
  type KubeObject,
  type Logger,
  type Resource,
  type Secret,
} from "@travelops/kube";
import type { KeyPair, KeyPairs } from "./key-pair.ts";
import type { NetworkPolicy } from "./network-policy.ts";
import { SERVICE_NAME_LABEL } from "./service-config.ts";
import { same } from "./status-intents.ts";
import { GATEWAYS, GATEWAY_CLASSES, GRPC_ROUTES, HTTP_ROUTES, REFERENCE_GRANTS, ROUTES, TLS_ROUTES } from "./types.ts";
import type { World } from "./world.ts";

export type Watched = ReturnType<typeof watch>;

/** Makes the informers; `run` starts them: those of built-in kinds first, those of CRDs once these are there. */
export function watch(client: KubeClient, given: { clock: Clock; log: Logger }) {
  const options = { ...given, managedFields: "drop" } as const;
  return {
    services: createInformer(client, SERVICES, options),
    slices: createInformer(client, ENDPOINT_SLICES, {
      ...options,
      indexes: {
        service: (slice) => [`${slice.metadata.namespace ?? ""}/${slice.metadata.labels?.[SERVICE_NAME_LABEL] ?? ""}`],
      },
    }),
    pods: createInformer(client, PODS, options),
    namespaces: createInformer(client, NAMESPACES, options),
    /** Followed once a Service asks for what is near. */
    nodes: createInformer(client, NODES, options),
    networkPolicies: createInformer(client, NETWORK_POLICIES as Resource<NetworkPolicy>, options),
    secrets: createInformer(client, SECRETS, { ...options, fieldSelector: "type=kubernetes.io/tls" }),
    ingresses: createInformer(client, INGRESSES, options),
    ingressClasses: createInformer(client, INGRESS_CLASSES, options),
    routes: createInformer(client, ROUTES, options),
    gatewayClasses: createInformer(client, GATEWAY_CLASSES, options),
    gateways: createInformer(client, GATEWAYS, options),
    httpRoutes: createInformer(client, HTTP_ROUTES, options),
    grpcRoutes: createInformer(client, GRPC_ROUTES, options),
    tlsRoutes: createInformer(client, TLS_ROUTES, options),
    grants: createInformer(client, REFERENCE_GRANTS, options),
  };
}

export const builtIn = (w: Watched): Informer[] => [
  w.services,
  w.slices,
  w.pods,
  w.namespaces,
  w.networkPolicies,
  w.secrets,
  w.ingresses,
  w.ingressClasses,
];

export const custom = (w: Watched): Informer[] => [
  w.routes,
  w.gatewayClasses,
  w.gateways,
  w.httpRoutes,
  w.grpcRoutes,
  w.tlsRoutes,
  w.grants,
];

/** Those whose objects the ingress is made of: any change of them is looked at. */
export const ingressObjects = (w: Watched): Informer[] => [...custom(w), w.ingresses, w.ingressClasses, w.secrets];

/** Only what the ingress reads of a Service or a Namespace. */
export function concernsIngress(event: InformerEvent<KubeObject>): boolean {
  if (event.type !== "updated") return true;
  const { object, old } = event;
  if (object.kind === "Namespace") return !same(object.metadata.labels, old.metadata.labels);
  return (
    !same(object["spec"], old["spec"]) ||
    !same(object["status"], old["status"]) ||
    !same(object.metadata.annotations, old.metadata.annotations)
  );
}

/** The informers' state as the compilers read it. */
export function worldOf(w: Watched, appsDomain: string, keyPairs: KeyPairs): World {
  return {
    appsDomain,
    service: (namespace, name) => w.services.get(namespace, name),
    certificate: (namespace, name) => certificateOf(w.secrets.get(namespace, name), keyPairs),
    keyPairs,
    namespaceLabels: (name) => w.namespaces.get("", name)?.metadata.labels,
    grants: w.grants.list(),
    gatewayClasses: w.gatewayClasses.list(),
    gateways: w.gateways.list(),
  };
}

function certificateOf(secret: Secret | undefined, keyPairs: KeyPairs): KeyPair | undefined {
  if (secret === undefined) return undefined;
  const text = (key: string): string => Buffer.from(secret.data?.[key] ?? "", "base64").toString("utf8");
  const pair = { cert: text("tls.crt"), key: text("tls.key") };
  return keyPairs.fault(secret, pair) === undefined ? pair : undefined;
}
