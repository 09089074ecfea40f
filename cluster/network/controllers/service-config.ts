/** Service and EndpointSlices → a row of the dataplane. Pure. */
import type { Endpoint, EndpointSlice, Pod, Service } from "@travelops/kube";
import type { EndpointConfig, PodConfig, ServiceConfig, ServicePortConfig } from "../config.ts";

export const SERVICE_NAME_LABEL = "kubernetes.io/service-name";

export function compileService(service: Service, slices: readonly EndpointSlice[]): ServiceConfig {
  const { spec, metadata } = service;
  const headless = spec.clusterIP === "None";
  const clusterIPs = (spec.clusterIPs ?? [spec.clusterIP ?? ""]).filter(
    (ip) => ip !== "" && ip !== "None" && !ip.includes(":"),
  );
  const external = spec.type === "ExternalName";
  const affinity = spec.sessionAffinity === "ClientIP" ? affinitySeconds(service) : undefined;
  const near = nearness(service);
  const ports = (spec.ports ?? []).map((port): ServicePortConfig => ({
    name: port.name ?? "",
    port: port.port,
    protocol: protocolOf(port.protocol),
    ...(port.appProtocol === undefined ? {} : { appProtocol: port.appProtocol }),
    ...(port.nodePort === undefined || port.nodePort === 0 ? {} : { nodePort: port.nodePort }),
    endpoints: endpointsOf(slices, port.name ?? "", protocolOf(port.protocol), near.place),
  }));
  return {
    namespace: metadata.namespace ?? "",
    name: metadata.name ?? "",
    clusterIPs: external ? [] : clusterIPs,
    ...(external && spec.externalName !== undefined ? { externalName: spec.externalName.replace(/\.$/, "") } : {}),
    headless: headless && !external,
    publishNotReady: spec.publishNotReadyAddresses === true,
    ...(affinity === undefined ? {} : { affinitySeconds: affinity }),
    ...near.rules,
    // A headless Service without ports has names all the same.
    ports:
      headless && ports.length === 0
        ? [{ name: "", port: 0, protocol: "TCP", endpoints: anyEndpoints(slices) }]
        : ports,
  };
}

const PREFERENCES: Readonly<Record<string, "zone" | "node">> = {
  PreferClose: "zone",
  PreferSameZone: "zone",
  PreferSameNode: "node",
};

/** `place`: endpoints have to say where they are. */
function nearness({ spec }: Service): {
  readonly place: boolean;
  readonly rules: Pick<ServiceConfig, "local" | "externalLocal" | "prefer">;
} {
  const prefer = PREFERENCES[spec.trafficDistribution ?? ""];
  const rules = {
    ...(spec.internalTrafficPolicy === "Local" ? { local: true } : {}),
    ...(spec.externalTrafficPolicy === "Local" ? { externalLocal: true } : {}),
    ...(prefer === undefined ? {} : { prefer }),
  };
  return { place: Object.keys(rules).length > 0, rules };
}

const DEFAULT_AFFINITY_SECONDS = 10_800;

function affinitySeconds(service: Service): number {
  const config = service.spec as { sessionAffinityConfig?: { clientIP?: { timeoutSeconds?: number } } };
  return config.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? DEFAULT_AFFINITY_SECONDS;
}

const protocolOf = (protocol: string | undefined): "TCP" | "UDP" | "SCTP" =>
  protocol === "UDP" || protocol === "SCTP" ? protocol : "TCP";

function endpointsOf(
  slices: readonly EndpointSlice[],
  name: string,
  protocol: string,
  place: boolean,
): EndpointConfig[] {
  const found: { endpoint: Endpoint; port: number }[] = [];
  for (const slice of slices) {
    if (slice.addressType !== "IPv4") continue;
    for (const port of slice.ports ?? []) {
      if ((port.name ?? "") !== name || protocolOf(port.protocol) !== protocol || port.port === undefined) continue;
      for (const endpoint of slice.endpoints ?? []) found.push({ endpoint, port: port.port });
    }
  }
  return distinct(found, place);
}

const anyEndpoints = (slices: readonly EndpointSlice[]): EndpointConfig[] =>
  distinct(
    slices
      .filter((s) => s.addressType === "IPv4")
      .flatMap((s) => (s.endpoints ?? []).map((endpoint) => ({ endpoint, port: 0 }))),
  );

/** One row an address and port. Where none is ready, those that still serve while they end take the traffic, as kube-proxy has it. */
function distinct(found: readonly { endpoint: Endpoint; port: number }[], place = false): EndpointConfig[] {
  const isReady = (e: Endpoint): boolean => e.conditions?.ready !== false;
  const anyReady = found.some(({ endpoint }) => isReady(endpoint));
  const rows = new Map<string, EndpointConfig>();
  for (const { endpoint, port } of found) {
    const ready = anyReady
      ? isReady(endpoint)
      : endpoint.conditions?.serving === true && endpoint.conditions.terminating === true;
    for (const ip of endpoint.addresses.slice(0, 1)) {
      const known = rows.get(`${ip}:${port}`);
      rows.set(`${ip}:${port}`, {
        ip,
        port,
        ready: ready || known?.ready === true,
        ...(endpoint.hostname === undefined ? {} : { hostname: endpoint.hostname }),
        ...(place && endpoint.nodeName !== undefined ? { node: endpoint.nodeName } : {}),
        ...(place && endpoint.zone !== undefined ? { zone: endpoint.zone } : {}),
      });
    }
  }
  return [...rows.values()];
}

/** A pod that has an address and has not ended. */
export function compilePod(pod: Pod, zoneOf: (node: string) => string | undefined): PodConfig | undefined {
  const ip = pod.status?.podIP;
  const phase = pod.status?.phase;
  if (ip === undefined || ip === "" || pod.spec.hostNetwork === true || phase === "Succeeded" || phase === "Failed")
    return undefined;
  const node = pod.spec.nodeName ?? "";
  const zone = zoneOf(node);
  return {
    ip,
    namespace: pod.metadata.namespace ?? "",
    name: pod.metadata.name ?? "",
    uid: pod.metadata.uid ?? "",
    serviceAccount: pod.spec.serviceAccountName ?? "default",
    node,
    ...(zone === undefined ? {} : { zone }),
    labels: pod.metadata.labels ?? {},
  };
}
