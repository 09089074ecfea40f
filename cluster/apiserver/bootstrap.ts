/** The furniture every client expects: namespaces, roles, the API's own Service, priority classes, flow control. */
import type { KubeObject } from "@travelops/kube";
import { formatTime } from "@travelops/kube/api/clock";
import { bootstrapPolicy } from "./authorization/bootstrap-policy.ts";
import { bootstrapLevels, bootstrapSchemas, LEVELS, SCHEMAS } from "./flow-control/bootstrap-objects.ts";
import { FRONT_PROXY_CLIENT } from "./pki/cluster-pki.ts";
import type { ObjectKey } from "../store/store.ts";
import type { ApiServerOptions, ServerCore } from "./server-options.ts";
import { addressAt, parseRange } from "./registry/strategies/service-allocator.ts";
import { systemActor } from "./system/system-actor.ts";

const NAMESPACES = ["default", "kube-system", "kube-public", "kube-node-lease"];

const namespace = (name: string): KubeObject => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels: { "kubernetes.io/metadata.name": name } },
  spec: { finalizers: ["kubernetes"] },
  status: { phase: "Active" },
});

const priorityClass = (name: string, value: number, description: string): KubeObject => ({
  apiVersion: "scheduling.k8s.io/v1",
  kind: "PriorityClass",
  metadata: { name, generation: 1 },
  value,
  description,
  preemptionPolicy: "PreemptLowerPriority",
});

function kubernetesService(address: string): KubeObject {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "kubernetes", namespace: "default", labels: { component: "apiserver", provider: "kubernetes" } },
    spec: {
      type: "ClusterIP",
      clusterIP: address,
      clusterIPs: [address],
      internalTrafficPolicy: "Cluster",
      ipFamilies: ["IPv4"],
      ipFamilyPolicy: "SingleStack",
      ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: 6443 }],
      sessionAffinity: "None",
    },
    status: { loadBalancer: {} },
  };
}

function kubernetesEndpoints(address: string, port: number): [KubeObject, KubeObject] {
  const metadata = { name: "kubernetes", namespace: "default" };
  return [
    {
      apiVersion: "v1",
      kind: "Endpoints",
      metadata: { ...metadata, labels: { "endpointslice.kubernetes.io/skip-mirror": "true" } },
      subsets: [{ addresses: [{ ip: address }], ports: [{ name: "https", port, protocol: "TCP" }] }],
    },
    {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { ...metadata, generation: 1, labels: { "kubernetes.io/service-name": "kubernetes" } },
      addressType: "IPv4",
      endpoints: [{ addresses: [address], conditions: { ready: true } }],
      ports: [{ name: "https", port, protocol: "TCP" }],
    },
  ];
}

const authenticationConfig = (clientCa: string, frontProxyCa: string | undefined): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "extension-apiserver-authentication", namespace: "kube-system" },
  data: {
    "client-ca-file": clientCa,
    ...(frontProxyCa === undefined
      ? {}
      : {
          "requestheader-allowed-names": JSON.stringify([FRONT_PROXY_CLIENT]),
          "requestheader-client-ca-file": frontProxyCa,
          "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
          "requestheader-group-headers": '["X-Remote-Group"]',
          "requestheader-uid-headers": '["X-Remote-Uid"]',
          "requestheader-username-headers": '["X-Remote-User"]',
        }),
  },
});

interface Furniture {
  readonly table: string;
  readonly object: KubeObject;
  /** Brought back to this state at every start; else only made where it is missing. */
  readonly renew?: boolean;
}

function furniture(options: ApiServerOptions, now: string): Furniture[] {
  const service = addressAt(parseRange(options.serviceRange), 1);
  const advertise = options.advertise ?? { address: service, port: 6443 };
  const [endpoints, slice] = kubernetesEndpoints(advertise.address, advertise.port);
  return [
    ...NAMESPACES.map((name) => ({ table: "namespaces.", object: namespace(name) })),
    { table: "services.", object: kubernetesService(service) },
    { table: "endpoints.", object: endpoints, renew: true },
    { table: "endpointslices.discovery.k8s.io", object: slice, renew: true },
    {
      table: "priorityclasses.scheduling.k8s.io",
      object: priorityClass(
        "system-cluster-critical",
        2_000_000_000,
        "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
      ),
    },
    {
      table: "priorityclasses.scheduling.k8s.io",
      object: priorityClass(
        "system-node-critical",
        2_000_001_000,
        "Used for system critical pods that must not be moved from their current node.",
      ),
    },
    ...bootstrapLevels().map((object) => ({ table: LEVELS, object })),
    ...bootstrapSchemas(now).map((object) => ({ table: SCHEMAS, object })),
    {
      table: "configmaps.",
      object: authenticationConfig(options.clientCaBundle ?? options.tls.clientCa, options.frontProxy?.ca),
      renew: true,
    },
  ];
}

function keyOf(table: string, { metadata }: KubeObject): ObjectKey {
  return { table, namespace: metadata.namespace ?? "", name: metadata.name ?? "" };
}

const payload = ({ metadata: _metadata, ...rest }: KubeObject): string => JSON.stringify(rest);

/** Makes what is missing and renews what changes with the server. What a user changed stays. */
export async function bootstrap(core: ServerCore, options: ApiServerOptions): Promise<void> {
  const now = formatTime(core.clock.now());
  await Promise.all([
    bootstrapPolicy(core.store, core.clock, core.uuid),
    ...furniture(options, now).map(({ table, object, renew }) =>
      core.store.write(keyOf(table, object), systemActor("bootstrap"), (current) => {
        if (current === undefined) {
          const metadata = { ...object.metadata, uid: core.uuid(), creationTimestamp: now };
          return { op: "put", object: { ...object, metadata } };
        }
        if (renew !== true || payload(current.object) === payload(object)) return { op: "none" };
        return {
          op: "put",
          object: { ...object, metadata: { ...current.object.metadata, labels: object.metadata.labels ?? {} } },
        };
      }),
    ),
  ]);
}
